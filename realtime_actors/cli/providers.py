"""The providers that the commands know: names, keys and defaults, without what is heavy to import."""

from dataclasses import dataclass

__all__ = ["PROVIDERS", "Provider"]


@dataclass(frozen=True)
class Provider:
    """A provider, as `serve` and `simulate` need to know it."""

    title: str
    """What people call it."""
    model_class: str
    """The name of its model's class in `realtime_actors.providers`."""
    model_name: str
    """The model that is taken where none is named."""
    voice: str | None
    """Likewise; None is the provider's own choice."""
    key_variables: tuple[str, ...]
    """The environment variables where its key is looked for, in this order."""


PROVIDERS = {
    "openai": Provider("OpenAI", "OpenAIRealtimeModel", "gpt-realtime", "marin", ("OPENAI_API_KEY",)),
}
"""By the name that the command line and `config.model_provider` have for it."""
