"""A WebSocket to a gateway, and what its refusals mean in words."""

import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

from realtime_actors.actors.errors import RealtimeError
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.options import TOKEN_VARIABLE
from realtime_actors.cli.urls import websocket_url
from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    TransportError,
    WebSocket,
    WebSocketOptions,
    default_transport,
)
from realtime_actors.transports.handshake import parse_url

__all__ = ["address_of", "connect", "in_words", "room_address"]

_DEMO = "start `realtime-actors demo` in another terminal, or say with --url where one is"
_TOKEN = f"with --token or in {TOKEN_VARIABLE}"


def address_of(url: str) -> str:
    """The WebSocket URL for what a user gives: a page's, or HOST:PORT, will do. Without a path: a new conversation."""
    url = websocket_url(url)
    with contextlib.suppress(ValueError):  # whoever connects says what is wrong with it
        if urlsplit(url).path in ("", "/"):
            url = f"{url.rstrip('/')}/ws/cli/{uuid.uuid4().hex[:12]}"
    return url


def room_address(url: str, room: str, name: str) -> str:
    """The WebSocket URL of somebody's place in a room of this gateway. Raises `CommandFailed`."""
    url = websocket_url(url)
    with contextlib.suppress(ValueError):  # as above
        if urlsplit(url).path not in ("", "/"):
            raise CommandFailed(
                f"--url {url} is one conversation's: with --room give the gateway's alone, without a path"
            )
        url = f"{url.partition('?')[0].rstrip('/')}/ws/{quote(name, safe='')}/{quote(room, safe='')}"
    return url


@asynccontextmanager
async def connect(url: str, token: str | None, *, connect_timeout: float) -> AsyncGenerator[WebSocket, None]:
    """A WebSocket for as long as the block lasts. Raises `CommandFailed`; the block's own errors come out as they are.

    `connect_timeout` is in seconds.
    """
    headers = [("Authorization", f"Bearer {token}")] if token else []
    options = WebSocketOptions(connect_timeout=connect_timeout, close_timeout=1.0)
    connecting = True
    try:
        async with default_transport().connect(url, headers=headers, options=options) as websocket:
            connecting = False
            yield websocket
    except TransportError as error:
        if not connecting:
            raise
        raise in_words(error, url, token) from error


def in_words(error: RealtimeError, url: str, token: str | None) -> CommandFailed:
    """What a transport's error means for who is talking, and what to do."""
    match error:
        case ConnectFailed(stage="tcp"):
            return CommandFailed(f"no server answers at {parse_url(url).authority}: {_DEMO}")
        case HandshakeRejected():
            return CommandFailed(_rejection(error, parse_url(url).display))
        case ConnectionClosed():
            return CommandFailed(_end(error, parse_url(url).display, token))
        case _:
            return CommandFailed(str(error))


def _rejection(error: HandshakeRejected, where: str) -> str:
    match error.status:
        case 401 | 403:
            return f"{where} lets nobody in without the right token: give it {_TOKEN}"
        case 404 | 405 | 426:
            return f"{where} is no address to talk to: a gateway's is ws://HOST:PORT/ws/USER/SESSION; {_DEMO}"
        case 503:
            return f"{where} is full: try again later"
        case _:
            return f"{where} answered with HTTP status {error.status} instead of a conversation: check --url"


def _end(error: ConnectionClosed, where: str, token: str | None) -> str:
    because = f": {error.reason}" if error.reason else ""
    words: dict[int, Callable[[], str]] = {
        1000: lambda: f"{where} ended the conversation before the answer was complete{because}",
        1001: lambda: f"{where} is stopping{because}; start it again and try again",
        1006: lambda: f"the connection to {where} broke{because}; check that the server still runs, and try again",
        1008: lambda: f"{where} closed the conversation{because or ', as against its rules'}",
        1009: lambda: f"{where} takes no messages of this size{because}",
        1011: lambda: f"{where} has failed{because}; its log says why",
        1013: lambda: f"{where} can take no more for now{because}; try again later",
        4401: lambda: (
            f"{where} does not accept this token: give the right one {_TOKEN}"
            if token
            else f"{where} wants a token: give it {_TOKEN}"
        ),
        4409: lambda: f"somebody else is in this conversation of {where}; use another session id at the end of --url",
    }
    say = words.get(error.code)
    return say() if say else f"{where} closed the conversation with code {error.code}{because}"
