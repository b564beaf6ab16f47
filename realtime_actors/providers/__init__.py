"""The providers: for each, the configuration of its models and its wire as a pure protocol."""

from .errors import InvalidModel, ProviderError, ProviderRefused, ProviderUnavailable, RefusalKind
from .model import (
    Capabilities,
    Manual,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    WireProtocol,
)
from .openai import OpenAIRealtimeModel

__all__ = [
    "Capabilities",
    "InvalidModel",
    "Manual",
    "OpenAIRealtimeModel",
    "ProviderError",
    "ProviderRefused",
    "ProviderUnavailable",
    "RealtimeModel",
    "RefusalKind",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "WireProtocol",
]
