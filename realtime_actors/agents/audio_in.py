"""The user's side of an agent's turns: audio in, and what it means for whose turn it is. Plain code.

Here the provider, or the frontend, says when the user's turns begin and end; in `listening` the agent finds it out.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from realtime_actors.audio import AudioError, Resampler, byte_length
from realtime_actors.events import (
    AppendAudio,
    AudioCommitted,
    ClientAudioAppend,
    CommitAudio,
    ModelInputDone,
    ModelInputStarted,
    RequestFailed,
)
from realtime_actors.providers import Manual, Model, SemanticVAD

from .hearing import HearingStatistics
from .translation import InputEvent, agent_event
from .turns import Effect, Emit, Send, Turns

__all__ = ["AudioIn", "WordsLate"]

DEFAULT_SILENCE_MS = 800
"""Silence that ends a turn for the provider's turn detection, where its configuration does not say."""
SEMANTIC_SILENCE_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000, None: 4000}
"""The longest silence for which semantic turn detection waits, by its eagerness (OpenAI's documentation, 2026)."""

_DESERTED = 20
"""Looks in a row at which no audio has come: the microphone was switched off in the middle of a word."""


@attrs.frozen
class WordsLate:
    """The words of this turn have had their time."""

    item_id: str


@attrs.define
class AudioIn:
    """What frontends send, as one stream at the model's rate. Methods give what to do, in order."""

    model: Model
    turns: Turns
    new_id: Callable[[], str]
    is_unanswered: bool = attrs.field(init=False, default=False)
    """Whether audio has come since the last reply began."""
    _resampler: Resampler | None = attrs.field(init=False, default=None)
    _has_come: bool = attrs.field(init=False, default=False)
    """Whether audio has come since the last look."""
    _empty_looks: int = attrs.field(init=False, default=0)

    def is_deserted(self) -> bool:
        """To be asked twice a second: whether nothing has come for 10 s, so that what was begun will not be ended."""
        self._empty_looks = 0 if self._has_come else self._empty_looks + 1
        self._has_come = False
        return self._empty_looks >= _DESERTED

    @property
    def is_quiet(self) -> bool:
        """Whether no turn of the user's is open, as far as that is known here: where the frontend ends the turns."""
        return not (self.is_unanswered and isinstance(self.model.turn_detection, Manual))

    def serve(self, model: Model) -> None:
        """From now on this model listens. The stream before was flushed."""
        self.model, self._resampler = model, None

    # -- what the user says

    def append(self, event: ClientAudioAppend) -> list[Effect]:
        """Audio comes. Raises `AudioError` or `DecodeError`: then nothing of it is taken."""
        audio = self._convert(event)
        self.is_unanswered = self._has_come = True
        return self._hear(audio) if audio else []

    def flush(self) -> list[Effect]:
        """The stream ends: what was held back of it goes its way."""
        rest = self._flush()
        return self._hear(rest) if rest else []

    def commit(self) -> list[Effect]:
        """The frontend says that the turn is over. With turn detection, silence says the same in the provider's way."""
        effects = self.flush()
        detection = self.model.turn_detection
        if isinstance(detection, Manual):
            return [*effects, Send(CommitAudio(self.new_id()))]
        if isinstance(detection, SemanticVAD):
            silence_ms = SEMANTIC_SILENCE_MS[detection.eagerness]
        else:
            silence_ms = detection.silence_duration_ms or DEFAULT_SILENCE_MS
        return [*effects, Send(AppendAudio(bytes(byte_length(silence_ms + 200, self.model.input_rate))))]

    # -- what the model hears

    def told(self, event: InputEvent) -> list[Effect]:
        """What the model says of the user's speech. When it begins, what was being said is over.

        Where turns are ended by hand, some providers say when they have heard one: nobody stops a reply for that.
        """
        if isinstance(self.model.turn_detection, Manual) and isinstance(event, ModelInputStarted | ModelInputDone):
            return []
        effects: list[Effect] = [Emit(agent_event(event, self.turns.agent_id, self.turns.agent_name))]
        if isinstance(event, ModelInputStarted):
            return [*self.turns.heard_speech(self.model.interrupts), *effects]
        if isinstance(event, ModelInputDone):
            detection = self.model.turn_detection
            replies_itself = not isinstance(detection, Manual) and detection.create_response
            return [*effects, *self.turns.heard_silence(replies_itself)]
        return effects

    # -- what matters to turn detection of our own

    def committed(self, notice: AudioCommitted) -> None:
        """What was committed is this item of the provider's."""

    def refused(self, notice: RequestFailed) -> None:
        """The provider has not taken something."""

    def session_lost(self) -> None:
        """Items of the next session have other names."""

    def settle(self) -> None:
        """The user wants something else, or nothing: it does not matter any more whether there was speech."""

    def words_late(self, late: WordsLate) -> list[Effect]:
        """What was to tell whether there was speech has not come."""
        return []

    def statistics(self) -> HearingStatistics:
        """What was heard so far."""
        return HearingStatistics()

    # -- the parts

    def _hear(self, pcm: bytes) -> list[Effect]:
        """Audio at the model's rate."""
        return [Send(AppendAudio(pcm))]

    def _convert(self, event: ClientAudioAppend) -> bytes:
        """What is ready of the stream."""
        if event.format.type != "audio/pcm":
            raise AudioError(f"audio of the type {event.format.type!r:.80} is not taken: send audio/pcm")
        if self._resampler is not None and self._resampler.from_rate == event.format.rate:
            return self._resampler.process(event.audio)
        resampler = Resampler(event.format.rate, self.model.input_rate)
        audio = resampler.process(event.audio)
        rest, self._resampler = self._flush(), resampler
        return rest + audio

    def _flush(self) -> bytes:
        return self._resampler.flush() if self._resampler is not None else b""
