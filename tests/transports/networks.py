"""Every test of the seam runs on each backend: a new one is added to `NETWORKS`, and to `STREAM_TRANSPORTS`."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import trio

from realtime_actors.transports import (
    DirectTransport,
    MemoryTransport,
    Respond,
    ServerOptions,
    StreamTransport,
    Transport,
    TrioWebSocketTransport,
    WebSocketOptions,
    serve,
)

Network = Callable[..., AbstractAsyncContextManager[tuple[Transport, str]]]
"""Opens a server for a `Respond` function; gives the transport to connect with, and the URL."""


@asynccontextmanager
async def loopback(
    transport: StreamTransport, respond: Respond, *, server: WebSocketOptions | None = None
) -> AsyncGenerator[tuple[Transport, str], None]:
    """The server on a real loopback socket."""
    options = ServerOptions(websocket=server or WebSocketOptions())
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, respond, transport=transport, options=options))
        yield transport, f"ws://{address.host}:{address.port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def memory(
    respond: Respond, *, server: WebSocketOptions | None = None
) -> AsyncGenerator[tuple[Transport, str], None]:
    yield MemoryTransport(respond, server_options=server), "ws://memory"


STREAM_TRANSPORTS: list[type[StreamTransport]] = [DirectTransport, TrioWebSocketTransport]
NETWORKS: dict[str, Network] = {
    "memory": memory,
    **{cls.__name__: partial(loopback, cls()) for cls in STREAM_TRANSPORTS},
}
