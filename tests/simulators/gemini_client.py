"""A client for the tests of Gemini's simulator: raw messages, each checked against the types of Google's SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from google.genai import types

from realtime_actors.simulators import GeminiSimulator
from realtime_actors.transports import ConnectionClosed, MemoryTransport, Transport, WebSocket

Json = dict[str, Any]
KEY = ("x-goog-api-key", "AIza-test")
MODEL = "models/gemini-3.8-live"
OLD = "models/gemini-2.5-flash-native-audio-preview-12-2025"
WEATHER: Json = {
    "name": "get_weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
}


def judge(message: Json) -> None:
    """The SDK's types refuse every field that they do not know."""
    read: Json = json.loads(json.dumps(message))
    if "voiceActivity" in read:
        # The SDK's converter (`_VoiceActivity_from_mldev`) takes it from this name.
        read["voiceActivity"]["voiceActivityType"] = read["voiceActivity"].pop("type")
    types.LiveServerMessage.model_validate(read)


class Client:
    """One connection."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.handles: list[str] = []

    async def send(self, **message: Any) -> None:
        await self.websocket.send(json.dumps(message))

    async def setup(self, model: str = MODEL, **fields: Any) -> Json:
        await self.send(setup={"model": model, **fields})
        return await self.receive()

    async def say(self, text: str) -> None:
        await self.send(realtimeInput={"text": text})

    async def content(self, *texts: str, complete: bool = True) -> None:
        turns = [{"role": "user", "parts": [{"text": text}]} for text in texts]
        await self.send(clientContent={"turns": turns, "turnComplete": complete})

    async def speak(self, pcm: bytes, rate: int = 16000) -> None:
        for start in range(0, len(pcm), rate // 5):
            data = base64.b64encode(pcm[start : start + rate // 5]).decode()
            await self.send(realtimeInput={"audio": {"mimeType": f"audio/pcm;rate={rate}", "data": data}})

    async def respond(self, call: Json, output: str, **fields: Any) -> None:
        result = {"id": call["id"], "name": call["name"], "response": {"output": output}, **fields}
        await self.send(toolResponse={"functionResponses": [result]})

    async def receive(self) -> Json:
        frame = await self.websocket.receive()
        assert isinstance(frame, bytes)
        message = json.loads(frame)
        judge(message)
        handle = message.get("sessionResumptionUpdate", {}).get("newHandle")
        if handle:
            self.handles.append(handle)
        return message

    async def until(self, key: str) -> list[Json]:
        """Messages up to and with the first that has this key, at its root or in its content."""
        messages: list[Json] = []
        while not messages or (key not in messages[-1] and key not in messages[-1].get("serverContent", {})):
            messages.append(await self.receive())
        return messages

    async def turn(self) -> list[Json]:
        """Messages up to and with the end of a turn."""
        return await self.until("turnComplete")

    async def closed(self) -> tuple[int | None, str]:
        """Read to the end, and tell how it ended."""
        while True:
            try:
                await self.receive()
            except ConnectionClosed as closed:
                return closed.code, closed.reason


@asynccontextmanager
async def connected(
    simulator: GeminiSimulator,
    *,
    transport: Transport | None = None,
    url: str = "ws://memory" + GeminiSimulator.path,
    headers: tuple[tuple[str, str], ...] = (KEY,),
) -> AsyncGenerator[Client, None]:
    """A connection without sockets, for the virtual clock."""
    transport = transport or MemoryTransport(simulator.respond)
    async with transport.connect(url, headers=headers) as websocket:
        with trio.fail_after(600):
            yield Client(websocket)


@asynccontextmanager
async def talking(simulator: GeminiSimulator, **setup: Any) -> AsyncGenerator[Client, None]:
    """A session that is open."""
    async with connected(simulator) as client:
        assert await client.setup(**setup) == {"setupComplete": {}}
        yield client


def contents(messages: list[Json], key: str) -> list[Any]:
    """The values of this key in the contents of these messages."""
    return [message["serverContent"][key] for message in messages if key in message.get("serverContent", {})]


def words(messages: list[Json], key: str = "outputTranscription") -> str:
    """What was transcribed."""
    return "".join(each["text"] for each in contents(messages, key))


def parts(messages: list[Json]) -> list[Json]:
    """The parts of what the model generated."""
    return [part for turn in contents(messages, "modelTurn") for part in turn["parts"]]


def audio_of(messages: list[Json]) -> bytes:
    """The speech in these messages."""
    return b"".join(base64.b64decode(part["inlineData"]["data"]) for part in parts(messages) if "inlineData" in part)


def kinds(messages: list[Json]) -> list[str]:
    """The keys of these messages in order, those of their contents among them; repeated ones once, empty ones not."""
    keys = [key for message in messages for part in (message, message.get("serverContent", {})) for key in part]
    shown = [key for key in keys if key not in ("serverContent", "usageMetadata")]
    return [key for number, key in enumerate(shown) if number == 0 or shown[number - 1] != key]
