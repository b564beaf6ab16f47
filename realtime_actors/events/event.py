"""The base class of everything on the wire."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import attrs

__all__ = ["Event"]

F = TypeVar("F", str, bytes)

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


@attrs.frozen
class Event:
    """An event; `type` is its tag on the wire, the class name in snake case.

    The tags and fields are those of AgentScope 1.0.21 (`agentscope.realtime`), whose frontends therefore work
    unchanged; the fields added here are optional and never required of a frontend.
    """

    type: ClassVar[str]

    # The frames made of this event, by format: an event is encoded once, however many receive it.
    _frames: dict[str, Any] | None = attrs.field(init=False, default=None, eq=False, repr=False)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.type = _WORD_START.sub("_", cls.__name__).lower()

    def frame(self, wire: str, encode: Callable[[Self], F]) -> F:
        """What `encode` makes of this event, made once for each `wire` and kept."""
        frames = self._frames
        if frames is None:
            frames = {}
            object.__setattr__(self, "_frames", frames)
        frame = frames.get(wire)
        if frame is None:
            frame = frames[wire] = encode(self)
        return frame
