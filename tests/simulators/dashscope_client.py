"""A client for the tests of DashScope's simulator: raw events over a transport, each checked against a table."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from realtime_actors.simulators import ScriptedBrain
from realtime_actors.simulators.dashscope import DashScopeSimulator
from realtime_actors.transports import ConnectionClosed, MemoryTransport, WebSocket

Json = dict[str, Any]
OLDER = "qwen3-omni-flash-realtime"
NEWER = "qwen3.5-omni-flash-realtime"
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(100)).decode()
WEATHER: Json = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}

PAGE: dict[str, list[tuple[str, Json]]] = json.loads(
    (Path(__file__).parent.parent / "providers" / "dashscope_frames.json").read_text()
)

_PLACE = ("response_id", "item_id", "output_index", "content_index")
FIELDS: dict[str, tuple[str, ...]] = {
    "session.created": ("session",),
    "session.updated": ("session",),
    "session.finished": (),
    "error": ("error",),
    "input_audio_buffer.speech_started": ("audio_start_ms", "item_id"),
    "input_audio_buffer.speech_stopped": ("audio_end_ms", "item_id"),
    "input_audio_buffer.committed": ("item_id",),
    "input_audio_buffer.cleared": (),
    "conversation.item.created": ("item",),
    "conversation.item.input_audio_transcription.delta": (
        "item_id",
        "content_index",
        "text",
        "stash",
        "language",
        "emotion",
    ),
    "conversation.item.input_audio_transcription.completed": ("item_id", "content_index", "transcript"),
    "conversation.item.input_audio_transcription.failed": ("item_id", "content_index", "error"),
    "response.created": ("response",),
    "response.done": ("response",),
    "response.output_item.added": ("response_id", "output_index", "item"),
    "response.output_item.done": ("response_id", "output_index", "item"),
    "response.content_part.added": (*_PLACE, "part"),
    "response.content_part.done": (*_PLACE, "part"),
    "response.text.delta": (*_PLACE, "delta"),
    "response.text.done": (*_PLACE, "text"),
    "response.audio_transcript.delta": (*_PLACE, "delta"),
    "response.audio_transcript.done": (*_PLACE, "transcript"),
    "response.audio.delta": (*_PLACE, "delta"),
    "response.audio.done": _PLACE,
    "response.function_call_arguments.delta": (*_PLACE[:3], "call_id", "delta"),
    "response.function_call_arguments.done": (*_PLACE[:3], "call_id", "name", "arguments"),
}
"""The fields of every documented event, beside `event_id`, `type` and, in deltas, a padding named `obfuscation`.
The SDK (2.0.2) has no types: it hands out each event as a dictionary."""


def check(event: Json) -> None:
    """The event has the documented fields, all of them and no other."""
    assert set(event) - {"obfuscation"} == {"event_id", "type", *FIELDS[event["type"]]}, event


class Client:
    """One connection."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.seen: list[Json] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.websocket.send(json.dumps({"event_id": "event_c", "type": kind, **fields}))

    async def update(self, **session: Any) -> Json:
        await self.send("session.update", session=session)
        return (await self.until("session.updated"))[-1]["session"]

    async def append(self, audio: bytes) -> None:
        for start in range(0, len(audio), 3200):
            encoded = base64.b64encode(audio[start : start + 3200]).decode()
            await self.send("input_audio_buffer.append", audio=encoded)

    async def commit(self, audio: bytes) -> list[Json]:
        await self.append(audio)
        await self.send("input_audio_buffer.commit")
        return await self.until("conversation.item.created")

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create")

    async def receive(self) -> Json:
        event = json.loads(await self.websocket.receive())
        check(event)
        self.seen.append(event)
        return event

    async def until(self, kind: str) -> list[Json]:
        """Events up to and with the first of this kind."""
        events: list[Json] = []
        while not events or events[-1]["type"] != kind:
            events.append(await self.receive())
        return events

    async def error(self) -> Json:
        return (await self.until("error"))[-1]["error"]

    async def closed(self) -> ConnectionClosed:
        """Read to the end, and tell how it ended."""
        while True:
            try:
                await self.receive()
            except ConnectionClosed as closed:
                return closed


@asynccontextmanager
async def talking(
    brain: ScriptedBrain | None = None, model: str = NEWER, *, manual: bool = False, **options: Any
) -> AsyncGenerator[Client, None]:
    """A session without sockets, for the virtual clock; the greeting is read already."""
    options = {"speed": 0, "seed": 1, **options}
    simulator = DashScopeSimulator(brain=brain or ScriptedBrain(), **options)
    transport = MemoryTransport(simulator.respond)
    url = f"ws://memory/api-ws/v1/realtime?model={model}"
    async with transport.connect(url, headers=(("Authorization", "Bearer sk-test"),)) as websocket:
        client = Client(websocket)
        await client.until("session.created")
        if manual:
            await client.update(turn_detection=None)
        yield client


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def audio_of(events: list[Json]) -> bytes:
    deltas = [event["delta"] for event in events if event["type"] == "response.audio.delta"]
    return b"".join(base64.b64decode(delta) for delta in deltas)
