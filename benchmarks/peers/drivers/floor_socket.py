"""A bare Trio socket with minimal framing, and orjson."""

from __future__ import annotations

import attrs
import orjson
import pybase64
import trio

from benchmarks.peers.application import Application, Host, StartSoon
from benchmarks.provider_path.drivers.bare_socket import messages
from benchmarks.provider_path.wire import message, plain_frame

from .trio_host import on_trio

__all__ = ["consume", "converse", "interrupt", "listen", "speak", "stay"]


@attrs.frozen
class _Session:
    socket: trio.socket.SocketType

    async def ask(self) -> None:
        await self.socket.send(plain_frame(message("response.create")))

    async def append(self, pcm: bytes) -> None:
        audio = pybase64.b64encode_as_string(pcm)
        await self.socket.send(plain_frame(message("input_audio_buffer.append", audio=audio)))

    async def interrupt(self) -> None:
        await self.socket.send(plain_frame(message("response.cancel")))


async def _open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    socket = trio.socket.socket()
    await socket.connect(("127.0.0.1", port))
    await socket.send(plain_frame(message("session.update", session={"type": "realtime"})))

    async def hear() -> None:
        async for frame in messages(socket):
            event = orjson.loads(frame)
            if event["type"] == "response.output_audio.delta":
                await application.audio(pybase64.b64decode(event["delta"]))

    start_soon(hear)
    return _Session(socket)


def converse(port: int, rooms: int, agents: int) -> None:
    """What one socket hears is appended to all others."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(rooms):
                sockets = [trio.socket.socket() for _ in range(agents)]
                for socket in sockets:
                    await socket.connect(("127.0.0.1", port))
                    await socket.send(plain_frame(message("session.update", session={"type": "realtime"})))
                nursery.start_soon(_pass_on, sockets)

    trio.run(main)


async def _pass_on(sockets: list[trio.socket.SocketType]) -> None:
    speaker, *others = sockets
    await speaker.send(plain_frame(message("response.create")))
    async for frame in messages(speaker):
        event = orjson.loads(frame)
        if event["type"] == "response.output_audio.delta":
            for other in others:
                await other.send(plain_frame(message("input_audio_buffer.append", audio=event["delta"])))


_host = Host(_open_session, on_trio)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
