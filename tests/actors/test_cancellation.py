"""Whoever calls the kernel is cancelled at each step that any task makes: what is left is always whole."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator

import attrs
import pytest
import trio
from actors_kit import Note, Notes, Sleep, Urgent, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorTerminated,
    Child,
    DeadLetter,
    Ref,
    Runtime,
    Supervisor,
    open_runtime,
    receives,
)


class Canceller(trio.abc.Instrument):
    """Cancels a scope before the n-th step that any task makes from now on."""

    def __init__(self, scope: trio.CancelScope, steps: int) -> None:
        self.scope = scope
        self.steps = steps

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.steps == 0:
            self.scope.cancel()
        self.steps -= 1


async def cancelled_at(step: int, call: Callable[[], Awaitable[object]]) -> bool:
    """Call, cancelled at that step. Returns whether it came through."""
    with trio.CancelScope() as scope:
        instrument = Canceller(scope, step)
        trio.lowlevel.add_instrument(instrument)
        try:
            await call()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return not scope.cancelled_caught


Scenario = Callable[[Runtime, int], Awaitable[bool]]


def at_every_step(scenario: Scenario, *, least: int) -> None:
    """Play it once for each step at which the caller can be cancelled, until it comes through uncancelled."""

    async def play(step: int) -> bool:
        tasks = trio.lowlevel.current_statistics().tasks_living
        with trio.fail_after(100):
            async with open_runtime() as runtime:
                through = await scenario(runtime, step)
            assert trio.lowlevel.current_statistics().tasks_living == tasks
            assert runtime.slots == {}
            return through

    came_through = 0
    for step in itertools.count():
        # The order of tasks within a step is random: the end of it is reached when it came through often enough.
        came_through = came_through + 1 if trio.run(play, step, clock=MockClock(autojump_threshold=0)) else 0
        if came_through >= 10:
            assert step >= least
            return
        assert step < 500


@pytest.fixture(autouse=True)
def no_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A cancellation is no error of anybody."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@attrs.define(eq=False)
class SlowStart(Worker):
    async def started(self) -> None:
        await trio.sleep(1)
        await super().started()
        await trio.sleep(1)


def test_a_spawn_gives_a_ref_or_leaves_nothing() -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        log: list[str] = []
        refs: list[Ref] = []

        async def spawn() -> None:
            refs.append(await runtime.spawn(SlowStart(log), name="w"))

        through = await cancelled_at(step, spawn)
        await wait_all_tasks_blocked()
        assert through == bool(refs)
        if through:
            assert await refs[0].ask(Notes(), timeout=1) == []
        else:
            assert log in ([], ["w started"], ["w started", "w stopped"])
            assert runtime.slots == {}
            await runtime.spawn(Worker(), name="w")
        return through

    at_every_step(scenario, least=12)


def test_a_spawn_of_a_tree_gives_all_of_it_or_leaves_nothing() -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        log: list[str] = []
        inner = Supervisor([Child(SlowStart(log), name="x"), Child(Worker(log, slow_stop=1), name="y")])
        outer = Supervisor([Child(Worker(log), name="a"), Child(inner, name="inner"), Child(Worker(log), name="z")])
        through = await cancelled_at(step, lambda: runtime.spawn(outer, name="team"))
        await wait_all_tasks_blocked()
        started = [line for line in log if line.endswith("started")]
        if through:
            assert [line[0] for line in log] == ["a", "x", "y", "z"]
            assert len(runtime.slots) == 6
        else:
            stopped = [line for line in log if line.endswith("stopped")]
            assert [line[0] for line in stopped] in (
                [line[0] for line in reversed(started)],
                [line[0] for line in reversed(started[:-1])],  # the last one's `started()` did not return
            )
            assert runtime.slots == {}
        return through

    at_every_step(scenario, least=25)


@pytest.mark.parametrize("full", [False, True])
def test_what_is_sent_comes_once_or_not_at_all(full: bool) -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        dead = runtime.bus.subscribe("runtime.dead_letter.>")
        ref = await runtime.spawn(Worker(), name="w", capacity=1)
        if full:
            ref.tell(Sleep(1))
            await wait_all_tasks_blocked()
            ref.tell(Sleep(1))
        through = await cancelled_at(step, lambda: ref.send(Note("sent")))
        await trio.sleep(5)
        notes = await ref.ask(Notes(), timeout=1)
        assert notes == ["sent"] or (notes == [] and not through)
        assert read_all(dead) == []
        return through

    at_every_step(scenario, least=1)


@pytest.mark.parametrize("drain", [False, True])
def test_a_stop_goes_on_without_whoever_asked_for_it(drain: bool) -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        log: list[str] = []
        said = runtime.bus.subscribe("runtime.>")
        ref = await runtime.spawn(Worker(log, slow_stop=1), name="w")
        ref.tell(Sleep(1))
        ref.tell(Urgent("u"))
        ref.tell(Note("n"))
        await wait_all_tasks_blocked()
        through = await cancelled_at(step, lambda: ref.stop(drain=drain))
        assert ref.state == "stopped" if through else ref.state in ("stopping", "stopped")
        await ref.wait_stopped()
        assert log == [
            "w started",
            "w notes u",
            "w slept",
            *(["w notes n"] if drain else []),
            "w is stopping",
            "w stopped",
        ]
        assert read_all(said)[1:] == [
            *([] if drain else [DeadLetter("w", Note("n"), "stopped")]),
            ActorTerminated("w", "stopped", None),
        ]
        return through

    at_every_step(scenario, least=8)


def test_a_cancelled_reader_of_the_bus_loses_nothing() -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        read: list[int] = []
        subscription = runtime.bus.subscribe("numbers")

        async def publish() -> None:
            for number in range(20):
                runtime.bus.publish("numbers", number)
                await trio.sleep(0.1 if number % 3 else 0)

        async def read_some() -> None:
            while len(read) < 20:
                read.append(await subscription.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            through = await cancelled_at(step, read_some)
        read.extend(read_all(subscription))
        assert read == list(range(20))
        return through

    at_every_step(scenario, least=20)


def test_a_runtime_ends_in_order_wherever_it_is_cancelled() -> None:
    """Spawns, questions, a restart and a stop are under way; nothing is left of them, and nobody waits for ever."""

    async def play(step: int) -> bool:
        log: list[str] = []
        outcomes: list[str] = []
        tasks = trio.lowlevel.current_statistics().tasks_living

        async def ask(ref: Ref, message: object) -> None:
            try:
                await ref.ask(message, timeout=None)
                outcomes.append("answered")
            except trio.Cancelled:
                outcomes.append("cancelled")
                raise

        async def busy() -> None:
            async with open_runtime() as runtime:
                team = [Child(Worker(log, slow_stop=1), name=name) for name in "ab"]
                await runtime.spawn(Supervisor(team, "one_for_all"), name="team")
                single = await runtime.spawn(Worker(log), name="single", restart="permanent", stop_timeout=3)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask, single, Sleep(2))
                    nursery.start_soon(ask, single, Notes())
                    nursery.start_soon(ask, single, Urgent("u"))
                    await trio.sleep(1)
                    a = runtime.find("team.a")
                    assert a is not None
                    nursery.start_soon(runtime.spawn, SlowStart(log))
                    nursery.start_soon(a.stop)

        before = trio.current_time()
        with trio.fail_after(100):
            through = await cancelled_at(step, busy)
        assert trio.current_time() - before < 15
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        for name in ("a", "b", "single"):
            assert log.count(f"{name} started") == log.count(f"{name} stopped")
        assert len(outcomes) in ((3,) if through else (0, 1, 2, 3))
        return through

    steps = next(step for step in range(1000) if trio.run(play, step, clock=MockClock(autojump_threshold=0)))
    assert steps > 30


# -- questions


@attrs.frozen
class Count:
    """Answered a second later."""


@attrs.define(eq=False)
class Counter(Actor):
    handled: list[int]

    @receives
    async def count(self, message: Count) -> int:
        self.handled.append(len(self.handled) + 1)
        await trio.sleep(1)
        return self.handled[-1]

    @receives
    async def sleep(self, message: Sleep) -> None:
        await trio.sleep(message.seconds)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("timeout", [None, 100])
def test_a_question_is_answered_once_to_whoever_asked_or_to_nobody(full: bool, timeout: float | None) -> None:
    async def scenario(runtime: Runtime, step: int) -> bool:
        dead = runtime.bus.subscribe("runtime.dead_letter.>")
        handled: list[int] = []
        answers: list[object] = []
        ref = await runtime.spawn(Counter(handled), name="c", capacity=1)
        if full:
            ref.tell(Sleep(1))
            await wait_all_tasks_blocked()
            ref.tell(Sleep(1))

        async def ask() -> None:
            answers.append(await ref.ask(Count(), timeout=timeout))

        through = await cancelled_at(step, ask)
        await trio.sleep(5)
        assert through == bool(answers)
        if through:
            assert (answers, handled, read_all(dead)) == ([1], [1], [])
        else:
            # Cancelled while it waited for room, or while it waited for the answer.
            assert handled in ([], [1])
            assert read_all(dead) == [DeadLetter("c", number, "late_answer") for number in handled]
        # The actor goes on.
        assert await ref.ask(Count(), timeout=2) == len(handled)
        return through

    at_every_step(scenario, least=2)
