"""The events and models under the name that they have in AgentScope: `agentscope.realtime`."""

from .client_events import ClientEvents, ClientEventType
from .model_events import ModelEvents, ModelEventType
from .models import DashScopeRealtimeModel, GeminiRealtimeModel, OpenAIRealtimeModel, RealtimeModelBase
from .server_events import ServerEvents, ServerEventType

__all__ = [
    "ClientEventType",
    "ClientEvents",
    "DashScopeRealtimeModel",
    "GeminiRealtimeModel",
    "ModelEventType",
    "ModelEvents",
    "OpenAIRealtimeModel",
    "RealtimeModelBase",
    "ServerEventType",
    "ServerEvents",
]
