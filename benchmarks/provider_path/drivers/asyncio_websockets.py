"""`websockets` on asyncio and orjson, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import pybase64
from websockets.asyncio.client import connect

from benchmarks.provider_path.meter import Pace
from benchmarks.provider_path.wire import message

__all__ = ["listen", "speak"]


async def _session(port: int, heard: Callable[[bytes], None]) -> None:
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as socket:
        await socket.send(message("session.update", session={"type": "realtime"}).decode())
        await socket.send(message("response.create").decode())
        async for frame in socket:
            event = orjson.loads(frame)
            if event["type"] == "response.output_audio.delta":
                heard(pybase64.b64decode(event["delta"]))


async def _listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(sessions):
            tasks.create_task(_session(port, heard))


def listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    """See the package."""
    asyncio.run(_listen(port, sessions, heard))


async def _speaker(port: int, number: int, pace: Pace) -> None:
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as socket:
        await socket.send(message("session.update", session={"type": "realtime"}).decode())
        await asyncio.sleep(0.5)
        for pause in pace.pauses(number):
            await asyncio.sleep(pause)
            audio = pybase64.b64encode_as_string(pace.piece())
            await socket.send(orjson.dumps({"type": "input_audio_buffer.append", "audio": audio}).decode())
        await socket.wait_closed()


async def _speak(port: int, sessions: int, pace: Pace) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(sessions):
            tasks.create_task(_speaker(port, number, pace))


def speak(port: int, sessions: int, pace: Pace) -> None:
    """See the package."""
    asyncio.run(_speak(port, sessions, pace))
