"""One actor and its restarts: when, how often, after how long, and what is kept."""

from __future__ import annotations

import gc
import logging
import random
from typing import Any, cast

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Notes, Sleep, Urgent, UrgentCrash, Worker, failing, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorRestarting,
    ActorStarted,
    ActorTerminated,
    Backoff,
    DeadLetter,
    Ref,
    RestartBudgetExceeded,
    RestartType,
    StopReason,
    open_runtime,
    receives,
)


def incarnation(ref: Ref) -> int:
    return ref.statistics().incarnation


@pytest.mark.parametrize(
    ("restart", "end", "lives", "reason"),
    [
        ("permanent", "normal", 2, None),
        ("permanent", "crash", 2, None),
        ("permanent", "stop", 1, "stopped"),
        ("transient", "normal", 1, "normal"),
        ("transient", "crash", 2, None),
        ("transient", "stop", 1, "stopped"),
        ("temporary", "normal", 1, "normal"),
        ("temporary", "crash", 1, "crashed"),
        ("temporary", "stop", 1, "stopped"),
    ],
)
async def test_01_permanent_after_every_end_but_a_stop_transient_after_a_crash_temporary_never(
    restart: RestartType, end: str, lives: int, reason: StopReason | None
) -> None:
    error = ValueError("boom")
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.terminated.>") as ended:
        ref = await runtime.spawn(Worker(), name="w", restart=restart)
        if end == "normal":
            ref.tell(Finish())
        elif end == "crash":
            ref.tell(Crash(error))
        else:
            await ref.stop()
        await wait_all_tasks_blocked()
        assert incarnation(ref) == lives
        assert ref.statistics().state == ("running" if reason is None else "stopped")
        if reason is None:
            assert await ref.ask(Notes(), timeout=1) == []
            assert read_all(ended) == []
        else:
            cause = error if reason == "crashed" else None
            terminated = await ref.wait_stopped()
            assert (terminated.ref, terminated.reason, terminated.cause) == (ref, reason, cause)
            assert read_all(ended) == [ActorTerminated("w", reason, cause)]


async def test_temporary_is_the_default() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        ref.tell(Crash())
        assert (await ref.wait_stopped()).reason == "crashed"


async def test_04_each_child_of_the_root_has_its_own_budget(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        a = await runtime.spawn(Worker(), name="a", restart="permanent", max_restarts=2, within=60)
        b = await runtime.spawn(Worker(), name="b", restart="permanent", max_restarts=2, within=60)
        error = ValueError("the third")
        b.tell(Crash())
        for _ in range(2):
            a.tell(Crash())
            await wait_all_tasks_blocked()
        a.tell(Crash(error))
        terminated = await a.wait_stopped()
        assert terminated.reason == "crashed"
        assert isinstance(terminated.cause, RestartBudgetExceeded)
        assert str(terminated.cause) == "a ended (crashed) after 2 restarts within 60 s"
        assert terminated.cause.__cause__ is error
        assert incarnation(b) == 2
        assert await b.ask(Notes(), timeout=1) == []


async def test_the_budget_is_that_of_a_sliding_window(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), restart="permanent", max_restarts=1, within=1)
        for _ in range(10):
            ref.tell(Crash())
            await trio.sleep(2.1)
        assert incarnation(ref) == 11
        ref.tell(Crash())
        await trio.sleep(0.9)
        assert incarnation(ref) == 12
        ref.tell(Crash())
        assert isinstance((await ref.wait_stopped()).cause, RestartBudgetExceeded)


async def test_failed_restarts_count(autojump_clock: MockClock) -> None:
    error = OSError("no socket")
    async with open_runtime() as runtime:
        ref = await runtime.spawn(
            Worker(start=failing([None, error, error, error])),
            name="w",
            restart="transient",
            max_restarts=3,
        )
        ref.tell(Crash())
        terminated = await ref.wait_stopped()
        assert str(terminated.cause) == "w ended (start_failed) after 3 restarts within 5 s"
        assert terminated.cause is not None
        assert terminated.cause.__cause__ is error


