"""What waits to be mixed: in order, bounded, counted, and thrown away at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.audio import OddLength, UnsupportedRate
from realtime_actors.rooms import (
    FRAME_BYTES,
    ROOM_RATE,
    ChunkTooLong,
    JitterBuffer,
    Played,
    PlayoutBuffer,
    RateChanged,
)


def ms(length: float, value: int = 1) -> bytes:
    return np.full(round(length * ROOM_RATE / 1000), value, "<i2").tobytes()


class Counter:
    """Audio whose samples are numbered from 1 on, so that what is missing is seen."""

    def __init__(self) -> None:
        self.next = 1

    def chunk(self, samples: int) -> bytes:
        first, self.next = self.next, self.next + samples
        return np.arange(first, self.next).astype("<i2").tobytes()


def numbers(frame: bytes | None) -> list[int]:
    """The samples of a frame but for the silence at its end."""
    if frame is None:
        return []
    assert len(frame) == FRAME_BYTES
    samples = np.frombuffer(frame, "<i2")
    played = np.count_nonzero(samples)
    assert samples[:played].all()
    return samples[:played].tolist()


steps = st.lists(
    st.one_of(st.integers(1, 1200), st.none(), st.sampled_from(["finish", "flush"])), max_size=25
)  # push so many samples, take a frame, or else


@given(steps, st.integers(0, 60), st.integers(60, 100))
@settings(max_examples=150, deadline=None)
def test_a_jitter_buffer_drops_only_the_oldest_and_counts_it(
    steps: list[int | str | None], start_ms: int, depth_ms: int
) -> None:
    """In order, nothing twice; never more than its depth; the newest is always kept; no sample is unaccounted for."""
    counter, buffer = Counter(), JitterBuffer(start_ms, depth_ms)
    waiting: list[int] = []
    played = dropped = flushed = 0
    for step in steps:
        match step:
            case int():
                first = counter.next
                buffer.push(counter.chunk(step), ROOM_RATE)
                waiting += range(first, counter.next)
                excess = max(0, len(waiting) - depth_ms * ROOM_RATE // 1000)
                del waiting[:excess]
                dropped += excess
            case None:
                taken = numbers(buffer.take())
                assert taken == waiting[: len(taken)]
                assert not taken or len(taken) == min(len(waiting), FRAME_BYTES // 2)
                del waiting[: len(taken)]
                played += len(taken)
            case "finish":
                buffer.finish()
            case _:
                buffer.flush()
                flushed += len(waiting)
                waiting = []
        statistics = buffer.statistics()
        assert statistics.buffered_ms == len(waiting) * 1000 / ROOM_RATE <= depth_ms
        assert statistics.played_ms == played * 1000 / ROOM_RATE
        assert statistics.dropped_ms == dropped * 1000 / ROOM_RATE
        assert statistics.flushed_ms == flushed * 1000 / ROOM_RATE
        assert statistics.received_ms == pytest.approx((counter.next - 1) * 1000 / ROOM_RATE)


@given(steps, st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_a_playout_buffer_drops_nothing(steps: list[int | str | None], start_ms: int) -> None:
    """What does not fit is refused as a whole, and taken later; all that was taken is played, but for a flush."""
    counter, buffer = Counter(), PlayoutBuffer(start_ms, depth_ms=80)
    waiting: list[int] = []
    items: dict[str, list[int]] = {}  # samples played and received
    for number, step in enumerate(steps):
        item = f"item_{number // 3}"
        match step:
            case int():
                chunk = counter.chunk(step)
                fits = len(waiting) + step <= 80 * ROOM_RATE // 1000
                assert buffer.room_ms == 80 - len(waiting) * 1000 / ROOM_RATE
                assert buffer.push(chunk, ROOM_RATE, item) is fits
                if fits:
                    waiting += range(counter.next - step, counter.next)
                    items.setdefault(item, [0, 0])[1] += step
            case None:
                taken = numbers(buffer.take())
                assert taken == waiting[: len(taken)]
                del waiting[: len(taken)]
                left = len(taken)
                for counts in items.values():
                    now = min(left, counts[1] - counts[0])
                    counts[0] += now
                    left -= now
            case "finish":
                buffer.finish()
            case _:
                is_over = buffer.is_over
                cut = buffer.flush()
                expected = [
                    Played(name, counts[0] * 1000 / ROOM_RATE, counts[1] * 1000 / ROOM_RATE)
                    for name, counts in items.items()
                    if counts[0] < counts[1]
                ]
                # The last one is told too where more of it could have come.
                assert list(cut[: len(expected)]) == expected
                assert len(cut) <= len(expected) + (0 if is_over else 1)
                waiting, items = [], {}
        assert buffer.buffered_ms == len(waiting) * 1000 / ROOM_RATE
        assert buffer.statistics().dropped_ms == 0
    buffer.finish()
    while waiting:
        taken = numbers(buffer.take())
        assert taken == waiting[: len(taken)]
        del waiting[: len(taken)]
    assert buffer.is_over


def test_playing_starts_when_enough_is_there() -> None:
    buffer = JitterBuffer(start_ms=40)
    buffer.push(ms(20), ROOM_RATE)
    assert buffer.take() is None
    buffer.push(ms(20), ROOM_RATE)
    assert buffer.take() == ms(20)


def test_a_sound_too_short_for_the_threshold_is_played_when_its_time_has_passed() -> None:
    buffer = JitterBuffer(start_ms=40)
    buffer.push(ms(20), ROOM_RATE)
    assert [buffer.take() for _ in range(4)] == [None, None, ms(20), None]


def test_a_finished_one_is_played_without_waiting() -> None:
    """And running dry at its end is no underrun."""
    buffer = JitterBuffer(start_ms=40)
    buffer.push(ms(30), ROOM_RATE)
    buffer.finish()
    assert not buffer.is_over
    assert [buffer.take() for _ in range(3)] == [ms(20), ms(10) + ms(10, 0), None]
    assert buffer.is_over
    assert buffer.statistics().underruns == 0


def test_an_underrun_is_silence_and_starts_anew() -> None:
    """With the threshold before it plays again, so that one late chunk is one gap."""
    buffer = JitterBuffer(start_ms=40)
    buffer.push(ms(50), ROOM_RATE)
    assert [buffer.take() for _ in range(4)] == [ms(20), ms(20), ms(10) + ms(10, 0), None]
    assert buffer.statistics().underruns == 1
    buffer.push(ms(20), ROOM_RATE)
    assert buffer.take() is None
    buffer.push(ms(20), ROOM_RATE)
    assert [buffer.take() for _ in range(3)] == [ms(20), ms(20), None]
    assert buffer.statistics().underruns == 2


def test_jitter_below_the_threshold_is_not_heard() -> None:
    """20 ms chunks that come up to 20 ms late leave no gap."""
    buffer = JitterBuffer(start_ms=40)
    for tick in range(100):
        for _ in range((1, 0, 2, 1)[tick % 4]):
            buffer.push(ms(20), ROOM_RATE)
        assert tick < 2 or buffer.take() == ms(20)
    assert buffer.statistics().underruns == 0


def test_a_network_that_stalls_costs_the_oldest() -> None:
    """After half a second that comes at once, a person lags behind by the depth and no more."""
    buffer = JitterBuffer(depth_ms=100)
    buffer.push(ms(400, 1) + ms(100, 2), ROOM_RATE)
    assert buffer.statistics().dropped_ms == 400
    assert [buffer.take() for _ in range(6)] == [ms(20, 2)] * 5 + [None]


def test_what_was_played_of_each_item_is_known_to_the_sample() -> None:
    buffer = PlayoutBuffer()
    buffer.push(ms(50), ROOM_RATE, "a")
    buffer.push(ms(50), ROOM_RATE, "a")
    buffer.push(ms(70), ROOM_RATE, "b")
    buffer.push(ms(20), ROOM_RATE, "c")
    assert buffer.position() == Played("a", 0, 100)
    for _ in range(6):
        buffer.take()
    assert buffer.position() == Played("b", 20, 70)
    assert buffer.flush() == (Played("b", 20, 70), Played("c", 0, 20))
    assert buffer.take() is None
    assert buffer.position() is None
    statistics = buffer.statistics()
    assert (statistics.received_ms, statistics.played_ms, statistics.flushed_ms) == (190, 120, 70)


def test_an_item_of_which_more_could_have_come_is_told_too() -> None:
    """What was heard is all that came of it, and the provider may have made more."""
    buffer = PlayoutBuffer()
    buffer.push(ms(20), ROOM_RATE, "a")
    buffer.take()
    assert buffer.flush() == (Played("a", 20, 20),)
    buffer.push(ms(20), ROOM_RATE, "a")
    buffer.finish()
    buffer.take()
    assert buffer.position() == Played("a", 20, 20)
    assert buffer.flush() == ()


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_what_the_resampler_holds_back_counts_as_waiting(rate: int) -> None:
    """So that where an item ends, how much is played and how much room there is are right at any rate."""
    buffer = PlayoutBuffer(start_ms=0, depth_ms=1000)
    half = np.full(rate // 2, 1000, "<i2").tobytes()
    assert buffer.push(half, rate, "a")
    assert buffer.push(half, rate, "b")
    assert buffer.room_ms == 0
    assert not buffer.push(half[:8], rate, "b")
    for _ in range(10):
        buffer.take()
    assert buffer.position() == Played("a", 200, 500)
    for _ in range(20):
        buffer.take()
    assert buffer.position() == Played("b", 100, 500)
    buffer.finish()
    for _ in range(19):
        buffer.take()
    assert not buffer.is_over
    buffer.take()
    buffer.take()  # a resampler may round up by a sample
    assert buffer.is_over
    statistics = buffer.statistics()
    assert statistics.received_ms == 1000
    assert statistics.played_ms == pytest.approx(1000, abs=0.1)
    assert statistics.underruns == 0


def test_a_flush_leaves_nothing_of_the_stream_in_the_next() -> None:
    """Not even what the resampler held back; and the next may have another rate."""
    loud = np.full(1600, 20000, "<i2").tobytes()
    for buffer in (JitterBuffer(start_ms=0), PlayoutBuffer(start_ms=0)):
        buffer.push(loud, 16000)
        buffer.flush()
        buffer.push(bytes(960), 16000)
        buffer.finish()
        assert not (buffer.take() or b"").strip(b"\0")
        buffer.push(ms(20), ROOM_RATE)


@pytest.mark.parametrize("kind", [JitterBuffer, PlayoutBuffer])
def test_bad_audio_is_refused_and_the_stream_goes_on(kind: type[JitterBuffer | PlayoutBuffer]) -> None:
    buffer = kind()
    buffer.push(ms(20), ROOM_RATE)
    with pytest.raises(RateChanged, match="16000 Hz came in the middle of a stream of 24000 Hz"):
        buffer.push(ms(20), 16000)
    with pytest.raises(OddLength):
        buffer.push(b"\1\2\3", ROOM_RATE)
    with pytest.raises(UnsupportedRate):
        buffer.push(ms(20), 12345)
    buffer.push(b"", ROOM_RATE)
    buffer.push(ms(20, 2), ROOM_RATE)
    assert [buffer.take(), buffer.take()] == [ms(20), ms(20, 2)]
    buffer.finish()
    buffer.push(ms(20), 16000)


def test_a_chunk_that_never_fits_is_an_error() -> None:
    """To refuse it would be to refuse it for ever."""
    buffer = PlayoutBuffer(depth_ms=100)
    with pytest.raises(ChunkTooLong, match="120 ms never fits into a buffer of 100 ms"):
        buffer.push(ms(120), ROOM_RATE)
    assert buffer.push(ms(100), ROOM_RATE)
    assert not buffer.push(ms(20), ROOM_RATE)
    buffer.take()
    assert buffer.room_ms == 20
    assert buffer.push(ms(20), ROOM_RATE)


@pytest.mark.parametrize(("start_ms", "depth_ms"), [(-1, 100), (101, 100), (0, 19)])
def test_bounds_that_cannot_be_are_refused(start_ms: int, depth_ms: int) -> None:
    with pytest.raises(ValueError, match="start_ms is"):
        JitterBuffer(start_ms, depth_ms)
    with pytest.raises(ValueError, match="start_ms is"):
        PlayoutBuffer(start_ms, depth_ms)
