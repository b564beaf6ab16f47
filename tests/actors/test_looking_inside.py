"""The tree, named lookup, instruments, and what the watchdog says."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Note, Notes, Sleep, Urgent, Worker
from trio.testing import MockClock

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    Child,
    Instrument,
    Ref,
    Runtime,
    Supervisor,
    droppable,
    open_runtime,
    receives,
    trace_context,
)

# -- find


async def test_an_actor_is_found_by_its_path_while_it_lives() -> None:
    async with open_runtime() as runtime:
        assert runtime.find("lobby") is None
        lobby = await runtime.spawn(Supervisor([Child(Worker(), name="ann")]), name="lobby")
        ann = runtime.find("lobby.ann")
        assert ann is not None
        assert ann.path == "lobby.ann"
        assert runtime.find("lobby") == lobby
        assert (lobby.kind, ann.kind) == ("Supervisor", "Worker")
        assert runtime.find("ann") is None
        await lobby.stop()
        assert runtime.find("lobby.ann") is None


@attrs.define(eq=False)
class Seeker(Actor):
    @receives
    def seek(self, message: Note) -> Ref | None:
        return self.context.find(message.text)

    @receives
    def look(self, message: Notes) -> list[str]:
        return [actor.path for actor in self.context.tree().actors]


async def test_an_actor_finds_others_from_the_root() -> None:
    async with open_runtime() as runtime:
        ann = await runtime.spawn(Worker(), name="ann")
        seeker = await runtime.spawn(Seeker(), name="seeker")
        assert await seeker.ask(Note("ann"), timeout=1) == ann
        assert await seeker.ask(Note("bob"), timeout=1) is None
        assert await seeker.ask(Notes(), timeout=1) == ["ann", "seeker"]


# -- the tree


@droppable
@attrs.frozen
class Audio:
    pass


@attrs.define(eq=False)
class Listener(Worker):
    @receives
    def listen(self, message: Audio) -> None: ...


async def test_the_tree_is_a_frozen_snapshot_with_children_below_their_parents(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        assert str(runtime.tree()) == "no actors"
        await runtime.spawn(Supervisor([Child(Worker(), name="b"), Child(Worker(), name="a")]), name="first")
        last = await runtime.spawn(Listener(), name="last", restart="permanent", capacity=2, overflow="drop_oldest")
        late = runtime.find("first")
        assert late is not None
        with pytest.raises(ActorCrashed):
            await last.ask(Crash(), timeout=1)
        last.tell(Note("handled"))
        last.tell(Sleep(60))
        await trio.sleep(0.25)
        for _ in range(5):
            last.tell(Audio())
        tree = runtime.tree()
        assert [actor.path for actor in tree.actors] == ["first", "first.b", "first.a", "last"]
        seen = tree.actors[-1]
        assert seen == attrs.evolve(
            seen,
            path="last",
            kind="Listener",
            state="running",
            incarnation=2,
            restarts=1,
            queued=2,
            queued_control=0,
            capacity=2,
            peak=2,
            handled=1,
            dropped=3,
            in_hand="Sleep",
        )
        assert seen.in_hand_s == pytest.approx(0.25)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            seen.handled = 2  # pyright: ignore[reportAttributeAccessIssue]
        await trio.sleep(60)
        assert (tree.actors[-1].queued, runtime.tree().actors[-1].queued) == (2, 0)
        idle = runtime.tree().actors[-1]
        assert (idle.in_hand, idle.in_hand_s, idle.peak, idle.handled) == (None, None, 2, 4)


async def test_the_tree_reads_as_a_table(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        await runtime.spawn(Supervisor([Child(Worker(), name="ann")]), name="lobby")
        ann = runtime.find("lobby.ann")
        assert ann is not None
        ann.tell(Sleep(60))
        await trio.sleep(1.5)
        ann.tell(Note("queued"))
        lines = [line.split() for line in str(runtime.tree()).splitlines()]
        assert lines == [
            ["actor", "class", "state", "restarts", "mailbox", "peak", "handled", "dropped", "in", "hand"],
            ["lobby", "Supervisor", "running", "0", "0/256", "0", "0", "0"],
            ["ann", "Worker", "running", "0", "1/256", "1", "0", "0", "Sleep", "for", "1.5", "s"],
        ]


async def test_the_age_is_that_of_the_lane_that_is_busy_for_longer(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class TwoLanes(Worker):
        @receives(lane="control")
        async def dawdle(self, message: Audio) -> None:
            await trio.sleep(60)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(TwoLanes())
        ref.tell(Audio())
        await trio.sleep(2)
        ref.tell(Sleep(60))
        await trio.sleep(3)
        statistics = ref.statistics()
        assert (statistics.in_hand, statistics.in_hand_s) == ("Audio", pytest.approx(5))
        await trio.sleep(56)
        statistics = ref.statistics()
        assert (statistics.in_hand, statistics.in_hand_s) == ("Sleep", pytest.approx(59))


@attrs.frozen
class Await:
    """Handled in ten seconds, in the way its name says."""


class AsyncWith(Await):
    pass


class AsyncFor(Await):
    pass


class Delegated(Await):
    pass


class Decorated(Await):
    pass


def decorator(function: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    @functools.wraps(function)
    def decorated(self: Any, message: Any) -> Awaitable[None]:
        return function(self, message)

    return decorated


@attrs.define(eq=False)
class Waiter(Worker):
    @receives
    async def wait(self, _: Await) -> None:
        await trio.sleep(10)

    @receives
    async def wait_with(self, _: AsyncWith) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 10)

    @receives
    async def wait_for(self, _: AsyncFor) -> None:
        async for _tick in self.ticks():
            pass

    async def ticks(self) -> AsyncGenerator[None]:
        await trio.sleep(10)
        yield

    @receives
    def wait_elsewhere(self, _: Delegated) -> Awaitable[None]:
        return self.wait(Await())

    @receives
    @decorator
    async def wait_decorated(self, _: Decorated) -> None:
        await trio.sleep(10)


@pytest.mark.parametrize("message_type", [Await, AsyncWith, AsyncFor, Delegated, Decorated])
async def test_the_age_does_not_count_messages_before(autojump_clock: MockClock, message_type: type[Await]) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Waiter())
        for message in (Sleep(60), Note("between"), message_type()):
            ref.tell(message)
        await trio.sleep(61)
        statistics = ref.statistics()
        assert (statistics.in_hand, statistics.in_hand_s) == (message_type.__name__, pytest.approx(1))


@pytest.mark.parametrize("restart_in_between", [False, True])
async def test_the_peak_is_what_waited_at_most(restart_in_between: bool) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), restart="permanent", max_restarts=100)
        for count in (3, 7, 2):
            if restart_in_between:
                ref.tell(Crash())
            for number in range(count):
                ref.tell(Note(str(number)))
            await trio.testing.wait_all_tasks_blocked()
            assert ref.statistics().queued == 0
        assert ref.statistics().peak == 7 + restart_in_between


# -- instruments


@attrs.define
class Recorder(Instrument):
    """Writes down what it sees, and gives messages a trace that grows."""

    seen: list[Any] = attrs.field(factory=list[Any])

    def sending(self, ref: Ref, message: object, trace: object | None) -> object | None:
        self.seen.append(("sending", ref.path, message, trace))
        return f"{trace or ''}/{type(message).__name__}"

    @contextmanager
    def handling(self, ref: Ref, message: object, trace: object | None, waited: float) -> Generator[None]:
        self.seen.append(("begin", ref.path, message, trace, waited))
        try:
            yield
        except ValueError as error:
            self.seen.append(("error", ref.path, message, error.args))
            raise
        finally:
            self.seen.append(("end", ref.path, message))


@attrs.define(eq=False)
class Relay(Actor):
    to: Ref
    traces: list[object] = attrs.field(factory=list[object])

    @receives
    async def relay(self, message: Note) -> object:
        self.traces.append(trace_context.get())
        self.to.tell(Urgent(message.text))
        return await self.to.ask(Notes(), timeout=5)


async def test_an_instrument_sees_every_message_and_its_trace_travels_on(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    async with open_runtime(instruments=[recorder]) as runtime:
        worker = await runtime.spawn(Worker(), name="worker")
        relay = await runtime.spawn(Relay(worker, traces := []), name="relay")
        assert await relay.ask(Note("a"), timeout=1) == ["a"]
    note, urgent, notes = Note("a"), Urgent("a"), Notes()
    # The urgent one has a lane of its own, which may come first or second.
    assert [each for each in recorder.seen if each[2] != urgent] == [
        ("sending", "relay", note, None),
        ("begin", "relay", note, "/Note", 0.0),
        ("sending", "worker", notes, "/Note"),
        ("begin", "worker", notes, "/Note/Notes", 0.0),
        ("end", "worker", notes),
        ("end", "relay", note),
    ]
    assert [each for each in recorder.seen if each[2] == urgent] == [
        ("sending", "worker", urgent, "/Note"),
        ("begin", "worker", urgent, "/Note/Urgent", 0.0),
        ("end", "worker", urgent),
    ]
    assert traces == ["/Note"]


async def test_an_instrument_sees_the_wait_and_the_crash(autojump_clock: MockClock) -> None:
    recorder = Recorder()
    async with open_runtime(instruments=[recorder]) as runtime:
        worker = await runtime.spawn(Worker(), name="worker", restart="permanent")
        worker.tell(Sleep(3))
        await trio.sleep(1)
        worker.tell(Crash())
        worker.tell(Note("after it"))
        await trio.sleep(10)
        assert await worker.ask(Notes(), timeout=1) == ["after it"]
    crash = next(each for each in recorder.seen if isinstance(each[2], Crash) and each[0] == "begin")
    assert crash[4] == pytest.approx(2)
    assert [each[0] for each in recorder.seen if isinstance(each[2], Crash)] == ["sending", "begin", "error", "end"]


class Broken(Instrument):
    def sending(self, ref: Ref, message: object, trace: object | None) -> object | None:
        raise RuntimeError("sending failed")

    def handling(
        self, ref: Ref, message: object, trace: object | None, waited: float
    ) -> AbstractContextManager[object]:
        raise RuntimeError("handling failed")


class BrokenLater(Instrument):
    @contextmanager
    def handling(self, ref: Ref, message: object, trace: object | None, waited: float) -> Generator[None]:
        try:
            yield
        finally:
            raise RuntimeError("the end failed")


async def test_a_broken_instrument_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    async with open_runtime(instruments=[Broken(), recorder, BrokenLater()]) as runtime:
        worker = await runtime.spawn(Worker(), name="worker")
        worker.tell(Note("a"))
        assert await worker.ask(Notes(), timeout=1) == ["a"]
        with pytest.raises(ActorCrashed) as crashed:
            await worker.ask(Crash(), timeout=1)
        assert isinstance(crashed.value.__cause__, ValueError)
    errors = {str(record.exc_info[1]) for record in caplog.records if record.exc_info and record.exc_info[1]}
    assert {"sending failed", "handling failed", "the end failed"} <= errors
    assert [each[0] for each in recorder.seen].count("begin") == 3


async def test_an_instrument_cannot_swallow_a_crash() -> None:
    class Swallows(Instrument):
        def handling(
            self, ref: Ref, message: object, trace: object | None, waited: float
        ) -> AbstractContextManager[object]:
            from contextlib import suppress  # noqa: PLC0415

            return suppress(ValueError)

    async with open_runtime(instruments=[Swallows()]) as runtime:
        worker = await runtime.spawn(Worker())
        with pytest.raises(ActorCrashed):
            await worker.ask(Crash(), timeout=1)


# -- in a nursery


async def test_a_runtime_runs_in_a_nursery_of_its_host() -> None:
    log: list[str] = []
    async with trio.open_nursery() as nursery:
        runtime: Runtime = await nursery.start(Runtime(shutdown_timeout=5).serve)
        worker = await runtime.spawn(Worker(log=log), name="worker")
        worker.tell(Note("a"))
        assert await worker.ask(Notes(), timeout=1) == ["a"]
        nursery.cancel_scope.cancel()
    assert log == ["worker started", "worker notes a", "worker stopped"]


async def test_a_runtime_runs_once() -> None:
    runtime = Runtime()
    async with runtime.running():
        pass
    with pytest.raises(RuntimeError, match="a runtime runs once"):
        await runtime.serve()


# -- the watchdog: it lives on the real clock


class Said(logging.Handler):
    """Lets a thread wait until the watchdog has said so many things."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._news:
            self.words.append(record.getMessage())
            self._news.notify_all()

    def wait(self, count: int) -> bool:
        with self._news:
            return self._news.wait_for(lambda: len(self.words) >= count, timeout=30)


