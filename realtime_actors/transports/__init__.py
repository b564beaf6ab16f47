"""WebSockets and HTTP: a narrow seam (`WebSocket`, `Transport`), its backends, and a server for both."""

from realtime_actors.transports.asgi import AsgiReceive, AsgiScope, AsgiSend, serve_asgi
from realtime_actors.transports.client import Opened, StreamTransport
from realtime_actors.transports.default import TRANSPORT_VARIABLE, default_transport
from realtime_actors.transports.direct import DirectTransport
from realtime_actors.transports.errors import (
    ConnectFailed,
    ConnectionClosed,
    ConnectStage,
    HandshakeRejected,
    InvalidCertificate,
    InvalidRequest,
    ListenFailed,
    PortInUse,
    TransportError,
    UnknownTransport,
)
from realtime_actors.transports.http import Address, Request, Respond, Response, ServerOptions, Upgrade, serve
from realtime_actors.transports.memory import MemoryTransport
from realtime_actors.transports.tls import load_certificate
from realtime_actors.transports.trio_websocket import TrioWebSocketTransport
from realtime_actors.transports.websocket import Transport, WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = [
    "TRANSPORT_VARIABLE",
    "Address",
    "AsgiReceive",
    "AsgiScope",
    "AsgiSend",
    "ConnectFailed",
    "ConnectStage",
    "ConnectionClosed",
    "DirectTransport",
    "HandshakeRejected",
    "InvalidCertificate",
    "InvalidRequest",
    "ListenFailed",
    "MemoryTransport",
    "Opened",
    "PortInUse",
    "Request",
    "Respond",
    "Response",
    "ServerOptions",
    "StreamTransport",
    "Transport",
    "TransportError",
    "TrioWebSocketTransport",
    "UnknownTransport",
    "Upgrade",
    "WebSocket",
    "WebSocketOptions",
    "WebSocketStatistics",
    "default_transport",
    "load_certificate",
    "serve",
    "serve_asgi",
]
