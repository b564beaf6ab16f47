"""The gateway: frontends over WebSocket, a page and a health check, on one port."""

from .admission import JSON_SUBPROTOCOL, TOKEN_SUBPROTOCOL
from .asgi import AsgiGateway, WrongEventLoop, asgi_app
from .authentication import BearerToken, bearer_tokens
from .errors import AccessDenied, GatewayError, InvalidSessionConfig, InvalidSettings
from .gateway import Drain, Gateway, GatewayStatus, GetStatus
from .request import AgentFactory, AgentRequest, Authenticate
from .rooms import RoomFactory
from .session import FrontendSession
from .settings import GatewaySettings

__all__ = [
    "JSON_SUBPROTOCOL",
    "TOKEN_SUBPROTOCOL",
    "AccessDenied",
    "AgentFactory",
    "AgentRequest",
    "AsgiGateway",
    "Authenticate",
    "BearerToken",
    "Drain",
    "FrontendSession",
    "Gateway",
    "GatewayError",
    "GatewaySettings",
    "GatewayStatus",
    "GetStatus",
    "InvalidSessionConfig",
    "InvalidSettings",
    "RoomFactory",
    "WrongEventLoop",
    "asgi_app",
    "bearer_tokens",
]
