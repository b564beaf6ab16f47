"""What the gateway shows of its runtime at `/debug/actors`, and to whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import msgspec

from realtime_actors.actors import ActorTree
from realtime_actors.transports import Request, Response

from .admission import is_loopback
from .authentication import BearerToken
from .errors import AccessDenied
from .settings import GatewaySettings

__all__ = ["DEBUG_PATH", "show_actors"]

DEBUG_PATH = "/debug/actors"
"""Where the runtime's actors are shown."""

_PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip"})
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


async def show_actors(request: Request, settings: GatewaySettings, tree: Callable[[], ActorTree]) -> Response:
    """The actors as JSON, or as a table for who asks for `text/plain` or `?format=text`.

    With a token it is for whoever shows it, from anywhere; without one for this machine. Names, classes and message
    types are shown, and numbers; nothing that a message holds.
    """
    refusal = await _refusal(request, settings)
    if refusal is not None:
        return refusal
    if _wants_text(request):
        return Response.text(200, str(tree()), **_HEADERS)
    return Response(headers={"content-type": "application/json", **_HEADERS}, body=msgspec.json.encode(tree()))


async def _refusal(request: Request, settings: GatewaySettings) -> Response | None:
    if settings.token is not None:
        # That somebody comes from this machine says nothing then: behind a proxy everybody does.
        try:
            await BearerToken(settings.token)(request)
        except AccessDenied:
            words = "the actors are shown to who has the gateway's token: send it as `Authorization: Bearer ...`"
            return Response.text(401, words, **{"www-authenticate": "Bearer", **_HEADERS})
        return None
    because = _not_from_here(request)
    if because is None:
        return None
    words = f"the actors are shown to this machine only, and {because}; to see them from elsewhere, set a token"
    return Response.text(403, words, **_HEADERS)


def _not_from_here(request: Request) -> str | None:
    """Why a request may be somebody's who is not on this machine, in words."""
    host = request.headers.get("host", "").lower()
    if not _is_local(request.remote):
        return "this request comes from another"
    if any(name in _PROXY_HEADERS or name.startswith("x-forwarded") for name in request.headers):
        return "this request came through a proxy"
    # A foreign page may have made its own name lead to this machine (DNS rebinding): then it is in Host.
    if not is_loopback(re.sub(r":\d+$", "", host)):
        return "this request was made to another name than this machine's (its Host header)"
    if request.headers.get("origin", f"http://{host}").lower() not in (f"http://{host}", f"https://{host}"):
        return "this request was made by another site's page (its Origin header)"
    return None


def _is_local(remote: str) -> bool:
    try:
        address = ipaddress.ip_address(remote.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _wants_text(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return request.query.get("format", "text" if accept.lower().startswith("text/plain") else "json") == "text"
