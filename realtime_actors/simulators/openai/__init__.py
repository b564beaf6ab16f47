"""A simulator of OpenAI's Realtime protocol (GA, over WebSocket)."""

from realtime_actors.simulators.effects import TranscriptOrder
from realtime_actors.simulators.openai.server import (
    OpenAISimulator,
    OpenAISimulatorStatistics,
    accept_any_key,
    accept_realtime_models,
)

__all__ = [
    "OpenAISimulator",
    "OpenAISimulatorStatistics",
    "TranscriptOrder",
    "accept_any_key",
    "accept_realtime_models",
]
