"""A signal prints the actors."""

import io
import os
import re
import signal

import attrs
import pytest
import trio
import trio.testing

from realtime_actors.actors import Actor, open_runtime
from realtime_actors.telemetry import dump_on_signal


@attrs.define(eq=False)
class Waiter(Actor):
    """Does nothing."""


async def test_each_signal_prints_the_actors_of_its_moment(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        await nursery.start(dump_on_signal, runtime, signal.SIGUSR1)
        for names in (["first"], ["first", "second"]):
            await runtime.spawn(Waiter(), name=names[-1])
            os.kill(os.getpid(), signal.SIGUSR1)
            printed = ""
            with trio.fail_after(5):
                while "\n" not in printed:
                    await trio.sleep(0.01)
                    printed += capfd.readouterr().err
            lines = printed.splitlines()
            assert re.fullmatch(rf"--- [-\d]+ [:\d]+, actors: {len(names)}", lines[0])
            assert [line.split()[0] for line in lines[1:]] == ["actor", *names]
            assert "Waiter" in lines[2]
        nursery.cancel_scope.cancel()


async def test_a_stderr_that_nobody_reads_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = trio.Event()

    class Broken(io.StringIO):
        def flush(self) -> None:
            tried.set()
            raise BrokenPipeError

    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        monkeypatch.setattr("sys.stderr", Broken())
        await nursery.start(dump_on_signal, runtime, signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        with trio.fail_after(5):
            await tried.wait()
        monkeypatch.undo()
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        nursery.cancel_scope.cancel()
