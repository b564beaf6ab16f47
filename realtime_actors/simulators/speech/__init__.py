"""Local speech for the demo: a voice, a recogniser, and a brain that holds a small conversation with them.

Needs the extra `demo`; importing this package does not, using it without raises `MissingExtra`.
"""

from realtime_actors.simulators.speech.brain import SpeechBrain
from realtime_actors.simulators.speech.errors import MissingExtra, SpeechError, VoiceFailed
from realtime_actors.simulators.speech.recognizer import Recognizer
from realtime_actors.simulators.speech.understanding import (
    CITIES,
    Count,
    Date,
    Goodbye,
    Hello,
    Intent,
    NotUnderstood,
    Repeat,
    Taxi,
    Thanks,
    Time,
    Weather,
    grammar,
    understand,
)
from realtime_actors.simulators.speech.voice import Voice

__all__ = [
    "CITIES",
    "Count",
    "Date",
    "Goodbye",
    "Hello",
    "Intent",
    "MissingExtra",
    "NotUnderstood",
    "Recognizer",
    "Repeat",
    "SpeechBrain",
    "SpeechError",
    "Taxi",
    "Thanks",
    "Time",
    "Voice",
    "VoiceFailed",
    "Weather",
    "grammar",
    "understand",
]
