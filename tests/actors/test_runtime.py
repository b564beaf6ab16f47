"""The runtime: names, what comes out of its block, and its end."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Note, Notes, Sleep, Urgent, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorStopped,
    Child,
    InvalidName,
    Runtime,
    Subscription,
    Supervisor,
    droppable,
    open_runtime,
    receives,
)


@pytest.mark.parametrize("name", ["", ".", "a.b", "a b", "ä", "a\n", "*", ">"])
async def test_a_bad_name_is_refused(name: str) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidName, match="is no name for an actor"):
            await runtime.spawn(Worker(), name=name)


async def test_without_a_name_a_unique_one_is_made() -> None:
    async with open_runtime() as runtime:
        first = await runtime.spawn(Worker())
        number = int(first.name.removeprefix("worker-"))
        # A name that a user took is not made again.
        await runtime.spawn(Worker(), name=f"worker-{number + 1}")
        second = await runtime.spawn(Worker())
        assert second.name == f"worker-{number + 2}"


async def test_paths_join_names_from_the_root_down() -> None:
    @attrs.define(eq=False)
    class Parent(Actor):
        @receives
        async def note(self, message: Note) -> tuple[str, str]:
            child = await self.context.spawn(Worker(), name="ann")
            return self.context.path, child.path

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Parent(), name="lobby")
        assert await ref.ask(Note(""), timeout=1) == ("lobby", "lobby.ann")


async def test_leaving_the_block_stops_all() -> None:
    log: list[str] = []
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with open_runtime() as runtime:
        refs = [await runtime.spawn(Worker(log), name=name) for name in "ab"]
    assert sorted(log[2:]) == ["a stopped", "b stopped"]
    assert [ref.statistics().state for ref in refs] == ["stopped"] * 2
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    with pytest.raises(ActorStopped, match="the runtime is stopping"):
        await runtime.spawn(Worker())


async def test_an_exception_of_the_block_comes_out_plain() -> None:
    log: list[str] = []

    async def body() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Worker(log), name="w")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        await body()
    assert caught.value.args == ("mine",)
    assert log == ["w started", "w stopped"]


async def test_an_exception_group_of_the_block_comes_out_as_it_is() -> None:
    error = ExceptionGroup("mine", [KeyError(1), ValueError(2)])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_runtime():
            raise error
    assert caught.value is error


async def test_a_crash_does_not_reach_the_block() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        ref.tell(Crash())
        await ref.wait_stopped()
        await trio.lowlevel.checkpoint()


async def test_20_a_cancelled_runtime_stops_in_order_and_reports_no_crash(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    tasks = trio.lowlevel.current_statistics().tasks_living
    children = [Child(Worker(log, slow_stop=1), name=name) for name in "abc"]
    terminated: list[Subscription] = []
    with trio.move_on_after(10) as scope:
        async with open_runtime() as runtime:
            terminated.append(runtime.bus.subscribe("runtime.terminated.>"))
            await runtime.spawn(Supervisor(children), name="team")
            busy = await runtime.spawn(Worker(log), name="busy")
            busy.tell(Sleep(11))
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert [line for line in log if line.endswith("stopped") and line != "busy stopped"] == [
        "c stopped",
        "b stopped",
        "a stopped",
    ]
    # A message in hand has its grace even then.
    assert "busy slept" in log
    assert {(event.path, event.reason, event.cause) for event in read_all(terminated[0])} == {
        (path, "stopped", None) for path in ("team", "team.a", "team.b", "team.c", "busy")
    }
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_20_a_message_in_hand_can_still_count_on_the_children_of_its_actor(autojump_clock: MockClock) -> None:
    """However far above it was cancelled: a child ends after what its parent has in hand, not with it."""
    answers: list[str] = []

    @attrs.define(eq=False)
    class Parent(Worker):
        @receives
        async def note(self, message: Note) -> None:
            child = await self.context.spawn(Worker(self.log), name="child")
            await trio.sleep(2)
            answers.append(await child.ask(Urgent(message.text), timeout=1))

    log: list[str] = []
    with trio.move_on_after(1):
        async with open_runtime() as runtime:
            parent = await runtime.spawn(Parent(log), name="parent")
            parent.tell(Note("still there"))
            await trio.sleep_forever()
    assert answers == ["still there"]
    assert log[-2:] == ["child stopped", "parent stopped"]


async def test_a_runtime_cancelled_before_its_block_begins_ends_at_once() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with open_runtime() as runtime:
            await runtime.spawn(Worker())
    assert scope.cancelled_caught


async def test_all_of_a_shutdown_has_one_deadline(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Those not ended within it are cancelled, named in the log, and their `stopping()` is cut short."""
    log: list[str] = []
    children = [Child(Worker(log, slow_stop=5), name=name, stop_timeout=100) for name in "abc"]
    async with open_runtime(shutdown_timeout=7) as runtime:
        refs = [await runtime.spawn(Supervisor(children), name="team"), await runtime.spawn(Worker(log), name="quick")]
        log.clear()
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(7)
    assert [line for line in log if line[0] in "abc"] == [
        "c is stopping",
        "c stopped",
        "b is stopping",
        "a is stopping",
    ]
    assert [ref.statistics().state for ref in refs] == ["stopped"] * 2
    [record] = [record for record in caplog.records if "not ended within" in record.message]
    assert "team.b" in record.message
    assert "quick" not in record.message


