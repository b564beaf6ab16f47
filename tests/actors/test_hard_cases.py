"""What goes wrong in ways that nobody thinks of first."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Note, Notes, Sleep, Unknown, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskedItself,
    Backoff,
    Child,
    DeadLetter,
    Forward,
    InvalidActor,
    InvalidMessage,
    NameTaken,
    Ref,
    Runtime,
    WrongThread,
    droppable,
    open_runtime,
    receives,
)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("it has no words")

    __repr__ = __str__


@attrs.define(eq=False)
class InTheBackground(Worker):
    @receives
    def fail(self, message: Notes) -> None:
        self.context.start_soon(self._fail)

    async def _fail(self) -> None:
        raise Unprintable

    report = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


async def test_an_error_that_cannot_be_printed_is_supervised_as_any(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        other = await runtime.spawn(Worker(), name="other")
        ref = await runtime.spawn(InTheBackground(), restart="permanent")
        ref.tell(Notes())
        await wait_all_tasks_blocked()
        assert (ref.statistics().incarnation, other.state) == (2, "running")
        with pytest.raises(ActorCrashed, match=r"Unprintable \(it cannot be printed\)") as crashed:
            await ref.ask(Crash(Unprintable()), timeout=None)
        assert isinstance(crashed.value.__cause__, Unprintable)


# -- other threads


def in_a_thread(function: Callable[[], object]) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - returned
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return raised[0] if raised else None


@pytest.mark.parametrize("busy", [False, True])
async def test_another_thread_is_told_how_and_harms_nobody(busy: bool, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("topic") as subscription:
        ref = await runtime.spawn(Worker(log=(log := [])), name="worker")
        await wait_all_tasks_blocked()
        if busy:
            ref.tell(Sleep(1))
            await wait_all_tasks_blocked()
        error = in_a_thread(lambda: ref.tell(Note("from outside")))
        assert isinstance(error, WrongThread)
        assert str(error).startswith("worker was told of a Note from another thread than the runtime's: use trio.from")
        assert isinstance(in_a_thread(lambda: runtime.bus.publish("topic", Note("a"))), WrongThread)
        await trio.to_thread.run_sync(trio.from_thread.run_sync, ref.tell, Note("properly"))
        runtime.bus.publish("topic", Note("b"))
        await trio.sleep(2)
        assert [line for line in log if "notes" in line] == ["worker notes properly"]
        assert read_all(subscription) == [Note("b")]


# -- settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_timeout": -1},
        {"stop_timeout": float("nan")},
        {"max_restarts": -1},
        {"within": -1},
        {"within": float("nan")},
        {"capacity": float("inf")},
        {"capacity": 0},
        {"capacity": 2.5},
    ],
    ids=str,
)
async def test_a_setting_out_of_range_is_refused_at_once(wrong: dict[str, Any]) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            await runtime.spawn(Worker(), **wrong)
        assert runtime.tree().actors == ()


@pytest.mark.parametrize("wrong", [{"min": -5}, {"jitter": 3}, {"jitter": -1}, {"factor": -2}, {"max": -1}], ids=str)
def test_a_backoff_out_of_range_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Backoff(**wrong)


class ImpatientForEver(Worker):
    stop_timeout = -1.0


async def test_a_class_s_own_setting_is_looked_at_too() -> None:
    async with open_runtime() as runtime:
        with pytest.raises(ValueError, match="stop_timeout is -1"):
            await runtime.spawn(ImpatientForEver())


# -- timers and drops, forwarding


@droppable
@attrs.frozen
class Audio:
    number: int = 0


@attrs.define(eq=False)
class Listener(Worker):
    heard: list[int] = attrs.field(factory=list[int])

    async def started(self) -> None:
        self.context.send_every(1, Audio(7))

    @receives
    def hear(self, message: Audio) -> None:
        self.heard.append(message.number)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_a_tick_that_was_dropped_is_not_the_last(overflow: Any, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Listener(heard=(heard := [])), capacity=1, overflow=overflow)
        ref.tell(Sleep(1.5))
        await wait_all_tasks_blocked()
        if overflow == "drop_newest":
            ref.tell(Audio(1))
            await trio.sleep(1.2)
        else:
            await trio.sleep(1.2)
            ref.tell(Audio(1))
        await trio.sleep(9)
        assert ref.statistics().dropped == 1
        assert heard == [1, *[7] * 9]


@attrs.define(eq=False)
class PassesOn(Actor):
    to: Ref | None = None

    async def started(self) -> None:
        self.context.send_after(1, Note("tick"))

    @receives
    def pass_on(self, message: Note) -> Forward:
        return Forward(self.to or self.context.ref)


async def test_a_tick_can_be_forwarded(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        worker = await runtime.spawn(Worker(log=(log := [])), name="worker")
        await runtime.spawn(PassesOn(worker))
        await trio.sleep(3)
        assert "worker notes tick" in log


async def test_what_is_forwarded_to_oneself_would_go_round_for_ever(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(PassesOn())
        with pytest.raises(ActorCrashed, match="forwards a message to itself"):
            await ref.ask(Note("a"), timeout=1)


# -- an actor that waits for itself


@attrs.define(eq=False)
class WaitsForItself(Actor):
    @receives
    async def stop_and_wait(self, message: Note) -> None:
        await self.context.ref.stop()

    @receives
    async def ask_in_a_nursery(self, message: Notes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask)

    @receives
    def ask_in_the_background(self, message: Sleep) -> None:
        self.context.start_soon(self._ask)

    @receives
    def answer(self, message: Audio) -> int:
        return 1

    async def _ask(self) -> None:
        await self.context.ref.ask(Audio(), timeout=60)


@pytest.mark.parametrize("message", [Note("a"), Notes()])
async def test_who_waits_for_itself_is_told_at_once(message: object, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(WaitsForItself())
        began = trio.current_time()
        ref.tell(message)
        ended = await ref.wait_stopped()
        assert trio.current_time() == began
        assert ended.cause is not None
        assert any(isinstance(each, AskedItself) for each in (ended.cause, *getattr(ended.cause, "exceptions", ())))


async def test_a_background_task_may_ask_its_own_actor(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(WaitsForItself())
        ref.tell(Sleep())
        await trio.sleep(1)
        assert (ref.state, ref.statistics().handled) == ("running", 2)


# -- what is left behind


async def test_a_subscription_made_in_stopping_is_refused(autojump_clock: MockClock) -> None:
    refused: list[BaseException] = []

    @attrs.define(eq=False)
    class Late(Worker):
        async def stopping(self) -> None:
            try:
                self.context.subscribe("topic")
            except ActorStopped as error:
                refused.append(error)

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        ref = await runtime.spawn(Late(), restart="permanent")
        with pytest.raises(ActorCrashed):
            await ref.ask(Crash(), timeout=1)
        await wait_all_tasks_blocked()
        assert len(refused) == 1
        read_all(dead_letters)
        runtime.bus.publish("topic", Notes())
        assert ref.statistics().queued == 0


async def test_the_watchdog_keeps_nothing_of_what_it_reported() -> None:
    class Big:
        pass

    kept: list[weakref.ref[Big]] = []

    @attrs.define(eq=False)
    class Blocks(Actor):
        @receives
        def block(self, message: Note) -> None:
            big = Big()
            kept.append(weakref.ref(big))
            time.sleep(0.3)

    async with open_runtime(blocked_after=0.1) as runtime:
        ref = await runtime.spawn(Blocks())
        await ref.ask(Note("a"), timeout=30)
        await ref.stop()
        gc.collect()
        assert kept[0]() is None


async def test_a_cancelled_send_sent_nothing() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.send(Note("a"))
        assert scope.cancelled_caught
        assert await ref.ask(Notes(), timeout=1) == []


async def test_a_base_exception_of_any_kind_comes_out_plain(autojump_clock: MockClock) -> None:
    class Mine(BaseException):
        pass

    async def run() -> None:
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Worker())
            ref.tell(Crash(Mine("as it is")))
            await trio.sleep_forever()

    with pytest.raises(Mine, match="as it is"):
        await run()


async def test_a_ref_is_copied_as_itself_and_says_why_it_cannot_be_pickled() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), name="worker")
        letter = DeadLetter("path", {"ref": ref}, "unhandled")
        assert copy.deepcopy(letter) == letter
        assert copy.copy(ref) is ref
        with pytest.raises(TypeError, match="the ref of worker cannot be pickled"):
            pickle.dumps(ref)


# -- declarations


def test_a_classmethod_is_no_handler() -> None:
    with pytest.raises(InvalidActor, match=r"takes self and one message"):

        @attrs.define(eq=False)
        class Wrong(Actor):  # pyright: ignore[reportUnusedClass]
            @receives  # pyright: ignore[reportUntypedFunctionDecorator, reportArgumentType]
            @classmethod
            async def note(cls, message: Note) -> None: ...


@attrs.define(eq=False)
class Delegates(Actor):
    @receives
    def note(self, message: Note) -> Any:
        return self._later(message.text)

    async def _later(self, text: str) -> str:
        return text


async def test_a_plain_handler_may_return_the_coroutine_of_another_method() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Delegates())
        assert await ref.ask(Note("later"), timeout=1) == "later"


async def test_a_child_s_settings_are_looked_at_before_any_of_the_group_starts() -> None:
    @attrs.define(eq=False)
    class Parent(Actor):
        log: list[str]

        async def started(self) -> None:
            await self.context.spawn_group([Child(Worker(self.log)), Child(Worker(self.log), capacity=0)])

    log: list[str] = []
    async with open_runtime() as runtime:
        with pytest.raises(ValueError, match="capacity of 1 or more"):
            await runtime.spawn(Parent(log))
    assert log == []


def test_a_lane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidActor, match="lane='fast'"):
        receives(lane="fast")  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.mark.parametrize("hook", ["started", "stopping"])
def test_a_hook_that_is_not_async_is_refused_with_its_line(hook: str) -> None:
    def plain(self: Actor) -> None: ...

    with pytest.raises(InvalidActor, match=r"Wrong\.plain, .*test_hard_cases\.py:\d+: it is awaited: write async def"):
        type("Wrong", (Actor,), {hook: plain})


async def test_a_class_in_place_of_a_message_is_refused_in_words() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker())
        with pytest.raises(InvalidMessage, match="a class was sent: send an object of it"):
            ref.tell(Note)


async def test_what_nobody_handles_is_logged_once_for_each_type(caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), name="worker")
        for message in (Audio(1), Audio(2), Unknown(), Audio(3)):
            ref.tell(message)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"worker (Worker) has no handler for {name}: it became a dead letter, as others of that type will"
        for name in ("Audio", "Unknown")
    ]


async def test_a_runtime_that_does_not_run_yet_says_so() -> None:
    with pytest.raises(ActorStopped, match="the runtime does not run yet, and can start no Worker: see open_runtime"):
        await Runtime().spawn(Worker())


def test_a_runtime_in_asyncio_names_the_other_one() -> None:
    async def main() -> None:
        async with open_runtime():
            pass

    with pytest.raises(RuntimeError, match=r"actors run on Trio: .* realtime_actors\.asyncio\.open_runtime"):
        asyncio.run(main())


async def test_a_name_that_is_taken_says_by_whom() -> None:
    async with open_runtime() as runtime:
        await runtime.spawn(Worker(), name="ann")
        with pytest.raises(NameTaken, match=r"there is an actor named ann already, a Worker: find\(\) that one"):
            await runtime.spawn(Listener(), name="ann")


@attrs.define(eq=False)
class Shielded(Worker):
    @receives
    async def sleep(self, message: Sleep) -> str:
        self.context.start_soon(self._fail)
        with trio.CancelScope(shield=True):
            await trio.sleep(message.seconds)
        self.log.append(f"{self.context.name} slept")
        return "slept"

    async def _fail(self) -> None:
        raise ValueError("boom")


async def test_a_handler_that_outlives_a_crash_is_the_last_of_its_life(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Shielded(log), name="a", restart="permanent")
        for message in (Note("first"), Sleep(10), Note("kept")):
            ref.tell(message)
        assert await ref.ask(Notes(), timeout=60) == ["kept"]
    first = ["a started", "a notes first", "a slept", "a stopped"]
    assert log == [*first, "a started", "a notes kept", "a stopped"]
