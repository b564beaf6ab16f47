"""The local voice: eSpeak NG."""

import threading

import numpy as np
import pytest

from realtime_actors.audio import UnsupportedRate, duration_ms, level_dbfs
from realtime_actors.simulators.speech import Voice, VoiceFailed
from realtime_actors.simulators.speech.voice import split_text


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 48000])
def test_it_speaks_at_the_rate_asked_for(rate: int) -> None:
    """The same sentence lasts as long at every rate, and is loud enough to be heard."""
    pcm = Voice().speak("What is the weather in Paris?", rate)
    assert 1000 < duration_ms(len(pcm), rate) < 2500
    assert -30 < level_dbfs(pcm) < -10


def test_sentences_come_one_by_one() -> None:
    """The first is there before the others are synthesised, with a pause after each but the last."""
    pieces = list(Voice().synthesize("One. Two? Three!", 24000))
    spoken = [piece for piece in pieces if len(piece) > 2400]
    assert len(spoken) == 3
    assert not any(spoken[0][-2 * 24 * 300 :])  # 300 ms of the pause
    assert np.frombuffer(spoken[2][-2 * 24 * 300 :], "<i2").any()


@pytest.mark.parametrize("text", ["", "   ", "\0\0", "...", "\ud800", "日本語", "<speak>&", "a" * 2000])
def test_any_text_can_be_spoken(text: str) -> None:
    """Even what has no sound."""
    assert len(Voice().speak(text)) % 2 == 0


def test_long_texts_are_split_where_one_breathes() -> None:
    """At sentences, then commas, then words; no piece is long, no word lost, decimals stay whole."""
    assert split_text("It is 3.5 degrees. Really? Yes!") == ["It is 3.5 degrees.", "Really?", "Yes!"]
    numbers = ", ".join(["twenty one"] * 30) + "."
    pieces = split_text(numbers)
    assert all(len(piece) <= 80 and piece[-1] in ",." for piece in pieces)
    assert " ".join(pieces) == numbers
    words = "word " * 100
    assert " ".join(split_text(words)) == words.strip()
    assert split_text("x" * 300) == ["x" * 80, "x" * 80, "x" * 80, "x" * 60]
    assert split_text("") == []


def test_voices_differ_and_do_not_mix() -> None:
    """Two voices that take turns in two threads each speak as they do alone."""
    fast, slow = Voice("en-us", words_per_minute=300), Voice("en-us+f3", words_per_minute=120)
    text = "This is a sentence with some words in it. And another one."
    lengths: dict[str, set[int]] = {"fast": set(), "slow": set()}

    def speak(name: str, voice: Voice) -> None:
        for _ in range(5):
            lengths[name].add(round(duration_ms(len(voice.speak(text)), 24000) / 500))

    threads = [threading.Thread(target=speak, args=item) for item in (("fast", fast), ("slow", slow))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths["fast"]) == len(lengths["slow"]) == 1
    assert lengths["slow"].pop() > 1.5 * lengths["fast"].pop()


def test_unknown_voice_and_rate_are_refused() -> None:
    """By name, and what to use instead; the voices that are there still speak."""
    with pytest.raises(VoiceFailed, match=r"no voice 'nobody'.*such as 'en-us'"):
        Voice("nobody")
    with pytest.raises(UnsupportedRate, match="12345 Hz"):
        Voice().speak("Hello.", 12345)
    assert Voice().speak("Hello.")
