"""How actors and their handlers are declared, and what a declaration means."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Union

import attrs
import pytest
import trio
from actors_kit import Note, Notes, Unknown, Urgent, Worker, read_all

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    AskedItself,
    DeadLetter,
    InvalidActor,
    InvalidMessage,
    UnhandledMessage,
    open_runtime,
    receives,
    trace_context,
)

if TYPE_CHECKING:
    from decimal import Decimal


@attrs.frozen
class Left:
    pass


@attrs.frozen
class Right:
    pass


@attrs.frozen
class LeftOfLeft(Left):
    pass


Either = Left | Right


@attrs.define(eq=False)
class Sides(Actor):
    @receives
    async def either(self, message: Left | Right) -> str:
        return type(message).__name__


@attrs.define(eq=False)
class OldSides(Actor):
    @receives
    async def either(self, message: Union[Left, Right]) -> str:  # noqa: UP007 - the old form is allowed
        return type(message).__name__


@attrs.define(eq=False)
class AliasedSides(Actor):
    @receives
    async def either(self, message: Either) -> str:
        return type(message).__name__


@pytest.mark.parametrize("actor", [Sides(), OldSides(), AliasedSides()])
async def test_a_handler_takes_a_union_of_types(actor: Actor) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(actor)
        assert await ref.ask(Left(), timeout=1) == "Left"
        assert await ref.ask(Right(), timeout=1) == "Right"


async def test_a_handler_takes_exactly_its_types_and_no_subclass() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Sides(), name="sides")
        with pytest.raises(UnhandledMessage, match=r"^sides \(Sides\) has no handler for LeftOfLeft$"):
            await ref.ask(LeftOfLeft(), timeout=1)


async def test_an_unhandled_message_is_a_dead_letter() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Sides(), name="sides")
        ref.tell(Unknown())
        await ref.send(Unknown())
        assert read_all(dead) == [DeadLetter("sides", Unknown(), "unhandled")] * 2


@attrs.define(eq=False)
class Plain(Actor):
    @receives
    def add(self, message: Note) -> str:
        return message.text * 2

    @receives(lane="control")
    def shout(self, message: Urgent) -> str:
        return message.text.upper()


async def test_a_handler_that_never_waits_may_be_a_plain_method() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Plain())
        assert await ref.ask(Note("a"), timeout=1) == "aa"
        assert await ref.ask(Urgent("a"), timeout=1) == "A"


@attrs.define(eq=False)
class Returns(Actor):
    @receives
    async def add(self, message: Note) -> Decimal | None:
        return None


async def test_only_the_message_needs_a_type_that_can_be_imported() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Returns())
        assert await ref.ask(Note("a"), timeout=1) is None


@attrs.define(eq=False)
class Base(Actor):
    @receives
    async def note(self, message: Note) -> str:
        return "base"

    @receives
    async def notes(self, message: Notes) -> str:
        return "base"


@attrs.define(eq=False)
class Derived(Base):
    @receives
    async def note(self, message: Note) -> str:
        return "derived, " + await super().note(message)


async def test_handlers_are_inherited_and_overridden() -> None:
    async with open_runtime() as runtime:
        derived = await runtime.spawn(Derived())
        assert await derived.ask(Note(""), timeout=1) == "derived, base"
        assert await derived.ask(Notes(), timeout=1) == "base"
        base = await runtime.spawn(Base())
        assert await base.ask(Note(""), timeout=1) == "base"


@attrs.define(eq=False)
class Removed(Base):
    note = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


async def test_a_subclass_can_take_a_handler_away() -> None:
    async with open_runtime() as runtime:
        removed = await runtime.spawn(Removed())
        with pytest.raises(UnhandledMessage):
            await removed.ask(Note(""), timeout=1)
        assert await removed.ask(Notes(), timeout=1) == "base"


def wraps(function: Callable[[Any, Note], Any]) -> Callable[[Any, Note], Any]:
    import functools  # noqa: PLC0415

    @functools.wraps(function)
    def wrapper(self: Any, message: Note) -> Any:
        return function(self, Note(f"<{message.text}>"))

    return wrapper


@attrs.define(eq=False)
class Wrapped(Actor):
    @receives
    @wraps
    async def note(self, message: Note) -> str:
        return message.text


async def test_a_wrapped_handler_is_awaited_as_what_it_wraps() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Wrapped())
        assert await ref.ask(Note("a"), timeout=1) == "<a>"


# -- declarations that cannot work are refused when the class is declared


def unmarked() -> object:
    @attrs.define(eq=False)
    class Unmarked(Base):
        async def note(self, message: Note) -> str:
            return "never called"

    return Unmarked


def twice() -> object:
    @attrs.define(eq=False)
    class Twice(Actor):
        @receives
        async def one(self, message: Note) -> None: ...

        @receives
        async def two(self, message: Note | Notes) -> None: ...

    return Twice


def not_annotated() -> object:
    @attrs.define(eq=False)
    class NotAnnotated(Actor):
        @receives  # pyright: ignore[reportUnknownArgumentType] - that its annotation is missing is the point
        async def note(self, message) -> None: ...  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]

    return NotAnnotated


def two_parameters() -> object:
    @attrs.define(eq=False)
    class TwoParameters(Actor):
        @receives
        async def note(self, message: Note, more: int) -> None: ...

    return TwoParameters


def no_parameter() -> object:
    @attrs.define(eq=False)
    class NoParameter(Actor):
        @receives
        async def note(self) -> None: ...

    return NoParameter


def keyword_only() -> object:
    @attrs.define(eq=False)
    class KeywordOnly(Actor):
        @receives
        async def note(self, *, message: Note) -> None: ...

    return KeywordOnly


def no_message() -> object:
    @attrs.define(eq=False)
    class NoMessage(Actor):
        @receives
        async def note(self, message: str) -> None: ...

    return NoMessage


def maybe_message() -> object:
    @attrs.define(eq=False)
    class MaybeMessage(Actor):
        @receives
        async def note(self, message: Note | None) -> None: ...

    return MaybeMessage


def any_message() -> object:
    @attrs.define(eq=False)
    class AnyMessage(Actor):
        @receives
        async def note(self, message: Any) -> None: ...

    return AnyMessage


@attrs.define(eq=False)
class UnknownType(Actor):
    @receives
    async def note(self, message: Decimal) -> None: ...


def generates() -> object:
    @attrs.define(eq=False)
    class Generates(Actor):
        @receives
        def note(self, message: Note) -> Generator[int]:
            yield 1

    return Generates


def generates_async() -> object:
    @attrs.define(eq=False)
    class GeneratesAsync(Actor):
        @receives
        async def note(self, message: Note) -> AsyncGenerator[int]:
            yield 1

    return GeneratesAsync


def static() -> object:
    @attrs.define(eq=False)
    class Static(Actor):
        @receives
        @staticmethod
        async def note(message: Note) -> None: ...

    return Static


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (unmarked, "overrides a handler without @receives"),
        (twice, "Note is already received by"),
        (not_annotated, "annotate 'message'"),
        (two_parameters, "takes self and one message"),
        (no_parameter, "takes self and one message"),
        (keyword_only, "takes self and one message"),
        (no_message, "no message type"),
        (maybe_message, "no message type"),
        (any_message, "no message type"),
        (generates, "generator"),
        (generates_async, "generator"),
        (static, "takes self and one message"),
    ],
)
def test_a_bad_handler_is_refused_with_its_line_as_soon_as_it_is_declared(
    declare: Callable[[], object], says: str
) -> None:
    with pytest.raises(InvalidActor, match=says) as caught:
        declare()
    assert f"test_handlers.{declare.__name__}.<locals>." in str(caught.value)
    assert "test_handlers.py:" in str(caught.value)


async def test_a_type_that_cannot_be_imported_is_refused_when_the_actor_is_spawned() -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidActor, match="must be importable") as caught:
            await runtime.spawn(UnknownType(), name="bad")
        assert "test_handlers.UnknownType.note, " in str(caught.value)
        assert "test_handlers.py:" in str(caught.value)
        # Nothing is left of it: the name is free.
        await runtime.spawn(Plain(), name="bad")


@attrs.define(eq=False)
class Everything(Actor):
    seen: list[object] = attrs.field(factory=list[object])

    @receives
    def note(self, message: Note) -> str:
        return "note"

    @receives(lane="control")
    def anything(self, message: object) -> str:
        self.seen.append(message)
        return "anything"


async def test_a_handler_of_object_takes_what_no_other_one_does() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Everything(seen := []))
        assert await ref.ask(Note("a"), timeout=1) == "note"
        assert await ref.ask(Notes(), timeout=1) == "anything"
        assert await ref.ask(Notes(), timeout=1) == "anything"
        ref.tell(Unknown())
        assert await ref.ask(Urgent("a"), timeout=1) == "anything"
        assert seen == [Notes(), Notes(), Unknown(), Urgent("a")]
        assert ref.statistics().handled == 5


@pytest.mark.parametrize("actor", [Plain(), Everything()])
async def test_what_is_no_attrs_object_is_refused_where_it_is_sent(actor: Actor) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        ref = await runtime.spawn(actor)
        with pytest.raises(InvalidMessage, match=r"builtins\.str is no message type"):
            ref.tell("hello")
        with pytest.raises(InvalidMessage):
            await ref.send({"type": "hello"})
        with pytest.raises(TypeError):
            await ref.ask(3, timeout=1)
        assert read_all(dead_letters) == []


@attrs.frozen
class AskYourself:
    question: object


@attrs.define(eq=False)
class Introvert(Actor):
    when_started: object = None

    async def started(self) -> None:
        if self.when_started is not None:
            await self.context.ref.ask(self.when_started, timeout=None)

    @receives
    async def ask_yourself(self, message: AskYourself) -> Any:
        return await self.context.ref.ask(message.question, timeout=None)

    @receives
    async def note(self, message: Note) -> str:
        return message.text

    @receives(lane="control")
    async def urgent(self, message: Urgent) -> str:
        if message.text == "again":
            await self.context.ref.ask(Urgent("never"), timeout=None)
        return message.text


async def test_an_actor_that_asks_itself_is_told_so() -> None:
    async with open_runtime() as runtime:
        for question in (AskYourself(Note("a")), Urgent("again")):
            ref = await runtime.spawn(Introvert())
            with pytest.raises(ActorCrashed) as crashed:
                await ref.ask(question, timeout=1)
            assert isinstance(crashed.value.__cause__, AskedItself)
        for question in (Note("a"), Urgent("a")):
            with pytest.raises(AskedItself, match=r"asked itself for \w+, and could only answer after that"):
                await runtime.spawn(Introvert(question))


async def test_an_actor_may_ask_itself_for_what_its_other_lane_answers() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Introvert())
        assert await ref.ask(AskYourself(Urgent("a")), timeout=1) == "a"


class Undecorated(Actor):
    limit: int = 3


@attrs.define(eq=False)
class OnUndecorated(Undecorated):
    pass


class NeedsNoDecorator(Actor):
    stop_timeout = 1.0

    @receives
    async def note(self, message: Note) -> str:
        return message.text


@pytest.mark.parametrize("actor", [Undecorated(), OnUndecorated()])
async def test_fields_without_the_decorator_are_refused(actor: Actor) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidActor, match=r"Undecorated.*@attrs\.define"):
            await runtime.spawn(actor)


async def test_a_class_without_fields_needs_no_decorator() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(NeedsNoDecorator())
        assert await ref.ask(Note("a"), timeout=1) == "a"


@pytest.mark.parametrize("thing", [Worker, None, object()])
async def test_only_instances_of_actors_can_be_spawned(thing: Any) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidActor, match="takes an instance of an Actor subclass"):
            await runtime.spawn(thing)


# -- configuration and state


@attrs.define(eq=False)
class Configured(Actor):
    _secret: str
    words: tuple[str, ...] = attrs.field(converter=tuple[str, ...])
    limit: int = attrs.field(default=3, converter=int, kw_only=True)
    seen: list[str] = attrs.field(init=False, factory=list[str])
    extra: str | None = attrs.field(init=False, default=None)

    @receives
    async def note(self, message: Note) -> tuple[Any, ...]:
        self.seen.append(message.text)
        self.extra = message.text
        self.limit += 1
        return self._secret, self.words, self.limit, list(self.seen)

    @receives
    async def sides(self, message: Left) -> None:
        raise ValueError("again")


async def test_the_instance_given_to_spawn_is_a_prototype_that_never_runs() -> None:
    prototype = Configured("s", ["a", "b"], limit="7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with open_runtime() as runtime:
        first = await runtime.spawn(prototype, restart="permanent")
        second = await runtime.spawn(prototype)
        assert await first.ask(Note("x"), timeout=1) == ("s", ("a", "b"), 8, ["x"])
        assert await first.ask(Note("y"), timeout=1) == ("s", ("a", "b"), 9, ["x", "y"])
        assert await second.ask(Note("z"), timeout=1) == ("s", ("a", "b"), 8, ["z"])
        assert (prototype.seen, prototype.extra, prototype.limit) == ([], None, 7)
        assert not hasattr(prototype, "context")
        # What the first changed in itself is gone with it, and what is changed in the prototype comes too late.
        prototype.limit = 100
        first.tell(Left())
        assert await first.ask(Note("x"), timeout=1) == ("s", ("a", "b"), 8, ["x"])


@attrs.define
class WithEquality(Actor):
    @receives
    async def note(self, message: Note) -> str:
        return message.text


async def test_an_actor_may_be_a_plain_attrs_class() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(WithEquality())
        assert await ref.ask(Note("a"), timeout=1) == "a"


# -- context variables

request_id: ContextVar[str] = ContextVar("request_id", default="none")


@attrs.define(eq=False)
class Curious(Actor):
    async def started(self) -> None:
        request_id.set(f"{request_id.get()}, started")

    @receives
    async def data(self, message: Left) -> tuple[str, object]:
        return request_id.get(), trace_context.get()

    @receives(lane="control")
    async def control(self, message: Right) -> tuple[str, object]:
        return request_id.get(), trace_context.get()


async def test_a_handler_sees_the_senders_trace_and_none_of_its_other_context() -> None:
    async with open_runtime() as runtime:
        request_id.set("spawner")
        ref = await runtime.spawn(Curious())
        request_id.set("sender")
        for trace in ("t1", None, "t2"):
            trace_context.set(trace)
            assert await ref.ask(Left(), timeout=1) == ("spawner, started", trace)
            assert await ref.ask(Right(), timeout=1) == ("spawner, started", trace)
        trace_context.set(None)


@attrs.define(eq=False)
class Relay(Actor):
    target: Any

    @receives
    async def left(self, message: Left) -> None:
        self.context.start_soon(self.later)

    async def later(self) -> None:
        await trio.sleep(1)
        self.context.bus.publish("relay.out", Left())
        self.context.tell(self.target, Note(str(trace_context.get())))


async def test_the_trace_goes_on_through_background_tasks_and_the_bus(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[object] = []

    @attrs.define(eq=False)
    class Listener(Actor):
        async def started(self) -> None:
            self.context.subscribe("relay.out")

        @receives
        async def left(self, message: Left) -> None:
            seen.append(trace_context.get())

    async with open_runtime() as runtime:
        worker = await runtime.spawn(Worker())
        await runtime.spawn(Listener())
        relay = await runtime.spawn(Relay(worker))
        trace_context.set("t1")
        relay.tell(Left())
        trace_context.set(None)
        relay.tell(Left())
        await trio.sleep(2)
        assert sorted(await worker.ask(Notes(), timeout=1)) == ["None", "t1"]
        assert set(seen) == {"t1", None}