async def test_an_actor_that_shields_itself_is_named_and_waited_for(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    @attrs.define(eq=False)
    class Shielded(Actor):
        @receives
        async def note(self, message: Note) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)

    async with open_runtime(shutdown_timeout=2) as runtime:
        ref = await runtime.spawn(Shielded(), name="stuck", stop_timeout=1)
        ref.tell(Note(""))
        await wait_all_tasks_blocked()
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(100)
    assert any("stuck" in record.message for record in caplog.records)
    assert ref.statistics().state == "stopped"


async def test_a_thread_at_work_is_named_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """On the real clock: nothing can end a call in a thread, and none is abandoned."""
    release = threading.Event()
    done: list[bool] = []

    @attrs.define(eq=False)
    class Threaded(Actor):
        @receives
        async def note(self, message: Note) -> None:
            await trio.to_thread.run_sync(lambda: done.append(release.wait(30)), abandon_on_cancel=False)

    async with open_runtime(shutdown_timeout=0.05) as runtime:
        ref = await runtime.spawn(Threaded(), name="stuck", stop_timeout=0.01)
        ref.tell(Note(""))
        await wait_all_tasks_blocked()

        class Release(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if "not ended within" in record.getMessage():
                    release.set()

        handler = Release()
        logging.getLogger("realtime_actors.actors").addHandler(handler)
    logging.getLogger("realtime_actors.actors").removeHandler(handler)
    assert done == [True]
    assert any("stuck" in record.message for record in caplog.records)


# -- what is never supervised


@attrs.define(eq=False)
class Raises(Actor):
    where: str
    error: Callable[[], BaseException]

    async def started(self) -> None:
        if self.where == "started":
            raise self.error()
        if self.where == "background":
            self.context.start_soon(self.note, Note(""))

    async def stopping(self) -> None:
        if self.where == "stopping":
            raise self.error()

    @receives
    async def note(self, message: Note) -> None:
        if self.where == "nursery":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(self.fail)
        raise self.error()

    async def fail(self) -> None:
        raise self.error()

    @receives(lane="control")
    async def urgent(self, message: Urgent) -> None:
        raise self.error()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["started", "background", "handler", "control", "nursery", "stopping"])
async def test_an_interrupt_or_exit_in_an_actor_comes_out_of_the_runtime_plain(
    autojump_clock: MockClock, where: str, error: type[BaseException]
) -> None:
    log: list[str] = []
    tasks = trio.lowlevel.current_statistics().tasks_living
    raised = error("now")

    async def body() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Worker(log), name="other")
            ref = await runtime.spawn(Raises(where, lambda: raised), restart="permanent")
            if where in ("handler", "nursery"):
                ref.tell(Note(""))
            elif where == "control":
                ref.tell(Urgent(""))
            if where != "stopping":
                await trio.sleep_forever()

    with pytest.raises(error) as caught:
        await body()
    assert caught.value is raised
    assert log == ["other started", "other stopped"]
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_a_foreign_cancelled_is_not_supervised() -> None:
    """One taken from another scope and raised here: it goes on out, as in any Trio program."""
    stolen: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            stolen.append(error)
    log: list[str] = []

    async def body() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Worker(log), name="other")
            ref = await runtime.spawn(Raises("handler", lambda: stolen[0]), restart="permanent")
            ref.tell(Note(""))
            await trio.sleep_forever()

    with pytest.raises(trio.Cancelled) as caught:
        await body()
    assert caught.value is stolen[0]
    assert log == ["other started", "other stopped"]


