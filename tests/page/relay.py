"""A wire between a browser and a gateway that can be as bad as real ones."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

_PIECE = 16 * 1024
_ROOM = 16 * 1024  # bytes the kernel keeps for us: a relay that has stopped is soon full


@attrs.define(eq=False)
class Relay:
    """Passes bytes on, until it stops: then nothing comes through, and nobody is told, as when a cable is pulled."""

    port: int
    _gateway: int
    _going: trio.Event = attrs.field(factory=trio.Event)
    _open: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope])

    @property
    def url(self) -> str:
        """The gateway, seen from the browser."""
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        self._going = trio.Event()

    def cut(self) -> None:
        """Stop, and let both sides know: as when a phone changes from one network to another."""
        self.stop()
        for scope in self._open:
            scope.cancel()

    def go_on(self) -> None:
        self._going.set()

    async def serve(self, near: trio.SocketStream) -> None:
        """One connection, to its end."""
        await self._going.wait()
        far = await trio.open_tcp_stream("127.0.0.1", self._gateway)
        async with near, far, trio.open_nursery() as nursery:
            self._open.add(nursery.cancel_scope)
            nursery.start_soon(self._pass_on, near, far, nursery.cancel_scope)
            nursery.start_soon(self._pass_on, far, near, nursery.cancel_scope)
        self._open.discard(nursery.cancel_scope)

    async def _pass_on(self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
        try:
            while True:
                await self._going.wait()
                data = await source.receive_some(_PIECE)
                await self._going.wait()
                if not data:
                    break
                await sink.send_all(data)
        except trio.BrokenResourceError:
            pass
        both.cancel()


@asynccontextmanager
async def open_relay(gateway: int) -> AsyncGenerator[Relay]:
    """A relay to a gateway's port on this machine."""
    listening = trio.socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    await listening.bind(("127.0.0.1", 0))
    listening.listen(16)
    relay = Relay(listening.getsockname()[1], gateway)
    relay.go_on()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, relay.serve, [trio.SocketListener(listening)])
        yield relay
        nursery.cancel_scope.cancel()
