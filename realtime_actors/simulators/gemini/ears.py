"""What the model hears: audio of any rate, and where in it somebody speaks."""

import re

from realtime_actors.audio import Resampler, VoiceActivityDetector
from realtime_actors.simulators.gemini.messages import Json, Refused
from realtime_actors.simulators.openai.input_audio import Began, Ended, InputAudio

__all__ = ["INPUT_RATE", "Ears"]

INPUT_RATE = 16000

_FORMAT: Json = {"type": "audio/pcm", "rate": INPUT_RATE}
_RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)


def _detector_for(detection: Json, rate: int) -> VoiceActivityDetector:
    return VoiceActivityDetector(
        rate,
        silence_ms=detection["silence_duration_ms"],
        prefix_ms=detection["prefix_padding_ms"],
        min_speech_ms=max(detection["min_speech_ms"], 1),
        threshold_dbfs=-65.0 + 40.0 * detection["threshold"],
    )


class Ears:
    """The audio of one session. With a `detection` turns are found in it; without one the client marks them."""

    def __init__(self, detection: Json | None) -> None:
        self.is_manual = detection is None
        self._input = InputAudio(_FORMAT, detection, _detector_for)
        self._resampler = Resampler(INPUT_RATE, INPUT_RATE)
        self._in_activity = False
        self._speaking = False

    def hear(self, kind: str, audio: bytes) -> list[Began | Ended]:
        """Audio of this MIME type. Raises `Refused`."""
        found = re.fullmatch(r"audio/(?:pcm|l16)(?:;\s*rate=(\d{1,6}))?", kind.lower())
        rate = int(found[1] or INPUT_RATE) if found else 0
        if rate not in _RATES:
            raise Refused(f"Unsupported MIME type {kind[:40]} of realtime_input.audio.")
        if len(audio) % 2:
            raise Refused("Audio of 16 bits has two bytes for every sample.")
        if rate != self._resampler.from_rate:
            self._resampler = Resampler(rate, INPUT_RATE)
        pcm = self._resampler.process(audio)
        if self.is_manual and not self._in_activity:
            return []  # what is no activity is not heard
        events = self._input.append(pcm)
        if events:
            self._speaking = isinstance(events[-1], Began)
        return events

    def begin_activity(self) -> None:
        """The client marks the beginning of a turn."""
        self._in_activity = True
        self._input.clear()

    def end_activity(self) -> bytes | None:
        """The client marks the end of a turn, and this is what was said; `None` if there was no beginning."""
        was, self._in_activity = self._in_activity, False
        return self._input.commit() if was else None

    def end_stream(self) -> bytes | None:
        """No audio comes for now, and this is what was said; `None` if nobody was speaking."""
        was, self._speaking = self._speaking, False
        if was:
            return self._input.commit()
        self._input.clear()
        return None
