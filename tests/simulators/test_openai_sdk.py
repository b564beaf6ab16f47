"""OpenAI's own Python SDK (asyncio) as a client of the simulator, over a real socket."""

from typing import Any

from openai import AsyncOpenAI
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter
from sdk_conversation import TOOL, SDKConversation, conversational_brain, converse

from realtime_actors.simulators import OpenAISimulator

SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

UNDOCUMENTED = {"obfuscation", "session.object", "session.id", "session.expires_at"}
"""Keys that recordings show and the SDK's types do not have."""


async def talk(simulator: Any) -> None:
    """A whole conversation: settings, text, an image, audio, tools, a cancel, an interruption, corrections."""
    base = simulator.url.removesuffix("/realtime")
    async with (
        AsyncOpenAI(api_key="sk-test", websocket_base_url=base, base_url=base.replace("ws", "http")) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        wire = SDKConversation(connection, SERVER_EVENTS, UNDOCUMENTED)
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
        await wire.speak()
        done = await wire.until("response.done")
        assert done.response.output[0].content[0].transcript == "I heard you."
        await wire.two_calls()
        await wire.a_cancel_an_interruption_and_an_error("response.output_audio.delta")
        await corrections(wire)
    assert {
        "rate_limits.updated",
        "conversation.item.input_audio_transcription.completed",
        "response.output_audio_transcript.delta",
        "response.content_part.done",
    } <= set(wire.kinds())


async def text_turn(wire: SDKConversation) -> None:
    await wire.say("Hi", {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="})
    await wire.connection.response.create(response={"output_modalities": ["text"], "metadata": {"turn": "1"}})
    done = await wire.until("response.done")
    assert done.response.output[0].content[0].text == "Hello."
    assert done.response.usage.input_token_details.image_tokens > 0


async def corrections(wire: SDKConversation) -> None:
    await wire.say("A story!")
    await wire.connection.response.create()
    item_id = (await wire.until("response.output_audio.delta")).item_id
    await wire.connection.response.cancel()
    await wire.until("response.done")
    await wire.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=50)
    assert (await wire.until("conversation.item.truncated")).audio_end_ms == 50
    await wire.connection.conversation.item.retrieve(item_id=item_id)
    await wire.until("conversation.item.retrieved")
    await wire.connection.conversation.item.delete(item_id=item_id)
    await wire.until("conversation.item.deleted")
    await wire.connection.input_audio_buffer.clear()
    await wire.until("input_audio_buffer.cleared")


async def test_the_sdk_understands_every_event() -> None:
    """A conversation driven by the SDK; every event is, strictly, of the type the SDK takes it for."""
    await converse(OpenAISimulator(brain=conversational_brain(), speed=20), talk)
