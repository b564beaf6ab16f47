"""Every test of the seam runs on each backend: a new one is added to `STREAM_TRANSPORTS`.

On sockets each backend talks to itself and to each other one, and to itself over TLS.
"""

import functools
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import trio
import trustme

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


@functools.cache
def authority() -> trustme.CA:
    """Who signs the certificate of the loopback, for all tests: it takes a while to make one."""
    return trustme.CA()


@functools.cache
def server_context() -> ssl.SSLContext:
    """With which a server on the loopback speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context


@functools.cache
def client_context() -> ssl.SSLContext:
    """With which a client trusts it."""
    context = ssl.create_default_context()
    authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - likewise
    return context


@asynccontextmanager
async def loopback(
    ours: type[StreamTransport],
    theirs: type[StreamTransport],
    respond: Respond,
    *,
    tls: bool = False,
    server: WebSocketOptions | None = None,
) -> AsyncGenerator[tuple[Transport, str], None]:
    """A client of one backend and a server of another, on a real loopback socket."""
    async with trio.open_nursery() as nursery:
        address = await nursery.start(
            partial(
                serve,
                respond,
                transport=theirs(),
                options=ServerOptions(websocket=server or WebSocketOptions()),
                ssl_context=server_context() if tls else None,
            )
        )
        scheme = "wss" if tls else "ws"
        yield ours(ssl_context=client_context() if tls else None), f"{scheme}://{address.host}:{address.port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def memory(
    respond: Respond, *, server: WebSocketOptions | None = None
) -> AsyncGenerator[tuple[Transport, str], None]:
    yield MemoryTransport(respond, server_options=server), "ws://memory"


STREAM_TRANSPORTS: list[type[StreamTransport]] = [DirectTransport, TrioWebSocketTransport]
NETWORKS: dict[str, Network] = {
    "memory": memory,
    **{f"{a.__name__} to {b.__name__}": partial(loopback, a, b) for a in STREAM_TRANSPORTS for b in STREAM_TRANSPORTS},
    **{f"{a.__name__} over TLS": partial(loopback, a, a, tls=True) for a in STREAM_TRANSPORTS},
}
