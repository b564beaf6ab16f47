"""The providers: for each, the configuration of its models and its wire as a pure protocol."""

from .azure import AzureOpenAIRealtimeModel
from .connection import ConnectionLost, ConnectionReady, ProviderConnection, Resume, WaitReady
from .dashscope import DashScopeRealtimeModel
from .errors import InvalidModel, ProviderError, ProviderRefused, ProviderUnavailable, RefusalKind
from .gemini import GeminiRealtimeModel
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
from .xai import XAIRealtimeModel

__all__ = [
    "AzureOpenAIRealtimeModel",
    "Capabilities",
    "ConnectionLost",
    "ConnectionReady",
    "DashScopeRealtimeModel",
    "GeminiRealtimeModel",
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
    "XAIRealtimeModel",
]
