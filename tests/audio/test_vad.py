"""Voice activity detection: a state machine that counts the audio it is given."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.audio import (
    OddLength,
    Resampler,
    SpeechStarted,
    SpeechStopped,
    UnsupportedRate,
    VoiceActivityDetector,
    level_dbfs,
)


def silence(ms: int, rate: int = 24000) -> bytes:
    return bytes(rate * ms // 1000 * 2)


def noise(ms: int, dbfs: float, rate: int = 24000) -> bytes:
    samples = np.random.default_rng(7).normal(0, 32768 * 10 ** (dbfs / 20), rate * ms // 1000)
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def voice(ms: int, rate: int = 24000, dbfs: float = -20.0) -> bytes:
    """A vowel: the harmonics of 120 Hz, shaped by two formants, with the sway of a voice."""
    time = np.arange(rate * ms // 1000) / rate
    phase = 2 * np.pi * 120 * time + 1.5 * np.sin(2 * np.pi * 4 * time)
    total = np.zeros_like(time)
    for k in range(1, 30):
        weight = np.exp(-(((k * 120 - 600) / 250) ** 2)) + 0.6 * np.exp(-(((k * 120 - 1700) / 300) ** 2))
        total += (0.03 + weight) * np.sin(k * phase)
    total *= 1 + 0.3 * np.sin(2 * np.pi * 5 * time)
    scale = 32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(total**2))
    return (total * scale).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
def test_speech_starts_before_the_voice_and_stops_after_the_silence(rate: int) -> None:
    """600 to 1400 ms of voice: start less the prefix, end plus the silence, at every rate."""
    detector = VoiceActivityDetector(rate, silence_ms=500, prefix_ms=300)
    pcm = silence(600, rate) + voice(800, rate) + silence(1000, rate)
    started, stopped = detector.feed(pcm)
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert started.at_ms == pytest.approx(300, abs=40)
    assert stopped.at_ms == pytest.approx(1900, abs=80)
    assert not detector.speaking
    assert detector.received_ms == pytest.approx(2400)


def test_decisions_come_with_the_audio_that_settles_them() -> None:
    """Start after `min_speech_ms` of voice, stop after `silence_ms`, and not a few frames later."""
    detector = VoiceActivityDetector(24000, silence_ms=300, min_speech_ms=60)
    pcm = voice(400) + silence(600)
    seen: list[tuple[float, str]] = []
    for start in range(0, len(pcm), 960):
        seen += [(detector.received_ms, type(event).__name__) for event in detector.feed(pcm[start : start + 960])]
    (started_at, started), (stopped_at, stopped) = seen
    assert (started, stopped) == ("SpeechStarted", "SpeechStopped")
    assert started_at <= 140
    assert 700 <= stopped_at <= 800


@pytest.mark.parametrize("dbfs", [-80.0, -60.0, -50.0])
def test_low_noise_is_not_speech(dbfs: float) -> None:
    """White noise, which the classifier takes for speech, is held off by the level."""
    assert VoiceActivityDetector(24000).feed(noise(3000, dbfs)) == []


def test_speech_above_the_noise_is_heard() -> None:
    """The voice stands out of the noise of a room."""
    pcm = bytearray(noise(3000, -60.0))
    spoken = np.frombuffer(voice(1000), "<i2")
    view = np.frombuffer(pcm, "<i2")
    view[24000:48000] += spoken
    started, stopped = VoiceActivityDetector(24000).feed(bytes(pcm))
    assert (started.at_ms, stopped.at_ms) == (pytest.approx(700, abs=60), pytest.approx(2500, abs=120))


def test_a_click_is_not_speech() -> None:
    """Sounds shorter than `min_speech_ms` are ignored, also when they come again and again."""
    clicks = (voice(30) + silence(300)) * 10
    assert VoiceActivityDetector(24000, min_speech_ms=100).feed(clicks) == []


def test_a_pause_shorter_than_the_silence_does_not_end_the_turn() -> None:
    """One start and one stop for two words with 300 ms between them."""
    pcm = voice(400) + silence(300) + voice(400) + silence(800)
    events = VoiceActivityDetector(24000, silence_ms=500).feed(pcm)
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped]


def test_a_turn_does_not_reach_back_into_the_one_before() -> None:
    """With a prefix longer than the gap, the second start is where the first turn stopped."""
    pcm = voice(400) + silence(400) + voice(400) + silence(400)
    events = VoiceActivityDetector(24000, silence_ms=200, prefix_ms=1000).feed(pcm)
    _, first_stop, second_start, _ = events
    assert second_start.at_ms == first_stop.at_ms
    assert events[0].at_ms == 0


def test_reset_forgets_the_speech_but_not_the_time() -> None:
    """After a reset in the middle of a word there is no stop; the next start counts on."""
    detector = VoiceActivityDetector(24000, prefix_ms=0)
    assert len(detector.feed(voice(500))) == 1
    assert detector.speaking
    detector.reset()
    assert not detector.speaking
    assert detector.feed(silence(1000)) == []
    (started,) = detector.feed(voice(300))
    assert started.at_ms == pytest.approx(1500, abs=40)


CONVERSATION = (
    silence(250) + voice(300) + noise(350, -60.0) + voice(60) + silence(200) + voice(240, dbfs=-30) + silence(300)
)
CONVERSATION_EVENTS = VoiceActivityDetector(24000, silence_ms=240, prefix_ms=100).feed(CONVERSATION)


@given(st.lists(st.integers(0, 4000), max_size=40))
@settings(max_examples=60)
def test_chunking_changes_nothing(sizes: list[int]) -> None:
    """However the stream is cut, the events and their times are the same."""
    detector = VoiceActivityDetector(24000, silence_ms=240, prefix_ms=100)
    ends = [min(2 * end, len(CONVERSATION)) for end in itertools.accumulate(sizes)]
    cuts = zip([0, *ends], [*ends, len(CONVERSATION)], strict=True)
    events = [event for start, end in cuts for event in detector.feed(CONVERSATION[start:end])]
    assert events == CONVERSATION_EVENTS
    assert len(events) >= 4


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=12), st.integers(20, 400))
@settings(max_examples=60, deadline=None)
def test_starts_and_stops_alternate_in_time(parts: list[tuple[bool, int]], silence_ms: int) -> None:
    """Whatever is heard: start, stop, start, stop, and never back in time or ahead of the audio."""
    detector = VoiceActivityDetector(16000, silence_ms=silence_ms)
    now = 0.0
    events: list[SpeechStarted | SpeechStopped] = []
    for loud, tens in parts:
        events += detector.feed(voice(10 * tens, 16000) if loud else silence(10 * tens, 16000))
        now += 10 * tens
        assert all(event.at_ms <= now for event in events)
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped] * (len(events) // 2) + [
        SpeechStarted
    ] * (len(events) % 2)
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    assert detector.speaking == bool(len(events) % 2)


def test_bad_input_is_refused() -> None:
    """Odd lengths, unusual rates and settings out of range each have their clear error."""
    detector = VoiceActivityDetector(24000)
    with pytest.raises(OddLength):
        detector.feed(b"abc")
    assert detector.received_ms == 0
    with pytest.raises(UnsupportedRate):
        VoiceActivityDetector(96000)
    with pytest.raises(ValueError, match="must be 0, 1, 2 or 3"):
        VoiceActivityDetector(16000, aggressiveness=4)
    with pytest.raises(ValueError, match="silence_ms"):
        VoiceActivityDetector(16000, silence_ms=0)


def test_the_voice_of_these_tests_has_its_level() -> None:
    """The signals above are as loud as they say, also after conversion."""
    assert level_dbfs(voice(500)) == pytest.approx(-20, abs=0.1)
    assert level_dbfs(noise(500, -50.0)) == pytest.approx(-50, abs=0.2)
    assert level_dbfs(Resampler(24000, 16000).process(voice(500))) == pytest.approx(-20, abs=0.3)
