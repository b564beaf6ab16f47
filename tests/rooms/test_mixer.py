"""The mix equals a reference that is computed offline, sample for sample."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.audio import RATES, Resampler, UnsupportedRate, level_dbfs
from realtime_actors.rooms import (
    FRAME_BYTES,
    FRAME_MS,
    ROOM_RATE,
    AlreadyInRoom,
    Frame,
    JitterBuffer,
    Mixer,
    NotInRoom,
    PlayoutBuffer,
)

FRAME = FRAME_BYTES // 2
SILENCE = bytes(FRAME_BYTES)
Samples = npt.NDArray[np.int64]


def speech(seed: int, samples: int, loudest: int = 32767) -> Samples:
    """Noise as loud as can be: the mix of two is clipped."""
    return np.random.default_rng(seed).integers(-loudest - 1, loudest + 1, samples)


def pcm(samples: Samples) -> bytes:
    return samples.astype("<i2").tobytes()


def heard(frames: list[Frame]) -> Samples:
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2").astype(np.int64)


def clipped(samples: Samples) -> Samples:
    return np.clip(samples, -32768, 32767)


def constant(value: int, frames: int = 1) -> bytes:
    return np.full(FRAME * frames, value, "<i2").tobytes()


def say(mixer: Mixer, name: str, audio: bytes) -> PlayoutBuffer:
    """A source that says this from the next tick on."""
    buffer = PlayoutBuffer(start_ms=0)
    mixer.add_source(name, buffer)
    buffer.push(audio, ROOM_RATE)
    buffer.finish()
    return buffer


def values(frames: dict[str, Frame]) -> dict[str, int]:
    """The sample that each frame is full of."""
    found = {name: set(np.frombuffer(frame.pcm, "<i2").tolist()) for name, frame in frames.items()}
    assert all(len(samples) == 1 for samples in found.values())
    return {name: samples.pop() for name, samples in found.items()}


@given(
    spans=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6 * FRAME)), min_size=1, max_size=6),
    only_listeners=st.integers(0, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_hears_the_clipped_sum_of_the_others(spans: list[tuple[int, int]], only_listeners: int, seed: int) -> None:
    """Whoever begins when, for however long: everybody hears all others, to the sample, and never himself."""
    ticks = 13
    mixer = Mixer()
    buffers = [PlayoutBuffer(start_ms=0) for _ in spans]
    reference = np.zeros((len(spans) + only_listeners, ticks * FRAME), np.int64)
    for number, (begin, length) in enumerate(spans):
        mixer.add_source(f"{number}", buffers[number])
        reference[number, begin * FRAME : begin * FRAME + length] = speech(seed + number, length)
    for number in range(len(reference)):
        mixer.add_listener(f"{number}", ROOM_RATE)
    frames: list[dict[str, Frame]] = []
    for tick in range(ticks):
        for number, (begin, length) in enumerate(spans):
            if begin == tick:
                buffers[number].push(pcm(reference[number, begin * FRAME : begin * FRAME + length]), ROOM_RATE)
                buffers[number].finish()
        frames.append(mixer.tick())
    for number in range(len(reference)):
        expected = clipped(reference.sum(axis=0) - reference[number])
        mine = [frame[f"{number}"] for frame in frames]
        assert (heard(mine) == expected).all()
        others = np.delete(reference, number, axis=0).reshape(-1, ticks, FRAME).any(axis=(0, 2))
        assert [not frame.is_silent for frame in mine] == others.tolist()


@given(gains=st.lists(st.floats(0, 8), min_size=3, max_size=3), pairs=st.lists(st.floats(0, 8), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_gains_are_applied_before_the_sum_is_clipped(gains: list[float], pairs: list[float]) -> None:
    """A source's gain times that of the pair, rounded to the sample; only the sum is clipped."""
    mixer = Mixer()
    said = [speech(number, FRAME) for number in range(3)]
    for number in range(3):
        say(mixer, f"{number}", pcm(said[number]))
        mixer.set_gain(f"{number}", gains[number])
    mixer.add_listener("plain", ROOM_RATE)
    mixer.add_listener("choosy", ROOM_RATE)
    for number in range(3):
        mixer.set_gain(f"{number}", pairs[number], "choosy")
    frames = mixer.tick()
    plain = sum(np.rint(said[n] * gains[n]) for n in range(3))
    choosy = sum(np.rint(said[n] * (gains[n] * pairs[n])) for n in range(3))
    assert (heard([frames["plain"]]) == np.clip(plain, -32768, 32767)).all()
    assert (heard([frames["choosy"]]) == np.clip(choosy, -32768, 32767)).all()


