"""What a room knows of one of its agents."""

from __future__ import annotations

from collections import deque

import attrs

from realtime_actors.actors import Ref, RefSubscription
from realtime_actors.agents import Reply
from realtime_actors.agents.item_text import words_up_to
from realtime_actors.events import AudioFormat, ClientAudioAppend, ClientAudioCommit, RoomParticipant
from realtime_actors.providers import RealtimeModel

from .buffers import Played
from .relay import Relay
from .settings import RoomAgent

__all__ = ["Member", "Turn"]

_MOST_COMMITS = 64
_COMMIT_AGE = 20.0  # seconds after which words that have not come never will
_MOST_HELD_MS = 30_000


@attrs.frozen
class Turn:
    """A person's turn, by the id of its line."""

    person: str
    line: str


@attrs.define(eq=False)
class Member:
    """One agent of a room: where it is, what it says, and what it has heard that it has not been told is over."""

    agent_id: str
    settings: RoomAgent
    relay: Relay
    subscriptions: list[RefSubscription] = attrs.field(factory=list[RefSubscription])
    ref: Ref | None = None
    is_here: bool = False
    """Whether it is ready, and on the floor."""
    was_here: bool = False
    number: int | None = None
    """That of the grant which it has."""
    has_begun: bool = False
    is_generated: bool = False
    """Whether its reply is complete; it may still be played."""
    is_open: bool = False
    """Whether what it says is heard by the others."""
    reply: Reply | None = None
    heard: dict[str, None] = attrs.field(factory=dict[str, None])
    """The names of those whose voices it has heard since the last commit."""
    turns: list[Turn] = attrs.field(factory=list[Turn])
    """Turns of people that are complete in what it has heard since then."""
    _commits: deque[tuple[float, list[Turn]]] = attrs.field(init=False, factory=deque[tuple[float, list[Turn]]])
    _held: bytearray = attrs.field(init=False, factory=bytearray)
    dropped_ms: float = attrs.field(init=False, default=0.0)
    """What it has not heard because it was speaking for too long, in ms."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.settings.agent.name

    @property
    def hears_audio(self) -> bool:
        """Whether it hears voices."""
        return self.settings.hears == "audio"

    @property
    def takes_text(self) -> bool:
        """Whether it can be told in words."""
        return self.settings.model.capabilities.text

    @property
    def writes_down(self) -> bool:
        """Whether its model says what it has heard, in words."""
        model = self.settings.model
        return self.hears_audio and isinstance(model, RealtimeModel) and model.enable_input_audio_transcription

    @property
    def commits_at_once(self) -> bool:
        """Whether its model takes a turn without replying to it."""
        return self.settings.model.capabilities.commits_at_once

    def participant(self) -> RoomParticipant:
        """As others see it."""
        return RoomParticipant(self.agent_id, self.name, "agent", "here" if self.is_here else "restarting")

    def has_floor(self, number: int) -> None:
        """It is given the floor."""
        self.number, self.has_begun, self.is_generated, self.is_open, self.reply = number, False, False, True, None

    def has_no_floor(self) -> None:
        """It has it no more."""
        self.number, self.is_open, self.reply = None, False, None

    # -- what it hears

    def hear(self, pcm: bytes) -> ClientAudioAppend | None:
        """Voices, at its model's rate: what it is told of them now.

        Some models are interrupted by whatever they hear: while such a one has the floor, it waits.
        """
        rate = self.settings.model.input_rate
        if self.number is not None and not self.commits_at_once:
            self._held += pcm
            excess = len(self._held) - 2 * rate * _MOST_HELD_MS // 1000
            if excess > 0:
                del self._held[:excess]
                self.dropped_ms += excess * 500 / rate
            return None
        if self._held:
            pcm = bytes(self._held) + pcm
            self._held.clear()
        return ClientAudioAppend("", pcm, AudioFormat(rate=rate))

    def commit(self, now: float) -> list[ClientAudioAppend | ClientAudioCommit]:
        """What it has heard is complete for now."""
        if not self.heard or (self.number is not None and not self.commits_at_once):
            return []
        held = [ClientAudioAppend("", bytes(self._held), AudioFormat(rate=self.settings.model.input_rate))]
        told = [*(held if self._held else []), ClientAudioCommit("")]
        self._held.clear()
        self._commits.append((now, self.turns))
        if len(self._commits) > _MOST_COMMITS:
            self._commits.popleft()
        self.heard, self.turns = {}, []
        return told

    def written_down(self, now: float) -> list[Turn]:
        """The words of a commit have come: of which turns."""
        turns: list[Turn] = []
        while self._commits:
            at, committed = self._commits.popleft()
            turns = committed if self.commits_at_once else turns + committed
            if self.commits_at_once and now - at <= _COMMIT_AGE:
                break
        return turns

    # -- what it said

    def heard_of_reply(self, cut: tuple[Played, ...]) -> str:
        """How much of the words of its reply was heard, when this was not played to its end."""
        reply = self.reply
        if reply is None:
            return ""
        unheard = sum(played.received_ms - played.played_ms for played in cut)
        if not reply.audio_ms or unheard <= 0:
            return reply.text
        fraction = max(0.0, 1 - unheard / reply.audio_ms)
        return words_up_to(reply.text, round(len(reply.text) * fraction))
