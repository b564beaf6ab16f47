"""The tables of docs/providers/README.md are what the models and the command line say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest

import realtime_actors
from realtime_actors import providers
from realtime_actors.cli.providers import PROVIDERS
from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    InvalidModel,
    OpenAIRealtimeModel,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    XAIRealtimeModel,
)

DOCS = Path(realtime_actors.__file__).parent.parent / "docs" / "providers"
PAGES = {
    "OpenAI": "openai.md",
    "Azure OpenAI": "azure.md",
    "Gemini": "gemini.md",
    "DashScope": "dashscope.md",
    "xAI": "xai.md",
}


def new(kind: type[Any], name: str, **fields: Any) -> RealtimeModel:
    return kind(model_name=name, api_key="any", **fields)


MODELS = [
    ("`gpt-realtime`", new(OpenAIRealtimeModel, "gpt-realtime")),
    ("a deployment, GA", new(AzureOpenAIRealtimeModel, "any", resource="any")),
    ("a deployment, preview", new(AzureOpenAIRealtimeModel, "any", resource="any", api_version="2025-04-01-preview")),
    ("`gemini-2.5-flash-native-audio…`", new(GeminiRealtimeModel, "gemini-2.5-flash-native-audio-preview-12-2025")),
    ("`gemini-3.8-live`", new(GeminiRealtimeModel, "gemini-3.8-live")),
    ("`qwen3-omni-flash-realtime`", new(DashScopeRealtimeModel, "qwen3-omni-flash-realtime")),
    ("`qwen3.5-omni-flash-realtime`", new(DashScopeRealtimeModel, "qwen3.5-omni-flash-realtime")),
    ("`grok-voice-latest`", new(XAIRealtimeModel, "grok-voice-latest")),
]


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def said(value: bool) -> str:
    return "yes" if value else "no"


def takes(model: RealtimeModel, detection: TurnDetection) -> bool:
    try:
        attrs.evolve(model, turn_detection=detection)
    except InvalidModel:
        return False
    return True


def pictures(model: RealtimeModel) -> str:
    can = model.capabilities
    if not can.images or can.image_types is None:
        return said(can.images)
    types = ", ".join(sorted(kind.removeprefix("image/").upper() for kind in can.image_types))
    return types if can.largest_image is None else f"{types} up to {can.largest_image // 1024} KiB"


def cells_of(name: str, model: RealtimeModel) -> list[str]:
    can = model.capabilities
    return [
        f"[{model.provider}]({PAGES[model.provider]})",
        name,
        said(can.text),
        pictures(model),
        said(can.tools),
        said(can.cancel),
        said(can.manual_turns),
        said(takes(model, SemanticVAD())),
        said(takes(model, ServerVAD(create_response=False))),
        said(can.resumption),
        f"{model.input_rate:,}",
        f"{model.output_rate:,}",
    ]


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "README.md").read_text(encoding="utf-8")


def test_what_each_model_can_do(page: str) -> None:
    rows = [row(cells_of(name, model)) for name, model in MODELS]
    assert "\n".join(rows) in page, "the table is to be\n" + "\n".join(rows)


def test_how_each_provider_is_chosen(page: str) -> None:
    rows = [
        row(
            (
                f"[{provider.title}]({PAGES[provider.title]})",
                f"`{provider.model_class}`",
                f"`{provider.simulator_class}`",
                f"`{name}`",
                " or ".join(f"`{variable}`" for variable in provider.keys),
            )
        )
        for name, provider in PROVIDERS.items()
    ]
    assert "\n".join(rows) in page, "the table is to be\n" + "\n".join(rows)


def test_no_provider_is_left_out() -> None:
    kinds = {name for name in providers.__all__ if name.endswith("RealtimeModel")} - {"RealtimeModel"}
    assert {type(model).__name__ for _, model in MODELS} == kinds
    assert {provider.model_class for provider in PROVIDERS.values()} == kinds
    assert {path.name for path in DOCS.glob("*.md")} == {"README.md", "parity.md", *PAGES.values()}
