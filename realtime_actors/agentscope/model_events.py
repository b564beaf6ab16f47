"""What models say, as `agentscope.realtime.ModelEvents` has it."""

from enum import StrEnum

import msgspec

from .event import AudioFormat, Event
from .message import ToolUseBlock

__all__ = ["ModelEventType", "ModelEvents"]


class ModelEventType(StrEnum):
    """The tags."""

    MODEL_SESSION_CREATED = "model_session_created"
    MODEL_SESSION_ENDED = "model_session_ended"
    MODEL_RESPONSE_CREATED = "model_response_created"
    MODEL_RESPONSE_DONE = "model_response_done"
    MODEL_RESPONSE_AUDIO_DELTA = "model_response_audio_delta"
    MODEL_RESPONSE_AUDIO_DONE = "model_response_audio_done"
    MODEL_RESPONSE_AUDIO_TRANSCRIPT_DELTA = "model_response_audio_transcript_delta"
    MODEL_RESPONSE_AUDIO_TRANSCRIPT_DONE = "model_response_audio_transcript_done"
    MODEL_RESPONSE_TOOL_USE_DELTA = "model_response_tool_use_delta"
    MODEL_RESPONSE_TOOL_USE_DONE = "model_response_tool_use_done"
    MODEL_INPUT_TRANSCRIPTION_DELTA = "model_input_transcription_delta"
    MODEL_INPUT_TRANSCRIPTION_DONE = "model_input_transcription_done"
    MODEL_INPUT_STARTED = "model_input_started"
    MODEL_INPUT_DONE = "model_input_done"
    MODEL_ERROR = "model_error"


class ModelEvents:
    """The fifteen events that a connected model puts into its queue."""

    class EventBase(Event, kw_only=True):
        """Base class of the model events."""

        type: ModelEventType

    class ModelSessionCreatedEvent(EventBase, kw_only=True):
        """The model hears and answers from now on."""

        session_id: str
        type: ModelEventType = ModelEventType.MODEL_SESSION_CREATED

    class ModelSessionEndedEvent(EventBase, kw_only=True):
        """The connection is gone for good; `reason` says why."""

        session_id: str
        reason: str
        type: ModelEventType = ModelEventType.MODEL_SESSION_ENDED

    class ModelResponseCreatedEvent(EventBase, kw_only=True):
        """A response begins."""

        response_id: str
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_CREATED

    class ModelResponseDoneEvent(EventBase, kw_only=True):
        """A response has ended; `metadata["status"]` is completed, cancelled, failed or incomplete."""

        response_id: str
        input_tokens: int
        output_tokens: int
        metadata: dict[str, str] = msgspec.field(default_factory=dict[str, str])
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_DONE

    class ModelResponseAudioDeltaEvent(EventBase, kw_only=True):
        """A piece of speech: `delta` is base64 of PCM16 little-endian mono at `format.rate` Hz."""

        response_id: str
        item_id: str
        delta: str
        format: AudioFormat
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_AUDIO_DELTA

        def __post_init__(self) -> None:
            self.format = AudioFormat.of(self.format)

    class ModelResponseAudioDoneEvent(EventBase, kw_only=True):
        """The speech of an item is complete."""

        response_id: str
        item_id: str
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_AUDIO_DONE

    class ModelResponseAudioTranscriptDeltaEvent(EventBase, kw_only=True):
        """A piece of the words of a response."""

        response_id: str
        item_id: str
        delta: str
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_AUDIO_TRANSCRIPT_DELTA

    class ModelResponseAudioTranscriptDoneEvent(EventBase, kw_only=True):
        """The words of an item are complete. `transcript`, which is not AgentScope's, is all of them."""

        response_id: str
        item_id: str
        transcript: str | msgspec.UnsetType | None = msgspec.UNSET
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_AUDIO_TRANSCRIPT_DONE

    class ModelResponseToolUseDeltaEvent(EventBase, kw_only=True):
        """A call is being written; its `raw_input` is what there is of the arguments so far."""

        response_id: str
        item_id: str
        tool_use: ToolUseBlock
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_TOOL_USE_DELTA

    class ModelResponseToolUseDoneEvent(EventBase, kw_only=True):
        """A call is complete: answer it by sending the model a `ToolResultBlock`."""

        response_id: str
        item_id: str
        tool_use: ToolUseBlock
        type: ModelEventType = ModelEventType.MODEL_RESPONSE_TOOL_USE_DONE

    class ModelInputTranscriptionDeltaEvent(EventBase, kw_only=True):
        """A piece of what the user said."""

        item_id: str
        delta: str
        type: ModelEventType = ModelEventType.MODEL_INPUT_TRANSCRIPTION_DELTA

    class ModelInputTranscriptionDoneEvent(EventBase, kw_only=True):
        """All that the user said in an item."""

        transcript: str
        item_id: str
        input_tokens: int | None = None
        output_tokens: int | None = None
        type: ModelEventType = ModelEventType.MODEL_INPUT_TRANSCRIPTION_DONE

    class ModelInputStartedEvent(EventBase, kw_only=True):
        """The user begins to speak, `audio_start_ms` into the audio."""

        item_id: str
        audio_start_ms: int
        type: ModelEventType = ModelEventType.MODEL_INPUT_STARTED

    class ModelInputDoneEvent(EventBase, kw_only=True):
        """The user has stopped speaking, `audio_end_ms` into the audio."""

        item_id: str
        audio_end_ms: int
        type: ModelEventType = ModelEventType.MODEL_INPUT_DONE

    class ModelErrorEvent(EventBase, kw_only=True):
        """Something went wrong, in words."""

        error_type: str
        code: str
        message: str
        type: ModelEventType = ModelEventType.MODEL_ERROR
