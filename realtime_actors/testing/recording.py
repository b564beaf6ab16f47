"""A network that writes down what goes over it."""

from __future__ import annotations

from collections import deque

import attrs

from realtime_actors.transports import Transport, WebSocket

from .wrapped import WrappedTransport, WrappedWebSocket

__all__ = ["Recording", "RecordingTransport"]

Frames = deque[str | bytes]


@attrs.define(eq=False)
class Recording:
    """The frames of one connection, as the side that connects sees them. `sent` is written down before it is sent."""

    capacity: int
    sent: Frames = attrs.field(init=False)
    received: Frames = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sent, self.received = deque(maxlen=self.capacity), deque(maxlen=self.capacity)


class RecordingTransport(WrappedTransport):
    """A transport that writes down what goes over `inner`: of each connection the last `capacity` frames each way."""

    def __init__(self, inner: Transport, *, capacity: int = 100_000) -> None:
        super().__init__(inner)
        self.connections: list[Recording] = []
        """The connections that came about, in order."""
        self._capacity = capacity

    def wrap(self, websocket: WebSocket) -> WebSocket:
        """A connection that writes down what goes over this one."""
        self.connections.append(Recording(self._capacity))
        return _RecordedWebSocket(websocket, self.connections[-1])


class _RecordedWebSocket(WrappedWebSocket):
    def __init__(self, inner: WebSocket, recording: Recording) -> None:
        super().__init__(inner)
        self._recording = recording

    async def send(self, message: str | bytes) -> None:
        self._recording.sent.append(message)
        await super().send(message)

    async def receive(self) -> str | bytes:
        message = await super().receive()
        self._recording.received.append(message)
        return message
