"""What a room says to the frontends of those who are in it. These are no events of AgentScope's."""

from __future__ import annotations

from typing import Literal

import attrs

from .content import PCM_24K, AudioFormat, Blob
from .event import Event

__all__ = [
    "RoomAudioDelta",
    "RoomEvent",
    "RoomFloorChanged",
    "RoomLevels",
    "RoomLine",
    "RoomParticipant",
    "RoomParticipantJoined",
    "RoomParticipantLeft",
    "RoomParticipantUpdated",
    "RoomState",
]

ParticipantKind = Literal["agent", "person"]
ParticipantStatus = Literal["here", "away", "restarting"]
"""`away`: a person whose frontend is gone and may come back; `restarting`: an agent that will be back."""


@attrs.frozen
class RoomParticipant:
    """Somebody in a room. `id` is an agent's `agent_id`, or a person's user id."""

    id: str
    name: str
    kind: str
    status: str = "here"


@attrs.frozen
class RoomLine(Event):
    """Something that was said or written in the room, by an agent or a person: a line of its transcript.

    `id` names the line; when it comes again, it has other words (an interrupted agent said less than was written down).
    `text` is empty for speech of which the words are not known. `interrupted`: this is all that was heard of it.
    """

    id: str
    speaker_id: str
    speaker_name: str
    kind: str
    text: str
    interrupted: bool = False


@attrs.frozen
class RoomState(Event):
    """All that somebody who joins, or comes back, has to know. `participant_id` is the receiver's own."""

    room_id: str
    participant_id: str
    participants: list[RoomParticipant] = attrs.field(factory=list[RoomParticipant])
    lines: list[RoomLine] = attrs.field(factory=list[RoomLine])
    holders: list[str] = attrs.field(factory=list[str])
    speaking: list[str] = attrs.field(factory=list[str])
    hands: list[str] = attrs.field(factory=list[str])


@attrs.frozen
class RoomParticipantJoined(Event):
    """Somebody is in the room from now on."""

    participant: RoomParticipant


@attrs.frozen
class RoomParticipantUpdated(Event):
    """Somebody is away for a while, or has come back: see `participant.status`."""

    participant: RoomParticipant
    reason: str = ""


@attrs.frozen
class RoomParticipantLeft(Event):
    """Somebody is in the room no more. `reason`: left, gone (did not come back), removed, or failed."""

    participant: RoomParticipant
    reason: str


@attrs.frozen
class RoomFloorChanged(Event):
    """Who may speak: agents that have the floor (`holders`), people who speak, agents that have raised their hands."""

    holders: list[str]
    speaking: list[str]
    hands: list[str]


@attrs.frozen
class RoomLevels(Event):
    """How loud those are who can be heard now, in dBFS by participant; the others are silent. Some times a second."""

    levels: dict[str, float]


@attrs.frozen
class RoomAudioDelta(Event):
    """What the other people in the room say, mixed, for whoever asked for it: PCM16 mono at `format.rate` Hz."""

    payload: Blob = attrs.field(alias="delta", converter=Blob.of)
    format: AudioFormat = PCM_24K

    @property
    def delta(self) -> bytes:
        """The PCM16 bytes. Raises `InvalidAudio` when they cannot be audio."""
        return self.payload.pcm


RoomEvent = (
    RoomState
    | RoomLine
    | RoomParticipantJoined
    | RoomParticipantUpdated
    | RoomParticipantLeft
    | RoomFloorChanged
    | RoomLevels
    | RoomAudioDelta
)
