"""Starting, stopping, and what a life may rely on."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Notes, Sleep, Urgent, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorStopped,
    ActorTerminated,
    DeadLetter,
    NameTaken,
    Ref,
    Runtime,
    open_runtime,
    receives,
)


@attrs.define(eq=False)
class SlowStart(Worker):
    delay: float = 5

    async def started(self) -> None:
        self.log.append("begins")
        await trio.sleep(self.delay)
        await super().started()


async def test_spawn_returns_when_started_has_returned(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        before = trio.current_time()
        ref = await runtime.spawn(SlowStart())
        assert trio.current_time() - before == pytest.approx(5)
        assert ref.statistics().state == "running"


async def test_an_error_of_started_comes_out_of_spawn_as_it_is() -> None:
    error = OSError("no socket")

    def fail() -> None:
        raise error

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.terminated.>") as ended:
        with pytest.raises(OSError, match="no socket") as caught:
            await runtime.spawn(Worker(start=fail), name="w", restart="permanent")
        assert caught.value is error
        assert error.__notes__ == ["while starting the actor w (Worker)"]
        assert read_all(ended) == [ActorTerminated("w", "start_failed", error)]


async def test_an_exception_group_of_started_comes_out_whole(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Fails(Actor):
        async def started(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise OSError("inner")

    async with open_runtime() as runtime:
        with pytest.raises(ExceptionGroup) as caught:
            await runtime.spawn(Fails())
        assert [type(error) for error in caught.value.exceptions] == [OSError]


async def test_stopping_is_not_called_when_started_failed() -> None:
    log: list[str] = []

    def fail() -> None:
        raise OSError

    async with open_runtime() as runtime:
        with pytest.raises(OSError):  # noqa: PT011
            await runtime.spawn(Worker(log, start=fail))
        assert log == []


@pytest.mark.parametrize("end", ["stop", "crash", "finish", "shutdown"])
async def test_stopping_is_called_once_however_it_ended(end: str) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(log), name="w")
        if end == "stop":
            await ref.stop()
        elif end == "crash":
            ref.tell(Crash())
            await ref.wait_stopped()
        elif end == "finish":
            ref.tell(Finish())
            await ref.wait_stopped()
    assert log == ["w started", "w stopped"]


async def test_stopping_has_a_deadline(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        log: list[str] = []
        ref = await runtime.spawn(Worker(log, slow_stop=100), name="w", stop_timeout=3)
        before = trio.current_time()
        await ref.stop()
        assert trio.current_time() - before == pytest.approx(3)
        assert log == ["w started", "w is stopping"]


# -- a start that is cancelled


async def test_a_start_can_be_cancelled(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        tasks = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_after(1) as scope:
            await runtime.spawn(SlowStart(log), name="w")
        assert scope.cancelled_caught
        assert log == ["begins"]
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        await runtime.spawn(Worker(log), name="w")


@attrs.define(eq=False)
class Stubborn(Worker):
    """Starts whatever happens to whoever spawns it."""

    scope: trio.CancelScope | None = None

    async def started(self) -> None:
        await super().started()
        if self.scope is not None:
            self.scope.cancel()


async def test_a_start_that_ignores_its_cancellation_is_undone_in_order() -> None:
    """`started()` has returned, so `stopping()` follows; the spawn is cancelled and nothing is left."""
    log: list[str] = []
    async with open_runtime() as runtime:
        with trio.fail_after(5):
            with trio.CancelScope() as scope:
                scope.cancel()
                await runtime.spawn(Stubborn(log), name="w")
            assert scope.cancelled_caught
            with trio.CancelScope() as scope:
                await runtime.spawn(Stubborn(log, scope=scope), name="w")
            assert scope.cancelled_caught
        assert log == ["w started", "w stopped"] * 2
        assert (await runtime.spawn(Worker(log), name="w")).path == "w"


async def test_a_spawn_cancelled_at_any_step_gives_a_ref_or_leaves_nothing() -> None:
    for steps in range(12):
        log: list[str] = []
        async with open_runtime() as runtime:
            refs: list[Ref] = []

            async def spawn(runtime: Runtime = runtime, log: list[str] = log, refs: list[Ref] = refs) -> None:
                refs.append(await runtime.spawn(Worker(log), name="w"))

            with trio.fail_after(5):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(spawn)
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    nursery.cancel_scope.cancel()
                if refs:
                    assert await refs[0].ask(Notes(), timeout=1) == []
                else:
                    assert log.count("w started") == log.count("w stopped")
                    await runtime.spawn(Worker(), name="w")


async def test_a_stop_while_it_starts_ends_the_start(autojump_clock: MockClock) -> None:
    refs: list[Ref] = []

    @attrs.define(eq=False)
    class Announces(Actor):
        async def started(self) -> None:
            refs.append(self.context.ref)
            await trio.sleep_forever()

    async with open_runtime() as runtime, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def spawn() -> None:
            with pytest.raises(ActorStopped, match="w was stopped while it started"):
                await runtime.spawn(Announces(), name="w")

        await wait_all_tasks_blocked()
        assert refs[0].statistics().state == "starting"
        refs[0].tell(Note("nobody will"))
        with trio.fail_after(1):
            await refs[0].stop()


async def test_messages_told_while_it_starts_are_handled_after(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Announces(Worker):
        async def started(self) -> None:
            self.context.ref.tell(Note("1"))
            self.context.ref.tell(Urgent("2"))
            await trio.sleep(1)
            await super().started()

    async with open_runtime() as runtime:
        await runtime.spawn(Announces(log), name="w")
        await wait_all_tasks_blocked()
        assert log[0] == "w started"
        assert sorted(log[1:]) == ["w notes 1", "w notes 2"]


# -- a stop


async def test_what_is_queued_at_a_stop_becomes_dead_letters(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(log), name="w")
        ref.tell(Sleep(2))
        ref.tell(Note("1"))
        ref.tell(Note("2"))
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.stop)
            await wait_all_tasks_blocked()
            ref.tell(Note("3"))
            ref.tell(Urgent("4"))
            assert [letter.message for letter in read_all(dead)] == [Note("3"), Urgent("4")]
            assert ref.statistics().state == "stopping"
        assert log == ["w started", "w slept", "w stopped"]
        assert read_all(dead) == [DeadLetter("w", Note("1"), "stopped"), DeadLetter("w", Note("2"), "stopped")]
        ref.tell(Note("5"))
        assert read_all(dead) == [DeadLetter("w", Note("5"), "stopped")]


async def test_a_message_told_in_the_step_of_a_stop_is_handled_or_a_dead_letter() -> None:
    for _ in range(20):
        log: list[str] = []
        async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
            ref = await runtime.spawn(Worker(log), name="w")
            await wait_all_tasks_blocked()
            ref.tell(Note("handed over"))
            await ref.stop()
            assert log.count("w notes handed over") + len(read_all(dead)) == 1


async def test_a_draining_stop_handles_what_is_queued_and_takes_no_more(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(log), name="w", stop_timeout=2)
        # Each message has the grace for itself.
        for i in range(3):
            ref.tell(Sleep(1.5))
            ref.tell(Note(str(i)))
        ref.tell(Urgent("u"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: ref.stop(drain=True))
            await wait_all_tasks_blocked()
            ref.tell(Note("too late"))
        assert [line for line in log if "notes" in line and "u" not in line] == [f"w notes {i}" for i in range(3)]
        assert "w notes u" in log
        assert log[-1] == "w stopped"
        assert [letter.message for letter in read_all(dead)] == [Note("too late")]


async def test_a_message_that_hangs_in_a_drain_is_cancelled_after_its_grace(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", stop_timeout=2)
        ref.tell(Sleep(1))
        ref.tell(Sleep(3600))
        await wait_all_tasks_blocked()
        before = trio.current_time()
        await ref.stop(drain=True)
        assert trio.current_time() - before == pytest.approx(3)
        assert [letter.message for letter in read_all(dead)] == [Sleep(3600)]


async def test_a_drain_takes_those_in_that_wait_for_room(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(log), name="w", capacity=1)
        ref.tell(Sleep(1))
        await wait_all_tasks_blocked()
        ref.tell(Note("1"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.send, Note("2"))
            await wait_all_tasks_blocked()
            await ref.stop(drain=True)
        assert log[-3:] == ["w notes 1", "w notes 2", "w stopped"]


async def test_a_drain_of_an_idle_actor_ends_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        await ref.ask(Urgent(""), timeout=1)
        await wait_all_tasks_blocked()
        before = trio.current_time()
        await ref.stop(drain=True)
        assert trio.current_time() == before


async def test_a_drain_handles_a_message_handed_over_in_the_same_step() -> None:
    for _ in range(20):
        log: list[str] = []
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker(log), name="w")
            await wait_all_tasks_blocked()
            ref.tell(Note("handed over"))
            await ref.stop(drain=True)
            assert log == ["w started", "w notes handed over", "w stopped"]


async def test_a_stop_ends_a_drain_and_is_not_undone_by_another(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(log), name="w")
        for _ in range(100):
            ref.tell(Sleep(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: ref.stop(drain=True))
            await trio.sleep(2.5)
            nursery.start_soon(ref.stop)
            await wait_all_tasks_blocked()
            nursery.start_soon(lambda: ref.stop(drain=True))
        assert log.count("w slept") == 3


async def test_a_crash_ends_a_drain(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", restart="permanent")
        error = ValueError()
        ref.tell(Crash(error))
        ref.tell(Note("left"))
        await ref.stop(drain=True)
        terminated = await ref.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("stopped", error)
        assert [letter.message for letter in read_all(dead)] == [Crash(error), Note("left")]
        assert ref.statistics().incarnation == 1


async def test_a_stop_repeated_gives_no_more_time(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), stop_timeout=4)
        ref.tell(Sleep())
        await wait_all_tasks_blocked()
        before = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ref.stop)
                await trio.sleep(1)
        assert trio.current_time() - before == pytest.approx(4)


async def test_23_a_data_handler_blocked_for_ever_is_cancelled_after_stop_timeout(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), stop_timeout=2)
        ref.tell(Sleep())
        await wait_all_tasks_blocked()
        before = trio.current_time()
        await ref.stop()
        assert trio.current_time() - before == pytest.approx(2)
        terminated = await ref.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("stopped", None)


async def test_both_lanes_have_their_grace_at_once(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Both(Actor):
        stop_timeout = 3

        @receives
        async def data(self, message: Note) -> None:
            await trio.sleep(1)
            done.append("data")

        @receives(lane="control")
        async def control(self, message: Urgent) -> None:
            await trio.sleep(2)
            done.append("control")

    done: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Both())
        ref.tell(Note(""))
        ref.tell(Urgent(""))
        await wait_all_tasks_blocked()
        before = trio.current_time()
        await ref.stop()
        assert trio.current_time() - before == pytest.approx(2)
        assert done == ["data", "control"]


async def test_children_stop_first_and_all_at_once(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Parent(Worker):
        async def started(self) -> None:
            await super().started()
            for name in "xyz":
                await self.context.spawn(Worker(log, slow_stop=3), name=name)

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent(log), name="p")
        log.clear()
        before = trio.current_time()
        await parent.stop()
        assert trio.current_time() - before == pytest.approx(3)
        assert sorted(log[:3]) == ["x is stopping", "y is stopping", "z is stopping"]
        assert sorted(log[3:6]) == ["x stopped", "y stopped", "z stopped"]
        assert log[6:] == ["p stopped"]


async def test_background_tasks_end_with_the_life(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    @attrs.define(eq=False)
    class Busy(Worker):
        async def started(self) -> None:
            self.context.start_soon(self.tick, "t")

        async def tick(self, name: str) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Busy())
        await ref.stop()
        assert ended == ["t"]


async def test_an_actor_ends_itself_once_the_message_in_hand_is_handled(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Ends(Worker):
        @receives
        async def finish(self, message: Finish) -> None:
            self.context.stop()
            await trio.sleep(1)
            log.append("handled")

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Ends(log), name="w")
        ref.tell(Finish())
        ref.tell(Note("left"))
        terminated = await ref.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("normal", None)
        assert log == ["w started", "handled", "w stopped"]
        assert [letter.message for letter in read_all(dead)] == [Note("left")]


async def test_names_are_free_again_once_an_actor_has_ended() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(slow_stop=0), name="w")
        with pytest.raises(NameTaken, match="there is an actor named w already"):
            await runtime.spawn(Worker(), name="w")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.stop)
            with pytest.raises(NameTaken):
                await runtime.spawn(Worker(), name="w")
        again = await runtime.spawn(Worker(), name="w")
        assert again != ref
        assert repr(again) == "<Ref w running>"
        assert repr(ref) == "<Ref w stopped>"


async def test_refs_of_an_actor_are_equal_and_hashable() -> None:
    found: list[Any] = []

    @attrs.define(eq=False)
    class Tells(Actor):
        async def started(self) -> None:
            found.append(self.context.ref)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Tells(), name="t")
        assert ref == found[0]
        assert {ref: 1}[found[0]] == 1
        assert ref != "t"
        assert (ref.path, ref.name) == ("t", "t")
