"""Every provider's model, and its simulator with a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    RealtimeModel,
    ServerVAD,
    XAIRealtimeModel,
)
from realtime_actors.simulators import (
    AzureOpenAISimulator,
    DashScopeSimulator,
    GeminiSimulator,
    OpenAISimulator,
    Part,
    Reply,
    ScriptedBrain,
    XAISimulator,
)
from realtime_actors.simulators.server import Simulator

__all__ = ["FIVE", "MODELS", "simulator_of"]

_VAD = ServerVAD(silence_duration_ms=300)

MODELS: Mapping[str, RealtimeModel] = {
    "openai": OpenAIRealtimeModel(api_key="any", url="ws://memory/v1/realtime", turn_detection=_VAD),
    "azure": AzureOpenAIRealtimeModel(
        api_key="any", url="ws://memory/openai/v1/realtime", model_name="a-deployment", turn_detection=_VAD
    ),
    "gemini": GeminiRealtimeModel(api_key="any", url=f"ws://memory{GeminiSimulator.path}", turn_detection=_VAD),
    "dashscope": DashScopeRealtimeModel(
        api_key="any",
        url=f"ws://memory{DashScopeSimulator.path}",
        model_name="qwen3.5-omni-flash-realtime",
        turn_detection=_VAD,
    ),
    "xai": XAIRealtimeModel(api_key="any", url="ws://memory/v1/realtime", turn_detection=_VAD),
}
_SIMULATORS: Mapping[str, type[Simulator]] = {
    "openai": OpenAISimulator,
    "azure": AzureOpenAISimulator,
    "gemini": GeminiSimulator,
    "dashscope": DashScopeSimulator,
    "xai": XAISimulator,
}

FIVE = pytest.mark.parametrize("provider", list(MODELS))
"""For tests that hold with each of them."""


def simulator_of(
    provider: str,
    *replies: Sequence[Part] | Reply,
    transcripts: Sequence[str] = (),
    lifetime: float | None = None,
    **options: Any,
) -> tuple[Simulator, RealtimeModel]:
    """The provider's simulator, which gives these replies, and the model that talks to it.

    A session lasts `lifetime` s, of which Gemini tells by itself, and the other models know.
    """
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options = {"speed": 4, "seed": 1, "transcripts": "before", **options}
    model = MODELS[provider]
    if lifetime is not None:
        options["lifetime"] = lifetime
        if provider == "gemini":
            options["notice"] = lifetime / 2
        else:
            model = attrs.evolve(model, session_limit=lifetime)
    return _SIMULATORS[provider](brain=brain, **options), model
