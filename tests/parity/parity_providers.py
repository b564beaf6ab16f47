"""The providers that are compared, two of them with both of their wires or generations."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from tests.simulated_providers import SIMULATED, SimulatedProvider

__all__ = ["PROVIDERS", "REFERENCE", "Provider"]


@attrs.frozen
class Provider(SimulatedProvider):
    """A model, and the simulator that it talks to."""

    title: str
    page: str
    """Its file in docs/providers."""


_PAGES = {
    "openai": ("OpenAI", "openai.md"),
    "azure": ("Azure OpenAI", "azure.md"),
    "azure_preview": ("Azure, preview", "azure.md"),
    "gemini": ("Gemini", "gemini.md"),
    "gemini_2_5": ("Gemini 2.5", "gemini.md"),
    "dashscope": ("DashScope", "dashscope.md"),
    "xai": ("xAI", "xai.md"),
}
PROVIDERS: Mapping[str, Provider] = {
    name: Provider(SIMULATED[name].model, SIMULATED[name].simulator, *page) for name, page in _PAGES.items()
}
REFERENCE = "openai"
"""The provider that the others are compared with."""
