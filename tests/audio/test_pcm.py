"""Plain functions on PCM16."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import (
    OddLength,
    UnsupportedRate,
    byte_length,
    check_pcm16,
    check_rate,
    duration_ms,
    iter_chunks,
    level_dbfs,
)


def test_even_length_is_returned_unchanged() -> None:
    """Checking costs no copy."""
    pcm = bytes(480)
    assert check_pcm16(pcm) is pcm


def test_odd_length_says_what_is_wrong() -> None:
    """The message names the length and what PCM16 is."""
    with pytest.raises(OddLength, match=r"^3 bytes of audio cannot be PCM16.*Split"):
        check_pcm16(b"abc")


@pytest.mark.parametrize("rate", [0, -16000, 7999, 23999, 96000])
def test_unusual_rate_is_refused(rate: int) -> None:
    """The message names the rate and the rates to choose from."""
    with pytest.raises(UnsupportedRate, match=rf"{rate} Hz is not supported.*16000, 22050, 24000"):
        check_rate(rate)


def test_duration_and_length_are_inverse() -> None:
    """20 ms at 24 kHz are 960 bytes, and the other way round."""
    assert duration_ms(960, 24000) == 20.0
    assert byte_length(20, 24000) == 960
    assert byte_length(20, 11025) == 440  # 220.5 samples: whole ones only


@given(st.binary(max_size=2000).filter(lambda pcm: len(pcm) % 2 == 0), st.sampled_from([1, 5, 20, 333.3]))
def test_chunks_are_whole_and_complete(pcm: bytes, ms: float) -> None:
    """Joined again the chunks are what was split; all but the last have the length asked for."""
    chunks = list(iter_chunks(pcm, 8000, ms))
    assert b"".join(chunks) == pcm
    assert all(len(chunk) == byte_length(ms, 8000) for chunk in chunks[:-1])
    assert all(chunk and len(chunk) % 2 == 0 for chunk in chunks)


def test_chunks_refuse_what_cannot_be_split() -> None:
    """Odd lengths and chunks without a sample are refused at the call, not at the first chunk."""
    with pytest.raises(OddLength):
        iter_chunks(b"abc", 16000, 20)
    with pytest.raises(ValueError, match="holds no sample"):
        iter_chunks(bytes(320), 16000, 0.01)


def test_level_of_known_signals() -> None:
    """A full-scale sine has -3 dBFS, a tenth of it 20 dB less; silence and nothing have none."""
    sine = np.sin(2 * np.pi * 440 * np.arange(24000) / 24000)
    assert level_dbfs((sine * 32767).astype("<i2").tobytes()) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs((sine * 3276.7).astype("<i2").tobytes()) == pytest.approx(-23.01, abs=0.01)
    assert level_dbfs((b"\x00\x80") * 100) == 0.0
    assert level_dbfs(bytes(100)) == level_dbfs(b"") == -math.inf
    with pytest.raises(OddLength):
        level_dbfs(b"abc")
