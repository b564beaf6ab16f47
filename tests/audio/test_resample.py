"""Streaming conversion between sample rates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.audio import RATES, OddLength, Resampler, UnsupportedRate


def tone(rate: int, hz: float = 440.0, ms: int = 200, amplitude: float = 12000.0) -> bytes:
    time = np.arange(rate * ms // 1000) / rate
    return (np.sin(2 * np.pi * hz * time) * amplitude).astype("<i2").tobytes()


def test_same_rate_passes_the_object_through() -> None:
    """Nothing is copied or held back when there is nothing to convert."""
    resampler = Resampler(24000, 24000)
    pcm = tone(24000)
    assert resampler.process(pcm) is pcm
    assert resampler.flush() == b""


@pytest.mark.parametrize(("from_rate", "to_rate"), list(itertools.permutations(RATES, 2)))
def test_every_usual_pair_keeps_duration_and_tone(from_rate: int, to_rate: int) -> None:
    """As long as before, and the same sine but for 1 % (away from the ends, where the filter swings in)."""
    resampler = Resampler(from_rate, to_rate)
    converted = resampler.process(tone(from_rate)) + resampler.flush()
    got = np.frombuffer(converted, "<i2").astype(float)
    expected = np.frombuffer(tone(to_rate), "<i2").astype(float)
    assert abs(len(got) - len(expected)) <= 1
    inner = slice(len(expected) // 10, len(expected) * 9 // 10)
    assert np.abs(got[inner] - expected[inner]).max() < 120


@given(
    st.sampled_from([(24000, 16000), (48000, 24000), (8000, 24000), (44100, 16000), (22050, 24000)]),
    st.lists(st.integers(0, 700), max_size=30),
)
@settings(max_examples=60)
def test_chunking_changes_nothing(rates: tuple[int, int], sizes: list[int]) -> None:
    """However the stream is cut, the bytes that come out are the same."""
    pcm = tone(rates[0], hz=997.0, ms=150)
    whole = Resampler(*rates)
    expected = whole.process(pcm) + whole.flush()
    cut = Resampler(*rates)
    ends = [min(2 * end, len(pcm)) for end in itertools.accumulate(sizes)]
    starts = [0, *ends]
    parts = [cut.process(pcm[start:end]) for start, end in zip(starts, [*ends, len(pcm)], strict=True)]
    assert b"".join(parts) + cut.flush() == expected


def test_flush_begins_a_new_stream() -> None:
    """The same object converts the next stream as a new one would."""
    resampler = Resampler(24000, 16000)
    first = resampler.process(tone(24000)) + resampler.flush()
    assert resampler.process(tone(24000)) + resampler.flush() == first


def test_little_is_held_back() -> None:
    """At the usual rates of realtime models at most 10 ms wait for more audio."""
    for from_rate, to_rate in [(24000, 16000), (16000, 24000), (48000, 24000)]:
        resampler = Resampler(from_rate, to_rate)
        ready = sum(len(resampler.process(tone(from_rate, ms=20))) for _ in range(50))
        assert ready >= 990 * to_rate * 2 // 1000


def test_silence_stays_silence_and_full_scale_is_clipped() -> None:
    """No dither is added, and overshoot does not wrap around."""
    resampler = Resampler(16000, 24000)
    assert not any(resampler.process(bytes(16000)) + resampler.flush())
    square = np.where(np.arange(1600) // 40 % 2, 32767, -32768).astype("<i2")
    converted = np.frombuffer(resampler.process(square.tobytes()) + resampler.flush(), "<i2").astype(int)
    middles = converted[30:-30:60]
    assert set(np.sign(middles[0::2])) == {-1}
    assert set(np.sign(middles[1::2])) == {1}


def test_odd_length_is_refused_and_disturbs_nothing() -> None:
    """The error is clear, and the stream goes on as if the chunk had not come."""
    resampler, expected = Resampler(24000, 16000), Resampler(24000, 16000)
    pcm = tone(24000)
    assert resampler.process(pcm) == expected.process(pcm)
    with pytest.raises(OddLength, match="cannot be PCM16"):
        resampler.process(pcm[:-1])
    assert resampler.process(pcm) == expected.process(pcm)
    with pytest.raises(OddLength):
        Resampler(16000, 16000).process(b"abc")


@pytest.mark.parametrize("rates", [(0, 16000), (16000, 96000), (12345, 16000)])
def test_unusual_rate_is_refused(rates: tuple[int, int]) -> None:
    """Before any audio comes."""
    with pytest.raises(UnsupportedRate, match="Use one of 8000, 11025"):
        Resampler(*rates)
