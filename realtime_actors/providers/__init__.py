"""The providers: for each, the configuration of its models and its wire as a pure protocol."""

from .azure import AzureOpenAIRealtimeModel
from .connection import ProviderConnection
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
from .owner import Abandon, ConnectionExpiring, ConnectionLost, ConnectionReady, Resume, Rotate, Unsent, WaitReady
from .reconnection import Reconnection
from .xai import XAIRealtimeModel

__all__ = [
    "Abandon",
    "AzureOpenAIRealtimeModel",
    "Capabilities",
    "ConnectionExpiring",
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
    "Reconnection",
    "RefusalKind",
    "Resume",
    "Rotate",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "Unsent",
    "WaitReady",
    "WireProtocol",
    "XAIRealtimeModel",
]
