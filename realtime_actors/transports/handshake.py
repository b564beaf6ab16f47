"""WebSocket opening handshakes (RFC 6455, section 4) in plain code, without I/O.

They are ours, not the WebSocket library's, so that every backend refuses the same things with the same
errors, and so that the server can decide by path, origin and token before there is a WebSocket.
"""

import base64
import hashlib
import ipaddress
import os
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

import attrs
import h11

from realtime_actors.transports.errors import InvalidRequest

__all__ = [
    "Target",
    "accept_token",
    "header_map",
    "is_key",
    "offered_subprotocols",
    "parse_url",
    "upgrade_problem",
    "upgrade_request",
    "wants_upgrade",
]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")
_RESERVED_HEADERS = frozenset({"host", "upgrade", "connection", "content-length", "transfer-encoding"})


@attrs.frozen
class Target:
    """Where a WebSocket URL leads."""

    secure: bool
    host: str
    """As a name or an address, IPv6 without brackets."""
    port: int
    path: str
    query: str = attrs.field(repr=False)

    @property
    def authority(self) -> str:
        """`host:port`, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def display(self) -> str:
        """The URL as errors and logs may show it: without the query, which may hold a key."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}"

    @property
    def host_header(self) -> str:
        """The value of the Host header: without the port where it is the scheme's own."""
        if self.port == (443 if self.secure else 80):
            return self.authority.rpartition(":")[0]
        return self.authority

    @property
    def request_target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


def parse_url(url: str) -> Target:
    """Take a `ws://` or `wss://` URL apart; raises `InvalidRequest`, which shows its scheme at most."""
    if _CONTROL_OR_SPACE.search(url):
        raise InvalidRequest("the WebSocket URL holds a space or a control character; percent-encode it")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError:  # the message would quote the URL
        raise InvalidRequest("the WebSocket URL has a host or a port that is not valid") from None
    if parts.scheme not in {"ws", "wss"}:
        scheme = f"starts with {parts.scheme}://" if parts.scheme and parts.netloc else "has no scheme"
        raise InvalidRequest(f"the WebSocket URL {scheme}; it must start with ws:// or wss://")
    if not host:
        raise InvalidRequest("the WebSocket URL names no host")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("the WebSocket URL holds a user or a password; send credentials in a header")
    if parts.fragment:
        raise InvalidRequest("the WebSocket URL holds a fragment (#...), which WebSocket URLs must not")
    secure = parts.scheme == "wss"
    return Target(
        secure=secure,
        host=host,
        port=port or (443 if secure else 80),
        path=urllib.parse.quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/",
        query=urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~?"),
    )


def _ascii_host(host: str) -> str:
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    name = host.encode("idna").decode("ascii")
    if name and not _HOST.fullmatch(name):  # the codec lets spaces and the like through
        raise ValueError
    return name


def upgrade_request(
    target: Target, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]
) -> tuple[h11.Request, str]:
    """The client's request, and its key; raises `InvalidRequest` for what HTTP cannot carry."""
    key = base64.b64encode(os.urandom(16)).decode()
    for name in subprotocols:
        if not _TOKEN.fullmatch(name):
            raise InvalidRequest("a subprotocol holds characters that HTTP does not allow there")
    for name, _ in headers:
        if name.lower() in _RESERVED_HEADERS or name.lower().startswith("sec-websocket-"):
            raise InvalidRequest(f"the header {name!r} belongs to the WebSocket handshake and cannot be set")
    lines = [
        ("Host", target.host_header),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
        *([("Sec-WebSocket-Protocol", ", ".join(subprotocols))] if subprotocols else []),
        *headers,
    ]
    try:
        return h11.Request(method="GET", target=target.request_target, headers=lines), key
    except (h11.LocalProtocolError, UnicodeEncodeError):  # both quote the value
        raise InvalidRequest("a header's name or value holds characters that HTTP does not allow") from None


def accept_token(key: str) -> str:
    """The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key."""
    # RFC 6455 asks for SHA-1; it proves that the answer is fresh, nothing more.
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def is_key(value: str) -> bool:
    """Whether this is a Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455, section 4.2.1)."""
    return _KEY.fullmatch(value.strip()) is not None


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones are joined with a comma (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def wants_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request, or an answer, is about an upgrade to WebSocket."""
    return "websocket" in _list(headers, "upgrade") and "upgrade" in _list(headers, "connection")


def offered_subprotocols(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The subprotocols a client offers, in its order of preference."""
    return tuple(filter(None, map(str.strip, headers.get("sec-websocket-protocol", "").split(","))))


def upgrade_problem(headers: Mapping[str, str], key: str, subprotocols: Sequence[str]) -> str | None:
    """What is wrong with a server's 101 answer, or None if it may be trusted."""
    if not wants_upgrade(headers):
        return "the answer does not name the WebSocket upgrade"
    if headers.get("sec-websocket-accept", "").strip() != accept_token(key):
        return "the answer does not belong to this request (Sec-WebSocket-Accept)"
    if headers.get("sec-websocket-extensions", "").strip():
        return "the server switched on an extension that was not asked for"
    chosen = headers.get("sec-websocket-protocol")
    if chosen is not None and chosen not in subprotocols:
        return "the server chose a subprotocol that was not offered"
    return None


def _list(headers: Mapping[str, str], name: str) -> list[str]:
    return [item.strip().lower() for item in headers.get(name, "").split(",")]
