"""What holds for every session of a simulator."""

from collections.abc import Callable, MutableMapping, Sequence

import attrs

from realtime_actors.simulators.effects import TranscriptOrder
from realtime_actors.simulators.gemini.history import Entry
from realtime_actors.simulators.gemini.setup import Setup

__all__ = ["Behaviour", "Saved"]


@attrs.frozen
class Saved:
    """A session as it was when a handle was given for it."""

    model: str
    entries: Sequence[Entry]


@attrs.frozen(kw_only=True)
class Behaviour:
    """What holds for every session of a simulator."""

    saved: MutableMapping[str, Saved]
    """The sessions that can be resumed, by their handles."""
    admit: Callable[[Setup], None]
    """Raises `Refused` for a session that is not to be."""
    transcripts: TranscriptOrder
    playback: float
    """Seconds for each second of speech between its generation and the end of its turn."""
    go_away: float
    """Seconds after which the end of the connection is announced."""
    notice: float
    """Seconds from then until the end."""
