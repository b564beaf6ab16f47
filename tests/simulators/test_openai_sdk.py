"""OpenAI's own Python SDK (asyncio) as a client of the simulator, over a real socket."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import trio
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from realtime_actors.simulators import Call, Endless, OpenAISimulator, Reply, Say, ScriptedBrain, buzz

SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
TOOL = {"type": "function", "name": "get_time", "description": "The time.", "parameters": {"type": "object"}}


UNDOCUMENTED = {"obfuscation", "session.object", "session.id", "session.expires_at"}
"""Keys that recordings show and the SDK's types do not have."""


def unknown_keys(value: object, path: str = "") -> Iterator[str]:
    """The paths of all keys in a parsed event that the SDK's types do not know."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{key}" for key in value.model_extra or {})
        for key in type(value).model_fields:
            yield from unknown_keys(getattr(value, key), f"{path}{key}.")
    elif type(value) is list:
        for entry in value:  # pyright: ignore[reportUnknownVariableType]
            yield from unknown_keys(entry, path)  # pyright: ignore[reportUnknownArgumentType]


class Conversation:
    """What one connection of the SDK receives; each raw event must be one of the SDK's types, to the letter."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.seen: list[str] = []

    async def until(self, kind: str) -> Any:
        while True:
            raw = await self.connection.recv_bytes()
            strict = SERVER_EVENTS.validate_json(raw)
            event = self.connection.parse_event(raw)
            assert type(event) is type(strict)
            assert event.model_dump(exclude_unset=True) == strict.model_dump(exclude_unset=True)
            assert set(unknown_keys(strict)) <= UNDOCUMENTED
            self.seen.append(event.type)
            if event.type == kind:
                return event


async def converse(url: str) -> list[str]:
    """A whole conversation: settings, text, an image, audio, a tool, a cancel, corrections; the types of event seen."""
    async with (
        AsyncOpenAI(api_key="sk-test", websocket_base_url=url, base_url=url.replace("ws", "http")) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        wire = Conversation(connection)
        assert (await wire.until("session.created")).session.model == "gpt-realtime"
        session: Any = {
            "type": "realtime",
            "instructions": "Be brief.",
            "audio": {
                "input": {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}},
                "output": {"voice": "marin"},
            },
            "tools": [TOOL],
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        }
        await connection.session.update(session=session)
        assert (await wire.until("session.updated")).session.audio.output.voice == "marin"
        await text_turn(wire)
        await audio_turn(wire)
        await tool_turn(wire)
        await cancel_and_correct(wire)
    return wire.seen


async def text_turn(wire: Conversation) -> None:
    image: Any = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    await wire.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [image, {"type": "input_text", "text": "Hi"}]}
    )
    await wire.connection.response.create(response={"output_modalities": ["text"], "metadata": {"turn": "1"}})
    done = await wire.until("response.done")
    assert done.response.output[0].content[0].text == "Hello."
    assert done.response.usage.input_token_details.image_tokens > 0


async def audio_turn(wire: Conversation) -> None:
    audio = bytes(48000) + buzz(800, 24000) + bytes(48000)
    for start in range(0, len(audio), 9600):
        await wire.connection.input_audio_buffer.append(audio=base64.b64encode(audio[start : start + 9600]).decode())
    await wire.until("input_audio_buffer.speech_started")
    done = await wire.until("response.done")
    assert done.response.output[0].content[0].transcript == "I heard you."


async def tool_turn(wire: Conversation) -> None:
    await wire.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What time is it?"}]}
    )
    await wire.connection.response.create()
    call = await wire.until("response.function_call_arguments.done")
    assert (call.name, json.loads(call.arguments)) == ("get_time", {"zone": "UTC"})
    await wire.until("response.done")
    await wire.connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
    )
    await wire.connection.response.create()
    done = await wire.until("response.done")
    assert done.response.output[0].content[0].transcript == "It is noon."


async def cancel_and_correct(wire: Conversation) -> None:
    await wire.connection.response.create()
    item_id = (await wire.until("response.output_audio.delta")).item_id
    await wire.connection.response.cancel()
    done = await wire.until("response.done")
    assert done.response.status_details.reason == "client_cancelled"
    await wire.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=50)
    assert (await wire.until("conversation.item.truncated")).audio_end_ms == 50
    await wire.connection.conversation.item.retrieve(item_id=item_id)
    await wire.until("conversation.item.retrieved")
    await wire.connection.conversation.item.delete(item_id=item_id)
    await wire.until("conversation.item.deleted")
    await wire.connection.response.cancel(event_id="mine")
    assert (await wire.until("error")).error.event_id == "mine"
    await wire.connection.input_audio_buffer.clear()
    await wire.until("input_audio_buffer.cleared")


async def test_the_sdk_understands_every_event() -> None:
    """A conversation driven by the SDK; every event is, strictly, of the type the SDK takes it for."""
    brain = ScriptedBrain(
        replies=[
            Reply([Say("Hello.")]),
            Reply([Say("I heard you.")]),
            Reply([Call("get_time", '{"zone": "UTC"}')], when="what time"),
            Reply([Say("It is noon.")], after="get_time"),
        ],
        transcripts=["anybody there?"],
        default=[Endless()],
    )
    simulator = OpenAISimulator(brain=brain, speed=20)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(simulator.serve)
        url = f"ws://{address.host}:{address.port}/v1"
        seen = await trio.to_thread.run_sync(asyncio.run, converse(url))
        nursery.cancel_scope.cancel()
    assert {
        "rate_limits.updated",
        "conversation.item.input_audio_transcription.completed",
        "response.output_audio_transcript.delta",
        "response.content_part.done",
    } <= set(seen)
