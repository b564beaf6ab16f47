"""Simulators of OpenAI's Realtime protocol over WebSocket: OpenAI's own (GA), and Azure's (GA and preview)."""

from realtime_actors.simulators.effects import TranscriptOrder
from realtime_actors.simulators.openai.azure import AzureOpenAISimulator, accept_any_deployment
from realtime_actors.simulators.openai.server import (
    OpenAISimulator,
    OpenAISimulatorStatistics,
    accept_any_key,
    accept_realtime_models,
)

__all__ = [
    "AzureOpenAISimulator",
    "OpenAISimulator",
    "OpenAISimulatorStatistics",
    "TranscriptOrder",
    "accept_any_deployment",
    "accept_any_key",
    "accept_realtime_models",
]
