"""What agents say, as `agentscope.realtime.ServerEvents` has it."""

from enum import StrEnum

import msgspec

from .errors import InvalidEvent
from .event import AudioFormat, Event
from .message import ToolResultBlock, ToolUseBlock
from .model_events import ModelEvents

__all__ = ["ServerEventType", "ServerEvents"]


class ServerEventType(StrEnum):
    """The tags on the wire."""

    SERVER_SESSION_CREATED = "server_session_created"
    SERVER_SESSION_UPDATED = "server_session_updated"
    SERVER_SESSION_ENDED = "server_session_ended"
    AGENT_READY = "agent_ready"
    AGENT_ENDED = "agent_ended"
    AGENT_RESPONSE_CREATED = "agent_response_created"
    AGENT_RESPONSE_DONE = "agent_response_done"
    AGENT_RESPONSE_AUDIO_DELTA = "agent_response_audio_delta"
    AGENT_RESPONSE_AUDIO_DONE = "agent_response_audio_done"
    AGENT_RESPONSE_AUDIO_TRANSCRIPT_DELTA = "agent_response_audio_transcript_delta"
    AGENT_RESPONSE_AUDIO_TRANSCRIPT_DONE = "agent_response_audio_transcript_done"
    AGENT_RESPONSE_TOOL_USE_DELTA = "agent_response_tool_use_delta"
    AGENT_RESPONSE_TOOL_USE_DONE = "agent_response_tool_use_done"
    AGENT_RESPONSE_TOOL_RESULT = "agent_response_tool_result"
    AGENT_INPUT_TRANSCRIPTION_DELTA = "agent_input_transcription_delta"
    AGENT_INPUT_TRANSCRIPTION_DONE = "agent_input_transcription_done"
    AGENT_INPUT_STARTED = "agent_input_started"
    AGENT_INPUT_DONE = "agent_input_done"
    AGENT_ERROR = "agent_error"


