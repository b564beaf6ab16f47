"""A hostile, or just independent, peer: raw bytes on trio streams, and WebSocket frames made by hand."""

import base64
import hashlib
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def frame(opcode: int, payload: bytes = b"", *, mask: bool = False, fin: bool = True) -> bytes:
    """One frame; servers send unmasked, clients masked (with zeros, so that the payload stays readable)."""
    first = opcode | (0x80 if fin else 0)
    flag = 0x80 if mask else 0
    if len(payload) < 126:
        head = bytes([first, flag | len(payload)])
    elif len(payload) < 65536:
        head = bytes([first, flag | 126]) + struct.pack("!H", len(payload))
    else:
        head = bytes([first, flag | 127]) + struct.pack("!Q", len(payload))
    return head + (bytes(4) if mask else b"") + payload


def close_frame(code: int, reason: str = "", *, mask: bool = False) -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode(), mask=mask)


def accept(key: str) -> str:
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


@attrs.define
class RawPeer:
    """One end of a connection, byte by byte."""

    stream: trio.abc.Stream
    buffer: bytearray = attrs.field(factory=bytearray)
    turn: trio.StrictFIFOLock = attrs.field(factory=trio.StrictFIFOLock)

    async def fill(self) -> bool:
        """Read more; false at the end of the stream or when it was reset."""
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            return False
        self.buffer += data
        return bool(data)

    async def read_head(self) -> str:
        while b"\r\n\r\n" not in self.buffer:
            if not await self.fill():
                raise EOFError
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        return head.decode()

    async def take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not await self.fill():
                raise EOFError
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    async def read_frame(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload; raises `EOFError` at the end."""
        first, second = await self.take(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.take(8))
        key = await self.take(4) if second & 0x80 else bytes(4)
        payload = await self.take(size)
        return first & 0x0F, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))

    async def read_close(self) -> int:
        """The code of the next Close frame, all else skipped."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else 1005

    async def send(self, data: bytes) -> None:
        async with self.turn:
            await self.stream.send_all(data)

    async def wait_eof(self) -> None:
        """Return when the other side has closed the connection."""
        while await self.fill():
            pass

    async def upgrade(self, *, trailing: bytes = b"") -> None:
        """As a server: accept the WebSocket; `trailing` goes out in one piece with the answer."""
        head = await self.read_head()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        await self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept(key).encode() + b"\r\n\r\n" + trailing
        )

    async def request_upgrade(self, *, trailing: bytes = b"") -> None:
        """As a client: ask for a WebSocket and read the answer's head."""
        await self.send(
            b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n\r\n" + trailing
        )
        assert (await self.read_head()).startswith("HTTP/1.1 101")


@asynccontextmanager
async def raw_server(handler: Callable[[RawPeer], Awaitable[None]]) -> AsyncGenerator[int]:
    """A TCP server on a free loopback port whose connections are handled byte by byte; gives the port."""

    async def connection(stream: trio.SocketStream) -> None:
        async with stream:
            await handler(RawPeer(stream))

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, connection, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def raw_client(port: int, *, trailing: bytes = b"") -> AsyncGenerator[RawPeer]:
    """A raw WebSocket client, its handshake done."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        peer = RawPeer(stream)
        await peer.request_upgrade(trailing=trailing)
        yield peer


@asynccontextmanager
async def no_task_left(*, besides: int = 0) -> AsyncGenerator[None]:
    """Fails when more tasks live after the block than before it, besides a number of the test's own."""
    before = trio.lowlevel.current_statistics().tasks_living
    yield
    await trio.testing.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before + besides
