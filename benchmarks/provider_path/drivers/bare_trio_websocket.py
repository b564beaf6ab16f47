"""trio-websocket and orjson, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import orjson
import pybase64
import trio
import trio_websocket

from benchmarks.provider_path.meter import Pace
from benchmarks.provider_path.wire import message

from .bare_socket import agent_delta

__all__ = ["broadcast", "listen", "relay", "serve", "speak"]


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


async def _relay_one(port: int, request: trio_websocket.WebSocketRequest) -> None:
    try:
        await _relay_until_closed(port, request)
    except* (trio_websocket.ConnectionClosed, trio_websocket.DisconnectionTimeout):
        pass


async def _relay_until_closed(port: int, request: trio_websocket.WebSocketRequest) -> None:
    frontend = await request.accept()
    url = f"ws://127.0.0.1:{port}/"
    response_id = ""  # that of the reply that is passed on
    async with (
        trio_websocket.open_websocket_url(url, receive_buffer_size=65536, message_queue_size=16) as socket,
        trio.open_nursery() as nursery,
    ):

        async def obey() -> None:
            nonlocal response_id
            while True:
                said = orjson.loads(await frontend.get_message())
                match said["type"]:
                    case "client_audio_append":
                        await socket.send_message(message("input_audio_buffer.append", audio=said["audio"]).decode())
                    case "client_audio_commit":
                        await socket.send_message(message("input_audio_buffer.commit").decode())
                    case "client_session_end":
                        await frontend.send_message('{"type":"server_session_ended"}')
                    case "client_response_create":
                        await socket.send_message(message("response.create").decode())
                    case "client_response_cancel":
                        cancelled, response_id = response_id, ""
                        await socket.send_message(message("response.cancel", response_id=cancelled).decode())
                        await frontend.send_message('{"type":"agent_response_done"}')
                    case _:
                        pass

        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())
        nursery.start_soon(obey)
        while True:
            event = orjson.loads(await socket.get_message())
            match event["type"]:
                case "session.updated":
                    await frontend.send_message('{"type":"agent_ready"}')
                case "response.created":
                    response_id = event["response"]["id"]
                case "response.output_audio.delta" if event["response_id"] == response_id:
                    await frontend.send_message(orjson.dumps(agent_delta(event)).decode())
                case "response.done" if event["response"]["id"] == response_id:
                    await frontend.send_message('{"type":"agent_response_done"}')
                case _:
                    pass


async def serve(port: int, listening: Callable[[int], None]) -> None:
    """What `relay` runs."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            partial(
                trio_websocket.serve_websocket,
                partial(_relay_one, port),
                "127.0.0.1",
                0,
                None,
                message_queue_size=16,
                receive_buffer_size=65536,
            )
        )
        listening(server.port)


def relay(port: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(serve, port, listening)


async def _broadcast(port: int, agents: int, frontends: int, listening: Callable[[int], None]) -> None:
    sockets: list[trio_websocket.WebSocketConnection] = []
    all_there = trio.Event()

    async def take(request: trio_websocket.WebSocketRequest) -> None:
        sockets.append(frontend := await request.accept())
        await frontend.send_message('{"type":"agent_ready"}')
        if len(sockets) == agents * frontends:
            all_there.set()
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                await frontend.get_message()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            partial(
                trio_websocket.serve_websocket,
                take,
                "127.0.0.1",
                0,
                None,
                message_queue_size=16,
                receive_buffer_size=65536,
            )
        )
        listening(server.port)
        await all_there.wait()
        for number in range(agents):
            nursery.start_soon(_broadcast_one, port, sockets[number::agents])


async def _broadcast_one(port: int, frontends: list[trio_websocket.WebSocketConnection]) -> None:
    async with trio_websocket.open_websocket_url(
        f"ws://127.0.0.1:{port}/", receive_buffer_size=65536, message_queue_size=16
    ) as socket:
        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())
        await socket.send_message(message("response.create").decode())
        while True:
            event = orjson.loads(await socket.get_message())
            if event["type"] == "response.output_audio.delta":
                made = orjson.dumps(agent_delta(event)).decode()
                for frontend in frontends:
                    await frontend.send_message(made)


def broadcast(port: int, agents: int, frontends: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_broadcast, port, agents, frontends, listening)
