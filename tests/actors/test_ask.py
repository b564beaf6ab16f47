"""Asking: the answer, or a typed error at once."""

from __future__ import annotations

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Notes, Sleep, Unknown, Urgent, UrgentCrash, Worker, read_all
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    DeadLetter,
    Ref,
    UnhandledMessage,
    open_runtime,
    receives,
)


async def test_what_the_handler_returns_is_the_answer() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        ref.tell(Note("a"))
        assert await ref.ask(Notes(), timeout=1) == ["a"]
        assert await ref.ask(Urgent("b"), timeout=None) == "b"


async def test_18_a_dead_target_fails_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), name="w")
        await ref.stop()
        before = trio.current_time()
        with pytest.raises(ActorStopped, match=r"^w has stopped: it did not receive Notes$"):
            await ref.ask(Notes(), timeout=10)
        assert trio.current_time() == before


async def test_18_a_crash_while_handling_fails_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", restart="permanent")
        error = ValueError("boom")
        before = trio.current_time()
        with pytest.raises(ActorCrashed, match="w crashed while it handled Crash") as caught:
            await ref.ask(Crash(error), timeout=10)
        assert caught.value.__cause__ is error
        with pytest.raises(ActorCrashed):
            await ref.ask(UrgentCrash(), timeout=10)
        assert trio.current_time() == before
        assert read_all(dead)[0] == DeadLetter("w", Crash(error), "crashed", error)


async def test_18_a_late_answer_is_a_dead_letter_and_harms_nobody(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w")
        with pytest.raises(AskTimeout, match=r"^w did not answer Sleep within 0\.5 s$"):
            await ref.ask(Sleep(2), timeout=0.5)
        await trio.sleep(2)
        assert read_all(dead) == [DeadLetter("w", "slept", "late_answer")]
        assert await ref.ask(Notes(), timeout=1) == []
        assert ref.statistics().incarnation == 1


@pytest.mark.parametrize("seconds", [0, 1e-9])
async def test_an_ask_without_time_still_counts_as_abandoned(autojump_clock: MockClock, seconds: float) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w")
        with pytest.raises(AskTimeout):
            await ref.ask(Sleep(1), timeout=seconds)
        await trio.sleep(2)
        assert read_all(dead) == [DeadLetter("w", "slept", "late_answer")]


async def test_a_cancelled_ask_is_abandoned(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w")
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.ask(Sleep(1), timeout=None)
        assert scope.cancelled_caught
        with trio.move_on_after(0.5):
            await ref.ask(Sleep(1), timeout=None)
        await trio.sleep(3)
        assert read_all(dead) == [DeadLetter("w", "slept", "late_answer")] * 2


async def test_an_unhandled_question_fails_at_once() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        with pytest.raises(UnhandledMessage):
            await ref.ask(Unknown(), timeout=None)


async def test_questions_that_wait_fail_when_the_actor_stops(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), name="w", stop_timeout=2)
        failures: list[tuple[str, float]] = []

        async def ask(message: object) -> None:
            try:
                await ref.ask(message, timeout=None)
            except ActorStopped as error:
                failures.append((str(error), trio.current_time() - start))

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, Sleep())
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, Notes())
            await wait_all_tasks_blocked()
            await ref.stop()
        assert failures == [
            ("w was stopped while it handled Sleep", pytest.approx(2)),
            ("w has stopped: it did not receive Notes", pytest.approx(2)),
        ]


async def test_a_question_in_hand_is_answered_within_the_grace_of_a_stop(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await ref.ask(Sleep(3), timeout=None) == "slept"

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await ref.stop()


async def test_a_question_queued_at_a_crash_is_answered_by_the_next_life() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), restart="permanent")
        ref.tell(Note("lost with the state"))
        ref.tell(Crash())
        assert await ref.ask(Notes(), timeout=None) == []


async def test_a_question_to_one_that_never_starts_again_fails() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        ref.tell(Crash())
        with pytest.raises(ActorStopped):
            await ref.ask(Notes(), timeout=None)


async def test_a_question_in_one_lane_fails_with_the_crash_of_the_other(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w")
        error = ValueError("urgent boom")
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorCrashed) as caught:
                    await ref.ask(Sleep(), timeout=None)
                assert caught.value.__cause__ is error

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            ref.tell(UrgentCrash(error))
        await ref.wait_stopped()
        assert {(type(letter.message), letter.reason, letter.cause) for letter in read_all(dead)} == {
            (UrgentCrash, "crashed", error),
            (Sleep, "crashed", error),
        }


async def test_one_actor_asks_another_and_its_error_is_its_own_to_handle() -> None:
    @attrs.define(eq=False)
    class Asker(Actor):
        other: Ref

        @receives
        async def note(self, message: Note) -> str:
            try:
                await self.other.ask(Crash(), timeout=1)
            except ActorCrashed:
                return "the other crashed"
            return "no error"

    async with open_runtime() as runtime:
        other = await runtime.spawn(Worker())
        asker = await runtime.spawn(Asker(other))
        assert await asker.ask(Note(""), timeout=1) == "the other crashed"
        assert asker.statistics().state == "running"


async def test_a_normal_end_after_the_question_answers_it() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        assert await ref.ask(Finish(), timeout=1) is None
        assert (await ref.wait_stopped()).reason == "normal"


async def test_asking_and_sending_always_let_others_run() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        with assert_checkpoints():
            await ref.ask(Notes(), timeout=1)
        with assert_checkpoints():
            await ref.send(Note(""))
        with assert_checkpoints(), pytest.raises(UnhandledMessage):
            await ref.ask(Unknown(), timeout=1)
        with assert_checkpoints():
            await ref.send(Unknown())
        await ref.stop()
        with assert_checkpoints():
            await ref.send(Note(""))
        with assert_checkpoints():
            await ref.wait_stopped()
        with assert_checkpoints():
            await ref.stop()


@attrs.frozen
class Meet:
    """Ask the other to ask you."""

    other: Ref


@attrs.frozen
class Met:
    """Ask back."""

    asker: Ref


@attrs.define(eq=False)
class Polite(Worker):
    @receives
    async def meet(self, message: Meet) -> str:
        return await message.other.ask(Met(self.context.ref), timeout=10)

    @receives
    async def met(self, message: Met) -> str:
        try:
            return await message.asker.ask(Notes(), timeout=2)
        except AskTimeout:
            return "asked in vain"


async def test_two_that_ask_each_other_go_on_when_the_time_is_over(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        a, b = [await runtime.spawn(Polite(), name=name) for name in "ab"]
        before = trio.current_time()
        assert await a.ask(Meet(b), timeout=10) == "asked in vain"
        assert trio.current_time() - before == pytest.approx(2)
        # The question that was given up is answered when a has time for it.
        await wait_all_tasks_blocked()
        assert read_all(dead) == [DeadLetter("a", [], "late_answer")]
        assert await a.ask(Notes(), timeout=1) == await b.ask(Notes(), timeout=1) == []
