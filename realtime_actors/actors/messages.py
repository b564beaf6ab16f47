"""How messages and their handlers are declared."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["droppable", "is_droppable"]

C = TypeVar("C", bound=type)

_DROPPABLE = "__realtime_actors_droppable__"


def droppable(cls: C) -> C:
    """Mark a message type as one that a full queue with a `drop_…` policy may drop (a piece of audio, say)."""
    setattr(cls, _DROPPABLE, True)
    return cls


def is_droppable(message: object) -> bool:
    """Whether the message's type is marked with `@droppable`."""
    return getattr(message, _DROPPABLE, False)
