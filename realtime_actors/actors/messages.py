"""How messages and their handlers are declared."""

from __future__ import annotations

import dis
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, overload

import attrs

from .errors import InvalidActor, InvalidMessage

if TYPE_CHECKING:
    from .actor import Actor
    from .ref import Ref

__all__ = [
    "Forward",
    "HandlerEntry",
    "Handlers",
    "Lane",
    "check_handlers",
    "check_message_type",
    "droppable",
    "handlers_of",
    "is_droppable",
    "receives",
]

Lane = Literal["data", "control"]
"""Which of a mailbox's two lanes a message goes through."""

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_DROPPABLE = "__realtime_actors_droppable__"
_LANE = "__realtime_actors_lane__"
_DIRECT = "__realtime_actors_direct__"
_TABLE = "__realtime_actors_handlers__"
_YIELD = dis.opmap["YIELD_VALUE"]  # every await has one


def droppable(cls: C) -> C:
    """Mark a message type as one that a full queue with a `drop_…` policy may drop (a piece of audio, say)."""
    setattr(cls, _DROPPABLE, True)
    return cls


def is_droppable(message: object) -> bool:
    """Whether the message's type is marked with `@droppable`."""
    return getattr(message, _DROPPABLE, False)


@overload
def receives(method: F, /) -> F: ...
@overload
def receives(*, lane: Lane = "data", direct: bool = False) -> Callable[[F], F]: ...
def receives(method: F | None = None, /, *, lane: Lane = "data", direct: bool = False) -> F | Callable[[F], F]:
    """Mark a method as the handler of the type (or union of types) that annotates its one parameter.

    Exactly those types, not their subclasses; a parameter annotated `object` takes what no other handler does. What
    the method returns answers an `ask`. It may be `async def`, or a plain method when it never waits. Messages for
    `lane="control"` go before all data that is not begun, and are handled while a handler of the data lane is still
    waiting. An override in a subclass has to be marked too.

    `direct` is for a hot path through a plain method of the data lane: when nothing of the actor's is in hand or
    waits, `tell` calls the method itself, which saves the wake-up that is most of what a message costs. The order, the
    mailbox's bound, and whose crash an error is stay as they are; but the sender goes on only after it, so the
    method has to be quick.

    Raises `InvalidActor` as soon as the class is declared, or at `spawn` where an annotation names what is declared
    later.
    """

    if lane not in get_args(Lane):
        raise InvalidActor(f"@receives(lane={lane!r}): there is lane='data', the default, and lane='control'")

    if direct and lane != "data":
        raise InvalidActor("@receives(direct=True): the control lane has no direct handlers: leave out one of the two")

    def mark(function: F) -> F:
        if direct and inspect.iscoroutinefunction(inspect.unwrap(function)):
            raise InvalidActor(f"@receives(direct=True): {function.__qualname__} waits: write def, or leave out direct")
        setattr(function, _LANE, lane)
        setattr(function, _DIRECT, direct)
        return function

    return mark if method is None else mark(method)


@attrs.frozen(slots=True)
class HandlerEntry:
    """A handler as the kernel calls it."""

    function: Callable[[Any, Any], Any]
    lane: Lane
    is_async: bool
    is_direct: bool = False
    """Whether whoever tells may call it, when the actor is idle."""
    can_wait: bool = False
    """Whether time may pass until it is done: not in a plain method, nor in an `async def` that awaits nothing."""


@attrs.frozen
class Forward:
    """Returned by a handler: `to` is given the message in hand, and answers it if somebody asked.

    What its full mailbox refuses becomes a dead letter.
    """

    to: Ref


class Handlers(dict[type, HandlerEntry]):
    """The message types that a class handles."""

    fallback: HandlerEntry | None = None
    """The handler of what no other one takes."""
    simple: frozenset[type] = frozenset()
    """The types that are only to be queued in the data lane, where nobody asks, traces or observes."""

    def find(self, message_type: type) -> HandlerEntry | None:
        """The handler of a type. Raises `InvalidMessage` for one that nobody can handle."""
        entry = self.get(message_type)
        if entry is not None:
            return entry
        check_message_type(message_type)
        if self.fallback is not None:
            self[message_type] = self.fallback
        return self.fallback


def check_message_type(message_type: type) -> None:
    """Raise `InvalidMessage` for what nobody can handle."""
    if message_type is type:
        raise InvalidMessage("a class was sent: send an object of it, made by calling it")
    if not attrs.has(message_type):
        raise InvalidMessage(
            f"{message_type.__module__}.{message_type.__qualname__} is no message type: messages are "
            "@attrs.frozen classes"
        )