def test_one_who_speaks_alone_is_heard_byte_for_byte() -> None:
    mixer = Mixer()
    audio = pcm(speech(1, FRAME))
    say(mixer, "ann", audio)
    for name in ("ann", "bob", "friday"):
        mixer.add_listener(name, ROOM_RATE)
    assert mixer.tick() == {"ann": Frame(SILENCE, True), "bob": Frame(audio, False), "friday": Frame(audio, False)}
    assert all(frame == Frame(SILENCE, True) for frame in mixer.tick().values())


def test_digital_silence_is_silence() -> None:
    """Who sends zeros is not heard, so that nothing need be sent."""
    mixer = Mixer()
    say(mixer, "ann", SILENCE)
    mixer.add_listener("bob", ROOM_RATE)
    assert mixer.tick()["bob"].is_silent


def test_whom_a_listener_does_not_want_to_hear_he_does_not() -> None:
    """By name, also of those who come later; a gain of the pair overrules it."""
    mixer = Mixer()
    say(mixer, "friday", constant(1, 9))
    say(mixer, "ann", constant(10, 9))
    for person in ("ann", "bob"):
        mixer.add_listener(person, ROOM_RATE, hears=lambda name: name not in ("ann", "bob"))
    mixer.add_listener("friday", ROOM_RATE)
    say(mixer, "bob", constant(100, 9))
    assert values(mixer.tick()) == {"ann": 1, "bob": 1, "friday": 110}
    mixer.set_gain("ann", 1.0, "bob")
    mixer.set_gain("friday", 2.0, "ann")
    assert values(mixer.tick()) == {"ann": 2, "bob": 11, "friday": 110}
    mixer.set_gain("friday", 0.0)
    assert values(mixer.tick()) == {"ann": 0, "bob": 10, "friday": 110}


def test_what_is_said_while_muted_is_not_heard_later() -> None:
    mixer = Mixer()
    say(mixer, "ann", constant(1) + constant(2) + constant(3))
    mixer.add_listener("bob", ROOM_RATE)
    assert values(mixer.tick()) == {"bob": 1}
    mixer.set_gain("ann", 0.0)
    muted = mixer.tick()["bob"]
    assert muted.is_silent
    mixer.set_gain("ann", 1.0)
    assert values(mixer.tick()) == {"bob": 3}


def test_people_come_and_go() -> None:
    """A name that is free again is another person: nothing that was set for the one before holds for him."""
    mixer = Mixer()
    for name in ("ann", "bob", "cid"):
        say(mixer, name, constant(1, 9))
        mixer.add_listener(name, ROOM_RATE)
    mixer.set_gain("ann", 0.0, "bob")
    mixer.set_gain("ann", 3.0, "cid")
    assert values(mixer.tick()) == {"ann": 2, "bob": 1, "cid": 4}
    mixer.remove_source("ann")
    assert values(mixer.tick()) == {"ann": 2, "bob": 1, "cid": 1}
    say(mixer, "dan", constant(10, 9))
    assert values(mixer.tick()) == {"ann": 12, "bob": 11, "cid": 11}
    say(mixer, "ann", constant(100, 9))
    assert values(mixer.tick()) == {"ann": 12, "bob": 111, "cid": 111}
    mixer.remove_listener("bob")
    mixer.remove_source("bob")
    assert mixer.sources == ("cid", "dan", "ann")
    assert mixer.listeners == ("ann", "cid")
    assert values(mixer.tick()) == {"ann": 11, "cid": 110}


def test_the_level_of_each_source_is_known() -> None:
    mixer = Mixer()
    audio = pcm(speech(1, FRAME, 1000))
    say(mixer, "ann", audio)
    mixer.set_gain("ann", 0.0)
    assert mixer.level_dbfs("ann") == -math.inf
    mixer.tick()
    assert mixer.level_dbfs("ann") == level_dbfs(audio)
    mixer.tick()
    assert mixer.level_dbfs("ann") == -math.inf


def expected_at(rate: int, mixed: Samples) -> Samples:
    resampler = Resampler(ROOM_RATE, rate)
    return np.frombuffer(resampler.process(pcm(mixed)) + resampler.flush(), "<i2").astype(np.int64)


