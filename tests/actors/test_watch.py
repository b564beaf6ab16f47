"""Watching: one notice, when an actor has ended for good."""

from __future__ import annotations

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Sleep, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import Actor, ActorStopped, DeadLetter, Ref, Terminated, open_runtime, receives


@attrs.frozen
class Watch:
    ref: Ref
    times: int = 1


@attrs.frozen
class Unwatch:
    ref: Ref


@attrs.define(eq=False)
class Watcher(Worker):
    seen: list[Terminated] = attrs.field(factory=list[Terminated])

    @receives
    async def watch(self, message: Watch) -> None:
        for _ in range(message.times):
            self.context.watch(message.ref)

    @receives
    async def unwatch(self, message: Unwatch) -> None:
        self.context.unwatch(message.ref)

    @receives(lane="control")
    async def gone(self, message: Terminated) -> None:
        self.seen.append(message)


async def test_17_a_watcher_is_told_once_that_an_actor_ended() -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref, times=2), timeout=1)
        await ref.stop()
        await wait_all_tasks_blocked()
        assert seen == [Terminated(ref, "stopped", None)]


async def test_17_one_already_dead_is_told_at_once_and_once() -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))
        ref = await runtime.spawn(Worker())
        ref.tell(Finish())
        await ref.wait_stopped()
        await watcher.ask(Watch(ref, times=2), timeout=1)
        await wait_all_tasks_blocked()
        assert seen == [Terminated(ref, "normal", None)]


async def test_17_a_failure_carries_its_cause() -> None:
    error = ValueError("boom")
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref), timeout=1)
        ref.tell(Crash(error))
        await wait_all_tasks_blocked()
        assert seen == [Terminated(ref, "crashed", error)]


async def test_17_a_restart_tells_nothing() -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))
        ref = await runtime.spawn(Worker(), restart="permanent")
        await watcher.ask(Watch(ref), timeout=1)
        ref.tell(Crash())
        ref.tell(Finish())
        await wait_all_tasks_blocked()
        assert ref.statistics().incarnation == 3
        assert seen == []
        await ref.stop()
        await wait_all_tasks_blocked()
        assert [notice.reason for notice in seen] == ["stopped"]


async def test_17_unwatch_takes_back_a_notice_that_waits(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Slow(Watcher):
        @receives(lane="control")
        async def gone(self, message: Terminated) -> None:
            await trio.sleep(1)
            self.seen.append(message)

    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Slow(seen=seen))
        refs = [await runtime.spawn(Worker()) for _ in range(3)]
        for ref in refs:
            await watcher.ask(Watch(ref), timeout=1)
        for ref in refs:
            await ref.stop()
        # The first is in hand, the others wait.
        await watcher.ask(Unwatch(refs[1]), timeout=1)
        await trio.sleep(5)
        assert [notice.ref for notice in seen] == [refs[0], refs[2]]


async def test_17_unwatch_before_the_end_tells_nothing() -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref), timeout=1)
        await watcher.ask(Unwatch(ref), timeout=1)
        await ref.stop()
        await wait_all_tasks_blocked()
        assert seen == []


async def test_the_notice_comes_after_stopping_has_ended(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        log: list[str] = []
        times: list[float] = []

        @attrs.define(eq=False)
        class Timed(Watcher):
            @receives(lane="control")
            async def gone(self, message: Terminated) -> None:
                times.append(trio.current_time() - start)

        watcher = await runtime.spawn(Timed())
        ref = await runtime.spawn(Worker(log, slow_stop=3), name="w")
        await watcher.ask(Watch(ref), timeout=1)
        start = trio.current_time()
        await ref.stop()
        await wait_all_tasks_blocked()
        assert times == [pytest.approx(3)]


async def test_a_full_mailbox_does_not_hold_up_a_notice(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen), capacity=1)
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref), timeout=1)
        watcher.tell(Sleep(100))
        await wait_all_tasks_blocked()
        watcher.tell(Note(""))
        await ref.stop()
        await wait_all_tasks_blocked()
        assert len(seen) == 1


async def test_hundreds_of_notices_take_no_room_from_messages(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Slow(Watcher):
        @receives(lane="control")
        async def gone(self, message: Terminated) -> None:
            if not self.seen:
                await trio.sleep(1)
            self.seen.append(message)

    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Slow(seen=seen))
        refs = [await runtime.spawn(Worker()) for _ in range(300)]
        for ref in refs:
            await watcher.ask(Watch(ref), timeout=1)
        async with trio.open_nursery() as nursery:
            for ref in refs:
                nursery.start_soon(ref.stop)
        assert watcher.statistics().queued_control == 0
        await trio.sleep(2)
        assert len(seen) == 300


