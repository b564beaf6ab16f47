"""What transports around another have in common."""

from realtime_actors.transports import ConnectionClosed, WebSocket, WebSocketStatistics

__all__ = ["WrappedWebSocket"]


class WrappedWebSocket(WebSocket):
    """A WebSocket that does what the one inside does."""

    def __init__(self, inner: WebSocket) -> None:
        self.subprotocol, self.remote = inner.subprotocol, inner.remote
        self._inner = inner

    @property
    def closed(self) -> ConnectionClosed | None:
        return self._inner.closed

    async def send(self, message: str | bytes) -> None:
        await self._inner.send(message)

    async def receive(self) -> str | bytes:
        return await self._inner.receive()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._inner.aclose(code, reason)

    def statistics(self) -> WebSocketStatistics:
        return self._inner.statistics()
