"""The floor: a bare Trio socket with minimal framing, and orjson."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial

import orjson
import pybase64
import trio

from benchmarks.provider_path.meter import Pace
from benchmarks.provider_path.wire import message, plain_frame

__all__ = ["agent_delta", "broadcast", "listen", "messages", "relay", "speak"]


async def messages(connection: trio.socket.SocketType) -> AsyncGenerator[bytes]:
    """The messages of a socket with minimal framing."""
    data = bytearray()
    while True:
        data += await connection.recv(65536)
        start = 0
        while len(data) - start >= 4:
            end = start + 4 + int.from_bytes(data[start : start + 4])
            if len(data) < end:
                break
            yield bytes(data[start + 4 : end])
            start = end
        del data[:start]


async def _session(port: int, heard: Callable[[bytes], None]) -> None:
    connection = trio.socket.socket()
    await connection.connect(("127.0.0.1", port))
    await connection.send(plain_frame(message("session.update", session={"type": "realtime"})))
    await connection.send(plain_frame(message("response.create")))
    async for frame in messages(connection):
        event = orjson.loads(frame)
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
    connection = trio.socket.socket()
    await connection.connect(("127.0.0.1", port))
    await connection.send(plain_frame(message("session.update", session={"type": "realtime"})))
    await trio.sleep(0.5)
    for pause in pace.pauses(number):
        await trio.sleep(pause)
        audio = pybase64.b64encode_as_string(pace.piece())
        await connection.send(plain_frame(orjson.dumps({"type": "input_audio_buffer.append", "audio": audio})))
    await trio.sleep_forever()  # a socket that is closed now might take the last piece with it


async def _speak(port: int, sessions: int, pace: Pace) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(sessions):
            nursery.start_soon(_speaker, port, number, pace)


def speak(port: int, sessions: int, pace: Pace) -> None:
    """See the package."""
    trio.run(_speak, port, sessions, pace)


async def _relay_one(port: int, frontend: trio.SocketStream) -> None:
    connection = trio.socket.socket()
    await connection.connect(("127.0.0.1", port))
    await connection.send(plain_frame(message("session.update", session={"type": "realtime"})))
    await connection.send(plain_frame(message("response.create")))
    async for frame in messages(connection):
        event = orjson.loads(frame)
        match event["type"]:
            case "session.updated":
                await frontend.send_all(plain_frame(orjson.dumps({"type": "agent_ready"})))
            case "response.output_audio.delta":
                await frontend.send_all(plain_frame(orjson.dumps(agent_delta(event))))
            case _:
                pass


def agent_delta(event: dict[str, str]) -> dict[str, object]:
    """A provider's delta as a frontend gets it."""
    return {
        "type": "agent_response_audio_delta",
        "response_id": event["response_id"],
        "item_id": event["item_id"],
        "delta": event["delta"],
        "format": {"type": "audio/pcm", "rate": 24000},
        "agent_id": "friday",
        "agent_name": "Friday",
    }


async def _relay(port: int, listening: Callable[[int], None]) -> None:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        listening(listener.socket.getsockname()[1])
        await trio.serve_listeners(partial(_relay_one, port), [listener], handler_nursery=nursery)


def relay(port: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_relay, port, listening)


async def _rooms(port: int, agents: int, people: int, rooms: int, listening: Callable[[int], None]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listening(listener.socket.getsockname()[1])
    streams: list[trio.SocketStream] = []
    for _ in range(people * rooms):
        streams.append(await listener.accept())
        await streams[-1].send_all(plain_frame(orjson.dumps({"type": "agent_ready"})))
    async with trio.open_nursery() as nursery:
        for number in range(agents):
            nursery.start_soon(_broadcast_one, port, streams[number % rooms :: rooms])


async def _broadcast_one(port: int, frontends: list[trio.SocketStream]) -> None:
    connection = trio.socket.socket()
    await connection.connect(("127.0.0.1", port))
    await connection.send(plain_frame(message("session.update", session={"type": "realtime"})))
    await connection.send(plain_frame(message("response.create")))
    async for frame in messages(connection):
        event = orjson.loads(frame)
        if event["type"] == "response.output_audio.delta":
            made = plain_frame(orjson.dumps(agent_delta(event)))
            for frontend in frontends:
                await frontend.send_all(made)


def broadcast(port: int, agents: int, frontends: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_rooms, port, agents, frontends, agents, listening)


def rooms(port: int, agents: int, people: int, count: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_rooms, port, agents, people, count, listening)