async def test_11_one_that_fails_to_start_is_restarting_and_can_be_stopped(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(
            Worker(start=failing([None, *[OSError()] * 100])),
            restart="permanent",
            max_restarts=1000,
            backoff=Backoff(min=1, max=3600),
        )
        ref.tell(Crash())
        await trio.sleep(20)
        assert ref.statistics().state == "restarting"
        ref.tell(Note("kept, then a dead letter"))
        before = trio.current_time()
        with trio.fail_after(1):
            assert (await ref.stop()) is None
        assert trio.current_time() == before
        assert (await ref.wait_stopped()).reason == "stopped"


async def test_one_that_hangs_in_its_restart_can_be_stopped(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Hangs(Worker):
        async def started(self) -> None:
            await super().started()
            if self.log.count(f"{self.context.name} started") > 1:
                await trio.sleep_forever()

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Hangs(), restart="permanent")
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert ref.statistics().state == "restarting"
        with trio.fail_after(1):
            await ref.stop()
        assert (await ref.wait_stopped()).reason == "stopped"


async def test_13_exactly_what_was_queued_is_handled_by_the_next_life_in_order() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", restart="permanent")
        error = ValueError("m1")
        ref.tell(Note("m0"))
        ref.tell(Crash(error))
        ref.tell(Note("m2"))
        ref.tell(Note("m3"))
        await wait_all_tasks_blocked()
        assert await ref.ask(Notes(), timeout=1) == ["m2", "m3"]
        assert incarnation(ref) == 2
        assert read_all(dead) == [DeadLetter("w", Crash(error), "crashed", error)]


async def test_the_control_lane_is_kept_across_a_restart_too(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        log: list[str] = []
        ref = await runtime.spawn(Worker(log), name="w", restart="permanent")
        ref.tell(UrgentCrash())
        ref.tell(Urgent("u1"))
        ref.tell(Urgent("u2"))
        await wait_all_tasks_blocked()
        assert log == ["w started", "w stopped", "w started", "w notes u1", "w notes u2"]


async def test_15_the_delay_doubles_and_begins_anew_after_a_quiet_time(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.started.>") as started:
        ref = await runtime.spawn(
            Worker(),
            name="w",
            restart="permanent",
            max_restarts=100,
            within=1,
            backoff=Backoff(min=1, max=10, factor=2, jitter=0, reset_after=10),
        )
        found: list[float] = []
        for pause in (0, 0, 0, 0, 0, 9.9, 10):
            await trio.sleep(pause)
            await wait_all_tasks_blocked()
            read_all(started)
            before = trio.current_time()
            ref.tell(Crash())
            assert await started.receive() == ActorStarted("w", incarnation(ref))
            found.append(round(trio.current_time() - before, 3))
        assert found == [1, 2, 4, 8, 10, 10, 1]


async def test_without_backoff_a_restart_is_immediate(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.>") as said:
        before = trio.current_time()
        ref = await runtime.spawn(Worker(), name="w", restart="permanent")
        error = ValueError("boom")
        ref.tell(Crash(error))
        await wait_all_tasks_blocked()
        assert trio.current_time() == before
        assert read_all(said) == [
            ActorStarted("w", 1),
            DeadLetter("w", Crash(error), "crashed", error),
            ActorRestarting("w", 1, 0, error),
            ActorStarted("w", 2),
        ]


async def test_14_slow_children_end_before_the_next_life_handles_anything(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Parent(Worker):
        async def started(self) -> None:
            await super().started()
            for name in ("x", "y"):
                await self.context.spawn(Worker(self.log, slow_stop=3), name=name, restart="permanent")

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Parent(log), name="p", restart="permanent")
        ref.tell(Crash())
        ref.tell(Note("first"))
        await trio.sleep(10)
        assert log[:3] == ["p started", "x started", "y started"]
        assert sorted(log[3:5]) == ["x is stopping", "y is stopping"]
        assert sorted(log[5:7]) == ["x stopped", "y stopped"]
        assert log[7:] == ["p stopped", "p started", "x started", "y started", "p notes first"]


async def test_a_crash_in_a_background_task_is_the_actors_crash(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Busy(Worker):
        async def started(self) -> None:
            await super().started()
            self.context.start_soon(self.tick, ValueError("tick"))
            self.context.start_soon(trio.sleep_forever)

        async def tick(self, error: Exception) -> None:
            await trio.sleep(5)
            raise error

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.restarting.>") as restarting:
        log: list[str] = []
        ref = await runtime.spawn(Busy(log), name="w", restart="transient")
        ref.tell(Sleep())
        await trio.sleep(6)
        assert incarnation(ref) == 2
        assert log == ["w started", "w stopped", "w started"]
        [event] = read_all(restarting)
        assert str(event.cause) == "tick"


async def test_what_is_expected_is_handled_inside_and_is_no_crash(autojump_clock: MockClock) -> None:
    """The pattern for a socket: a nursery for each attempt, and a crash only when the budget is spent."""
    failures = [OSError("dropped"), OSError("dropped")]

    @attrs.define(eq=False)
    class Connects(Worker):
        attempts: int = attrs.field(init=False, default=0)

        async def started(self) -> None:
            await super().started()
            self.context.start_soon(self.connect)

        async def connect(self) -> None:
            while True:
                self.attempts += 1
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self.socket)
                        nursery.start_soon(trio.sleep_forever)
                except* OSError:
                    await trio.sleep(1)

        async def socket(self) -> None:
            await trio.sleep(1)
            if failures:
                raise failures.pop()
            await trio.sleep_forever()

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Connects(), restart="permanent")
        await trio.sleep(100)
        assert incarnation(ref) == 1
        assert not failures


@attrs.define(eq=False)
class Nested(Actor):
    """Raises from a nursery inside its handler."""

    error: Exception
    when_cancelled: bool = False

    @receives
    async def note(self, message: Note) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(self.fail)

    async def fail(self) -> None:
        try:
            await trio.sleep(3600 if self.when_cancelled else 1)
        finally:
            raise self.error

    @receives(lane="control")
    async def urgent(self, message: UrgentCrash) -> None:
        raise message.error


async def test_an_exception_group_from_a_handler_is_a_crash(autojump_clock: MockClock) -> None:
    error = ValueError("inner")
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Nested(error), name="n")
        ref.tell(Note(""))
        terminated = await ref.wait_stopped()
        assert terminated.reason == "crashed"
        assert type(terminated.cause) is ExceptionGroup
        assert leaves(terminated.cause) == [error]
        [letter] = read_all(dead)
        assert letter.reason == "crashed"
        assert leaves(letter.cause) == [error]


async def test_cancelled_is_taken_out_of_a_group_that_a_handler_raises(autojump_clock: MockClock) -> None:
    """The stop's grace ends, and the handler raises the kernel's `Cancelled` with an error of its own."""
    error = ValueError("while cancelled")
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Nested(error, when_cancelled=True), name="n", stop_timeout=1)

        async def ask() -> None:
            with pytest.raises(ActorCrashed) as caught:
                await ref.ask(Note(""), timeout=None)
            assert leaves(caught.value.__cause__) == [error]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await ref.stop()
        terminated = await ref.wait_stopped()
        assert terminated.reason == "stopped"
        assert leaves(terminated.cause) == [error]
        [letter] = read_all(dead)
        assert letter.reason == "crashed"
        assert leaves(letter.cause) == [error]


def leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for each in group.exceptions for leaf in leaves(each)]
    return [] if error is None else [error]


