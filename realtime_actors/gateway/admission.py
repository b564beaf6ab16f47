"""Which requests are good ones: decided from the request alone, without I/O."""

from __future__ import annotations

import ipaddress
import re

import attrs

from realtime_actors.events import MSGPACK_SUBPROTOCOL, Wire
from realtime_actors.transports import Request

from .settings import GatewaySettings

__all__ = [
    "JSON_SUBPROTOCOL",
    "TOKEN_SUBPROTOCOL",
    "Admission",
    "Refusal",
    "admit",
    "choose_subprotocol",
    "is_loopback",
    "parse_path",
]

JSON_SUBPROTOCOL = "realtime-actors.json"
"""Names the JSON wire, which is spoken anyway: for browsers, which need a subprotocol beside the token's."""
TOKEN_SUBPROTOCOL = "realtime-actors.token."  # noqa: S105 - where the token begins
"""What a subprotocol begins with whose rest is the token."""

_LONGEST_ID = 128


@attrs.frozen
class Admission:
    """A frontend that may come in."""

    user_id: str
    session_id: str
    wire: Wire


@attrs.frozen
class Refusal:
    """A WebSocket close code and reason."""

    code: int
    reason: str


def parse_path(path: str) -> tuple[str, str] | None:
    """The user id and session id in `/ws/{user_id}/{session_id}`; None for another path."""
    match path.split("/"):
        case ["", "ws", user_id, session_id] if user_id and session_id:
            return user_id, session_id
        case _:
            return None


def admit(request: Request, settings: GatewaySettings) -> Admission | Refusal:
    """Judge a request for `/ws/{user_id}/{session_id}` by its path and its Origin."""
    ids = parse_path(request.path)
    if ids is None or not all(_is_id(each) for each in ids):
        return Refusal(1008, f"user id and session id are 1 to {_LONGEST_ID} printable characters without a slash")
    if not _is_origin_allowed(request, settings):
        origin = request.headers["origin"]
        return Refusal(1008, f"origin {origin!r:.60} may not connect: it is not in allowed_origins")
    wire = Wire.MSGPACK if choose_subprotocol(request) == MSGPACK_SUBPROTOCOL else Wire.JSON
    return Admission(*ids, wire)


def choose_subprotocol(request: Request) -> str | None:
    """The first one offered that names a wire; else the token's, since a browser must be given one it offered."""
    offered = request.subprotocols
    for name in offered:
        if name in (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL):
            return name
    return next((name for name in offered if name.startswith(TOKEN_SUBPROTOCOL)), None)


def is_loopback(host: str) -> bool:
    """Whether this name or address is this machine's own, which no other can reach."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_id(text: str) -> bool:
    # U+FFFD is what bytes become that are not UTF-8: different ids would be the same.
    return len(text) <= _LONGEST_ID and text.isprintable() and "\ufffd" not in text


def _is_origin_allowed(request: Request, settings: GatewaySettings) -> bool:
    origin = request.headers.get("origin", "").lower()
    allowed = {each.lower().rstrip("/") for each in settings.allowed_origins}
    if not origin or "*" in allowed or origin in allowed:
        return True
    host = request.headers.get("host", "").lower()
    if origin not in (f"http://{host}", f"https://{host}"):
        return False
    # A foreign page whose name was made to lead to this machine (DNS rebinding) is of its own origin, too; but
    # its name is not this machine's.
    return not is_loopback(settings.host) or is_loopback(re.sub(r":\d+$", "", host))