@attrs.define(eq=False)
class InOrder(Actor):
    """Takes its notices in the data lane, so that they never interleave with its other work."""

    log: list[str]

    @receives
    async def watch(self, message: Watch) -> None:
        self.context.watch(message.ref)

    @receives
    async def sleep(self, message: Sleep) -> None:
        await trio.sleep(message.seconds)
        self.log.append("slept")

    @receives
    async def gone(self, message: Terminated) -> None:
        self.log.append(f"{message.ref.name} is gone")

    @receives
    async def note(self, message: Note) -> None:
        self.log.append(message.text)


async def test_the_receiver_chooses_the_lane_of_its_notices(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        watcher = await runtime.spawn(InOrder(log))
        ref = await runtime.spawn(Worker(), name="w")
        other = await runtime.spawn(Worker(), name="other")
        await watcher.ask(Watch(ref), timeout=1)
        await watcher.ask(Watch(other), timeout=1)
        watcher.tell(Sleep(1))
        watcher.tell(Note("queued"))
        await wait_all_tasks_blocked()
        await ref.stop()
        await trio.sleep(2)
        assert log == ["slept", "w is gone", "queued"]
        await other.stop()
        await wait_all_tasks_blocked()
        assert log[-1] == "other is gone"


async def test_a_notice_without_a_handler_is_a_dead_letter() -> None:
    @attrs.define(eq=False)
    class Forgetful(Actor):
        @receives
        async def watch(self, message: Watch) -> None:
            self.context.watch(message.ref)

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        watcher = await runtime.spawn(Forgetful(), name="f")
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref), timeout=1)
        await ref.stop()
        await wait_all_tasks_blocked()
        assert read_all(dead) == [DeadLetter("f", Terminated(ref, "stopped", None), "unhandled")]


async def test_a_watch_in_started_is_kept_for_the_life(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Early(Watcher):
        other: Ref | None = None

        async def started(self) -> None:
            assert self.other is not None
            self.context.watch(self.other)
            await trio.sleep(1)

    async with open_runtime() as runtime:
        for dead_before in (True, False):
            seen: list[Terminated] = []
            ref = await runtime.spawn(Worker())
            if dead_before:
                await ref.stop()
            await runtime.spawn(Early(seen=seen, other=ref))
            await ref.stop()
            await wait_all_tasks_blocked()
            assert [notice.ref for notice in seen] == [ref]


async def test_a_watch_ends_with_the_life_that_began_it() -> None:
    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen), restart="permanent")
        ref = await runtime.spawn(Worker())
        await watcher.ask(Watch(ref), timeout=1)
        watcher.tell(Crash())
        await wait_all_tasks_blocked()
        await ref.stop()
        await wait_all_tasks_blocked()
        assert seen == []


async def test_watching_many_that_come_and_go_keeps_none_of_them() -> None:
    import gc  # noqa: PLC0415

    async with open_runtime() as runtime:
        seen: list[Terminated] = []
        watcher = await runtime.spawn(Watcher(seen=seen))

        async def one() -> None:
            ref = await runtime.spawn(Worker())
            await watcher.ask(Watch(ref), timeout=1)
            await ref.stop()
            await wait_all_tasks_blocked()
            seen.clear()

        await one()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(100):
            await one()
        gc.collect()
        assert len(gc.get_objects()) - before < 100


async def test_wait_stopped_says_why() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        error = ValueError()
        ref.tell(Crash(error))
        assert await ref.wait_stopped() == Terminated(ref, "crashed", error)
        with pytest.raises(ActorStopped):
            await ref.ask(Note(""), timeout=1)


async def test_those_who_watch_each_other_and_themselves_end_and_tell_who_is_left() -> None:
    async with open_runtime() as runtime:
        seen: dict[str, list[Terminated]] = {"a": [], "b": [], "c": []}
        refs = {name: await runtime.spawn(Watcher(seen=seen[name]), name=name) for name in seen}
        for watcher in refs.values():
            for ref in refs.values():
                await watcher.ask(Watch(ref), timeout=1)
        await refs["a"].stop()
        await wait_all_tasks_blocked()
        refs["b"].tell(Finish())
        await refs["b"].wait_stopped()
        await wait_all_tasks_blocked()
        await refs["c"].stop()
        told = {name: [(notice.ref.name, notice.reason) for notice in notices] for name, notices in seen.items()}
        assert told == {"a": [], "b": [("a", "stopped")], "c": [("a", "stopped"), ("b", "normal")]}