def handlers_of(cls: type) -> Handlers:
    """The message types that a class handles. Raises `InvalidActor`, which names the method and its line."""
    table: Handlers | None = cls.__dict__.get(_TABLE)
    if table is None:
        table = _read_handlers(cls)
        setattr(cls, _TABLE, table)
    return table


def check_handlers(cls: type[Actor]) -> None:
    """Raise `InvalidActor` for what can be seen to be wrong before everything that the class names is declared."""
    _read_handlers(cls, early=True)
    for hook in (cls.started, cls.stopping):
        if not inspect.iscoroutinefunction(inspect.unwrap(hook)):
            raise InvalidActor(f"{_where(cls, hook)}: it is awaited: write async def")


class _NotDeclaredYet(InvalidActor):
    pass


def _read_handlers(cls: type, *, early: bool = False) -> Handlers:
    table = Handlers()
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        lane: Lane | None = getattr(function, _LANE, None)
        if lane is None:
            _check_override(cls, name, function)
            continue
        is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
        entry = HandlerEntry(function, lane, is_async, getattr(function, _DIRECT, False), _can_wait(function))
        try:
            message_types = _message_types(cls, function)
        except _NotDeclaredYet as error:
            if early:
                continue
            raise InvalidActor(str(error)) from error.__cause__
        for message_type in message_types:
            earlier = table.fallback if message_type is object else table.get(message_type)
            if earlier is not None:
                raise InvalidActor(
                    f"{_where(cls, function)}: {message_type.__name__} is already received by "
                    f"{earlier.function.__qualname__}: keep one handler for each type"
                )
            if message_type is object:
                table.fallback = entry
            else:
                table[message_type] = entry
    table.simple = frozenset(each for each, entry in table.items() if entry.lane == "data" and not entry.is_direct)
    return table


def _can_wait(function: Callable[..., Any]) -> bool:
    """Whether a coroutine function may be suspended; True where that cannot be seen."""
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return True
    return inspect.iscoroutinefunction(function) and _YIELD in code.co_code[::2]


def _check_override(cls: type, name: str, function: object) -> None:
    """An override that lost its mark would leave its messages unhandled. To take a handler away, set it to None."""
    if callable(function) and any(hasattr(vars(base).get(name), _LANE) for base in cls.__mro__):
        raise InvalidActor(
            f"{_where(cls, function)}: it overrides a handler without @receives: mark it, or set {name} = None "
            "to handle those messages no more"
        )


def _message_types(cls: type, function: Callable[..., Any]) -> list[type]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except TypeError:  # a classmethod
        parameters = []
    if len(parameters) != 2 or any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        raise InvalidActor(f"{_where(cls, function)}: a handler takes self and one message")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidActor(f"{_where(cls, function)}: a handler returns its answer, it is no generator")
    annotation = _annotation(cls, function, parameters[1])
    found: list[type] = []
    for message_type in _taken_apart(annotation):
        if message_type is not object and not (isinstance(message_type, type) and attrs.has(message_type)):
            raise InvalidActor(
                f"{_where(cls, function)}: {message_type!r} is no message type: messages are @attrs.frozen classes "
                "(annotate object to take what no other handler does)"
            )
        found.append(message_type)
    return found


def _taken_apart(annotation: Any) -> Iterator[Any]:
    """The types of a union, of what `type …` gives a name, and of a generic class with its parameters."""
    if sys.version_info >= (3, 12) and isinstance(annotation, typing.TypeAliasType):
        yield from _taken_apart(annotation.__value__)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for each in typing.get_args(annotation):
            yield from _taken_apart(each)
    else:
        origin = typing.get_origin(annotation)
        yield annotation if origin is None else origin


def _annotation(cls: type, function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """What annotates the message; the other annotations may name what only a type checker imports."""
    if parameter.annotation is parameter.empty:
        raise InvalidActor(f"{_where(cls, function)}: annotate {parameter.name!r} with the message type it takes")
    holder = types.SimpleNamespace(__annotations__={"message": parameter.annotation})
    try:
        return typing.get_type_hints(holder, inspect.unwrap(function).__globals__)["message"]
    except Exception as error:
        raise _NotDeclaredYet(
            f"{_where(cls, function)}: {error}: the message type must be importable when the actor is spawned"
        ) from error


def _where(cls: type, function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    line = f", {code.co_filename}:{code.co_firstlineno}" if code is not None else ""
    return f"{cls.__module__}.{cls.__qualname__}.{function.__name__}{line}"
