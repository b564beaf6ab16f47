"""What a session and its agents say to frontends and subscribers."""

from __future__ import annotations

import attrs

from .content import PCM_24K, AudioFormat, Blob, ToolResult, ToolUse
from .event import Event
from .room import RoomEvent

__all__ = [
    "AgentEnded",
    "AgentError",
    "AgentInputDone",
    "AgentInputStarted",
    "AgentInputTranscriptionDelta",
    "AgentInputTranscriptionDone",
    "AgentPlayoutFlush",
    "AgentReady",
    "AgentResponseAudioDelta",
    "AgentResponseAudioDone",
    "AgentResponseAudioTranscriptDelta",
    "AgentResponseAudioTranscriptDone",
    "AgentResponseCreated",
    "AgentResponseDone",
    "AgentResponseToolProgress",
    "AgentResponseToolResult",
    "AgentResponseToolUseDelta",
    "AgentResponseToolUseDone",
    "AgentToolApprovalRequested",
    "AgentTurnMeasured",
    "ServerEvent",
    "ServerSessionCreated",
    "ServerSessionEnded",
    "ServerSessionUpdated",
]


@attrs.frozen
class ServerSessionCreated(Event):
    """The conversation is open."""

    session_id: str


@attrs.frozen
class ServerSessionUpdated(Event):
    """The conversation goes on under changed conditions, which `metadata` names."""

    session_id: str
    metadata: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class ServerSessionEnded(Event):
    """The conversation is over; `metadata` may hold the `reason`."""

    session_id: str
    metadata: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class AgentReady(Event):
    """The provider has accepted the agent's configuration: it hears and answers from now on."""

    agent_id: str
    agent_name: str


@attrs.frozen
class AgentEnded(Event):
    """The agent is gone."""

    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseCreated(Event):
    """A reply begins."""

    response_id: str
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseDone(Event):
    """A reply has ended: no delta of it follows.

    `metadata["status"]` is completed, cancelled, failed or incomplete. A reply that was cancelled ends at
    once: its tokens are reported as 0, because the provider counts them later.
    """

    response_id: str
    input_tokens: int
    output_tokens: int
    metadata: dict[str, str]
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseAudioDelta(Event):
    """A piece of the reply's speech: PCM16 little-endian mono at `format.rate` Hz, in JSON as base64."""

    response_id: str
    item_id: str
    payload: Blob = attrs.field(alias="delta", converter=Blob.of)
    format: AudioFormat = PCM_24K
    agent_id: str = ""
    agent_name: str = ""

    @property
    def delta(self) -> bytes:
        """The PCM16 bytes. Raises `InvalidAudio` when they cannot be audio."""
        return self.payload.pcm


@attrs.frozen
class AgentResponseAudioDone(Event):
    """The speech of an item is complete."""

    response_id: str
    item_id: str
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseAudioTranscriptDelta(Event):
    """A piece of the reply's words (of its text, where the reply is text only)."""

    response_id: str
    item_id: str
    delta: str
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseAudioTranscriptDone(Event):
    """The words of an item are complete; `transcript` is all of them where the provider says so."""

    response_id: str
    item_id: str
    agent_id: str
    agent_name: str
    transcript: str | None = None


@attrs.frozen
class AgentResponseToolUseDelta(Event):
    """A tool call is being written."""

    response_id: str
    item_id: str
    tool_use: ToolUse
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseToolUseDone(Event):
    """A tool call is complete. If the tool is the frontend's, it answers with `ClientToolResult`."""

    response_id: str
    item_id: str
    tool_use: ToolUse
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseToolResult(Event):
    """What a tool call gave, as the model was told."""

    tool_result: ToolResult
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentResponseToolProgress(Event):
    """How far a tool has come with a call; `id` is the call's. `fraction` is from 0 to 1, where it is known."""

    id: str
    name: str
    text: str
    fraction: float | None
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentToolApprovalRequested(Event):
    """A call waits to be allowed: the frontend answers with `ClientToolApproval`, within `timeout` seconds.

    The call is not carried out before that, nor without it. `AgentResponseToolResult` with its id says that it is
    over, answered or not.
    """

    tool_use: ToolUse
    timeout: float
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentPlayoutFlush(Event):
    """Speech of a reply whose end was told already is interrupted: a frontend that still plays it stops.

    `heard_ms` is how much of the item was heard, as the model is told.
    """

    response_id: str
    item_id: str
    heard_ms: int
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentInputTranscriptionDelta(Event):
    """A piece of what the user said."""

    item_id: str
    delta: str
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentInputTranscriptionDone(Event):
    """All that the user said in an item. It may come before, during or after the reply."""

    transcript: str
    item_id: str
    agent_id: str
    agent_name: str
    input_tokens: int | None = None
    output_tokens: int | None = None


@attrs.frozen
class AgentInputStarted(Event):
    """The user begins to speak: a frontend stops what it is playing."""

    item_id: str
    audio_start_ms: int
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentInputDone(Event):
    """The user has stopped speaking."""

    item_id: str
    audio_end_ms: int
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentError(Event):
    """Something went wrong, in words; unless an end event follows, the conversation goes on."""

    error_type: str
    code: str
    message: str
    agent_id: str
    agent_name: str


@attrs.frozen
class AgentTurnMeasured(Event):
    """How long a turn took, for frontends that ask for it with `measure_turns` in the session's config.

    `source` is what the turn began with: speech, text, request (of Python code or the frontend), or model. `times` are
    ms since the user's part was over: response, first_audio, first_audio_sent (taken by the frontend's socket), done;
    and silence, since an interruption. A time that was not measured is left out. `tools` are ms by the tool's name.
    """

    response_id: str
    agent_id: str
    agent_name: str
    source: str
    status: str
    times: dict[str, float] = attrs.field(factory=dict[str, float])
    tools: dict[str, float] = attrs.field(factory=dict[str, float])
    input_tokens: int = 0
    output_tokens: int = 0


ServerEvent = (
    ServerSessionCreated
    | ServerSessionUpdated
    | ServerSessionEnded
    | AgentReady
    | AgentEnded
    | AgentResponseCreated
    | AgentResponseDone
    | AgentResponseAudioDelta
    | AgentResponseAudioDone
    | AgentResponseAudioTranscriptDelta
    | AgentResponseAudioTranscriptDone
    | AgentResponseToolUseDelta
    | AgentResponseToolUseDone
    | AgentResponseToolResult
    | AgentResponseToolProgress
    | AgentToolApprovalRequested
    | AgentPlayoutFlush
    | AgentTurnMeasured
    | AgentInputTranscriptionDelta
    | AgentInputTranscriptionDone
    | AgentInputStarted
    | AgentInputDone
    | AgentError
    | RoomEvent
)
