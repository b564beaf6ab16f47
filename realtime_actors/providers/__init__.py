"""The providers: for each, the configuration of its models and its wire as a pure protocol."""

from .connection import ConnectionLost, ConnectionReady, ProviderConnection, Resume, WaitReady
from .errors import InvalidModel, ProviderError, ProviderRefused, ProviderUnavailable, RefusalKind
from .model import (
    Capabilities,
    Manual,
    Model,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    WireProtocol,
)
from .openai import OpenAIRealtimeModel

__all__ = [
    "Capabilities",
    "ConnectionLost",
    "ConnectionReady",
    "InvalidModel",
    "Manual",
    "Model",
    "OpenAIRealtimeModel",
    "ProviderConnection",
    "ProviderError",
    "ProviderRefused",
    "ProviderUnavailable",
    "RealtimeModel",
    "RefusalKind",
    "Resume",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "WaitReady",
    "WireProtocol",
]
