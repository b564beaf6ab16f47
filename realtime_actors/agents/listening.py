"""What an agent's own turn detection makes of what it hears: events, commands, and what they mean for whose turn it is.

Plain code. A turn has an id of ours from its first sound on; what the provider calls it is known later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from realtime_actors.events import (
    AgentInputDone,
    AgentInputStarted,
    AppendAudio,
    AppendText,
    AudioCommitted,
    CommitAudio,
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDone,
    RequestFailed,
)
from realtime_actors.providers import Manual, Model, RealtimeModel

from .audio_in import AudioIn, WordsLate
from .errors import InvalidTurnDetection
from .hearing import Action, Backchannel, Hearing, HearingStatistics, LocalVAD, TurnAudio, TurnBegan, TurnEnded
from .translation import InputEvent, agent_event
from .turns import Effect, Emit, Send, Unsaid

__all__ = ["WORDS_WITHIN", "GetHearingStatistics", "Listening", "by_hand"]

WORDS_WITHIN = 1.5
"""Seconds that the words of speech may take by which it is decided whether it was any."""

GO_ON = "(That was only a noise, nobody spoke. Go on exactly where you were interrupted, and do not mention it.)"
"""What the model is told when a reply was interrupted by nothing, where it takes text."""

# Turns whose names at the provider are remembered, and speech that waits until a reply is generated.
_MOST_TURNS = 64
_MOST_ASIDE_MS = 10_000


@attrs.frozen
class GetHearingStatistics:
    """Ask an agent with `LocalVAD` this for its `HearingStatistics`."""


def by_hand(model: Model) -> Model:
    """The model without turn detection of its own. Raises `InvalidTurnDetection` where it cannot do without."""
    if not model.capabilities.manual_turns:
        raise InvalidTurnDetection(
            f"{model.model_name} does not work without its own turn detection, which LocalVAD takes the place of: "
            "leave turn_detection out, or take a model that works with Manual(), as those of OpenAI, Azure OpenAI, "
            "Gemini, DashScope and xAI do"
        )
    return model if isinstance(model.turn_detection, Manual) else attrs.evolve(model, turn_detection=Manual())


@attrs.define
class Listening(AudioIn):
    """The same for an agent that has `LocalVAD`, which alone says when the user's turns begin and end."""

    detection: LocalVAD
    is_heard: Callable[[], bool]
    """Whether a reply is being heard."""
    later: Callable[[float, WordsLate], object]
    """Gives a `WordsLate` back after so many seconds."""
    _hearing: Hearing = attrs.field(init=False)
    _item: str = attrs.field(init=False, default="")
    """The turn that goes on, or was the last."""
    _interrupts: bool = attrs.field(init=False, default=False)
    """Whether it interrupted a reply."""
    _doubt: str = attrs.field(init=False, default="")
    """The turn whose words decide whether it was one."""
    _resumed: bool = attrs.field(init=False, default=False)
    """Whether the latest reply is one that was gone on with."""
    _resumptions: int = attrs.field(init=False, default=0)
    _unnamed: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    """Turns of which it is not known what the provider calls them, in order."""
    _names: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    """What they are called here, by what the provider calls them."""
    _aside: bytearray = attrs.field(init=False, factory=bytearray)
    """Backchannels that the model has not been told of: audio interrupts a reply that is being generated on some wires.

    They wait for the end of it, or, where a turn is only sent when a reply is asked for, for the next turn.
    """

    def __attrs_post_init__(self) -> None:
        self._hearing = Hearing(self.detection, self.model.input_rate)

    @property
    def is_quiet(self) -> bool:
        return self._hearing.is_silent and not self._doubt

    def serve(self, model: Model) -> None:
        super().serve(model)
        if model.input_rate != self._hearing.rate:
            self._hearing = Hearing(self.detection, model.input_rate, self._hearing.counts)

    # -- what the user says

    def commit(self) -> list[Effect]:
        """The frontend says that the turn is over: now it is. What was held of it is sent, and a reply asked for."""
        return [*self.flush(), *self._done(self._hearing.commit(self.is_heard))]

    def _hear(self, pcm: bytes) -> list[Effect]:
        effects = self._done(self._hearing.hear(pcm, self.is_heard))
        if self._aside and self.model.capabilities.commits_at_once and not self.turns.generating:
            effects += self._tell_aside()
        return effects

    def settle(self) -> None:
        self._doubt = ""

    def statistics(self) -> HearingStatistics:
        return attrs.evolve(self._hearing.statistics(), resumed=self._resumptions)

    # -- what the model hears

    def told(self, event: InputEvent) -> list[Effect]:
        # When it begins and ends is told by us.
        item_id = self._name(event.item_id)
        if isinstance(event, ModelInputStarted | ModelInputDone):
            return []
        if item_id != event.item_id:
            event = attrs.evolve(event, item_id=item_id)
        effects: list[Effect] = [Emit(agent_event(event, self.turns.agent_id, self.turns.agent_name))]
        if isinstance(event, ModelInputTranscriptionDone) and item_id == self._doubt:
            self._doubt = ""
            if not event.transcript.strip():
                # There may be a reply to it, and another begins when the user is silent.
                effects += [*self.turns.heard_speech(True, tell_model=True), *self._resume()]
            elif self.model.capabilities.commits_at_once:
                effects += self.turns.want_reply()
        return effects

    def words_late(self, late: WordsLate) -> list[Effect]:
        # It is taken for speech.
        if late.item_id != self._doubt:
            return []
        self._doubt = ""
        return self.turns.want_reply() if self.model.capabilities.commits_at_once else []

    def committed(self, notice: AudioCommitted) -> None:
        if notice.item_id not in self._names and self._unnamed:
            self._remember(notice.item_id, next(iter(self._unnamed)))

    def refused(self, notice: RequestFailed) -> None:
        self._unnamed.pop(notice.request_id, None)

    def session_lost(self) -> None:
        self._unnamed.clear()

    # -- the parts

    def _done(self, actions: Sequence[Action]) -> list[Effect]:
        effects: list[Effect] = []
        for action in actions:
            match action:
                case TurnAudio(audio):
                    effects.append(Send(AppendAudio(self._take_aside() + audio if self._aside else audio)))
                case TurnBegan():
                    effects += self._begin(action)
                case TurnEnded():
                    effects += self._end(action)
                case Backchannel(audio=audio):
                    self._aside += audio
                    del self._aside[: max(0, len(self._aside) - self.model.input_rate * 2 * _MOST_ASIDE_MS // 1000)]
        return effects

    def _begin(self, began: TurnBegan) -> list[Effect]:
        self._item, self._interrupts, self._doubt = self.new_id(), began.interrupts, ""
        self._add_unnamed(self._item)
        return [
            *self.turns.heard_speech(True, tell_model=True),
            Emit(AgentInputStarted(self._item, began.at_ms, self.turns.agent_id, self.turns.agent_name)),
        ]

    def _end(self, ended: TurnEnded) -> list[Effect]:
        done = Emit(AgentInputDone(self._item, ended.at_ms, self.turns.agent_id, self.turns.agent_name))
        may_resume = self.detection.resume_false_starts and self._interrupts and not self._resumed
        self._resumed = False
        if not ended.is_turn:
            self._unnamed.pop(self._item, None)
            return [done, Unsaid(self._item), *(self._resume() if may_resume else self.turns.heard_silence(False))]
        effects: list[Effect] = [Send(CommitAudio(self._item)), done]
        if may_resume and isinstance(self.model, RealtimeModel) and self.model.enable_input_audio_transcription:
            self._doubt = self._item
            self.later(WORDS_WITHIN, WordsLate(self._item))
            if self.model.capabilities.commits_at_once:
                return [*effects, *self.turns.heard_silence(False)]
        return [*effects, *self.turns.want_reply()]

    def _resume(self) -> list[Effect]:
        """The reply was interrupted by nothing: it is gone on with."""
        self._resumed = True
        self._resumptions += 1
        note: list[Effect] = [Send(AppendText(self.new_id(), GO_ON))] if self.model.capabilities.text else []
        return [*note, *self.turns.want_reply()]

    def _tell_aside(self) -> list[Effect]:
        item_id = self.new_id()
        self._add_unnamed(item_id)
        return [Send(AppendAudio(self._take_aside())), Send(CommitAudio(item_id))]

    def _take_aside(self) -> bytes:
        aside = bytes(self._aside)
        self._aside.clear()
        return aside

    def _name(self, theirs: str) -> str:
        """What this item is called here. One that is new is the latest turn that has no name yet."""
        if theirs not in self._names and self._unnamed:
            self._remember(theirs, next(reversed(self._unnamed)))
        return self._names.get(theirs, theirs)

    def _remember(self, theirs: str, ours: str) -> None:
        self._unnamed.pop(ours, None)
        self._names[theirs] = ours
        if len(self._names) > _MOST_TURNS:
            del self._names[next(iter(self._names))]

    def _add_unnamed(self, item_id: str) -> None:
        self._unnamed[item_id] = None
        if len(self._unnamed) > _MOST_TURNS:
            del self._unnamed[next(iter(self._unnamed))]