@pytest.fixture
def said() -> Generator[Said]:
    logger, handler = logging.getLogger("realtime_actors.actors"), Said()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@attrs.define(eq=False)
class Blocks(Actor):
    said: Said

    @receives
    async def block(self, message: Note) -> bool:
        return self.said.wait(1)


async def test_a_call_that_blocks_the_loop_is_named_with_its_line(said: Said) -> None:
    async with open_runtime(blocked_after=0.05) as runtime:
        ref = await runtime.spawn(Blocks(said), name="blocks")
        # What it waits for is the watchdog's word.
        assert await ref.ask(Note("a"), timeout=None)
        assert await trio.to_thread.run_sync(said.wait, 2)
    assert "the event loop has been blocked for 0.05 s by blocks (Blocks.block with a Note)" in said.words[0]
    assert "return self.said.wait(1)" in said.words[0]
    assert "trio.to_thread" in said.words[0]
    # The kernel's own frames are not shown.
    assert "life.py" not in said.words[0]
    assert "the event loop goes on, after" in said.words[1]


async def test_a_call_that_blocks_the_loop_outside_a_handler_is_shown_too(said: Said) -> None:
    async with open_runtime(blocked_after=0.05):
        assert said.wait(1)
    assert "by a task that is no handler" in said.words[0]
    assert "assert said.wait(1)" in said.words[0]


