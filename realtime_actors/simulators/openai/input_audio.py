"""The input audio buffer: what a client appended, and who speaks in it."""

from collections.abc import Callable
from typing import Protocol

import attrs

from realtime_actors.audio import SpeechStarted, SpeechStopped, VoiceActivityDetector
from realtime_actors.simulators.openai.checks import Json, Rejected
from realtime_actors.simulators.openai.formats import duration_ms, sample_rate, size_of, to_pcm16

__all__ = ["Began", "Detector", "DetectorFactory", "Ended", "InputAudio", "detector_for"]

MAX_BUFFER = 32 * 1024 * 1024
"""Bytes of uncommitted audio; more is refused. About 11 minutes of PCM16 at 24 kHz."""

_HISTORY_MS = 1500
"""Kept of silence beyond the prefix: a detector tells of speech a little after it began."""

_SEMANTIC_SILENCE_MS = {"low": 1500, "medium": 800, "auto": 800, "high": 400}
"""Semantic turn detection waits by what was said; here just longer or shorter."""


class Detector(Protocol):
    """What is used of a voice activity detector: it counts the audio it is fed, in ms."""

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]: ...

    def reset(self) -> None: ...


DetectorFactory = Callable[[Json, int], Detector]
"""Makes the detector for a `turn_detection` object and a sample rate in Hz."""


def detector_for(detection: Json, rate: int) -> Detector:
    """The package's own detector, set as this `turn_detection` object says. Threshold 0.5 is -45 dBFS."""
    if detection["type"] == "semantic_vad":
        return VoiceActivityDetector(rate, silence_ms=_SEMANTIC_SILENCE_MS[detection["eagerness"]])
    return VoiceActivityDetector(
        rate,
        silence_ms=detection["silence_duration_ms"],
        prefix_ms=detection["prefix_padding_ms"],
        threshold_dbfs=-65.0 + 40.0 * detection["threshold"],
    )


@attrs.frozen
class Began:
    """Speech began `at_ms` into the session's audio (its padding included)."""

    at_ms: int


@attrs.frozen
class Ended:
    """Speech ended `at_ms` into the session's audio; `audio` is all of it, in the input format."""

    at_ms: int
    audio: bytes


class InputAudio:
    """The buffer of one session. Positions are ms of audio received in the session, whatever its format."""

    def __init__(self, audio_format: Json, detection: Json | None, factory: DetectorFactory) -> None:
        self._factory = factory
        self._format = audio_format
        self._detection = detection
        self._audio = bytearray()
        self._origin_ms = 0.0  # where `_audio` begins
        self._speech_ms: float | None = None  # where the speech in progress began
        self._new_detector()

    @property
    def format(self) -> Json:
        """The wire format that the buffer holds."""
        return self._format

    @property
    def buffered_ms(self) -> float:
        """How much audio waits for a commit."""
        return duration_ms(len(self._audio), self._format)

    def configure(self, audio_format: Json, detection: Json | None) -> None:
        """Take a session's configuration; another format clears the buffer, other detection starts afresh."""
        if audio_format != self._format:
            self.clear()
            self._format = audio_format
        elif detection == self._detection:
            return
        self._detection = detection
        self._speech_ms = None
        self._new_detector()

    def append(self, audio: bytes) -> list[Began | Ended]:
        """Take audio in the input format, and return what it decides, oldest first.

        Raises:
            Rejected: it is not whole samples, or the buffer is full.
        """
        pcm_odd = self._format["type"] == "audio/pcm" and len(audio) % 2
        if pcm_odd:
            raise Rejected("invalid_value", "Invalid 'audio'. PCM16 audio has two bytes for every sample.", "audio")
        if len(self._audio) + len(audio) > MAX_BUFFER:
            raise Rejected("invalid_value", "The input audio buffer is full. Commit or clear it.", "audio")
        self._audio += audio
        if self._detector is None:
            return []
        found: list[Began | Ended] = []
        for event in self._detector.feed(to_pcm16(audio, self._format)):
            at_ms = self._detector_origin_ms + event.at_ms
            if isinstance(event, SpeechStarted):
                self._speech_ms = max(at_ms, self._origin_ms)
                found.append(Began(round(self._speech_ms)))
            elif self._speech_ms is not None:
                self._forget(self._speech_ms)
                found.append(Ended(round(at_ms), self._take(at_ms)))
                self._speech_ms = None
        if self._speech_ms is None:
            prefix = (self._detection or {}).get("prefix_padding_ms", 0)
            self._forget(self._end_ms() - prefix - _HISTORY_MS)
        return found

    def commit(self) -> bytes:
        """Take all that waits (since speech began, if somebody speaks); the speech in progress ends unheard."""
        if self._speech_ms is not None:
            self._forget(self._speech_ms)
        audio = self._take(self._end_ms())
        self._hush()
        return audio

    def clear(self) -> None:
        """Forget all that waits, and the speech in progress."""
        self._take(self._end_ms())
        self._hush()

    def _hush(self) -> None:
        self._speech_ms = None
        if self._detector is not None:
            self._detector.reset()

    def _new_detector(self) -> None:
        rate = sample_rate(self._format)
        self._detector = self._factory(self._detection, rate) if self._detection else None
        self._detector_origin_ms = self._end_ms()

    def _end_ms(self) -> float:
        return self._origin_ms + self.buffered_ms

    def _take(self, until_ms: float) -> bytes:
        size = min(size_of(until_ms - self._origin_ms, self._format), len(self._audio))
        taken = bytes(self._audio[:size])
        del self._audio[:size]
        self._origin_ms += duration_ms(size, self._format)
        return taken

    def _forget(self, before_ms: float) -> None:
        if before_ms > self._origin_ms:
            self._take(before_ms)
