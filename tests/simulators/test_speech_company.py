"""The speech brain in a room: it is spoken to by its name, and asks others."""

from datetime import datetime

import numpy as np
import pytest

from realtime_actors.simulators import Call, Say, Turn
from realtime_actors.simulators.speech import Recognizer, SpeechBrain, Voice

NAMES = ("Alice", "Bob")
BRAIN = SpeechBrain(now=lambda: datetime(2026, 2, 3, 9, 5), names=NAMES)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Ann: what time is it?", Say("It is 9:05 in the morning.")),
        ("Ann: Bob, count to three", Say("One, two, three.")),
        ("bob what time is it", Say("It is 9:05 in the morning.")),
        ("Ann: Alice, ask Bob for the weather in Paris", Say("Bob, what is the weather in Paris?")),
        ("alice ask bob what time it is", Say("Bob, what time is it?")),
        ("Alice, please ask Bob to count to three.", Say("Bob, count to three.")),
        ("Alice: Bob, what is the weather in Paris?", Call("get_weather", '{"city": "Paris"}')),
    ],
)
async def test_what_is_answered(said: str, answer: Say | Call) -> None:
    """Who speaks, and whom to, is no part of what is asked; what the room tells of itself is no question."""
    turns = [Turn("user", said), Turn("user", "(Ann speaking:)")]
    assert list(await BRAIN.reply(turns, ["get_weather"])) == [answer]


def test_names_are_heard() -> None:
    recognizer = Recognizer(NAMES)
    for sentence in ("Bob, what time is it", "Alice, ask Bob for the date", "what time is it"):
        heard = recognizer.transcribe(Voice("en-us+m3").speak(sentence, 24000), 24000)
        assert heard == sentence.lower().replace(",", "")


def depth(pcm: bytes) -> float:
    """How much of the sound, at 24 kHz, is below 160 Hz, where only deep voices have any."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(power[np.fft.rfftfreq(len(samples), 1 / 24000) < 160].sum() / power.sum())


async def test_two_voices_share_what_they_hear_with() -> None:
    """They sound differently, and understand alike."""
    other = BRAIN.another("en-us+m3")
    spoken = [b"".join([piece async for piece in brain.speak("hello there", 24000)]) for brain in (BRAIN, other)]
    assert depth(spoken[1]) > 3 * depth(spoken[0])
    assert [await other.transcribe(pcm, 24000) for pcm in spoken] == ["hello there"] * 2
