"""The forms in which Python lets one declare a class: whatever attrs and typing allow, an actor may use."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import attrs
import pytest
from actors_kit import Crash, Note, Notes

from realtime_actors.actors import Actor, open_runtime, receives

T = TypeVar("T")


class Greets:
    """A mixin that is no actor."""

    @receives
    async def note(self, message: Note) -> str:
        return f"hello {message.text}"


class Crashes:
    """Another one."""

    @receives
    def crash(self, message: Crash) -> None:
        raise message.error


@attrs.define(eq=False)
class Mixed(Greets, Crashes, Actor):
    pass


@attrs.define(eq=False)
class Overrides(Mixed):
    @receives
    async def note(self, message: Note) -> str:
        return (await super().note(message)).upper()


@attrs.define(eq=False)
class Box(Actor, Generic[T]):
    """An actor of any kind of content."""

    content: T

    @receives
    async def note(self, message: Note) -> T:
        return self.content


@attrs.define(eq=False)
class Texts(Box[str]):
    @receives
    async def later(self, message: Later) -> str:
        return self.content * message.times


@attrs.define(eq=False)
class Remarks(Actor):
    @receives
    async def either(self, message: Annotated[Note | Later, "whichever comes"]) -> str:
        return type(message).__name__


@attrs.frozen
class Later:
    """Declared after the handlers that take it."""

    times: int


@pytest.mark.parametrize(
    ("actor", "message", "answer"),
    [
        (Mixed(), Note("you"), "hello you"),
        (Overrides(), Note("you"), "HELLO YOU"),
        (Box(3), Note(""), 3),
        (Box[int](3), Note(""), 3),
        (Texts("ab"), Note(""), "ab"),
        (Texts("ab"), Later(2), "abab"),
        (Remarks(), Later(2), "Later"),
        (Remarks(), Note(""), "Note"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_handlers_may_come_from_mixins_generic_bases_and_annotations_of_any_form(
    actor: Actor, message: object, answer: object
) -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(actor)
        assert await ref.ask(message, timeout=1) == answer


def positive(value: int) -> int:
    return abs(value)


@attrs.define(eq=False)
class Base(Actor):
    _private: int = attrs.field(converter=positive)
    aliased: int = attrs.field(default=2, alias="other")
    made: list[str] = attrs.field(factory=list[str])
    named: str = attrs.field(default="n", kw_only=True)
    state: list[str] = attrs.field(init=False, factory=list[str])
    derived: int = attrs.field(init=False)

    @derived.default  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUntypedFunctionDecorator]
    def _derive(self) -> int:
        return self._private * 10

    @receives
    async def report(self, message: Notes) -> dict[str, Any]:
        self.state.append("asked")
        return attrs.asdict(self, filter=lambda field, _: field.name != "context")

    @receives
    async def crash(self, message: Crash) -> None:
        raise message.error


@attrs.define(eq=False, slots=False)
class WithDict(Base):
    more: int = 5

    def __attrs_post_init__(self) -> None:
        self.state.append("made")


@attrs.define(eq=False, kw_only=True)
class AllByName(Base):
    more: int = 5

    def __attrs_post_init__(self) -> None:
        self.state.append("made")


@pytest.mark.parametrize("kind", [WithDict, AllByName])
async def test_each_life_has_the_configuration_whatever_its_fields_are_like(kind: type[WithDict | AllByName]) -> None:
    actor = kind(-1, other=7, named="x", more=6)  # pyright: ignore[reportCallIssue]
    async with open_runtime() as runtime:
        ref = await runtime.spawn(actor, restart="permanent")
        for _ in range(2):
            assert await ref.ask(Notes(), timeout=1) == {
                "_private": 1,
                "aliased": 7,
                "made": [],
                "named": "x",
                "state": ["made", "asked"],
                "derived": 10,
                "more": 6,
            }
            ref.tell(Crash())
