"""What a gateway is told when it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from realtime_actors.transports import WebSocketOptions

from .errors import InvalidSettings
from .request import Authenticate

__all__ = ["GatewaySettings"]


def _at_least(least: float) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not value >= least:
            raise InvalidSettings(f"{attribute.name} is {value}: it must be {least} or more")

    return check


def _port(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value <= 65535:
        raise InvalidSettings(f"{attribute.name} is {value}: it must be from 0 (any free one) to 65535")


def _not_empty(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not value.strip():
        raise InvalidSettings(f"{attribute.name} is empty: give one that is hard to guess, or none at all")


def _origins(value: str | Iterable[str]) -> tuple[str, ...]:
    """One origin may stand without a sequence around it."""
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen(kw_only=True)
class GatewaySettings:
    """Where a gateway listens, whom it lets in, and its limits. Times are seconds, sizes bytes.

    Raises `InvalidSettings`.
    """

    host: str = "127.0.0.1"
    """This machine only; `0.0.0.0` or `::` is every address it has: then set a token."""
    port: int = attrs.field(default=8000, validator=_port)
    """0 takes a free one."""
    token: str | None = attrs.field(default=None, repr=False, validator=_not_empty)
    """What a frontend must show, as `Authorization: Bearer …` or as the WebSocket subprotocol
    `realtime-actors.token.…` (percent-encoded where it has characters that a subprotocol must not have).
    None lets everybody in."""
    authenticate: Authenticate | None = attrs.field(default=None, repr=False)
    """In place of a token: a hook that finds out who a frontend is, and refuses (4401) by raising `AccessDenied`.
    Whatever else it raises refuses with 1011 and is logged without its words."""
    authenticate_timeout: float = attrs.field(default=5.0, validator=_at_least(0.001))
    """How long the hook may take; then the frontend is closed with 1013."""
    certificate: str | Path | None = None
    """A file with the server's certificate and its chain (PEM): with it, frontends connect by `wss://` and the page
    by `https://`."""
    private_key: str | Path | None = None
    """The file with its key (PEM, not encrypted), if that is another one."""
    allowed_origins: tuple[str, ...] = attrs.field(default=(), converter=_origins)
    """Web pages (`https://example.com`) that may connect, beside those that come from this very host and port
    and programs that send no Origin. `*` is every page."""
    providers: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    """What a frontend may ask for as `config.model_provider`, the usual one first, if the agent factory leaves it a
    choice: `/healthz` says so, and the page offers it."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Added to every answer that is no WebSocket: `strict-transport-security`, for example."""
    max_sessions: int = attrs.field(default=200, validator=_at_least(1))
    """Frontends at a time; more are closed with 1013."""
    max_sessions_per_user: int | None = attrs.field(default=None, validator=_at_least(1))
    """Frontends of one user at a time; more are closed with 1013. None is any number: unless `authenticate` says
    who a user is, it is what the frontend says, and this is no fence."""
    max_connections_per_address: int | None = attrs.field(default=100, validator=_at_least(1))
    """From one IPv4 address, or one IPv6 network of 64 bits, the page's among them; more are answered with 429. None,
    for a gateway behind a proxy, is any number."""
    max_new_connections_per_second: float | None = attrs.field(default=50.0, validator=_at_least(1))
    """From one address, likewise, in the long run; five seconds' worth may come at once. More wait their turn. None is
    any number."""
    max_messages_per_second: float | None = attrs.field(default=150.0, validator=_at_least(1))
    """In the long run; pieces of messages and pings count as one each. Over it reading stops until the time is made
    up. None is any number. Speech in pieces of 20 ms is 50."""
    max_bytes_per_second: float | None = attrs.field(default=512.0 * 1024, validator=_at_least(1024))
    """Likewise. Speech at 24 kHz in base64 is 64 KB."""
    rate_burst: float = attrs.field(default=5.0, validator=_at_least(0.1))
    """As much as this many seconds' worth of either may come at once, once the frontend has been there for so long."""
    rate_patience: float = attrs.field(default=10.0, validator=_at_least(0))
    """A frontend that is over a rate for this long without a break is closed with 1008."""
    max_message_bytes: int = attrs.field(default=1024 * 1024, validator=_at_least(1024))
    """A longer message closes the frontend with 1009."""
    frontend_buffer_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_at_least(64 * 1024))
    """What waits for a frontend that reads too slowly; when it is more, the frontend is closed with 1013."""
    request_timeout: float = attrs.field(default=10.0, validator=_at_least(0.001))
    """For a TLS handshake, and then for a request to come in; 408."""
    first_message_timeout: float = attrs.field(default=60.0, validator=_at_least(0.001))
    """How long a frontend may be silent at first before it is closed with 1008."""
    hello_timeout: float = attrs.field(default=60.0, validator=_at_least(0.001))
    """How long a frontend may stay without a session before it is closed with 1008."""
    idle_timeout: float | None = attrs.field(default=600.0, validator=_at_least(0.001))
    """When a frontend has said nothing for so long, and no reply has run, its session ends (reason `idle`) and it is
    closed with 1008. None waits for ever. Silence that a microphone sends is not nothing."""
    session_timeout: float | None = attrs.field(default=3600.0, validator=_at_least(0.001))
    """How long a frontend may stay; then its session ends (reason `session_timeout`) and it is closed with 1008. None
    is for ever."""
    return_within: float | None = attrs.field(default=None, validator=_at_least(0))
    """How long the session of a frontend whose connection is lost waits for it: the conversation goes on, and what is
    said meanwhile waits for it, as far as there is room. 0 ends it at once. None is 30 in rooms, and else 0."""
    shared_sessions: bool | None = None
    """Whether another user who opens a session that somebody has joins it: hears and reads all, and may write. Others
    are closed with 4409. None: only where nobody is asked who they are, by `authenticate`. Rooms are always shared."""
    close_timeout: float = attrs.field(default=1.0, validator=_at_least(0))
    """How long a frontend may take to read its last events, and as long again for its part of the close."""
    ping_interval: float | None = 20.0
    """Pause between keepalive pings; a frontend that answers none is gone. None sends none."""

    def __attrs_post_init__(self) -> None:
        if self.token is not None and self.authenticate is not None:
            raise InvalidSettings("token and authenticate are both given: one of them says who comes in")
        if self.private_key is not None and self.certificate is None:
            raise InvalidSettings("private_key is given without certificate: give both, or neither")

    @property
    def websocket(self) -> WebSocketOptions:
        """The limits and deadlines of each frontend's WebSocket."""
        return WebSocketOptions(
            max_message_size=self.max_message_bytes,
            max_unread=self.max_message_bytes,
            close_timeout=self.close_timeout,
            ping_interval=self.ping_interval,
            max_frames_per_second=self.max_messages_per_second,
            max_bytes_per_second=self.max_bytes_per_second,
            rate_burst=self.rate_burst,
            rate_patience=self.rate_patience,
        )
