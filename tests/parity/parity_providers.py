"""The providers that are compared, two of them with both of their wires or generations."""

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


_AZURE: AzureOpenAIRealtimeModel = _model(AzureOpenAIRealtimeModel, "/openai/v1/realtime", model_name="a-deployment")
_AZURE_PREVIEW = attrs.evolve(_AZURE, url="ws://memory/openai/realtime", api_version="2025-04-01-preview")
_GEMINI: GeminiRealtimeModel = _model(GeminiRealtimeModel, GeminiSimulator.path, model_name="gemini-3.8-live")
_GEMINI_2_5 = attrs.evolve(_GEMINI, model_name="gemini-2.5-flash-native-audio-preview-12-2025")

PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        "OpenAI",
        "openai.md",
        _model(OpenAIRealtimeModel, "/v1/realtime", model_name="gpt-realtime"),
        OpenAISimulator,
    ),
    "azure": Provider("Azure OpenAI", "azure.md", _AZURE, AzureOpenAISimulator),
    "azure_preview": Provider("Azure, preview", "azure.md", _AZURE_PREVIEW, AzureOpenAISimulator),
    "gemini": Provider("Gemini", "gemini.md", _GEMINI, GeminiSimulator),
    "gemini_2_5": Provider("Gemini 2.5", "gemini.md", _GEMINI_2_5, GeminiSimulator),
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
