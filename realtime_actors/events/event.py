"""The base class of everything on the wire."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs

__all__ = ["Event"]

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
