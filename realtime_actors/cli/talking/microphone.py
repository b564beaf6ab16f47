"""What a microphone would hear: 20 ms at a time, speech while there is some, and silence before and after it. Pure."""

from collections import deque

import attrs
import numpy as np

from realtime_actors.audio import RATES, Wav, byte_length, iter_chunks, level_dbfs

__all__ = ["PIECE_MS", "SILENCE_DBFS", "Microphone", "Piece", "usual_rate"]

PIECE_MS = 20
SILENCE_DBFS = -45.0
"""A piece that is not louder than this counts as silence, as for the simulators' turn detection."""

_USUAL = 24000


@attrs.frozen
class Piece:
    """20 ms of PCM16 mono."""

    pcm: bytes
    begins: bool = False
    """Whether speech begins with it: the first piece of something said that is not silence."""
    ends: bool = False
    """Whether speech ends with it: the last one."""


@attrs.define
class Microphone:
    """Gives one piece after another, for ever. `rate` is in Hz."""

    rate: int
    _waiting: deque[Piece] = attrs.field(init=False, factory=deque[Piece])
    _silence: Piece = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._silence = Piece(bytes(byte_length(PIECE_MS, self.rate)))

    def say(self, speech: Wav) -> None:
        """Let `speech` be heard next, after what is being said. Raises `UnsupportedRate`."""
        chunks = list(iter_chunks(speech.resampled(self.rate).pcm, self.rate, PIECE_MS))
        voiced = [index for index, chunk in enumerate(chunks) if level_dbfs(chunk) > SILENCE_DBFS]
        first, last = (voiced[0], voiced[-1]) if voiced else (0, len(chunks) - 1)
        chunks[-1] = chunks[-1].ljust(len(self._silence.pcm), b"\0")
        self._waiting += [Piece(chunk, index == first, index == last) for index, chunk in enumerate(chunks)]

    def next(self) -> Piece:
        """The next 20 ms."""
        return self._waiting.popleft() if self._waiting else self._silence

    @property
    def remaining_ms(self) -> int:
        """How much is left of what is to be said."""
        return len(self._waiting) * PIECE_MS


def usual_rate(wav: Wav) -> Wav:
    """The same audio at a rate that servers know: as it is where that is one of `RATES`, else at 24 kHz."""
    if wav.rate in RATES:
        return wav
    samples = np.frombuffer(wav.pcm, "<i2").astype(np.float64)
    length = round(len(samples) * _USUAL / wav.rate)
    # Rare enough for the simplest way: average down to where the new samples lie, or interpolate up to there.
    window = max(1, round(wav.rate / _USUAL))
    smooth = np.convolve(samples, np.full(window, 1 / window), "same")
    at = np.arange(length) * (wav.rate / _USUAL)
    return Wav(np.rint(np.interp(at, np.arange(len(samples)), smooth)).astype("<i2").tobytes(), _USUAL)
