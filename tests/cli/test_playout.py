"""What is heard of replies."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_actors.audio import byte_length, duration_ms
from realtime_actors.cli.talking.playout import Playout, Position

RATE = 24000
A_SAMPLE = 1 / RATE + 1e-9  # in seconds, and what floats are off


def sound(ms: float, value: int = 1) -> bytes:
    return bytes([value, 0]) * (byte_length(ms, RATE) // 2)


def test_audio_that_comes_faster_than_it_is_played_is_heard_without_a_gap() -> None:
    playout = Playout()
    for number in range(10):
        playout.play(sound(100, number + 1), RATE, 5.0 + number * 0.01)
    assert playout.recording() == b"".join(sound(100, number + 1) for number in range(10))
    assert playout.ends == pytest.approx(6.0)
    assert playout.heard_ms(5.25) == pytest.approx(250)
    assert playout.heard_ms(9.0) == pytest.approx(1000)


def test_an_interruption_keeps_what_was_heard_by_then() -> None:
    playout = Playout()
    playout.play(sound(2000), RATE, 10.0)
    assert playout.flush(10.5) == pytest.approx(1500)
    assert playout.recording() == sound(500)
    assert playout.discarded_ms == pytest.approx(1500)
    assert playout.received_ms == pytest.approx(2000)


def test_the_answer_to_an_interruption_follows_after_the_silence_between() -> None:
    playout = Playout()
    playout.play(sound(2000), RATE, 10.0)
    playout.flush(10.5)
    playout.play(sound(100, 2), RATE, 11.0)
    assert playout.recording() == sound(500) + bytes(byte_length(500, RATE)) + sound(100, 2)


def test_a_flush_discards_nothing_of_what_was_heard_to_its_end() -> None:
    playout = Playout()
    assert playout.flush(1.0) == 0
    playout.play(sound(100), RATE, 2.0)
    assert playout.flush(3.0) == 0
    assert playout.recording() == sound(100)


def test_a_flush_before_the_first_sound_is_heard_leaves_nothing() -> None:
    playout = Playout()
    playout.play(sound(100), RATE, 2.0)
    playout.flush(2.0)
    assert playout.recording() == b""


def test_audio_of_another_rate_is_converted() -> None:
    playout = Playout()
    playout.play(sound(100), RATE, 0.0)
    playout.play(bytes(byte_length(1000, 16000)), 16000, 0.0)
    assert playout.rate == RATE
    assert duration_ms(len(playout.recording()), RATE) == pytest.approx(1100, abs=30)


def test_what_is_kept_is_bounded() -> None:
    playout = Playout()
    for _ in range(20):
        playout.play(bytes(byte_length(60_000, 8000)), 8000, 0.0)
    assert duration_ms(len(playout.recording()), 8000) == 15 * 60_000
    assert playout.overlong_ms == 5 * 60_000


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.one_of(st.none(), st.integers(0, 500))),  # ms later: a flush, or ms of audio
        max_size=30,
    )
)
@example([(361, None), (406, 0), (342, 179), (435, None), (256, 0)])
def test_every_moment_of_the_clock_has_one_place_in_the_recording(steps: list[tuple[int, int | None]]) -> None:
    playout, now, began = Playout(), 0.0, None
    for later, ms in steps:
        now += later / 1000
        if ms is None:
            playout.flush(now)
            assert playout.rate == 0 or playout.ends <= now + A_SAMPLE
        else:
            began = now if began is None else began
            playout.play(sound(ms), RATE, now)
            assert playout.ends >= now - A_SAMPLE
        length = duration_ms(len(playout.recording()), RATE)
        if began is not None:
            assert began + length / 1000 == pytest.approx(playout.ends)
    assert 0 <= playout.discarded_ms <= playout.received_ms + 1000


def test_it_tells_how_far_each_item_is() -> None:
    """Pauses are no part of it; what was told is not told again."""
    playout = Playout()
    playout.play(bytes(24000), 24000, 10.0, ("r1", "i1"))
    playout.play(bytes(24000), 24000, 10.7, ("r1", "i1"))  # 200 ms late
    playout.play(bytes(24000), 24000, 10.7, ("r1", "i2"))
    assert playout.positions(10.2) == [Position("r1", "i1", 200, playing=True)]
    assert playout.positions(10.2) == []
    assert playout.positions(10.6) == [Position("r1", "i1", 500, playing=True)]
    assert playout.positions(10.8) == [Position("r1", "i1", 600, playing=True)]
    assert playout.positions(11.3) == [
        Position("r1", "i1", 1000, playing=False),
        Position("r1", "i2", 100, playing=True),
    ]
    assert playout.positions(20.0) == [Position("r1", "i2", 500, playing=False)]


def test_what_is_silenced_stays_where_it_was() -> None:
    playout = Playout()
    playout.play(bytes(48000), 24000, 10.0, ("r1", "i1"))
    playout.play(bytes(48000), 24000, 10.0, ("r2", "i2"))
    playout.flush(10.3)
    assert playout.positions(10.4) == [Position("r1", "i1", 300, playing=False)]
    playout.play(bytes(48000), 24000, 11.0, ("r3", "i3"))
    assert playout.positions(11.5) == [Position("r3", "i3", 500, playing=True)]
    playout.play(bytes(48000), 24000, 11.5, ("r4", "i4"))
    playout.flush(11.6)
    playout.flush(11.8)
    assert playout.positions(11.8) == [Position("r3", "i3", 600, playing=False)]
