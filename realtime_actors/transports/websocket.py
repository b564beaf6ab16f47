"""The seam between this package and whatever speaks WebSocket for it.

Everything above uses `WebSocket`, `WebSocketOptions` and `Transport`, and nothing else of a library. A
backend for real sockets derives from `realtime_actors.transports.client.StreamTransport` and writes one
method.
"""

import abc
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import attrs

from realtime_actors.transports.errors import ConnectionClosed

__all__ = ["Transport", "WebSocket", "WebSocketOptions", "WebSocketStatistics"]


@attrs.frozen(kw_only=True)
class WebSocketOptions:
    """Limits and deadlines of one WebSocket. Times are seconds, sizes bytes."""

    max_message_size: int = 16 * 1024 * 1024
    """A longer message (counted in bytes, over all its fragments) closes the connection with 1009."""
    max_unread: int = 4 * 1024 * 1024
    """Unread messages are kept up to this many bytes (or 1,024 messages); see `WebSocket`."""
    connect_timeout: float = 10.0
    """From the name lookup to the end of the handshake."""
    close_timeout: float = 2.0
    """How long the peer may take for its part of a close before the connection is cut."""
    ping_interval: float | None = 20.0
    """Pause between keepalive pings; None sends none."""
    ping_timeout: float = 10.0
    """A ping whose pong does not come within this time ends the connection with 1006."""
    max_frames_per_second: float | None = None
    """How fast the peer may send frames: messages, pieces of messages, pings. Over it (and over the next one)
    reading stops until the time is made up, which the peer feels as TCP back pressure. None is any."""
    max_bytes_per_second: float | None = None
    rate_burst: float = 5.0
    """As much as this many seconds' worth of either may come at once, once the peer has been there for so long."""
    rate_patience: float = 10.0
    """A peer that has been over a rate for this long without a break is closed with 1008."""


@attrs.frozen(kw_only=True)
class WebSocketStatistics:
    """What went over one WebSocket so far. Bytes are the payload of messages, framing not counted."""

    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
    unread_messages: int
    """Received, not yet taken with `receive`."""
    unread_bytes: int
    stalls: int
    """How often reading stopped because `max_unread` was reached."""


class WebSocket(abc.ABC):
    """An open WebSocket: whole messages, in order, both ways.

    Reading goes on in the background, so that pings are answered and pongs seen while nobody is in `receive`.
    What was read and not yet taken is bounded by `max_unread`. When that bound is reached, reading stops and
    the peer feels it as TCP back pressure; nothing is dropped. While it lasts, pings that wait behind the
    unread messages are not answered (no WebSocket library could: they come in one stream), and this side's
    own keepalive pauses, since a missing pong says nothing then.
    """

    subprotocol: str | None
    """The subprotocol agreed on, or None."""
    remote: str
    """The peer as `host:port`, for logs."""

    @property
    @abc.abstractmethod
    def closed(self) -> ConnectionClosed | None:
        """How the connection ended (or began to end), None while it is open."""

    @abc.abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Send one message, `str` as text, `bytes` as binary. Concurrent callers are served in order of
        arrival.

        Returns when the operating system has taken the message. A send that is cancelled after a part of its
        frame may have gone out ends the connection (1006), because the stream could not go on from there; one
        that is cancelled while it waits for its turn does no harm.

        Raises `ConnectionClosed`.
        """

    @abc.abstractmethod
    async def receive(self) -> str | bytes:
        """The next message.

        Messages that came before the peer closed are still delivered; after a close from this side they are
        discarded. Always a cancellation point, but gives way to other tasks only when it has to wait.

        Raises `ConnectionClosed`.
        """

    @abc.abstractmethod
    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close with this code (1000 to 4999) and reason (cut to 123 bytes), and wait until it is closed.

        The peer has `close_timeout` for its part, then the connection is cut. Idempotent: the first close
        wins, later calls only wait. If cancelled, the connection is cut at once.
        """

    @abc.abstractmethod
    def statistics(self) -> WebSocketStatistics:
        """Counters so far; of use after the close too."""


class Transport(abc.ABC):
    """Opens WebSockets."""

    @abc.abstractmethod
    def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Connect to a `ws://` or `wss://` URL for as long as the `async with` block lasts.

        Entering raises `InvalidRequest`, `ConnectFailed` or `HandshakeRejected`. Leaving closes the socket
        within `close_timeout`: with 1000, with 1001 when the block was cancelled, with 1011 when it raised.
        What the block raises comes out as it is, never inside an exception group of the transport's making. A
        connection that breaks does not interrupt the block: `send` and `receive` raise.
        """
