"""What a gateway is told when it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from .errors import InvalidSettings

__all__ = ["GatewaySettings"]


def _at_least(least: float) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not value >= least:
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
    allowed_origins: tuple[str, ...] = attrs.field(default=(), converter=_origins)
    """Web pages (`https://example.com`) that may connect, beside those that come from this very host and port
    and programs that send no Origin. `*` is every page."""
    max_sessions: int = attrs.field(default=200, validator=_at_least(1))
    """Frontends at a time; more are closed with 1013."""
    max_message_bytes: int = attrs.field(default=1024 * 1024, validator=_at_least(1024))
    """A longer message closes the frontend with 1009."""
    frontend_buffer_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_at_least(64 * 1024))
    """What waits for a frontend that reads too slowly; when it is more, the frontend is closed with 1013."""
    hello_timeout: float = attrs.field(default=60.0, validator=_at_least(0.001))
    """How long a frontend may stay without a session before it is closed with 1008."""
    close_timeout: float = attrs.field(default=1.0, validator=_at_least(0))
    """How long a frontend may take to read its last events, and as long again for its part of the close."""
    ping_interval: float | None = 20.0
    """Pause between keepalive pings; a frontend that answers none is gone. None sends none."""
