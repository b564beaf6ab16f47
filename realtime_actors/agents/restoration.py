"""How much of a conversation a new session knows. Plain code."""

from __future__ import annotations

from typing import Literal

from realtime_actors.events import Note, ToolCallItem
from realtime_actors.providers import Capabilities

from .memory import Seed

__all__ = ["Restored", "known_calls", "restored"]

Restored = Literal["full", "partial", "none"]


def restored(seed: Seed, capabilities: Capabilities, *, remembers: bool) -> Restored:
    """What to say of it; `remembers`: the provider has gone on with the session before.

    "full": all that was said, as it was said. "partial": not all of it, or as words in the instructions. "none":
    nothing, though something was said.
    """
    if remembers:
        return "partial" if seed.since else "full"
    if not seed.items:
        return "full" if seed.complete else "none"
    match capabilities.history:
        case "items":
            return "full" if seed.complete else "partial"
        case "turns":
            in_words = any(isinstance(item, ToolCallItem | Note) for item in seed.items)
            return "full" if seed.complete and not in_words else "partial"
        case "instructions":
            return "partial"
        case "none":
            return "none"


def known_calls(seed: Seed, capabilities: Capabilities) -> frozenset[str]:
    """The calls that a new session knows, and takes results of."""
    return seed.calls if capabilities.history == "items" else frozenset()
