"""Reading and writing WAV files."""

import contextlib
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import OddLength, UnsupportedRate, Wav, WavError, read_wav, write_wav
from realtime_actors.audio import wav as wav_module

PCM = np.linspace(-32768, 32767, 500).astype("<i2").tobytes()


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WAVE" + b"".join(tag + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for tag, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(*, kind: int = 1, channels: int = 1, rate: int = 16000, bits: int = 16) -> tuple[bytes, bytes]:
    width = channels * ((bits + 7) // 8)
    return b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits)


def read(tmp_path: Path, content: bytes) -> Wav:
    path = tmp_path / "given.wav"
    path.write_bytes(content)
    return read_wav(path)


def test_written_is_read_again(tmp_path: Path) -> None:
    """Bytes and rate come back, with the path given as text or as a Path; `wave` agrees."""
    path = tmp_path / "a.wav"
    write_wav(str(path), PCM, 24000)
    assert read_wav(path) == Wav(PCM, 24000)
    assert read_wav(str(path)).duration_ms == pytest.approx(500 / 24)
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (1, 2, 24000)
        assert reader.readframes(500) == PCM


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_integer_width_becomes_16_bits(tmp_path: Path, width: int, extensible: bool) -> None:
    """8-bit samples are unsigned, wider ones lose their lowest bits; the extensible header is read too."""
    values = np.frombuffer(PCM, "<i2").astype(np.int64)
    if width == 1:
        data, expected = ((values >> 8) + 128).astype(np.uint8).tobytes(), (values >> 8 << 8)
    else:
        scaled = (values << 16 >> (32 - 8 * width)) if width < 4 else values << 16
        raw = scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
        data, expected = raw.tobytes(), values
    tag, body = fmt(bits=8 * width)
    if extensible:
        guid = struct.pack("<HHIH", 22, 8 * width, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
        body = struct.pack("<H", 0xFFFE) + body[2:] + guid
    assert read(tmp_path, riff((tag, body), (b"data", data))) == Wav(expected.astype("<i2").tobytes(), 16000)


def test_stereo_is_mixed_to_mono(tmp_path: Path) -> None:
    """The mean of the channels, without overflow."""
    stereo = np.array([[32767, 32767], [1000, -1000], [-32768, 0]], "<i2").tobytes()
    got = read(tmp_path, riff(fmt(channels=2, rate=44100), (b"data", stereo)))
    assert got == Wav(np.array([32767, 0, -16384], "<i2").tobytes(), 44100)


def test_resampled_to_the_rate_asked_for(tmp_path: Path) -> None:
    """44.1 kHz becomes 16 kHz of the same duration; the own rate gives the same object."""
    path = tmp_path / "cd.wav"
    write_wav(path, bytes(44100 * 2), 44100)
    original = read_wav(path)
    assert original.resampled(44100) is original
    assert original.resampled(16000) == Wav(bytes(32000), 16000)
    write_wav(path, bytes(100), 12345)
    with pytest.raises(UnsupportedRate, match="12345 Hz is not supported"):
        read_wav(path).resampled(16000)


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    """Titles and other chunks, also of odd length, may come before the audio and after it."""
    content = riff((b"LIST", b"odd"), fmt(), (b"fact", bytes(4)), (b"data", PCM), (b"LIST", b"end"))
    assert read(tmp_path, content).pcm == PCM


def test_audio_of_unknown_size_ends_with_the_file(tmp_path: Path) -> None:
    """Programs that write to a pipe cannot fill in the size; the last half sample is left out."""
    content = riff(fmt(), (b"data", PCM)).replace(b"data" + struct.pack("<I", len(PCM)), b"data" + b"\xff" * 4)
    assert read(tmp_path, content + b"\x01").pcm == PCM


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"hello, this is no audio", "is not a WAV file.*ffmpeg"),
    "mp3": (b"ID3\x04" + bytes(500), "is not a WAV file"),
    "header only": (riff(), "is truncated: it ends before its audio"),
    "cut in the format": (riff((b"fmt ", b"\x01\x00\x01\x00")), "is truncated: its format"),
    "cut in the audio": (riff(fmt(), (b"data", PCM))[:-100], "is truncated: it has 900 of 1,000 bytes"),
    "no samples": (riff(fmt(), (b"data", b"")), "holds no audio"),
    "no format": (riff((b"data", PCM)), "has audio before its format"),
    "float": (
        riff(fmt(kind=3, bits=32), (b"data", PCM)),
        "holds floating-point audio, not integer PCM.*ffmpeg",
    ),
    "mu-law": (riff(fmt(kind=7, bits=8), (b"data", PCM)), "holds µ-law"),
    "unknown codec": (riff(fmt(kind=0x1234), (b"data", PCM)), "holds a compressed format .number 0x1234"),
    "12 bits": (riff(fmt(bits=12), (b"data", PCM)), "says it has 1 channels of 12 bits"),
    "no channels": (riff(fmt(channels=0), (b"data", PCM)), "says it has 0 channels"),
    "no rate": (riff(fmt(rate=0), (b"data", PCM)), ".* at 0 Hz"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, kind: str) -> None:
    """Every message has the file's name and what is wrong with it."""
    content, reason = BAD[kind]
    with pytest.raises(WavError, match=rf"given\.wav {reason}"):
        read(tmp_path, content)


def test_paths_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Missing files, directories, and places that cannot be written to."""
    with pytest.raises(WavError, match=r"There is no file .*nowhere\.wav"):
        read_wav(tmp_path / "nowhere.wav")
    with pytest.raises(WavError, match="cannot be read: Is a directory"):
        read_wav(tmp_path)
    with pytest.raises(WavError, match="cannot be written: No such file or directory"):
        write_wav(tmp_path / "no" / "such.wav", PCM, 16000)
    with pytest.raises(OddLength):
        write_wav(tmp_path / "odd.wav", b"abc", 16000)
    assert not (tmp_path / "odd.wav").exists()


def test_a_file_too_large_to_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its audio is read."""
    monkeypatch.setattr(wav_module, "_MAX_BYTES", 100)
    with pytest.raises(WavError, match=r"has 1,044 bytes, more than 100\. Cut it"):
        read(tmp_path, riff(fmt(), (b"data", PCM)))


@given(st.binary(max_size=80), st.integers(0, 60), st.binary(max_size=8))
def test_garbage_is_a_wav_error_or_audio(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, cut: int, noise: bytes
) -> None:
    """Whatever the bytes, nothing but `WavError` comes out of a bad file."""
    path = tmp_path_factory.getbasetemp() / "garbage.wav"
    good = riff(fmt(), (b"data", PCM[:40]))
    path.write_bytes(good[:cut] + noise + tail)
    with contextlib.suppress(WavError):
        assert len(read_wav(path).pcm) % 2 == 0
