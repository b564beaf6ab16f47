"""WAV files: any uncompressed integer WAV in, PCM16 mono out.

Reading does not use the standard library's `wave`: before Python 3.12 it refuses the "extensible" header,
which most programs write for 24-bit audio, and it hands out a truncated file without a word.
"""

import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs
import numpy as np
import numpy.typing as npt

from realtime_actors.audio.errors import WavError
from realtime_actors.audio.pcm import check_pcm16, duration_ms
from realtime_actors.audio.resample import Resampler

__all__ = ["Wav", "read_wav", "write_wav"]

_MAX_BYTES = 256 * 1024 * 1024
_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_FORMATS = {
    0x0002: "ADPCM",
    _FLOAT: "floating-point audio",
    0x0006: "A-law",
    0x0007: "µ-law",
    0x0055: "MP3",
}
_UNKNOWN_SIZE = 0xFFFFFFFF
_CONVERT = "Convert it first, for example with: ffmpeg -i {name} -c:a pcm_s16le -ac 1 converted.wav"


@attrs.frozen
class _Layout:
    channels: int
    rate: int  # Hz
    width: int  # bytes per sample


@attrs.frozen
class Wav:
    """Audio from a file."""

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    """PCM16 little-endian mono."""

    rate: int
    """Sample rate in Hz."""

    @property
    def duration_ms(self) -> float:
        """How long the audio lasts, in milliseconds."""
        return duration_ms(len(self.pcm), self.rate)

    def resampled(self, rate: int) -> "Wav":
        """The same audio at `rate` Hz (itself, if it has that rate).

        Raises:
            UnsupportedRate: one of the two rates is not one of `realtime_actors.audio.RATES`.
        """
        if rate == self.rate:
            return self
        resampler = Resampler(self.rate, rate)
        return Wav(resampler.process(self.pcm) + resampler.flush(), rate)


def read_wav(path: str | os.PathLike[str]) -> Wav:
    """Read a WAV file: 8, 16, 24 or 32-bit integer samples, any rate; several channels are mixed to one.

    Raises:
        WavError: the file is missing, not a WAV, empty, truncated, compressed or larger than 256 MiB.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MAX_BYTES:
                raise WavError(f"{name} has {size:,} bytes, more than {_MAX_BYTES:,}. Cut it into parts.")
            return _parse(name, file)
    except FileNotFoundError as error:
        raise WavError(f"There is no file {name}. Give the path of a WAV file.") from error
    except OSError as error:
        raise WavError(f"{name} cannot be read: {error.strerror or error}. Give a WAV file.") from error


def write_wav(path: str | os.PathLike[str], pcm: bytes, rate: int) -> None:
    """Write PCM16 little-endian mono at `rate` Hz as a WAV file, over any file of that name.

    Raises:
        OddLength: `pcm` ends in the middle of a sample.
        WavError: the file cannot be written.
    """
    check_pcm16(pcm)
    name = os.fspath(path)
    try:
        with Path(path).open("wb") as file, wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(rate)
            writer.writeframes(pcm)
    except OSError as error:
        raise WavError(f"{name} cannot be written: {error.strerror or error}. Choose another path.") from error


def _parse(name: str, file: BinaryIO) -> Wav:
    head = file.read(12)
    if not head:
        raise WavError(f"{name} is empty. Give a WAV file with audio in it.")
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise WavError(f"{name} is not a WAV file. {_CONVERT.format(name=name)}")
    layout: _Layout | None = None
    for tag, size in _chunks(file):
        if tag == b"fmt ":
            layout = _parse_format(name, file.read(size))
        elif tag == b"data":
            if layout is None:
                raise WavError(f"{name} has audio before its format. {_CONVERT.format(name=name)}")
            return _parse_data(name, file, size, layout)
        else:
            file.seek(size, os.SEEK_CUR)
        file.seek(size % 2, os.SEEK_CUR)  # chunks begin at even offsets
    raise WavError(f"{name} is truncated: it ends before its audio. Record or copy it again.")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    while len(header := file.read(8)) == 8:
        yield header[:4], int.from_bytes(header[4:], "little")


def _parse_format(name: str, body: bytes) -> _Layout:
    if len(body) < 16:
        raise WavError(f"{name} is truncated: its format is not complete. Record or copy it again.")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE and len(body) >= 26:
        (kind,) = struct.unpack_from("<H", body, 24)
    if kind != _PCM:
        what = _FORMATS.get(kind, f"a compressed format (number {kind:#06x})")
        raise WavError(f"{name} holds {what}, not integer PCM samples. {_CONVERT.format(name=name)}")
    if bits not in (8, 16, 24, 32) or channels == 0 or rate == 0:
        raise WavError(
            f"{name} says it has {channels} channels of {bits} bits at {rate} Hz; 8, 16, 24 or 32 bits at a "
            f"usual rate are read. {_CONVERT.format(name=name)}"
        )
    return _Layout(channels, rate, bits // 8)


def _parse_data(name: str, file: BinaryIO, size: int, layout: _Layout) -> Wav:
    unknown_size = size == _UNKNOWN_SIZE  # written by programs that cannot seek in their output
    data = file.read() if unknown_size else file.read(size)
    if len(data) < size and not unknown_size:
        raise WavError(
            f"{name} is truncated: it has {len(data):,} of {size:,} bytes of audio. Record or copy it again."
        )
    data = data[: len(data) - len(data) % (layout.channels * layout.width)]
    if not data:
        raise WavError(f"{name} holds no audio: zero samples. Record it again.")
    frames = _to_int16(data, layout.width).reshape(-1, layout.channels)
    mono = frames[:, 0] if layout.channels == 1 else np.rint(frames.mean(axis=1)).astype("<i2")
    return Wav(mono.tobytes(), layout.rate)


def _to_int16(data: bytes, width: int) -> npt.NDArray[np.int16]:
    """Integer samples of `width` bytes as 16-bit ones; 8-bit WAV samples are unsigned, all others signed."""
    raw = np.frombuffer(data, dtype=np.uint8)
    if width == 1:
        return ((raw.astype("<i2") - 128) << 8).astype("<i2")
    return raw.reshape(-1, width)[:, -2:].copy().view("<i2").reshape(-1)
