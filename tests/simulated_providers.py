"""Every provider's model, and the simulator that it talks to in memory; two with both of their wires or generations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    RealtimeModel,
    TurnDetection,
    XAIRealtimeModel,
)
from realtime_actors.simulators import (
    AzureOpenAISimulator,
    DashScopeSimulator,
    GeminiSimulator,
    OpenAISimulator,
    XAISimulator,
)
from realtime_actors.simulators.server import Simulator

__all__ = ["FIVE_PROVIDERS", "SIMULATED", "SimulatedProvider", "with_turn_detection"]


@attrs.frozen
class SimulatedProvider:
    """A model, and the simulator that it talks to."""

    model: RealtimeModel
    simulator: type[Simulator]


def _model(kind: type[RealtimeModel], path: str, name: str, **fields: Any) -> RealtimeModel:
    return kind(api_key="any", url=f"ws://memory{path}", model_name=name, **fields)


SIMULATED: Mapping[str, SimulatedProvider] = {
    "openai": SimulatedProvider(_model(OpenAIRealtimeModel, "/v1/realtime", "gpt-realtime"), OpenAISimulator),
    "azure": SimulatedProvider(
        _model(AzureOpenAIRealtimeModel, "/openai/v1/realtime", "a-deployment"), AzureOpenAISimulator
    ),
    "azure_preview": SimulatedProvider(
        _model(AzureOpenAIRealtimeModel, "/openai/realtime", "a-deployment", api_version="2025-04-01-preview"),
        AzureOpenAISimulator,
    ),
    "gemini": SimulatedProvider(_model(GeminiRealtimeModel, GeminiSimulator.path, "gemini-3.8-live"), GeminiSimulator),
    "gemini_2_5": SimulatedProvider(
        _model(GeminiRealtimeModel, GeminiSimulator.path, "gemini-2.5-flash-native-audio-preview-12-2025"),
        GeminiSimulator,
    ),
    "dashscope": SimulatedProvider(
        _model(DashScopeRealtimeModel, DashScopeSimulator.path, "qwen3.5-omni-flash-realtime"), DashScopeSimulator
    ),
    "xai": SimulatedProvider(_model(XAIRealtimeModel, XAISimulator.path, "grok-voice-latest"), XAISimulator),
}
FIVE_PROVIDERS = ("openai", "azure", "gemini", "dashscope", "xai")
"""One wire and generation of each."""


def with_turn_detection(name: str, detection: TurnDetection) -> RealtimeModel:
    """The model of this provider, which finds the user's turns in this way."""
    return attrs.evolve(SIMULATED[name].model, turn_detection=detection)