async def test_a_cancelled_nursery_in_a_handler_is_no_crash(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Waits(Actor):
        @receives
        async def note(self, message: Note) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(trio.sleep_forever)

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Waits(), name="w", stop_timeout=1)
        ref.tell(Note(""))
        await wait_all_tasks_blocked()
        await ref.stop()
        terminated = await ref.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("stopped", None)
        assert read_all(dead) == [DeadLetter("w", Note(""), "stopped")]


async def test_the_crash_of_one_lane_cancels_the_other_with_its_cause(autojump_clock: MockClock) -> None:
    error = ValueError("urgent")
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Nested(ValueError("second"), when_cancelled=True), name="n", restart="permanent")
        ref.tell(Note(""))
        await wait_all_tasks_blocked()
        ref.tell(UrgentCrash(error))
        await wait_all_tasks_blocked()
        assert incarnation(ref) == 2
        first, second = read_all(dead)
        assert (first.message, first.cause) == (UrgentCrash(error), error)
        assert second.message == Note("")


async def test_the_crash_of_both_lanes_in_one_step_is_one_crash(autojump_clock: MockClock) -> None:
    for _ in range(20):
        async with open_runtime() as runtime:
            log: list[str] = []
            ref = await runtime.spawn(Worker(log), name="w", restart="permanent", max_restarts=1)
            await wait_all_tasks_blocked()
            ref.tell(Crash())
            ref.tell(UrgentCrash())
            await wait_all_tasks_blocked()
            # The one that was not in hand when the first crash came is handled, and crashes, the next life.
            assert incarnation(ref) in (1, 2)
            assert log.count("w started") == log.count("w stopped") + (ref.statistics().state == "running")


async def test_control_messages_can_be_told_at_any_step_of_a_crash() -> None:
    """Whatever step of its end a life is in: telling it something never raises."""
    for steps in range(12):
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker(), restart="permanent")
            await wait_all_tasks_blocked()
            ref.tell(Crash())
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            ref.tell(Urgent("u"))
            assert await ref.ask(Urgent("v"), timeout=5) == "v"
            # What was handled before the crash is gone with the life that handled it.
            assert await ref.ask(Notes(), timeout=5) in (["u", "v"], ["v"], [])


