"""Voice activity detection: where in a stream of audio somebody speaks."""

from typing import Protocol, cast

import attrs
import webrtcvad  # pyright: ignore[reportMissingTypeStubs]  # has no types: `_Classifier` is what is used of it

from realtime_actors.audio.pcm import byte_length, check_pcm16, duration_ms, level_dbfs
from realtime_actors.audio.resample import Resampler

__all__ = ["SpeechStarted", "SpeechStopped", "VoiceActivityDetector"]

_RATE = 16000
_FRAME_MS = 20
_FRAME_BYTES = byte_length(_FRAME_MS, _RATE)


class _Classifier(Protocol):
    def is_speech(self, buf: bytes, sample_rate: int) -> bool: ...


@attrs.frozen
class SpeechStarted:
    """Somebody began to speak."""

    at_ms: int
    """Where the speech begins, in ms of audio received: up to `prefix_ms` before the first voiced frame."""


@attrs.frozen
class SpeechStopped:
    """Nobody speaks any more."""

    at_ms: int
    """Where the turn ends, in ms of audio received: `silence_ms` after the last voiced frame."""


class VoiceActivityDetector:
    """Tells where speech starts and stops in one stream of PCM16 mono. Pure: it counts audio, not time.

    A frame of 20 ms is voiced if it is louder than `threshold_dbfs` and WebRTC's classifier takes it for
    speech; the classifier alone takes white noise for speech too, the level alone a door that slams.

    Args:
        rate: sample rate of the audio in Hz, one of `realtime_actors.audio.RATES`.
        silence_ms: speech has stopped when this much without voice follows it.
        prefix_ms: how much before the first voiced frame counts as speech, so that no first sound is cut off.
        min_speech_ms: this much voice is needed before speech has started. Shorter sounds are ignored.
        threshold_dbfs: quieter frames are never voiced.
        aggressiveness: of the classifier, from 0 (takes much for speech) to 3 (takes little).

    Raises:
        UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
        ValueError: another argument is out of its range.
    """

    def __init__(
        self,
        rate: int,
        *,
        silence_ms: int = 500,
        prefix_ms: int = 300,
        min_speech_ms: int = 80,
        threshold_dbfs: float = -45.0,
        aggressiveness: int = 2,
    ) -> None:
        if silence_ms <= 0 or prefix_ms < 0 or min_speech_ms <= 0:
            raise ValueError("silence_ms and min_speech_ms must be more than 0 ms, prefix_ms not less than 0 ms.")
        if aggressiveness not in (0, 1, 2, 3):
            raise ValueError(f"aggressiveness is {aggressiveness!r}; it must be 0, 1, 2 or 3.")
        self._resampler = Resampler(rate, _RATE)
        self._classifier = cast(_Classifier, webrtcvad.Vad(aggressiveness))
        self._silence_ms = silence_ms
        self._prefix_ms = prefix_ms
        self._min_speech_ms = min_speech_ms
        self._threshold_dbfs = threshold_dbfs
        self._received = 0
        self._pending = bytearray()
        self._now_ms = 0  # the end of the last frame judged
        self._floor_ms = 0  # no speech begins before this: it belongs to the turn before
        self._speaking = False
        self._voiced_ms = 0  # voice heard; while silent, less the gaps in it
        self._onset_ms = 0  # where that voice began
        self._last_voice_ms = 0  # while speaking: the end of the last voiced frame

    @property
    def speaking(self) -> bool:
        """Whether speech has started and not yet stopped."""
        return self._speaking

    @property
    def voice_ms(self) -> int:
        """How much voice there is in the speech that goes on, in ms; while only suspected, less the gaps in it."""
        return self._voiced_ms

    @property
    def voice_since_ms(self) -> int | None:
        """Where that voice began, in ms of audio received; `None` while there is none."""
        return self._onset_ms if self._voiced_ms else None

    @property
    def received_ms(self) -> float:
        """How much audio was fed since the beginning, in milliseconds."""
        return duration_ms(self._received, self._resampler.from_rate)

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Take the next chunk, of any size, and return what it decides, oldest first.

        Raises:
            OddLength: `pcm` ends in the middle of a sample; the chunk is not taken.
        """
        self._received += len(check_pcm16(pcm))
        self._pending += self._resampler.process(pcm)
        events: list[SpeechStarted | SpeechStopped] = []
        whole = len(self._pending) - len(self._pending) % _FRAME_BYTES
        for start in range(0, whole, _FRAME_BYTES):
            self._now_ms += _FRAME_MS
            voiced = self._is_voiced(bytes(self._pending[start : start + _FRAME_BYTES]))
            event = self._while_speaking(voiced) if self._speaking else self._while_silent(voiced)
            if event is not None:
                events.append(event)
        del self._pending[:whole]
        return events

    def reset(self) -> None:
        """Forget the speech in progress, without an event; what comes next is new. `at_ms` goes on."""
        self._speaking = False
        self._voiced_ms = 0
        self._floor_ms = self._now_ms

    def _is_voiced(self, frame: bytes) -> bool:
        # The classifier learns the noise from every frame, so it hears the quiet ones too.
        speech = self._classifier.is_speech(frame, _RATE)
        return speech and level_dbfs(frame) >= self._threshold_dbfs

    def _while_silent(self, voiced: bool) -> SpeechStarted | None:
        if not voiced:
            self._voiced_ms = max(0, self._voiced_ms - _FRAME_MS)
            return None
        if self._voiced_ms == 0:
            self._onset_ms = self._now_ms - _FRAME_MS
        self._voiced_ms += _FRAME_MS
        if self._voiced_ms < self._min_speech_ms:
            return None
        self._speaking = True
        self._last_voice_ms = self._now_ms
        return SpeechStarted(max(self._floor_ms, self._onset_ms - self._prefix_ms))

    def _while_speaking(self, voiced: bool) -> SpeechStopped | None:
        if voiced:
            self._voiced_ms += _FRAME_MS
            self._last_voice_ms = self._now_ms
            return None
        if self._now_ms - self._last_voice_ms < self._silence_ms:
            return None
        self.reset()
        return SpeechStopped(self._now_ms)
