"""What transports around another have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from realtime_actors.transports import ConnectionClosed, Transport, WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = ["WrappedTransport", "WrappedWebSocket"]


class WrappedTransport(Transport):
    """A transport that does what `inner` does, for one of your own: override `connecting` or `wrap`."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    async def connecting(self) -> None:
        """Called before each attempt to connect, which fails with the error that this raises."""

    def wrap(self, websocket: WebSocket) -> WebSocket:
        """What whoever connects is given in place of this connection."""
        return websocket

    @asynccontextmanager
    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AsyncGenerator[WebSocket, None]:
        """As the transport inside."""
        await self.connecting()
        async with self.inner.connect(url, headers=headers, subprotocols=subprotocols, options=options) as websocket:
            yield self.wrap(websocket)


class WrappedWebSocket(WebSocket):
    """A WebSocket that does what `inner` does."""

    def __init__(self, inner: WebSocket) -> None:
        self.inner = inner
        self.subprotocol, self.remote = inner.subprotocol, inner.remote

    @property
    def closed(self) -> ConnectionClosed | None:
        return self.inner.closed

    async def send(self, message: str | bytes) -> None:
        """As the one inside."""
        await self.inner.send(message)

    async def receive(self) -> str | bytes:
        """As the one inside."""
        return await self.inner.receive()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """As the one inside."""
        await self.inner.aclose(code, reason)

    def statistics(self) -> WebSocketStatistics:
        """As the one inside."""
        return self.inner.statistics()
