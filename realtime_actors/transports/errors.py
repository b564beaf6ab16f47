"""Errors of the transports.

::

    RealtimeError
    └── TransportError
        ├── InvalidRequest      the URL, a header or a subprotocol cannot be sent; nothing was connected
        ├── ConnectFailed       no WebSocket came about: name lookup, TCP, TLS, deadline, no valid answer
        ├── HandshakeRejected   the server answered, but not with an upgrade (401, 404, a web page, ...)
        ├── ConnectionClosed    the WebSocket is closed or broken
        ├── UnknownTransport    the environment names a backend that there is not
        ├── InvalidCertificate  the server's certificate or its key cannot be used
        └── ListenFailed        the server cannot listen there
            └── PortInUse       because something else listens on that port

No message ever holds a URL's query, its user part, a header's value or a body: any of them may be a key.
"""

from collections.abc import Mapping
from http.client import responses
from typing import Literal

from realtime_actors.actors.errors import RealtimeError

__all__ = [
    "ConnectFailed",
    "ConnectStage",
    "ConnectionClosed",
    "HandshakeRejected",
    "InvalidCertificate",
    "InvalidRequest",
    "ListenFailed",
    "PortInUse",
    "TransportError",
    "UnknownTransport",
]

ConnectStage = Literal["lookup", "tcp", "tls", "handshake", "deadline"]
"""How far a connection attempt came before it failed; `deadline` when `connect_timeout` ran out."""


class TransportError(RealtimeError):
    """Base class of the transports' errors."""


class InvalidRequest(TransportError):
    """The URL, a header or a subprotocol cannot be sent. Trying again does not help."""


class ConnectFailed(TransportError):
    """No WebSocket came about; `stage` says how far it came, `__cause__` why, where there is one."""

    def __init__(self, message: str, *, stage: ConnectStage) -> None:
        super().__init__(message)
        self.stage: ConnectStage = stage


class HandshakeRejected(TransportError):
    """The server answered the handshake with an HTTP response that is not an upgrade.

    `status` is its status, `headers` its headers (lower-case names), `body` the first 4 KiB of its body at
    most. The message holds the status only: services quote keys in their bodies.
    """

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        phrase = responses.get(status, "unknown status")
        super().__init__(
            f"{url} answered {status} ({phrase}) instead of opening a WebSocket; "
            "check the address and the credentials, and read the error's body for the server's own words"
        )
        self.status = status
        self.headers = headers
        self.body = body


class ConnectionClosed(TransportError):
    """The WebSocket is closed.

    `code` and `reason` are those of RFC 6455, section 7.4: 1006 for a connection that broke without a Close
    frame, 1005 for a Close without a code, 1009 for a message over the limit. `local` is true when this side
    closed it (or gave it up), false when the peer or the network did.
    """

    def __init__(self, code: int, reason: str = "", *, local: bool = False) -> None:
        by = "this side" if local else "the peer" if code != 1006 else "the network or the peer"
        super().__init__(f"the WebSocket was closed by {by} with code {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason
        self.local = local


class UnknownTransport(TransportError):
    """The environment variable `REALTIME_ACTORS_TRANSPORT` names a backend that there is not."""


class InvalidCertificate(TransportError):
    """The server's certificate or its private key cannot be used; the message says which file, and why."""


class ListenFailed(TransportError):
    """The server cannot listen on the host and port given; `__cause__` is the system's error."""


class PortInUse(ListenFailed):
    """Something else listens on this port already: stop it, or choose another port (0 takes a free one)."""