async def test_a_handler_that_holds_its_lane_is_shown_where_it_waits_once(said: Said) -> None:
    async with open_runtime(blocked_after=None, lane_held_after=0.05) as runtime:
        worker = await runtime.spawn(Worker(), name="worker", stop_timeout=0)
        worker.tell(Sleep())
        assert await trio.to_thread.run_sync(said.wait, 1)
        other = await runtime.spawn(Worker(), name="other", stop_timeout=0)
        other.tell(Sleep())
        assert await trio.to_thread.run_sync(said.wait, 2)
    assert "worker (Worker.sleep with a Sleep) has held its lane for " in said.words[0]
    assert "await trio.sleep(message.seconds)" in said.words[0]
    assert "life.py" not in said.words[0]
    assert "other (Worker.sleep" in said.words[1]


async def test_who_is_busy_with_one_message_after_another_holds_nothing(said: Said, mock_clock: MockClock) -> None:
    async with open_runtime(blocked_after=None, lane_held_after=0.05) as runtime:
        worker = await runtime.spawn(Worker(), name="worker", stop_timeout=0)
        idle = await runtime.spawn(Worker(), name="idle")
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            await worker.ask(Note("a"), timeout=None)
            mock_clock.jump(1)
        assert idle.state == "running"
    assert said.words == []


async def test_a_watchdog_ends_with_its_runtime() -> None:
    before = set(threading.enumerate())

    def watchdogs() -> int:
        return sum(thread.name == "realtime_actors watchdog" for thread in set(threading.enumerate()) - before)

    async with open_runtime(blocked_after=None, lane_held_after=None):
        assert watchdogs() == 0
    async with open_runtime(blocked_after=60):
        assert watchdogs() == 1
    with trio.fail_after(30):
        while watchdogs():
            await trio.to_thread.run_sync(time.sleep, 0)
