"""What a simulated model thinks and says: the interface between a simulator's wire and its brain.

A brain knows nothing of any wire. It gets the conversation as turns, answers with parts, and makes the audio of
what is said. The parts beyond `Say` and `Call` are failures, which a script uses to show a client what it must
survive.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, TypeAlias

import attrs

__all__ = [
    "BareCall",
    "Brain",
    "Call",
    "Drop",
    "Endless",
    "ErrorEvent",
    "Fail",
    "Incomplete",
    "Midpoint",
    "Midway",
    "NoUsage",
    "Overlap",
    "Part",
    "Raw",
    "Repeatable",
    "Say",
    "Stall",
    "Turn",
    "Twice",
]


@attrs.frozen
class Turn:
    """One turn of the conversation, as a brain reads it.

    `role` "assistant" with a `name` is a tool call (`text` holds its JSON arguments), "tool" is a tool's result
    (`name` is the tool, if the call is known).
    """

    role: Literal["user", "assistant", "system", "tool"]
    text: str
    name: str = ""
    call_id: str = ""


@attrs.frozen
class Say:
    """Speak (or write, in a text session) this as one message."""

    text: str


@attrs.frozen
class Call:
    """Call a tool. `arguments` is JSON text, and may be broken on purpose."""

    name: str
    arguments: str = "{}"


@attrs.frozen
class BareCall:
    """A tool call of which only the last event is sent: no item before it, no delta."""

    name: str
    arguments: str = "{}"


@attrs.frozen
class Endless:
    """Say this text again and again as one message, until the response is cancelled."""

    text: str = "and so on "


@attrs.frozen
class Drop:
    """End the connection: with a Close frame of this code, or without a code by breaking it (the peer sees 1006).

    What was said before still goes out.
    """

    code: int | None = None
    reason: str = ""


@attrs.frozen
class Stall:
    """Generate nothing for this many seconds (of the clock, whatever the speed), or for ever with None."""

    seconds: float | None = None


@attrs.frozen
class Raw:
    """Send this frame as it is, malformed JSON included; `$response_id` in a text is the response's id."""

    frame: str | bytes


@attrs.frozen
class ErrorEvent:
    """Send an error event; the response goes on."""

    message: str = "The server had an error while processing your request."
    code: str | None = None
    type: str = "server_error"


@attrs.frozen
class Fail:
    """End the response as failed, with this error."""

    message: str = "The server had an error while processing your request."
    code: str | None = "server_error"
    type: str = "server_error"


@attrs.frozen
class Incomplete:
    """End the response as incomplete."""

    reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"


@attrs.frozen
class NoUsage:
    """The response ends without usage (null on the wire)."""


@attrs.frozen
class Overlap:
    """Start a second response beside this one, which says `text` at the same time."""

    text: str


@attrs.frozen
class Midway:
    """Say `text`, and after `at_ms` of its audio do `then`, with the message still open; then say the rest.

    In a text session the text's length takes the place of the audio's.
    """

    text: str
    at_ms: int
    then: "Midpoint"


@attrs.frozen
class Twice:
    """Send every event of this part twice, same ids and all."""

    part: "Repeatable"


Midpoint: TypeAlias = Drop | Stall | Raw | ErrorEvent | Fail | Incomplete | Overlap
"""What can be done in the middle of a message."""

Repeatable: TypeAlias = Say | Call | BareCall | Raw | ErrorEvent
"""What can be sent twice."""

Part: TypeAlias = (
    Say
    | Call
    | BareCall
    | Endless
    | Drop
    | Stall
    | Raw
    | ErrorEvent
    | Fail
    | Incomplete
    | NoUsage
    | Overlap
    | Midway
    | Twice
)


class Brain(Protocol):
    """What a simulator asks of its brain. One brain serves every connection of a simulator."""

    async def transcribe(self, pcm: bytes, rate: int) -> str:
        """The words in `pcm` (PCM16 mono at `rate` Hz), "" for none; raises `TranscriptionFailed`."""
        ...

    async def reply(self, turns: Sequence[Turn], tools: Sequence[str]) -> Sequence[Part]:
        """What to say and do after these turns, when tools of these names may be called."""
        ...

    def speak(self, text: str, rate: int) -> AsyncIterator[bytes]:
        """The audio of `text`: PCM16 mono at `rate` Hz, in pieces of any size as they are ready."""
        ...
