"""What a provider's model says (15 events), whatever the provider."""

from __future__ import annotations

import attrs

from .content import PCM_24K, AudioFormat, Blob, ToolUse
from .event import Event

__all__ = [
    "ModelError",
    "ModelEvent",
    "ModelInputDone",
    "ModelInputStarted",
    "ModelInputTranscriptionDelta",
    "ModelInputTranscriptionDone",
    "ModelResponseAudioDelta",
    "ModelResponseAudioDone",
    "ModelResponseAudioTranscriptDelta",
    "ModelResponseAudioTranscriptDone",
    "ModelResponseCreated",
    "ModelResponseDone",
    "ModelResponseToolUseDelta",
    "ModelResponseToolUseDone",
    "ModelSessionCreated",
    "ModelSessionEnded",
]


@attrs.frozen
class ModelSessionCreated(Event):
    """The provider has opened a session (its configuration is not yet accepted)."""

    session_id: str


@attrs.frozen
class ModelSessionEnded(Event):
    """The provider's session is over; `reason` says why."""

    session_id: str
    reason: str


@attrs.frozen
class ModelResponseCreated(Event):
    """A response begins."""

    response_id: str


@attrs.frozen
class ModelResponseDone(Event):
    """A response has ended. `metadata["status"]` is completed, cancelled, failed or incomplete.

    `metadata` may hold `reason`, and for a failed response `error_code` and `error_message`.
    """

    response_id: str
    input_tokens: int = 0
    output_tokens: int = 0
    metadata: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class ModelResponseAudioDelta(Event):
    """A piece of the reply's speech: PCM16 little-endian mono at `format.rate` Hz."""

    response_id: str
    item_id: str
    payload: Blob = attrs.field(alias="delta", converter=Blob.of)
    format: AudioFormat = PCM_24K

    @property
    def delta(self) -> bytes:
        """The PCM16 bytes. Raises `InvalidAudio` when they cannot be audio."""
        return self.payload.pcm


@attrs.frozen
class ModelResponseAudioDone(Event):
    """The speech of an item is complete."""

    response_id: str
    item_id: str


@attrs.frozen
class ModelResponseAudioTranscriptDelta(Event):
    """A piece of the reply's words (of its text, where the reply is text only)."""

    response_id: str
    item_id: str
    delta: str


@attrs.frozen
class ModelResponseAudioTranscriptDone(Event):
    """The words of an item are complete; `transcript` is all of them where the provider says so."""

    response_id: str
    item_id: str
    transcript: str | None = None


@attrs.frozen
class ModelResponseToolUseDelta(Event):
    """A call is being written; `tool_use.raw_input` is what there is of its arguments so far."""

    response_id: str
    item_id: str
    tool_use: ToolUse


@attrs.frozen
class ModelResponseToolUseDone(Event):
    """A call is complete and may be carried out."""

    response_id: str
    item_id: str
    tool_use: ToolUse


@attrs.frozen
class ModelInputTranscriptionDelta(Event):
    """A piece of what the user said."""

    item_id: str
    delta: str


@attrs.frozen
class ModelInputTranscriptionDone(Event):
    """All that the user said in an item. It may come before, during or after the reply."""

    transcript: str
    item_id: str
    input_tokens: int | None = None
    output_tokens: int | None = None


@attrs.frozen
class ModelInputStarted(Event):
    """The provider hears the user begin to speak, `audio_start_ms` into the audio it has received."""

    item_id: str
    audio_start_ms: int


@attrs.frozen
class ModelInputDone(Event):
    """The provider hears the user stop, `audio_end_ms` into the audio it has received."""

    item_id: str
    audio_end_ms: int


@attrs.frozen
class ModelError(Event):
    """The provider reports an error; the session usually goes on. `code` is empty where there is none."""

    error_type: str
    code: str
    message: str


ModelEvent = (
    ModelSessionCreated
    | ModelSessionEnded
    | ModelResponseCreated
    | ModelResponseDone
    | ModelResponseAudioDelta
    | ModelResponseAudioDone
    | ModelResponseAudioTranscriptDelta
    | ModelResponseAudioTranscriptDone
    | ModelResponseToolUseDelta
    | ModelResponseToolUseDone
    | ModelInputTranscriptionDelta
    | ModelInputTranscriptionDone
    | ModelInputStarted
    | ModelInputDone
    | ModelError
)
