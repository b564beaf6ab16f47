"""Handlers that whoever tells calls himself when the actor is idle: faster, and nothing else is different."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import attrs
import pytest
import trio
from actors_kit import read_all
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.actors import (
    Actor,
    DeadLetter,
    Forward,
    Instrument,
    InvalidActor,
    Ref,
    Runtime,
    open_runtime,
    receives,
)

color: ContextVar[str] = ContextVar("color", default="none")


@attrs.frozen
class Quick:
    text: str
    then: Callable[[Taker], Any] | None = None


@attrs.frozen
class Plain:
    text: str


@attrs.frozen
class Slow:
    seconds: float


@attrs.frozen
class Urgent:
    text: str
    then: Callable[[Taker], Any] | None = None


@attrs.frozen
class SlowlyUrgent:
    text: str


@attrs.frozen
class Get:
    pass


@attrs.define(eq=False)
class Taker(Actor):
    """Notes what it takes; a `Quick` one directly."""

    log: list[str] = attrs.field(factory=list[str])

    @receives(direct=True)
    def quick(self, message: Quick) -> Any:
        self.log.append(message.text)
        return message.then(self) if message.then is not None else None

    @receives
    def plain(self, message: Plain) -> None:
        self.log.append(message.text)

    @receives
    async def slow(self, message: Slow) -> None:
        self.log.append("slow")
        await trio.sleep(message.seconds)
        self.log.append("slow done")

    @receives(lane="control")
    def urgent(self, message: Urgent) -> None:
        self.log.append(message.text)
        if message.then is not None:
            message.then(self)
        self.log.append(f"{message.text} done")

    @receives(lane="control")
    async def slowly_urgent(self, message: SlowlyUrgent) -> None:
        self.log.append(message.text)
        await trio.sleep(1)
        self.context.ref.tell(Quick("told"))
        self.log.append(f"{message.text} done")

    @receives
    def get(self, _: Get) -> list[str]:
        return list(self.log)


async def taker(runtime: Runtime, name: str = "taker", **settings: Any) -> tuple[Ref, list[str]]:
    """One that is idle, and its log."""
    log: list[str] = []
    ref = await runtime.spawn(Taker(log), name=name, **settings)
    await trio.testing.wait_all_tasks_blocked()
    return ref, log


async def test_an_idle_actor_has_handled_it_when_tell_returns() -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(Quick("a"))
        ref.tell(Quick("b"))
        assert log == ["a", "b"]
        assert ref.statistics().handled == 2
        assert await ref.ask(Get(), timeout=1) == ["a", "b"]


async def test_it_waits_behind_what_is_queued() -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(Plain("a"))
        ref.tell(Quick("b"))
        assert log == []
        await ref.ask(Get(), timeout=1)
        assert log == ["a", "b"]


async def test_it_waits_for_the_handler_that_is_at_work(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(Slow(1))
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(Quick("a"))
        await ref.ask(Get(), timeout=2)
        assert log == ["slow", "slow done", "a"]


async def test_a_control_message_goes_first() -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(Urgent("now"))
        ref.tell(Quick("a"))
        await ref.ask(Get(), timeout=1)
        assert log == ["now", "now done", "a"]


async def test_a_control_handler_that_tells_its_own_actor_is_not_interrupted() -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(Urgent("first"))  # which starts the control lane
        await ref.ask(Get(), timeout=1)
        ref.tell(Urgent("now", lambda actor: actor.context.ref.tell(Quick("a"))))
        await ref.ask(Get(), timeout=1)
        await ref.ask(Get(), timeout=1)
        assert log == ["first", "first done", "now", "now done", "a"]


async def test_nor_is_one_that_has_waited(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)
        ref.tell(SlowlyUrgent("now"))
        ref.tell(Plain("meanwhile"))
        await trio.sleep(2)
        assert log == ["now", "meanwhile", "now done", "told"]


async def test_one_that_is_called_so_tells_others_in_the_usual_way() -> None:
    async with open_runtime() as runtime:
        first, log = await taker(runtime, "first")
        second, others = await taker(runtime, "second")

        def tell_both(_: Taker) -> None:
            second.tell(Quick("b"))
            first.tell(Quick("c"))
            log.append("a done")

        first.tell(Quick("a", tell_both))
        assert (log, others) == (["a", "a done"], [])
        await first.ask(Get(), timeout=1)
        await second.ask(Get(), timeout=1)
        assert (log, others) == (["a", "a done", "c"], ["b"])


async def test_its_error_is_the_crash_of_its_actor_and_not_of_the_sender() -> None:
    def fail(_: Taker) -> None:
        raise ValueError("boom")

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as letters:
        ref, log = await taker(runtime, restart="permanent")
        message = Quick("a", fail)
        ref.tell(message)
        ref.tell(Quick("b"))  # of the next life
        assert log == ["a"]
        assert await ref.ask(Get(), timeout=1) == ["a", "b"]
        assert ref.statistics().restarts == 1
        (letter,) = read_all(letters)
        assert isinstance(letter, DeadLetter)
        assert letter.message is message
        assert isinstance(letter.cause, ValueError)
        ref.tell(Quick("c"))
        assert log == ["a", "b", "c"]


async def test_the_supervisor_sees_the_error() -> None:
    def fail(_: Taker) -> None:
        raise ValueError("boom")

    async with open_runtime() as runtime:
        ref, _ = await taker(runtime)
        ref.tell(Quick("a", fail))
        ended = await ref.wait_stopped()
        assert ended.reason == "crashed"
        assert isinstance(ended.cause, ValueError)


async def test_the_context_variables_are_the_actors() -> None:
    seen: list[str] = []
    async with open_runtime() as runtime:
        ref, _ = await taker(runtime)
        token = color.set("the sender's")

        def look(_: Taker) -> None:
            seen.append(color.get())
            color.set("the actor's")

        ref.tell(Quick("a", look))
        ref.tell(Quick("b", look))
        assert seen == ["none", "the actor's"]
        assert color.get() == "the sender's"
        color.reset(token)


async def test_a_handler_that_is_called_so_may_start_the_control_lane_and_tasks() -> None:
    async with open_runtime() as runtime:
        ref, log = await taker(runtime)

        async def work() -> None:
            log.append("work")

        def begin(actor: Taker) -> None:
            actor.context.tell(actor.context.ref, Urgent("now"))
            actor.context.start_soon(work)

        ref.tell(Quick("a", begin))
        await ref.ask(Get(), timeout=1)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(log) == ["a", "now", "now done", "work"]


async def test_who_is_stopping_or_not_yet_started_is_not_idle() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as letters:
        ref, log = await taker(runtime)

        def stop(actor: Taker) -> None:
            actor.context.stop()

        ref.tell(Quick("a", stop))
        ref.tell(Quick("b"))
        await ref.wait_stopped()
        assert log == ["a"]
        assert [letter.message.text for letter in read_all(letters)] == ["b"]


async def test_forward_is_obeyed() -> None:
    async with open_runtime() as runtime:
        first, log = await taker(runtime, "first")
        second, others = await taker(runtime, "second")
        first.tell(Quick("a", lambda actor: Forward(second) if actor.context.ref == first else None))
        await second.ask(Get(), timeout=1)
        assert (log, others) == (["a"], ["a"])


async def test_instruments_see_it() -> None:
    class Watcher(Instrument):
        def sending(self, ref: Ref, message: object, trace: object | None) -> object | None:
            seen.append(message)
            return trace

    seen: list[object] = []
    async with open_runtime(instruments=[Watcher()]) as runtime:
        ref, log = await taker(runtime)
        ref.tell(Quick("a"))
        assert await ref.ask(Get(), timeout=1) == ["a"] == log
        assert seen[0] == Quick("a")


async def test_an_ask_is_answered() -> None:
    async with open_runtime() as runtime:
        ref, _ = await taker(runtime)
        assert await ref.ask(Quick("a", lambda _: "answer"), timeout=1) == "answer"


async def test_one_that_wants_to_wait_after_all_crashes_with_a_reason() -> None:
    async def later() -> None:
        raise AssertionError

    async with open_runtime() as runtime:
        ref, _ = await taker(runtime)
        ref.tell(Quick("a", lambda _: later()))
        ended = await ref.wait_stopped()
        assert "cannot wait" in str(ended.cause)


def test_a_declaration_that_cannot_be() -> None:
    with pytest.raises(InvalidActor, match="waits: write def"):

        class Waits(Actor):  # pyright: ignore[reportUnusedClass]
            @receives(direct=True)
            async def quick(self, message: Quick) -> None:
                pass

    with pytest.raises(InvalidActor, match="control lane has no direct"):

        class Controls(Actor):  # pyright: ignore[reportUnusedClass]
            @receives(lane="control", direct=True)
            def quick(self, message: Quick) -> None:
                pass


@given(st.lists(st.sampled_from(["quick", "plain", "pass"]), max_size=30))
@settings(max_examples=200, deadline=None)
def test_one_senders_messages_are_handled_in_the_order_in_which_they_were_told(steps: list[str]) -> None:
    async def main() -> None:
        async with open_runtime() as runtime:
            ref, log = await taker(runtime)
            told: list[str] = []
            for number, step in enumerate(steps):
                match step:
                    case "quick":
                        ref.tell(Quick(f"{number}"))
                    case "plain":
                        ref.tell(Plain(f"{number}"))
                    case _:
                        await trio.lowlevel.checkpoint()
                        continue
                told.append(f"{number}")
            await ref.ask(Get(), timeout=5)
            assert log == told

    trio.run(main)