def test_a_second_interrupt_cuts_the_shutdown_short() -> None:
    log: list[str] = []
    ended: list[float] = []

    async def interrupt() -> None:
        # A system task is protected: Trio brings the interrupt to the main task, as when all wait for I/O.
        for _ in range(2):
            await trio.sleep(1)
            signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        start = trio.current_time()
        trio.lowlevel.spawn_system_task(interrupt)
        try:
            async with open_runtime(shutdown_timeout=100) as runtime:
                await runtime.spawn(Worker(log, slow_stop=50), name="w", stop_timeout=100)
                await trio.sleep_forever()
        finally:
            ended.append(trio.current_time() - start)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert log == ["w started", "w is stopping"]
    assert ended == [pytest.approx(2)]


async def test_what_the_kernel_itself_is_interrupted_in_comes_out_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may hit any line, those of the kernel too."""
    from realtime_actors.actors.group import Group  # noqa: PLC0415

    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    async def body() -> None:
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker())
            monkeypatch.setattr(Group, "_on_exit", interrupted)
            ref.tell(Crash())
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await body()


# -- afterwards


@droppable
@attrs.frozen
class Audio:
    pass


async def test_the_bus_can_be_published_on_when_the_runtime_is_over() -> None:
    async with open_runtime() as runtime:
        subscription = runtime.bus.subscribe("a", capacity=1)
    for _ in range(3):
        runtime.bus.publish("a", Audio())
    assert subscription.statistics().dropped == 2


async def test_a_spawn_from_outside_the_block_never_holds_up_its_end(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Hangs(Actor):
        async def started(self) -> None:
            await trio.sleep_forever()

    for steps in [0, 1, 2, 3, 4, 5] * 10:
        before = trio.current_time()
        async with trio.open_nursery() as outside, open_runtime() as runtime:

            async def spawn(runtime: Runtime = runtime) -> None:
                with pytest.raises(ActorStopped):
                    await runtime.spawn(Hangs())

            outside.start_soon(spawn)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
        assert trio.current_time() == before


async def test_a_second_runtime_knows_nothing_of_the_first() -> None:
    async with open_runtime() as one, open_runtime() as two:
        a = await one.spawn(Worker(), name="w")
        b = await two.spawn(Worker(), name="w")
        a.tell(Note("only a"))
        assert await a.ask(Notes(), timeout=1) == ["only a"]
        assert await b.ask(Notes(), timeout=1) == []


async def run_and_stop(clock_limit: float, body: Callable[[Any], Awaitable[None]]) -> None:
    with trio.move_on_after(clock_limit):
        async with open_runtime(shutdown_timeout=3) as runtime:
            await body(runtime)
            await trio.sleep_forever()


@pytest.mark.parametrize("when", [0.5, 1, 1.5, 2, 2.5, 3, 3.5])
async def test_a_cancellation_at_any_moment_leaves_no_task(autojump_clock: MockClock, when: float) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living

    @attrs.define(eq=False)
    class Slow(Worker):
        async def started(self) -> None:
            await trio.sleep(1)

    async def body(runtime: Any) -> None:
        children = [Child(Slow(slow_stop=1), name=name) for name in "ab"]
        team = await runtime.spawn(Supervisor(children, "one_for_all", max_restarts=100), name="team")
        crasher = await runtime.spawn(Worker(), restart="permanent", max_restarts=1000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(team.wait_stopped)
            while True:
                crasher.tell(Crash())
                await trio.sleep(0.1)

    before = trio.current_time()
    await run_and_stop(when, body)
    assert trio.current_time() - before < when + 4
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_a_setting_that_does_not_exist_is_refused_before_anything_starts() -> None:
    wrong: Any = "permanant"
    async with open_runtime() as runtime:
        with pytest.raises(ValueError, match="restart is 'permanant': it must be one of permanent, transient"):
            await runtime.spawn(Worker(), name="a", restart=wrong)
        with pytest.raises(ValueError, match="overflow is 'permanant': it must be one of wait, fail, drop_oldest"):
            await runtime.spawn(Worker(), name="a", overflow=wrong)
        with pytest.raises(ValueError, match="strategy is 'permanant': it must be one of one_for_one"):
            Supervisor([Child(Worker())], strategy=wrong)
        await runtime.spawn(Worker(), name="a")


async def test_a_crash_by_an_error_of_ours_is_logged_in_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """Such an error says all in its message; a bug is logged with where it is."""
    for error, has_traceback in ((ActorStopped("it has gone"), False), (ValueError("a bug"), True)):
        caplog.clear()
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker(), name="a")
            ref.tell(Crash(error))
            await ref.wait_stopped()
        [record] = [record for record in caplog.records if "crashed" in record.message]
        assert record.message == f"a crashed: {error}"
        assert bool(record.exc_info) is has_traceback
