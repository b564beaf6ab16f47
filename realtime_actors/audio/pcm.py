"""Plain functions on PCM16: raw audio of signed 16-bit little-endian samples, one channel, no header."""

from collections.abc import Iterator

import numpy as np

from realtime_actors.audio.errors import OddLength, UnsupportedRate

__all__ = ["RATES", "byte_length", "check_pcm16", "check_rate", "duration_ms", "iter_chunks", "level_dbfs"]

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""The sample rates, in Hz, that audio in this package may have."""

_FULL_SCALE = 32768.0


def check_pcm16(pcm: bytes) -> bytes:
    """Return `pcm` as it is if it holds whole 16-bit samples.

    Raises:
        OddLength: it ends in the middle of a sample.
    """
    if len(pcm) % 2:
        raise OddLength(
            f"{len(pcm)} bytes of audio cannot be PCM16: every sample has two bytes. "
            "Split the audio between samples, and send no header."
        )
    return pcm


def check_rate(rate: int) -> int:
    """Return `rate` (Hz) as it is if it is one of `RATES`.

    Raises:
        UnsupportedRate: it is not.
    """
    if rate not in RATES:
        usual = ", ".join(map(str, RATES))
        raise UnsupportedRate(f"A sample rate of {rate!r} Hz is not supported. Use one of {usual} Hz.")
    return rate


def duration_ms(pcm_len: int, rate: int) -> float:
    """How long `pcm_len` bytes of PCM16 mono at `rate` Hz last, in milliseconds."""
    return pcm_len * 500 / rate


def byte_length(ms: float, rate: int) -> int:
    """How many bytes of PCM16 mono at `rate` Hz last `ms` milliseconds, rounded down to whole samples."""
    return int(ms * rate / 1000) * 2


def iter_chunks(pcm: bytes, rate: int, ms: float) -> Iterator[bytes]:
    """Split PCM16 mono at `rate` Hz into chunks of `ms` milliseconds; the last may be shorter.

    Raises:
        OddLength: `pcm` ends in the middle of a sample.
        ValueError: `ms` is shorter than one sample.
    """
    check_pcm16(pcm)
    size = byte_length(ms, rate)
    if size <= 0:
        raise ValueError(f"A chunk of {ms} ms at {rate} Hz holds no sample. Use a longer one, such as 20 ms.")
    return (pcm[start : start + size] for start in range(0, len(pcm), size))


def level_dbfs(pcm: bytes) -> float:
    """The level (root mean square) of PCM16 in dBFS: 0.0 at full scale, `-inf` for silence or no samples.

    Raises:
        OddLength: `pcm` ends in the middle of a sample.
    """
    samples = np.frombuffer(check_pcm16(pcm), dtype="<i2").astype(np.float32)
    power = float(np.dot(samples, samples)) / max(len(samples), 1)
    if power <= 0.0:
        return float("-inf")
    return float(10.0 * np.log10(power / _FULL_SCALE**2))
