"""The user's audio on its way to the model. Plain code."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from realtime_actors.audio import AudioError, Resampler, byte_length
from realtime_actors.events import AppendAudio, ClientAudioAppend, CommitAudio
from realtime_actors.providers import Manual, Model, SemanticVAD

__all__ = ["AudioIn"]

DEFAULT_SILENCE_MS = 800
"""Silence that ends a turn for the provider's turn detection, where its configuration does not say."""
SEMANTIC_SILENCE_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000, None: 4000}
"""The longest silence for which semantic turn detection waits, by its eagerness (OpenAI's documentation, 2026)."""


@attrs.define
class AudioIn:
    """What frontends send, as one stream at the model's rate."""

    model: Model
    new_id: Callable[[], str]
    is_unanswered: bool = attrs.field(init=False, default=False)
    """Whether audio has come since the last reply began."""
    _resampler: Resampler | None = attrs.field(init=False, default=None)

    def convert(self, event: ClientAudioAppend) -> bytes:
        """What is ready of the stream. Raises `AudioError` or `DecodeError`: then nothing of `event` is taken."""
        if event.format.type != "audio/pcm":
            raise AudioError(f"audio of the type {event.format.type!r:.80} is not taken: send audio/pcm")
        if self._resampler is not None and self._resampler.from_rate == event.format.rate:
            return self._resampler.process(event.audio)
        resampler = Resampler(event.format.rate, self.model.input_rate)
        audio = resampler.process(event.audio)
        rest, self._resampler = self.flush(), resampler
        return rest + audio

    def flush(self) -> bytes:
        """The end of the stream, which was held back."""
        return self._resampler.flush() if self._resampler is not None else b""

    @property
    def is_quiet(self) -> bool:
        """Whether no turn of the user's is open, as far as that is known here: where the frontend ends the turns."""
        return not (self.is_unanswered and isinstance(self.model.turn_detection, Manual))

    def append(self, event: ClientAudioAppend) -> list[AppendAudio | CommitAudio]:
        """Audio comes, and goes to the model. Raises as `convert` does."""
        audio = self.convert(event)
        self.is_unanswered = True
        return [AppendAudio(audio)] if audio else []

    def commit(self) -> list[AppendAudio | CommitAudio]:
        """The user's turn is over. With turn detection, silence says the same in the provider's way."""
        rest = self.flush()
        commands: list[AppendAudio | CommitAudio] = [AppendAudio(rest)] if rest else []
        detection = self.model.turn_detection
        if isinstance(detection, Manual):
            return [*commands, CommitAudio(self.new_id())]
        if isinstance(detection, SemanticVAD):
            silence_ms = SEMANTIC_SILENCE_MS[detection.eagerness]
        else:
            silence_ms = detection.silence_duration_ms or DEFAULT_SILENCE_MS
        return [*commands, AppendAudio(bytes(byte_length(silence_ms + 200, self.model.input_rate)))]
