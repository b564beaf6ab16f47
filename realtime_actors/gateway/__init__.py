"""The gateway: frontends over WebSocket, a page and a health check, on one port."""

from .admission import JSON_SUBPROTOCOL, TOKEN_SUBPROTOCOL
from .errors import GatewayError, InvalidSessionConfig, InvalidSettings
from .gateway import Gateway, GatewayStatus, GetStatus
from .request import AgentFactory, AgentRequest
from .session import FrontendSession
from .settings import GatewaySettings

__all__ = [
    "JSON_SUBPROTOCOL",
    "TOKEN_SUBPROTOCOL",
    "AgentFactory",
    "AgentRequest",
    "FrontendSession",
    "Gateway",
    "GatewayError",
    "GatewaySettings",
    "GatewayStatus",
    "GetStatus",
    "InvalidSessionConfig",
    "InvalidSettings",
]
