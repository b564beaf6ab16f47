"""What a session has whoever runs it do: sessions of every wire are pure, and a `Connection` carries this out."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from realtime_actors.simulators.brain import Part, Turn
from realtime_actors.simulators.steps import Step

__all__ = [
    "After",
    "Cancel",
    "Close",
    "Effect",
    "Generate",
    "Reply",
    "Send",
    "Transcribe",
    "TranscriptOrder",
    "WireSession",
]

TranscriptOrder: TypeAlias = Literal["random", "before", "during", "after"]
"""When an input transcript is told, seen from the response it runs beside."""


class Reply(Protocol):
    """A response in progress, as far as whoever generates it is concerned."""

    @property
    def id(self) -> str: ...

    @property
    def active(self) -> bool: ...

    @property
    def spoken(self) -> bool: ...

    @property
    def rate(self) -> int: ...

    @property
    def tools(self) -> Sequence[str]: ...

    def turns(self) -> list[Turn]: ...


@attrs.frozen
class Send:
    """Send this server event."""

    event: dict[str, Any]


@attrs.frozen
class Generate:
    """Ask the brain what this response says, and come back with its steps (`WireSession.generate`).

    `parts` is what it says, where that is given and the brain is not asked.
    """

    response: Reply
    parts: Sequence[Part] | None = None


@attrs.frozen
class Cancel:
    """This response has ended: stop generating it."""

    response_id: str


@attrs.frozen
class Transcribe:
    """Ask the brain for the words in this PCM16, and come back with them (`WireSession.transcribed`)."""

    item_id: str
    pcm: bytes
    rate: int


@attrs.frozen
class After:
    """Go on with `then` in this many seconds."""

    seconds: float
    then: "Callable[[], list[Effect]]"


@attrs.frozen
class Close:
    """Close the connection, after what was sent until now; without a code it breaks."""

    code: int | None
    reason: str = ""


Effect: TypeAlias = Send | Generate | Cancel | Transcribe | After | Close


class WireSession(Protocol):
    """A session of some wire. Every method returns what is to be done now, in order.

    It is given back only the responses that it made itself, of whatever class they are.
    """

    def start(self) -> list[Effect]: ...

    def receive(self, message: object) -> list[Effect]: ...

    def refuse(self, message: str) -> list[Effect]: ...

    def fault(self, message: str, code: str | None, kind: str) -> list[Effect]: ...

    def expire(self, lifetime: float) -> list[Effect]: ...

    def generate(self, response_id: str, step: Step) -> list[Effect]: ...

    def overlap(self, response: Any) -> list[Effect]: ...

    def unheard(self, response: Any) -> list[str]: ...

    def transcribed(self, item_id: str, text: str) -> list[Effect]: ...

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]: ...