class ServerEvents:
    """The nineteen events of a backend and its agents."""

    class EventBase(Event, kw_only=True):
        """Base class of the server events."""

        type: ServerEventType

    class OfAgent(EventBase, kw_only=True):
        """What is said by one agent."""

        agent_id: str
        agent_name: str

    class ServerSessionCreatedEvent(EventBase, kw_only=True):
        """The conversation is open. It is the application that says so."""

        session_id: str
        type: ServerEventType = ServerEventType.SERVER_SESSION_CREATED

    class ServerSessionUpdatedEvent(EventBase, kw_only=True):
        """The conversation goes on under changed conditions, which `metadata` names (it is not AgentScope's)."""

        session_id: str
        metadata: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
        type: ServerEventType = ServerEventType.SERVER_SESSION_UPDATED

    class ServerSessionEndedEvent(EventBase, kw_only=True):
        """The conversation is over. It is the application that says so."""

        session_id: str
        metadata: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
        type: ServerEventType = ServerEventType.SERVER_SESSION_ENDED

    class AgentReadyEvent(OfAgent, kw_only=True):
        """The agent hears and answers from now on."""

        type: ServerEventType = ServerEventType.AGENT_READY

    class AgentEndedEvent(OfAgent, kw_only=True):
        """The agent is gone."""

        type: ServerEventType = ServerEventType.AGENT_ENDED

    class AgentResponseCreatedEvent(OfAgent, kw_only=True):
        """A reply begins."""

        response_id: str
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_CREATED

    class AgentResponseDoneEvent(OfAgent, kw_only=True):
        """A reply has ended; `metadata["status"]` is completed, cancelled, failed or incomplete."""

        response_id: str
        input_tokens: int
        output_tokens: int
        metadata: dict[str, str] = msgspec.field(default_factory=dict[str, str])
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_DONE

    class AgentResponseAudioDeltaEvent(OfAgent, kw_only=True):
        """A piece of speech: `delta` is base64 of PCM16 little-endian mono at `format.rate` Hz."""

        response_id: str
        item_id: str
        delta: str
        format: AudioFormat
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_AUDIO_DELTA

        def __post_init__(self) -> None:
            self.format = AudioFormat.of(self.format)

    class AgentResponseAudioDoneEvent(OfAgent, kw_only=True):
        """The speech of an item is complete."""

        response_id: str
        item_id: str
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_AUDIO_DONE

    class AgentResponseAudioTranscriptDeltaEvent(OfAgent, kw_only=True):
        """A piece of the reply's words."""

        response_id: str
        item_id: str
        delta: str
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_AUDIO_TRANSCRIPT_DELTA

    class AgentResponseAudioTranscriptDoneEvent(OfAgent, kw_only=True):
        """The words of an item are complete. `transcript`, which is not AgentScope's, is all of them."""

        response_id: str
        item_id: str
        transcript: str | msgspec.UnsetType | None = msgspec.UNSET
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_AUDIO_TRANSCRIPT_DONE

    class AgentResponseToolUseDeltaEvent(OfAgent, kw_only=True):
        """A call is being written; its `raw_input` is what there is of the arguments so far."""

        response_id: str
        item_id: str
        tool_use: ToolUseBlock
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_TOOL_USE_DELTA

    class AgentResponseToolUseDoneEvent(OfAgent, kw_only=True):
        """A call is complete, and the toolkit carries it out."""

        response_id: str
        item_id: str
        tool_use: ToolUseBlock
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_TOOL_USE_DONE

    class AgentResponseToolResultEvent(OfAgent, kw_only=True):
        """What a call gave: its `output` is a list of blocks."""

        tool_result: ToolResultBlock
        type: ServerEventType = ServerEventType.AGENT_RESPONSE_TOOL_RESULT

    class AgentInputTranscriptionDeltaEvent(OfAgent, kw_only=True):
        """A piece of what the user said."""

        item_id: str
        delta: str
        type: ServerEventType = ServerEventType.AGENT_INPUT_TRANSCRIPTION_DELTA

    class AgentInputTranscriptionDoneEvent(OfAgent, kw_only=True):
        """All that the user said in an item."""

        transcript: str
        item_id: str
        input_tokens: int | None = None
        output_tokens: int | None = None
        type: ServerEventType = ServerEventType.AGENT_INPUT_TRANSCRIPTION_DONE

    class AgentInputStartedEvent(OfAgent, kw_only=True):
        """The user begins to speak, `audio_start_ms` into the audio: a frontend stops what it is playing."""

        item_id: str
        audio_start_ms: int
        type: ServerEventType = ServerEventType.AGENT_INPUT_STARTED

    class AgentInputDoneEvent(OfAgent, kw_only=True):
        """The user has stopped speaking, `audio_end_ms` into the audio."""

        item_id: str
        audio_end_ms: int
        type: ServerEventType = ServerEventType.AGENT_INPUT_DONE

    class AgentErrorEvent(OfAgent, kw_only=True):
        """Something went wrong, in words; unless `AgentEndedEvent` follows, the agent goes on."""

        error_type: str
        code: str
        message: str
        type: ServerEventType = ServerEventType.AGENT_ERROR

    @classmethod
    def from_model_event(cls, model_event: ModelEvents.EventBase, agent_id: str, agent_name: str) -> EventBase:
        """A model's event as that of an agent. Raises `InvalidEvent` for one that has no such counterpart."""
        name = type(model_event).__name__.replace("Model", "Agent", 1)
        kind: type[ServerEvents.EventBase] | None = getattr(cls, name, None)
        if kind is None:
            raise InvalidEvent(f"{type(model_event).__name__} has no counterpart among the server events")
        fields = {**model_event.model_dump(), "agent_id": agent_id, "agent_name": agent_name}
        return kind.model_validate({**fields, "type": fields["type"].replace("model_", "agent_", 1)})