@pytest.mark.parametrize("rate", RATES)
def test_a_listener_gets_the_resampled_mix_without_a_gap(rate: int) -> None:
    """At each rate: frames as long as the tick, the reference resampled as a whole, later by one constant delay."""
    mixer = Mixer()
    said = speech(3, 100 * FRAME, 9000) + speech(4, 100 * FRAME, 9000)
    say(mixer, "ann", pcm(said[: 50 * FRAME]))
    say(mixer, "bob", bytes(50 * FRAME_BYTES) + pcm(said[50 * FRAME :]))
    mixer.add_listener("friday", rate)
    frames = [mixer.tick()["friday"] for _ in range(120)]
    ends = [n * rate * FRAME_MS // 1000 for n in range(121)]
    assert [len(frame.pcm) // 2 for frame in frames] == [ends[n + 1] - ends[n] for n in range(120)]
    expected = expected_at(rate, np.concatenate([said, np.zeros(10 * FRAME, np.int64)]))
    got = heard(frames)
    delay = int(np.flatnonzero(got)[0] - np.flatnonzero(expected)[0])
    assert 0 <= delay <= 45 * rate / 1000
    assert (got[delay : delay + len(expected)] == expected).all()
    assert not got[delay + len(expected) :].any()
    assert not any(frame.is_silent for frame in frames[:100])
    assert frames[-1].is_silent


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 48000])
def test_between_two_turns_a_listener_s_stream_rests(rate: int) -> None:
    """After a silence long enough the next turn is a new stream, whole from its first sample to its last."""
    said = speech(5, 7 * FRAME + 100, 9000)
    mixer = Mixer()
    mixer.add_listener("friday", rate)
    expected = expected_at(rate, said)
    for turn in range(3):
        say(mixer, f"{turn}", pcm(said))
        frames = [mixer.tick()["friday"] for _ in range(20 + turn)]
        assert frames[-1].is_silent
        got = heard(frames)
        begins = int(np.flatnonzero(got)[0] - np.flatnonzero(expected)[0])
        assert (got[begins : begins + len(expected)] == expected).all()
        assert all(not frame.pcm.strip(b"\0") for frame in frames if frame.is_silent)


def test_a_source_of_another_rate_is_resampled_as_a_whole() -> None:
    """However it is cut into chunks."""
    rate, sizes = 16000, np.random.default_rng(1)
    said = pcm(speech(6, rate // 2, 9000))
    whole = Resampler(rate, ROOM_RATE)
    expected = whole.process(said) + whole.flush()
    mixer = Mixer()
    ann = JitterBuffer(depth_ms=1000)
    mixer.add_source("ann", ann)
    mixer.add_listener("bob", ROOM_RATE)
    while said:
        size = 2 * int(sizes.integers(700))
        ann.push(said[:size], rate)
        said = said[size:]
    ann.finish()
    frames = [mixer.tick()["bob"] for _ in range(30)]
    got = b"".join(frame.pcm for frame in frames)
    assert got.startswith(expected)
    assert not got[len(expected) :].strip(b"\0")


def test_what_is_wrong_is_said_in_words() -> None:
    mixer = Mixer()
    mixer.add_source("ann", JitterBuffer())
    mixer.add_listener("ann", ROOM_RATE)
    with pytest.raises(AlreadyInRoom, match="source named 'ann' already"):
        mixer.add_source("ann", JitterBuffer())
    with pytest.raises(AlreadyInRoom, match="listener named 'ann' already"):
        mixer.add_listener("ann", ROOM_RATE)
    with pytest.raises(UnsupportedRate):
        mixer.add_listener("bob", 12345)
    for call in (mixer.remove_source, mixer.remove_listener, mixer.level_dbfs):
        with pytest.raises(NotInRoom, match="'bob'"):
            call("bob")
    with pytest.raises(NotInRoom, match="source named 'bob'"):
        mixer.set_gain("bob", 1.0)
    with pytest.raises(NotInRoom, match="listener named 'bob'"):
        mixer.set_gain("ann", 1.0, "bob")
    with pytest.raises(ValueError, match="never hears itself"):
        mixer.set_gain("ann", 1.0, "ann")
    for gain in (-0.1, 8.1, math.nan):
        with pytest.raises(ValueError, match="from 0"):
            mixer.set_gain("ann", gain)
    assert mixer.tick()["ann"].is_silent
