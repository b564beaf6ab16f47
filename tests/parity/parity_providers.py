"""The providers that are compared, each with a simulator of its own."""

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

__all__ = ["PROVIDERS", "REFERENCE", "Provider"]


@attrs.frozen
class Provider:
    """A model, and the simulator that it talks to."""

    title: str
    page: str
    """Its file in docs/providers."""
    model: RealtimeModel
    simulator: type[Simulator]


def _model(kind: type[RealtimeModel], path: str, **fields: Any) -> Any:
    return kind(api_key="any", url=f"ws://memory{path}", **fields)


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        "OpenAI",
        "openai.md",
        _model(OpenAIRealtimeModel, "/v1/realtime", model_name="gpt-realtime"),
        OpenAISimulator,
    ),
    "azure": Provider(
        "Azure OpenAI",
        "azure.md",
        _model(AzureOpenAIRealtimeModel, "/openai/v1/realtime", model_name="my-deployment"),
        AzureOpenAISimulator,
    ),
    "gemini": Provider(
        "Gemini",
        "gemini.md",
        _model(GeminiRealtimeModel, GeminiSimulator.path, model_name="gemini-3.8-live"),
        GeminiSimulator,
    ),
    "dashscope": Provider(
        "DashScope",
        "dashscope.md",
        _model(DashScopeRealtimeModel, DashScopeSimulator.path, model_name="qwen3.5-omni-flash-realtime"),
        DashScopeSimulator,
    ),
    "xai": Provider(
        "xAI",
        "xai.md",
        _model(XAIRealtimeModel, XAISimulator.path, model_name="grok-voice-latest"),
        XAISimulator,
    ),
}
REFERENCE = "openai"
"""The provider that the others are compared with."""
