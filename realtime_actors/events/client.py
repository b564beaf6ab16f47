"""What frontends say."""

from __future__ import annotations

from typing import Any

import attrs

from realtime_actors.actors import droppable

from .content import PCM_16K, AudioFormat, Blob, ContentBlock
from .event import Event

__all__ = [
    "ClientAudioAppend",
    "ClientAudioCommit",
    "ClientEvent",
    "ClientImageAppend",
    "ClientPlayoutUpdate",
    "ClientResponseCancel",
    "ClientResponseCreate",
    "ClientRoomMute",
    "ClientSessionCreate",
    "ClientSessionEnd",
    "ClientTextAppend",
    "ClientToolApproval",
    "ClientToolResult",
]


@attrs.frozen
class ClientSessionCreate(Event):
    """Open the conversation. `config` may hold `instructions`, `user_name`, `agent_name` and so on."""

    config: dict[str, Any] = attrs.field(factory=dict[str, Any])


@attrs.frozen
class ClientSessionEnd(Event):
    """End the conversation."""

    session_id: str


@attrs.frozen
class ClientResponseCreate(Event):
    """Ask the agent to reply now."""

    session_id: str


@attrs.frozen
class ClientResponseCancel(Event):
    """Stop the reply. It overtakes queued audio; nothing of the reply follows its end event."""

    session_id: str


@attrs.frozen
class ClientTextAppend(Event):
    """Say something in text, and ask for a reply to it."""

    session_id: str
    text: str


@droppable
@attrs.frozen
class ClientAudioAppend(Event):
    """A piece of the user's speech: PCM16 little-endian mono at `format.rate` Hz, base64 on the JSON wire."""

    session_id: str
    payload: Blob = attrs.field(alias="audio", converter=Blob.of)
    format: AudioFormat = PCM_16K

    @property
    def audio(self) -> bytes:
        """The PCM16 bytes. Raises `InvalidAudio` when they cannot be audio."""
        return self.payload.pcm


@attrs.frozen
class ClientAudioCommit(Event):
    """The user's turn is over: for sessions without turn detection."""

    session_id: str


@attrs.frozen
class ClientImageAppend(Event):
    """A picture for the model to see with the next turn; it asks for no reply.

    `image` is base64 on the JSON wire (`data` is read too), `format` for instance `{"type": "image/png"}`.
    """

    session_id: str
    payload: Blob = attrs.field(alias="image", converter=Blob.of)
    format: dict[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def image(self) -> bytes:
        """The image file's bytes. Raises `InvalidAudio` when the base64 is broken."""
        return self.payload.data


@attrs.frozen
class ClientPlayoutUpdate(Event):
    """How much of an item's speech has left the speaker, in ms from its beginning; sent a few times a second.

    `playing` says whether it goes on from there: not when it is flushed or held, nor at the item's end.
    """

    session_id: str
    response_id: str
    item_id: str
    played_ms: int
    playing: bool = True


@attrs.frozen
class ClientToolResult(Event):
    """The result of a tool that the frontend executes; `id` is the call's."""

    session_id: str
    id: str
    name: str
    output: str | list[ContentBlock]


@attrs.frozen
class ClientToolApproval(Event):
    """The answer to `AgentToolApprovalRequested`; `id` is the call's. The model is told the `reason` for a no."""

    session_id: str
    id: str
    approved: bool
    reason: str = ""


@attrs.frozen
class ClientRoomMute(Event):
    """In a room: hear this person no more, or again. It is for the sender only, and agents hear everybody."""

    session_id: str
    participant_id: str
    muted: bool = True


ClientEvent = (
    ClientSessionCreate
    | ClientSessionEnd
    | ClientResponseCreate
    | ClientResponseCancel
    | ClientTextAppend
    | ClientAudioAppend
    | ClientAudioCommit
    | ClientImageAppend
    | ClientPlayoutUpdate
    | ClientToolResult
    | ClientToolApproval
    | ClientRoomMute
)
