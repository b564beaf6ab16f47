"""The local recogniser: PocketSphinx, on speech made by eSpeak NG."""

from pathlib import Path

import numpy as np
import pytest

from realtime_actors.audio import OddLength, UnsupportedRate, read_wav
from realtime_actors.simulators.speech import Count, Hello, Intent, Recognizer, Time, Voice, Weather, understand

DATA = Path(__file__).parent.parent / "data"
RECORDED: dict[str, Intent] = {
    "hello": Hello(),
    "weather": Weather("Paris"),
    "time": Time(),
    "count": Count(20),
}
SILENCE = bytes(16000 * 2 * 300 // 1000)
VOICES = {"en-us": 165, "en-us+f3": 150, "en": 170}
KNOWN = [
    "hello", "good morning", "what time is it", "could you tell me the time",
    "what is the date", "what is the weather in paris", "how is the weather in tokyo",
    "what's the weather like in vienna", "what is the weather in new york", "count from one to ten",
    "please count to thirty", "count to twenty", "please repeat that", "say that again please", "goodbye",
    "thank you very much",
]  # fmt: skip
UNKNOWN = [
    "The quick brown fox jumps over the lazy dog.", "I would like to order a large pizza with mushrooms.",
    "My sister plays the violin every morning.", "Please turn off the lights in the kitchen.",
    "She sells sea shells by the sea shore.", "Can you recommend a good restaurant nearby?",
    "Play some music by the Beatles.", "I am not sure what you mean by that.", "Tell me a joke about elephants.",
    "Set an alarm for half past six.", "Open the window, please.", "What is the capital of Australia?",
    "Do you like chocolate ice cream?", "Where did I leave my keys?", "Remember to buy milk and eggs.",
]  # fmt: skip


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


def speech(voice: Voice, sentence: str) -> bytes:
    return SILENCE + voice.speak(sentence, 16000) + SILENCE


@pytest.mark.parametrize("name", RECORDED)
def test_the_recordings_are_understood(recognizer: Recognizer, name: str) -> None:
    """At their own rate, at that of the models, and at that of browsers."""
    wav = read_wav(DATA / f"{name}.wav")
    assert wav.rate == 16000
    for rate in (16000, 24000, 48000):
        assert understand(recognizer.transcribe(wav.resampled(rate).pcm, rate)) == RECORDED[name]


def test_sentences_of_the_grammar_are_understood(recognizer: Recognizer) -> None:
    """At least nine of ten, over three voices of different accent, pitch and speed."""
    missed: list[tuple[str, str]] = []
    for name, words_per_minute in VOICES.items():
        voice = Voice(name, words_per_minute=words_per_minute)
        for sentence in KNOWN:
            heard = recognizer.transcribe(speech(voice, sentence), 16000)
            if understand(heard) != understand(sentence):
                missed.append((sentence, heard))
    assert len(missed) <= len(KNOWN) * len(VOICES) // 10, missed


def test_other_sentences_are_not_taken_for_one_of_the_grammar(recognizer: Recognizer) -> None:
    """At least four of five are rejected."""
    voice = Voice("en-us")
    heard = {s: text for s in UNKNOWN if (text := recognizer.transcribe(speech(voice, s), 16000))}
    assert len(heard) <= len(UNKNOWN) // 5, heard


def noise(level: float, seconds: float) -> bytes:
    return np.random.default_rng(3).normal(0, level, int(16000 * seconds)).astype("<i2").tobytes()


@pytest.mark.parametrize(
    "pcm",
    [
        b"",
        bytes(2),
        bytes(32000),
        noise(20, 1),
        noise(3000, 2),
        noise(3000, 0.05),
        (np.sin(np.arange(32000) * 0.1) * 8000).astype("<i2").tobytes(),
        noise(3000, 13),
    ],
    ids=["nothing", "one sample", "silence", "quiet noise", "noise", "a click", "a tone", "too long"],
)
def test_what_is_no_speech_gives_nothing(recognizer: Recognizer, pcm: bytes) -> None:
    """And does not stop the next sentence from being understood."""
    assert recognizer.transcribe(pcm, 16000) == ""


def test_the_same_audio_gives_the_same_text(recognizer: Recognizer) -> None:
    """Whatever was heard before it, as loud as it may be."""
    pcm = read_wav(DATA / "weather.wav").pcm
    quiet = (np.frombuffer(pcm, "<i2") // 20).astype("<i2").tobytes()
    for before in (noise(3000, 2), read_wav(DATA / "count.wav").pcm, noise(50, 1)):
        recognizer.transcribe(before, 16000)
        assert recognizer.transcribe(pcm, 16000) == "what is the weather in paris"
        assert recognizer.transcribe(quiet, 16000) == "what is the weather in paris"


def test_bad_audio_is_refused(recognizer: Recognizer) -> None:
    """With the errors of the audio layer."""
    with pytest.raises(OddLength):
        recognizer.transcribe(b"abc", 16000)
    with pytest.raises(UnsupportedRate):
        recognizer.transcribe(bytes(32000), 12345)
