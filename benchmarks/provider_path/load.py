"""How much is done in a round."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["QUICK_SIZE", "SIZES", "Kind", "Load", "load_of", "sessions_in_words"]

Kind = Literal["stream", "flood", "hear", "stay", "interrupt", "answer", "converse"]

SIZES = (1, 10, 50, 100, 200, 400)
QUICK_SIZE = 100
_WARM = 25  # pieces
_PER_SECOND = 50
_ENOUGH = 5_000  # pieces of all sessions together
_LEAST, _QUICK_LEAST, _MOST = 50, 50, 100  # pieces of each session
_FLOOD = 20_000


@attrs.frozen
class Load:
    """What the generator does: a stream at the pace of speech or a flood of deltas, or hearing what is appended."""

    kind: Kind
    sessions: int
    warm: int
    """Pieces for each session that are not counted."""
    count: int
    """Pieces for each session that are."""
    most_cpu: float = 0.8
    """More than this share of a core, and the generator may have been the bottleneck."""


def load_of(kind: Kind, sessions: int, *, quick: bool) -> Load:
    """As much as gives enough pieces of all sessions together: one second at least, two at most."""
    if kind == "flood":
        return Load(kind, sessions, _WARM, _FLOOD // sessions)
    count = _QUICK_LEAST if quick else min(_MOST, max(_LEAST, _ENOUGH // sessions))
    return Load(kind, sessions, _WARM, count)


def sessions_in_words(sessions: int) -> str:
    """The name of the case."""
    return f"{sessions} sessions" if sessions > 1 else "1 session"
