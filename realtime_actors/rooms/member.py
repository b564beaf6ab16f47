"""What a room knows of one of its agents."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from realtime_actors.actors import Ref, RefSubscription
from realtime_actors.agents.item_text import Pace, words_up_to
from realtime_actors.audio import byte_length, duration_ms
from realtime_actors.events import AudioFormat, ClientAudioAppend, ClientAudioCommit, RoomParticipant
from realtime_actors.providers import RealtimeModel

from .buffers import Played
from .floor import Outcome
from .relay import Relay
from .settings import RoomAgent

__all__ = ["Member", "Turn"]

MOST_COMMITS = 64
_COMMIT_AGE = 20.0  # seconds after which words that have not come never will
HELD_MS = 30_000
_LEAST_COMMIT_MS = 100
"""OpenAI refuses to take less for a turn (Realtime API reference, 2025-08: `input_audio_buffer_commit_empty`)."""

_ENDS: dict[str, Outcome] = {"completed": "completed", "incomplete": "completed", "failed": "failed"}


@attrs.frozen
class Turn:
    """A person's turn, by the id of its line."""

    person: str
    name: str
    line: str


@attrs.define
class _Item:
    """A part of what it says."""

    response_id: str
    words: list[str] = attrs.field(factory=list[str])
    ms: float = 0.0
    """How much sound of it has come."""
    is_whole: bool = False
    """Whether all of it has come."""


@attrs.define(eq=False)
class Member:
    """One agent of a room: where it is, what it says, and what it has heard that it has not been told is over."""

    agent_id: str
    settings: RoomAgent
    relay: Relay
    subscriptions: list[RefSubscription] = attrs.field(factory=list[RefSubscription])
    ref: Ref | None = None
    is_ready: bool = False
    """Whether its model is."""
    is_here: bool = False
    """Whether it is on the floor."""
    was_here: bool = False
    number: int | None = None
    """That of the grant which it has."""
    has_begun: bool = False
    outcome: Outcome | None = None
    """How its reply has ended; what there is of it may still be played."""
    has_problem: bool = False
    """Whether some of what it says cannot be heard, which is told once for each grant."""
    heard: dict[str, str] = attrs.field(factory=dict[str, str])
    """Those whose voices it has heard since the last commit: names by id."""
    heard_ms: float = 0.0
    """How much that was."""
    turns: list[Turn] = attrs.field(factory=list[Turn])
    """Turns of people that are complete in what it has heard since then."""
    dropped_ms: float = attrs.field(init=False, default=0.0)
    """What it has not heard because it was speaking for too long, in ms."""
    _responses: list[str] = attrs.field(init=False, factory=list[str])
    """Those of its reply, of which there is one more after each batch of tool calls."""
    _items: dict[str, _Item] = attrs.field(init=False, factory=dict[str, _Item])
    _pace: Pace = attrs.field(init=False, factory=Pace)
    _commits: deque[tuple[float, list[Turn]]] = attrs.field(init=False, factory=deque[tuple[float, list[Turn]]])
    _held: bytearray = attrs.field(init=False, factory=bytearray)

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
        self.has_no_floor()
        self.number = number

    def has_no_floor(self) -> None:
        """It has it no more."""
        self.number, self.has_begun, self.outcome, self.has_problem = None, False, None, False
        self._responses.clear()
        self._items.clear()

    # -- what it hears

    def hear(self, pcm: bytes) -> ClientAudioAppend | None:
        """Voices, at its model's rate: what it is told of them now.

        Some models are interrupted by whatever they hear: while such a one has the floor, it waits.
        """
        rate = self.settings.model.input_rate
        self.heard_ms += duration_ms(len(pcm), rate)
        if self.number is not None and not self.commits_at_once:
            self._held += pcm
            excess = len(self._held) - byte_length(HELD_MS, rate)
            if excess > 0:
                del self._held[:excess]
                self.dropped_ms += duration_ms(excess, rate)
            return None
        if self._held:
            pcm = bytes(self._held) + pcm
            self._held.clear()
        return ClientAudioAppend("", pcm, AudioFormat(rate=rate))

    def commit(self, now: float) -> Sequence[ClientAudioAppend | ClientAudioCommit]:
        """What it has heard is complete for now. What is too short to be a turn waits for the next one."""
        is_busy = self.number is not None and not self.commits_at_once
        if not self.heard or self.heard_ms < _LEAST_COMMIT_MS or is_busy:
            return []
        held = [ClientAudioAppend("", bytes(self._held), AudioFormat(rate=self.settings.model.input_rate))]
        told = [*(held if self._held else []), ClientAudioCommit("")]
        self._held.clear()
        self._commits.append((now, self.turns))
        if len(self._commits) > MOST_COMMITS:
            self._commits.popleft()
        self.heard, self.heard_ms, self.turns = {}, 0.0, []
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

    def forget_commits(self) -> None:
        """Its provider's session is gone: what was told there is not written down any more."""
        self._commits.clear()

    def forget_heard(self) -> None:
        """Its model is gone, and what it had heard."""
        self.heard, self.heard_ms, self.turns = {}, 0.0, []
        self._held.clear()
        self.forget_commits()

    # -- what it says

    def begins(self, response_id: str) -> None:
        """A response of its model begins, which is a part of its reply if it has the floor."""
        if self.number is not None:
            self._responses.append(response_id)

    def says(self, response_id: str, item_id: str, words: str = "", ms: float = 0.0) -> bool:
        """A piece comes: words, or so much sound. Whether it is for the others to hear."""
        if self.number is None or response_id not in self._responses:
            return False
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(response_id)
        item.ms += ms
        if words:
            item.words.append(words)
        return True

    def has_said(self, response_id: str) -> None:
        """All of a response has come."""
        for item in self._items.values():
            if item.response_id == response_id:
                item.is_whole = True
                if item.ms:
                    self._pace.said(len("".join(item.words)), item.ms)

    @property
    def has_voice(self) -> bool:
        """Whether there is sound of its reply."""
        return any(item.ms for item in self._items.values())

    def line_id(self) -> str:
        """A name for its turn; empty if there is none."""
        return self._responses[0] if self._responses else ""

    def ended(self, status: str) -> None:
        """Its reply is complete, or there is no more of it."""
        self.outcome = _ENDS.get(status, "interrupted")

    def heard_of_reply(self, cut: Sequence[Played] = ()) -> str:
        """The words of its reply as far as they were heard, when these items were not played to their end.

        As the agent itself remembers them: by how much of the sound was played, and by the pace of what was said before
        where words may be ahead of the sound.
        """
        speaks = self.settings.model.speaks and self.outcome != "completed"
        played = {each.item: each for each in cut}
        texts: list[str] = []
        for item_id, item in self._items.items():
            text = "".join(item.words)
            part = played.get(item_id)
            if speaks and not item.ms:
                text = ""
            elif part is not None:
                heard_ms, all_ms = int(part.played_ms), float(int(part.received_ms))
                if not item.is_whole:
                    all_ms = max(all_ms, self._pace.ms(len(text)))
                if heard_ms < all_ms:
                    text = words_up_to(text, round(len(text) * heard_ms / all_ms))
            texts.append(text.strip())
        return " ".join(filter(None, texts))
