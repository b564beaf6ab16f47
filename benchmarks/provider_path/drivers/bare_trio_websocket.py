"""trio-websocket and orjson, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pybase64
import trio
import trio_websocket

from benchmarks.provider_path.meter import Pace
from benchmarks.provider_path.wire import message

__all__ = ["listen", "speak"]


async def _session(port: int, heard: Callable[[bytes], None]) -> None:
    async with trio_websocket.open_websocket_url(
        f"ws://127.0.0.1:{port}/", receive_buffer_size=65536, message_queue_size=16
    ) as socket:
        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())
        await socket.send_message(message("response.create").decode())
        while True:
            event = orjson.loads(await socket.get_message())
            if event["type"] == "response.output_audio.delta":
                heard(pybase64.b64decode(event["delta"]))


async def _listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(sessions):
            nursery.start_soon(_session, port, heard)


def listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    """See the package."""
    trio.run(_listen, port, sessions, heard)


async def _speaker(port: int, number: int, pace: Pace) -> None:
    async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{port}/", message_queue_size=16) as socket:
        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())
        await trio.sleep(0.5)
        for pause in pace.pauses(number):
            await trio.sleep(pause)
            audio = pybase64.b64encode_as_string(pace.piece())
            await socket.send_message(orjson.dumps({"type": "input_audio_buffer.append", "audio": audio}).decode())
        await trio.sleep_forever()


async def _speak(port: int, sessions: int, pace: Pace) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(sessions):
            nursery.start_soon(_speaker, port, number, pace)


def speak(port: int, sessions: int, pace: Pace) -> None:
    """See the package."""
    trio.run(_speak, port, sessions, pace)
