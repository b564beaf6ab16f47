"""The types of which there are many in a turn."""

from .client import ClientAudioAppend
from .commands import AppendAudio
from .model import (
    ModelInputTranscriptionDelta,
    ModelResponseAudioDelta,
    ModelResponseAudioTranscriptDelta,
    ModelResponseToolUseDelta,
)
from .room import RoomAudioDelta
from .server import (
    AgentInputTranscriptionDelta,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseToolUseDelta,
)

__all__ = ["STREAMING_TYPES"]

STREAMING_TYPES: tuple[type, ...] = (
    ClientAudioAppend,
    AppendAudio,
    ModelInputTranscriptionDelta,
    ModelResponseAudioDelta,
    ModelResponseAudioTranscriptDelta,
    ModelResponseToolUseDelta,
    AgentInputTranscriptionDelta,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseToolUseDelta,
    RoomAudioDelta,
)
"""What comes piece by piece, many times in a turn: audio, and the words that go with it. Traces should skip these."""
