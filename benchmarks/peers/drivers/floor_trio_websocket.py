"""trio-websocket and orjson, and nothing else."""

from __future__ import annotations

from contextlib import AsyncExitStack

import attrs
import orjson
import pybase64
import trio
import trio_websocket

from benchmarks.peers.application import Application, Host, StartSoon
from benchmarks.provider_path.wire import message

from .trio_host import on_trio

__all__ = ["consume", "converse", "interrupt", "listen", "speak", "stay"]

_until_the_process_ends = AsyncExitStack()


@attrs.frozen
class _Session:
    socket: trio_websocket.WebSocketConnection

    async def ask(self) -> None:
        await self.socket.send_message(message("response.create").decode())

    async def append(self, pcm: bytes) -> None:
        audio = pybase64.b64encode_as_string(pcm)
        await self.socket.send_message(message("input_audio_buffer.append", audio=audio).decode())

    async def interrupt(self) -> None:
        await self.socket.send_message(message("response.cancel").decode())


async def _open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    socket = await _until_the_process_ends.enter_async_context(
        trio_websocket.open_websocket_url(f"ws://127.0.0.1:{port}/", receive_buffer_size=65536, message_queue_size=16)
    )
    await socket.send_message(message("session.update", session={"type": "realtime"}).decode())

    async def hear() -> None:
        while True:
            event = orjson.loads(await socket.get_message())
            if event["type"] == "response.output_audio.delta":
                await application.audio(pybase64.b64decode(event["delta"]))

    start_soon(hear)
    return _Session(socket)


def converse(port: int, rooms: int, agents: int) -> None:
    """What one socket hears is appended to all others."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(rooms):
                sockets = [
                    await _until_the_process_ends.enter_async_context(
                        trio_websocket.open_websocket_url(
                            f"ws://127.0.0.1:{port}/", receive_buffer_size=65536, message_queue_size=16
                        )
                    )
                    for _ in range(agents)
                ]
                nursery.start_soon(_pass_on, sockets)

    trio.run(main)


async def _pass_on(sockets: list[trio_websocket.WebSocketConnection]) -> None:
    for socket in sockets:
        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())
    speaker, *others = sockets
    await speaker.send_message(message("response.create").decode())
    while True:
        event = orjson.loads(await speaker.get_message())
        if event["type"] == "response.output_audio.delta":
            for other in others:
                await other.send_message(message("input_audio_buffer.append", audio=event["delta"]).decode())


_host = Host(_open_session, on_trio)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
