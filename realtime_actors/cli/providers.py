"""The providers that the commands know: names, keys and defaults, without what is heavy to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PROVIDERS", "Provider"]


def _nothing() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Provider:
    """A provider, as `serve` and `simulate` need to know it."""

    title: str
    """What people call it."""
    wire: str
    """What its simulator speaks."""
    model_class: str
    """The name of its model's class in `realtime_actors.providers`."""
    simulator_class: str
    """The name of its simulator's class in `realtime_actors.simulators`."""
    keys: Mapping[str, str]
    """The environment variables where its key is looked for, in this order, and the model's field that it is for."""
    settings: Mapping[str, str] = field(default_factory=_nothing)
    """Other environment variables that are usual with it, and the model's field that each is for."""
    base_url: str | None = None
    """The environment variable that is usual for the URL of its API, to which its SDK adds `/realtime`."""
    query: str = ""
    """What has to follow a simulator's URL where it is given to another client."""

    def __str__(self) -> str:
        return " or ".join(self.keys)

    @property
    def others(self) -> tuple[str, ...]:
        """The environment variables that it may have beside its key's."""
        return (*self.settings, *([self.base_url] if self.base_url else []))


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        "OpenAI",
        "OpenAI's Realtime wire (GA, WebSocket)",
        "OpenAIRealtimeModel",
        "OpenAISimulator",
        {"OPENAI_API_KEY": "api_key"},
        base_url="OPENAI_BASE_URL",
        query="?model=gpt-realtime",
    ),
    "gemini": Provider(
        "Gemini",
        "Gemini's Live wire (BidiGenerateContent, WebSocket)",
        "GeminiRealtimeModel",
        "GeminiSimulator",
        {"GEMINI_API_KEY": "api_key", "GOOGLE_API_KEY": "api_key"},
    ),
    "dashscope": Provider(
        "DashScope",
        "DashScope's Qwen-Omni realtime wire (WebSocket)",
        "DashScopeRealtimeModel",
        "DashScopeSimulator",
        {"DASHSCOPE_API_KEY": "api_key"},
        {"DASHSCOPE_API_REGION": "region", "DASHSCOPE_WORKSPACE_ID": "workspace"},
        query="?model=qwen3-omni-flash-realtime",
    ),
    "xai": Provider(
        "xAI",
        "xAI's Grok Voice wire (WebSocket)",
        "XAIRealtimeModel",
        "XAISimulator",
        {"XAI_API_KEY": "api_key"},
        query="?model=grok-voice-latest",
    ),
    "azure": Provider(
        "Azure OpenAI",
        "Azure OpenAI's Realtime wire (GA and preview, WebSocket)",
        "AzureOpenAIRealtimeModel",
        "AzureOpenAISimulator",
        {"AZURE_OPENAI_API_KEY": "api_key", "AZURE_OPENAI_AD_TOKEN": "entra_token"},
        {"AZURE_OPENAI_ENDPOINT": "resource", "OPENAI_API_VERSION": "api_version"},
        query="?model=gpt-realtime",
    ),
}
"""By the name that the command line and `config.model_provider` have for it."""
