"""What the gateway answers to plain HTTP: the page and its parts, and its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from realtime_actors import __version__
from realtime_actors.transports import Response

__all__ = ["health", "load_page", "not_found"]

_PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",  # the pictures that one sends
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
_HEADERS = {
    "content-security-policy": _POLICY,
    "permissions-policy": "microphone=(self), camera=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # Asked for anew each time, so that a page never runs with parts of an older release.
    "cache-control": "no-cache",
}


def load_page() -> Mapping[str, Response]:
    """The page and its parts, by path: `/`, `/realtime.js` and so on. Blocks for some 110 KB of reading."""
    parts = {f"/{file.name}": _part(file) for file in sorted(_PAGE.iterdir()) if file.suffix in _TYPES}
    return {**parts, "/": parts["/index.html"]}


def health(*, sessions: int, max_sessions: int, providers: Sequence[str], is_draining: bool) -> Response:
    """What a load balancer reads at `/healthz`, and the page: whose models there are to choose from."""
    body = {
        "status": "draining" if is_draining else "ok",
        "sessions": sessions,
        "max_sessions": max_sessions,
        "providers": providers,
        "version": __version__,
    }
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Response(status=503 if is_draining else 200, headers=headers, body=orjson.dumps(body))


def not_found() -> Response:
    """The answer to every other path."""
    return Response.text(404, "there are /, /healthz and /ws/{user_id}/{session_id} here")


def _part(file: Path) -> Response:
    return Response(headers={"content-type": _TYPES[file.suffix], **_HEADERS}, body=file.read_bytes())
