"""Timers, on the virtual clock."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Note, Notes, Sleep, Unknown, Worker, read_all
from trio.testing import MockClock

from realtime_actors.actors import (
    Actor,
    DeadLetter,
    Ref,
    Timer,
    UnhandledMessage,
    open_runtime,
    receives,
    trace_context,
)


@attrs.frozen
class Tick:
    number: int = 0


@attrs.frozen
class Arm:
    """Sets a timer in a handler."""

    delay: float
    interval: float | None = None
    message: object = Tick()
    to: Ref | None = None


@attrs.frozen
class Disarm:
    pass


@attrs.define(eq=False)
class Clock(Worker):
    at_start: Arm | None = None
    ticks: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    busy: float = 0
    timer: Timer | None = attrs.field(init=False, default=None)

    async def started(self) -> None:
        if self.at_start is not None and self.context.ref.statistics().incarnation == 1:
            await self.arm(self.at_start)

    @receives
    async def arm(self, message: Arm) -> Timer:
        if message.interval is None:
            self.timer = self.context.send_after(message.delay, message.message, to=message.to)
        else:
            self.timer = self.context.send_every(message.interval, message.message, delay=message.delay, to=message.to)
        return self.timer

    @receives
    async def disarm(self, message: Disarm) -> None:
        assert self.timer is not None
        self.timer.cancel()

    @receives
    async def tick(self, message: Tick) -> None:
        self.ticks.append((trio.current_time(), message.number))
        await trio.sleep(self.busy)


async def test_a_message_comes_once_after_its_delay(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Clock(ticks=(ticks := [])))
        start = trio.current_time()
        timer = await ref.ask(Arm(2.5), timeout=1)
        assert timer.active
        await trio.sleep(100)
        assert ticks == [(start + 2.5, 0)]
        assert not timer.active


async def test_messages_come_again_and_again_and_do_not_drift(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        start = trio.current_time()
        await runtime.spawn(Clock(ticks=(ticks := []), busy=0.7, at_start=Arm(1, 1)))
        await trio.sleep(5.5)
        assert [at - start for at, _ in ticks] == pytest.approx([1, 2, 3, 4, 5])


@attrs.define(eq=False)
class Metronome(Actor):
    heard: list[float] = attrs.field(factory=list[float])

    async def started(self) -> None:
        self.context.send_every(2, Tick())

    @receives
    def tick(self, message: Tick) -> None:
        self.heard.append(trio.current_time())


async def test_the_first_of_many_comes_after_one_interval_unless_told_otherwise(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        start = trio.current_time()
        await runtime.spawn(Metronome(heard := []))
        await runtime.spawn(Clock(ticks=(ticks := []), at_start=Arm(0, 2)))
        await trio.sleep(4.5)
        assert [at - start for at in heard] == [2, 4]
        assert [at - start for at, _ in ticks] == [0, 2, 4]


async def test_a_tick_of_a_crashed_life_never_reaches_the_next(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        ref = await runtime.spawn(Clock(ticks=(ticks := []), at_start=Arm(1, 1)), restart="permanent")
        ref.tell(Sleep(1.5))
        ref.tell(Crash())
        ref.tell(Note("kept"))
        await trio.sleep(1.2)
        # The tick is queued behind the crash.
        assert ref.statistics().queued == 3
        await trio.sleep(10)
        assert ref.statistics().incarnation == 2
        assert await ref.ask(Notes(), timeout=1) == ["kept"]
        assert ticks == []
        # Nobody is told of a tick that nobody waits for any more.
        assert [type(letter.message) for letter in read_all(dead_letters)] == [Crash]


async def test_a_cancelled_timer_sends_no_more_and_takes_back_what_is_queued(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Clock(ticks=(ticks := []), at_start=Arm(1, 1)))
        await trio.sleep(2.5)
        assert len(ticks) == 2
        ref.tell(Disarm())
        await trio.sleep(5)
        assert len(ticks) == 2
        timer: Timer = await ref.ask(Arm(1), timeout=1)
        ref.tell(Sleep(2))
        await trio.sleep(1.5)
        assert ref.statistics().queued == 1
        timer.cancel()
        await trio.sleep(5)
        assert len(ticks) == 2


async def test_a_busy_actor_gets_one_tick_and_the_rest_are_counted(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        start = trio.current_time()
        ref = await runtime.spawn(Clock(ticks=(ticks := [])))
        timer: Timer = await ref.ask(Arm(1, 1), timeout=1)
        ref.tell(Sleep(4.5))
        await trio.sleep(5.2)
        # Those of the 2nd, 3rd and 4th second found the first one still queued.
        assert [at - start for at, _ in ticks] == [4.5, 5]
        assert timer.missed == 3


async def test_a_stall_of_the_loop_brings_no_burst(mock_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Clock(ticks=(ticks := [])))
        timer: Timer = await ref.ask(Arm(1, 1), timeout=1)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(10.5)
        await trio.testing.wait_all_tasks_blocked()
        assert len(ticks) == 1
        assert timer.missed == 9
        mock_clock.jump(0.4)
        await trio.testing.wait_all_tasks_blocked()
        assert len(ticks) == 1
        mock_clock.jump(0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert [at for at, _ in ticks] == [10.5, 11]


async def test_a_full_mailbox_misses_its_tick_and_says_so(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        ref = await runtime.spawn(Clock(), capacity=1)
        timer: Timer = await ref.ask(Arm(1, 1, Tick(7)), timeout=1)
        ref.tell(Sleep(1.5))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Note("fills it"))
        await trio.sleep(1.2)
        letters: list[DeadLetter] = read_all(dead_letters)
        assert [(letter.message, letter.reason) for letter in letters] == [(Tick(7), "mailbox_full")]
        assert timer.missed == 1
        assert timer.active
        await trio.sleep(1)
        assert timer.missed == 1


async def test_a_timer_may_tell_another_actor_and_ends_with_the_one_that_set_it(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        other = await runtime.spawn(Clock(ticks=(ticks := [])), name="other")
        ref = await runtime.spawn(Clock(at_start=Arm(1, 1, Tick(3), to=other)), name="clock")
        once: Timer = await ref.ask(Arm(1, None, Tick(4), to=other), timeout=1)
        await trio.sleep(2.5)
        assert [number for _, number in ticks] in ([3, 4, 3], [4, 3, 3])
        assert not once.active
        await ref.stop()
        await trio.sleep(5)
        assert len(ticks) == 3


async def test_a_stop_makes_no_dead_letters_of_ticks(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        ref = await runtime.spawn(Clock(at_start=Arm(0.5, 1)))
        ref.tell(Sleep(2))
        ref.tell(Note("left"))
        await trio.sleep(1)
        assert ref.statistics().queued == 2
        await ref.stop()
        assert [letter.message for letter in read_all(dead_letters)] == [Note("left")]


async def test_a_tick_carries_the_trace_of_who_set_the_timer(autojump_clock: MockClock) -> None:
    traces: list[object] = []

    @attrs.define(eq=False)
    class Traced(Actor):
        @receives
        def arm(self, message: Arm) -> None:
            self.context.send_after(message.delay, Tick())

        @receives
        def tick(self, message: Tick) -> None:
            traces.append(trace_context.get())

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Traced())
        token = trace_context.set("a trace")
        ref.tell(Arm(1))
        trace_context.reset(token)
        await trio.sleep(2)
    assert traces == ["a trace"]


@pytest.mark.parametrize(
    ("arm", "error", "says"),
    [
        (Arm(-1), ValueError, "delay is -1: it is a number of seconds, 0 or more"),
        (Arm(math.nan), ValueError, "delay is nan"),
        (Arm(math.inf), ValueError, "delay is inf"),
        (Arm(1, 0), ValueError, "interval is 0: it is a number of seconds, above 0"),
        (Arm(1, None, Unknown()), UnhandledMessage, "sets a timer for a Unknown: it has no handler"),
    ],
)
async def test_a_timer_that_cannot_work_is_refused_at_once(arm: Arm, error: type[Exception], says: str) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(error, match=says):
            await runtime.spawn(Clock(at_start=arm))


async def test_a_timer_that_is_over_is_forgotten(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Clock())
        timers = [weakref.ref(await ref.ask(Arm(delay), timeout=1)) for delay in (1, 2, 50)]
        ref.tell(Disarm())
        await trio.sleep(3)
        await ref.ask(Arm(1), timeout=1)
        gc.collect()
        assert [timer() for timer in timers] == [None, None, None]


async def test_many_timers_leave_nothing_behind(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Busy(Actor):
        count: int = attrs.field(init=False, default=0)
        timers: list[Any] = attrs.field(init=False, factory=list[Any])

        @receives
        def arm(self, message: Arm) -> int:
            self.timers.append(self.context.send_after(message.delay, Tick()))
            return len(self.timers)

        @receives
        def tick(self, message: Tick) -> None:
            self.count += 1

        @receives
        def report(self, message: Notes) -> tuple[int, int]:
            return self.count, sum(timer.active for timer in self.timers)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Busy(), capacity=2000)
        for number in range(1000):
            ref.tell(Arm(number / 100))
        await trio.sleep(5.005)
        assert await ref.ask(Notes(), timeout=1) == (501, 499)
        tasks = trio.lowlevel.current_statistics().tasks_living
        await trio.sleep(10)
        assert await ref.ask(Notes(), timeout=1) == (1000, 0)
        assert trio.lowlevel.current_statistics().tasks_living == tasks - 499
