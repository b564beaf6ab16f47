"""Every test of the seam runs on each backend: a new one is added to `NETWORKS`, and to `STREAM_TRANSPORTS`."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio

from realtime_actors.transports import (
    MemoryTransport,
    Respond,
    ServerOptions,
    StreamTransport,
    Transport,
    TrioWebSocketTransport,
    WebSocketOptions,
    serve,
)

type_of_network = Callable[..., AbstractAsyncContextManager[tuple[Transport, str]]]


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


STREAM_TRANSPORTS = [TrioWebSocketTransport]
NETWORKS = {
    "memory": memory,
    **{cls.__name__: partial(loopback, cls()) for cls in STREAM_TRANSPORTS},
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request: pytest.FixtureRequest) -> type_of_network:
    """Opens a server for a `Respond` function; gives the transport to connect with, and the URL."""
    return request.param


@pytest.fixture(params=STREAM_TRANSPORTS, ids=lambda cls: cls.__name__)
def transport(request: pytest.FixtureRequest) -> StreamTransport:
    """A backend on real sockets, for tests against a raw peer."""
    return request.param()
