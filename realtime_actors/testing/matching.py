"""What a message has to be like, said by its type and fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from .errors import InvalidExpectation

__all__ = ["Pattern", "listed", "named", "short"]

LONGEST_REPR = 200
MOST_LISTED = 10


@attrs.frozen
class Pattern:
    """Messages of a type (or derived from it) whose fields have these values, and for which `where` holds."""

    kind: type[Any]
    where: Callable[[Any], object] | None
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, kind: type[Any], where: Callable[[Any], object] | None, fields: Mapping[str, Any]) -> Pattern:
        """A pattern that something can match. Raises `InvalidExpectation`."""
        if not isinstance(kind, type):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
            raise InvalidExpectation(f"expect takes the type of a message, not {short(kind)}")
        if not attrs.has(kind):
            raise InvalidExpectation(
                f"{named(kind)} is no message type: messages are @attrs.frozen classes, so no such message can come"
            )
        known = list(attrs.fields_dict(kind))
        for name in fields:
            if name not in known and not hasattr(kind, name):
                has = f"it has {', '.join(known)}" if known else "it has no fields"
                raise InvalidExpectation(f"{named(kind)} has no field {name!r}: {has}")
        if where is not None and not callable(where):
            raise InvalidExpectation(f"where takes a function of the message, not {short(where)}")
        return cls(kind, where, dict(fields))

    def mismatch(self, message: object) -> str | None:
        """Why a message does not match; None when it does."""
        if not isinstance(message, self.kind):
            return f"it is no {named(self.kind)}"
        wrong = [
            f"{name}: expected {short(value)}, got {short(getattr(message, name))}"
            for name, value in self.fields.items()
            if getattr(message, name) != value
        ]
        if wrong:
            return "; ".join(wrong)
        if self.where is not None and not self.where(message):
            return f"{_function(self.where)} does not hold for it"
        return None

    def __str__(self) -> str:
        given = ", ".join(f"{name}={short(value)}" for name, value in self.fields.items())
        where = f" where {_function(self.where)}" if self.where is not None else ""
        return f"{named(self.kind)}({given}){where}" if given else f"{named(self.kind)}{where}"


def named(kind: type) -> str:
    """The name of a type, for a sentence."""
    return kind.__qualname__ if kind.__module__ != "builtins" else f"the built-in {kind.__name__}"


def short(value: object) -> str:
    """A repr on one line, of limited length. One that raises says so."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a broken repr must not hide what the test has to say
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_REPR else text[: LONGEST_REPR - 1] + "…"


def listed(lines: Iterable[str]) -> str:
    """The first few lines, each on one of its own, and how many more there are."""
    kept = list(lines)
    more = len(kept) - MOST_LISTED
    return "".join(f"\n  {line}" for line in kept[:MOST_LISTED]) + (f"\n  and {more} more" if more > 0 else "")


def _function(function: Callable[..., object]) -> str:
    name = getattr(function, "__name__", "a function")
    code = getattr(function, "__code__", None)
    return f"the function at line {code.co_firstlineno}" if name == "<lambda>" and code is not None else f"{name}()"
