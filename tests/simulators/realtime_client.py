"""A client for the tests of OpenAI's simulator: raw events over a transport, each checked against the SDK's types."""

import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime_actors.simulators import OpenAISimulator
from realtime_actors.transports import (
    ConnectionClosed,
    MemoryTransport,
    Transport,
    TrioWebSocketTransport,
    WebSocket,
)

Json = dict[str, Any]
SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
KEY = ("Authorization", "Bearer sk-test")


class Client:
    """One connection."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.seen: list[Json] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.websocket.send(json.dumps({"type": kind, **fields}))

    async def update(self, **session: Any) -> Json:
        await self.send("session.update", session={"type": "realtime", **session})
        return (await self.until("session.updated"))[-1]

    async def say(self, text: str, **response: Any) -> None:
        """A text turn."""
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create", response=response)

    async def append(self, audio: bytes) -> None:
        for start in range(0, len(audio), 4800):
            encoded = base64.b64encode(audio[start : start + 4800]).decode()
            await self.send("input_audio_buffer.append", audio=encoded)

    async def receive(self) -> Json:
        event = json.loads(await self.websocket.receive())
        SERVER_EVENTS.validate_python(event)
        self.seen.append(event)
        return event

    async def until(self, kind: str, where: Callable[[Json], bool] = lambda _: True) -> list[Json]:
        """Events up to and with the first of this kind."""
        events: list[Json] = []
        while not events or events[-1]["type"] != kind or not where(events[-1]):
            events.append(await self.receive())
        return events

    async def closed(self) -> ConnectionClosed:
        """Read to the end, and tell how it ended."""
        while True:
            try:
                await self.receive()
            except ConnectionClosed as closed:
                return closed


@asynccontextmanager
async def connected(
    url: str,
    transport: Transport,
    *,
    model: str = "gpt-realtime",
    headers: tuple[tuple[str, str], ...] = (KEY,),
    subprotocols: tuple[str, ...] = (),
) -> AsyncGenerator[Client, None]:
    async with transport.connect(f"{url}?model={model}", headers=headers, subprotocols=subprotocols) as websocket:
        yield Client(websocket)


@asynccontextmanager
async def in_memory(simulator: OpenAISimulator) -> AsyncGenerator[Client, None]:
    """A session without sockets, for the virtual clock; the greeting is read already."""
    async with connected("ws://memory/v1/realtime", MemoryTransport(simulator.respond)) as client:
        await client.until("session.created")
        yield client


@asynccontextmanager
async def on_a_socket(simulator: OpenAISimulator) -> AsyncGenerator[Client, None]:
    """A session over loopback; the greeting is read already."""
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        async with connected(simulator.url, TrioWebSocketTransport()) as client:
            await client.until("session.created")
            yield client
        nursery.cancel_scope.cancel()


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def audio_of(events: list[Json]) -> bytes:
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(delta) for delta in deltas)