async def test_a_message_told_in_the_step_of_a_crash_is_not_half_handled() -> None:
    """The lane that was idle has been handed a message when the other lane crashes: it stays queued."""
    for _ in range(50):
        log: list[str] = []
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker(log), name="w", restart="permanent")
            await ref.ask(Urgent("both lanes run now"), timeout=1)
            await wait_all_tasks_blocked()
            del log[:]
            for message in random.sample([UrgentCrash(), Note("n")], 2):
                ref.tell(message)
            await wait_all_tasks_blocked()
            # Either the living one handled it before the crash, or the next one did: never neither, never after.
            assert log.count("w notes n") == 1
            assert log in (
                ["w notes n", "w stopped", "w started"],
                ["w stopped", "w started", "w notes n"],
            )


async def test_nothing_is_begun_between_a_crash_and_the_end_of_its_life() -> None:
    @attrs.define(eq=False)
    class Tells(Worker):
        @receives
        async def note(self, message: Note) -> None:
            self.log.append("begins")
            await trio.lowlevel.checkpoint()
            self.log.append("ends")

        @receives(lane="control")
        async def urgent_crash(self, message: UrgentCrash) -> None:
            self.log.append("crashes")
            raise message.error

    orders: set[str] = set()
    for _ in range(50):
        log: list[str] = []
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Tells(log), name="w", restart="permanent")
            await ref.ask(Urgent("both lanes run now"), timeout=1)
            await wait_all_tasks_blocked()
            del log[:]
            ref.tell(UrgentCrash())
            ref.tell(Note("n"))
            await wait_all_tasks_blocked()
            orders.add(", ".join(log))
    assert orders <= {
        "begins, crashes, w stopped, w started",
        "begins, ends, crashes, w stopped, w started",
        "crashes, w stopped, w started, begins, ends",
    }


@pytest.mark.parametrize("seed", range(10))
async def test_no_message_is_lost_or_doubled_over_many_crashes(seed: int, autojump_clock: MockClock) -> None:
    rng = random.Random(seed)  # noqa: S311
    log: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(log), name="w", restart="permanent", max_restarts=1000, capacity=1000)
        sent: list[str] = []
        for i in range(200):
            choice = rng.random()
            if choice < 0.1:
                ref.tell(rng.choice([Crash(), UrgentCrash(), Finish()]))
            elif choice < 0.5:
                ref.tell(Urgent(f"u{i}"))
                sent.append(f"u{i}")
            else:
                ref.tell(Note(f"d{i}"))
                sent.append(f"d{i}")
            if rng.random() < 0.3:
                await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        handled = [line.removeprefix("w notes ") for line in log if "notes" in line]
        for lane in "du":
            assert [name for name in handled if name[0] == lane] == [name for name in sent if name[0] == lane]


async def test_a_mailbox_keeps_its_whole_room_across_restarts(autojump_clock: MockClock) -> None:
    """Nothing but messages takes room in it."""
    async with open_runtime() as runtime:
        ref = await runtime.spawn(
            Worker(), restart="permanent", max_restarts=100, capacity=1, backoff=Backoff(min=1, max=1)
        )
        for i in range(10):
            await wait_all_tasks_blocked()
            ref.tell(Finish())
            await wait_all_tasks_blocked()
            assert ref.statistics().queued == 0
            ref.tell(Note(str(i)))
            assert ref.statistics().queued == 1
            await trio.sleep(2)
            assert await ref.ask(Notes(), timeout=1) == [str(i)]


async def test_24_three_thousand_restarts_leak_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    @attrs.define(eq=False)
    class Parent(Worker):
        friend: Any = None

        async def started(self) -> None:
            await self.context.spawn(Worker(), name="child", restart="permanent")
            self.context.start_soon(trio.sleep_forever)
            self.context.subscribe("news.>")
            self.context.watch(self.friend)

    # What is captured of the log would keep the errors.
    caplog.set_level(logging.CRITICAL + 1, "realtime_actors.actors")

    def count() -> tuple[int, int]:
        gc.collect()
        statistics = trio.lowlevel.current_statistics()
        return statistics.tasks_living, len(gc.get_objects())

    async with open_runtime() as runtime:
        friend = await runtime.spawn(Worker(), name="friend")
        ref = await runtime.spawn(
            Parent(friend=friend), name="p", restart="permanent", max_restarts=4000, within=1e-3, stop_timeout=1
        )

        async def crash(times: int) -> None:
            for _ in range(times):
                ref.tell(Crash())
                await ref.ask(Urgent(""), timeout=None)
                await trio.sleep(0.01)
            await ref.ask(Urgent("now both lanes run"), timeout=None)
            await wait_all_tasks_blocked()

        await crash(20)
        tasks, objects = count()
        await crash(3000)
        assert incarnation(ref) == 3021
        tasks_after, objects_after = count()
        assert tasks_after == tasks
        # Fewer than one object in ten restarts: none per restart.
        assert objects_after - objects < 300
