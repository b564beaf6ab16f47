"""OpenAI's own Python SDK (asyncio) as a client of Azure's simulator: both URLs, key and token."""

from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter
from sdk_conversation import TOOL, SDKConversation, conversational_brain, converse

from realtime_actors.simulators import AzureOpenAISimulator

GA: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
BETA: TypeAdapter[Any] = TypeAdapter(BetaServerEvent)

GA_UNDOCUMENTED = {
    # Recordings of OpenAI's wire in 2026.
    "obfuscation",
    "session.object",
    "session.id",
    "session.expires_at",
    # Recordings of Azure's: the part of `content_part.*` is there twice.
    "content",
}
BETA_UNDOCUMENTED = {
    # As in the GA wire.
    "obfuscation",
    # OpenAI's beta, as its API reference had it in 2025; the SDK's types leave them out.
    "session.object",
    "session.expires_at",
}

VERSION = "2025-04-01-preview"
FLAT_SESSION = {
    "instructions": "Be brief.",
    "modalities": ["text", "audio"],
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
    "temperature": 0.7,
    "tools": [TOOL],
}
NESTED_SESSION = {
    "type": "realtime",
    "instructions": "Be brief.",
    "audio": {
        "input": {"transcription": {"model": "my-whisper"}, "turn_detection": {"type": "server_vad"}},
        "output": {"voice": "marin"},
    },
    "tools": [TOOL],
}


def simulator(**options: Any) -> AzureOpenAISimulator:
    return AzureOpenAISimulator(brain=conversational_brain(), speed=20, transcripts="before", **options)


async def talk_ga(azure: Any) -> None:
    base = azure.url.removesuffix("/realtime")
    async with (
        AsyncOpenAI(api_key="a-token", websocket_base_url=base, base_url=base.replace("ws", "http")) as client,
        client.realtime.connect(model="my-deployment", extra_headers={"api-key": "a-key"}) as connection,
    ):
        wire = SDKConversation(connection, GA, GA_UNDOCUMENTED)
        assert (await wire.until("session.created")).session.model == "gpt-realtime"
        session: Any = NESTED_SESSION
        await connection.session.update(session=session)
        updated = await wire.until("session.updated")
        assert updated.session.audio.input.transcription.model == "my-whisper"
        image: Any = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
        await wire.say("Hi", image)
        await connection.response.create(response={"output_modalities": ["text"]})
        done = await wire.until("response.done")
        assert done.response.output[0].content[0].text == "Hello."
        await wire.speak()
        done = await wire.until("response.done")
        assert done.response.output[0].content[0].transcript == "I heard you."
        await wire.two_calls()
        await wire.a_cancel_an_interruption_and_an_error("response.output_audio.delta")
        assert "rate_limits.updated" not in wire.kinds()
        parts = [event for event in wire.seen if event["type"].startswith("response.content_part.")]
        assert parts
        assert all(event["part"] == event["content"] for event in parts)


async def talk_preview(azure: Any) -> None:
    base = azure.preview_url.removesuffix("/realtime").replace("ws", "http")
    async with (
        AsyncAzureOpenAI(
            azure_endpoint=base.removesuffix("/openai"),
            websocket_base_url=base.replace("http", "ws"),
            api_key="a-key",
            api_version=VERSION,
        ) as client,
        client.realtime.connect(model="my-deployment") as connection,
    ):
        wire = SDKConversation(connection, BETA, BETA_UNDOCUMENTED)
        await wire.until("conversation.created")
        session: Any = FLAT_SESSION
        await connection.session.update(session=session)
        await wire.until("session.updated")
        updated = wire.seen[-1]["session"]
        assert {name: updated[name] for name in FLAT_SESSION if name not in ("tools", "turn_detection")} == {
            **{name: value for name, value in FLAT_SESSION.items() if name not in ("tools", "turn_detection")},
            "modalities": ["audio", "text"],
            "input_audio_transcription": {"language": None, "model": "whisper-1", "prompt": None},
        }
        await wire.say("Hi")
        response: Any = {"modalities": ["text"]}
        await connection.response.create(response=response)
        await wire.until("response.text.done")
        await wire.until("response.done")
        assert wire.seen[-1]["response"]["output"][0]["content"] == [{"type": "text", "text": "Hello."}]
        await wire.speak()
        await wire.until("response.done")
        assert wire.seen[-1]["response"]["output"][0]["content"] == [{"type": "audio", "transcript": "I heard you."}]
        await wire.two_calls()
        await wire.a_cancel_an_interruption_and_an_error("response.audio.delta")
        await connection.response.create(response={"output_modalities": ["text"]})  # which this wire does not have
        await wire.until("error")
        bad: Any = {"turn_detection": {"type": "server_vad", "threshold": 7}}
        await connection.session.update(session=bad)
        assert (await wire.until("error")).error.param == "session.turn_detection.threshold"
        kinds = set(wire.kinds())
        assert {"conversation.item.created", "response.audio_transcript.done", "response.audio.done"} <= kinds
        assert not kinds & {"conversation.item.added", "conversation.item.done", "response.output_audio.delta"}


async def test_the_sdk_understands_every_event_of_the_ga_wire() -> None:
    await converse(simulator(), talk_ga)


async def test_the_sdk_understands_every_event_of_the_preview() -> None:
    await converse(simulator(), talk_preview)


async def test_a_token_opens_the_preview_too() -> None:
    async def talk(azure: Any) -> None:
        async def token() -> str:
            return "a-token"

        base = azure.preview_url.removesuffix("/realtime")
        async with (
            AsyncAzureOpenAI(
                base_url=base.replace("ws", "http"),
                websocket_base_url=base,
                azure_ad_token_provider=token,
                api_version=VERSION,
            ) as client,
            client.realtime.connect(model="my-deployment") as connection,
        ):
            assert (await connection.recv()).type == "session.created"

    await converse(simulator(accept_key="a-token".__eq__), talk)


@pytest.mark.parametrize(
    ("name", "key", "status"), [("my-deployment", "bad-key", 401), ("missing", "a-key", 404), ("", "a-key", 400)]
)
async def test_refused_handshakes(name: str, key: str, status: int) -> None:
    async def talk(azure: Any) -> None:
        base = azure.url.removesuffix("/realtime")
        client = AsyncOpenAI(api_key=key, websocket_base_url=base, base_url=base.replace("ws", "http"))
        with pytest.raises(Exception, match=str(status)):
            async with client, client.realtime.connect(model=name) as connection:
                await connection.recv()

    await converse(simulator(), talk)


async def test_a_transcription_needs_a_deployment() -> None:
    async def talk(azure: Any) -> None:
        base = azure.url.removesuffix("/realtime")
        async with (
            AsyncOpenAI(api_key="a-key", websocket_base_url=base, base_url=base.replace("ws", "http")) as client,
            client.realtime.connect(model="my-deployment") as connection,
        ):
            wire = SDKConversation(connection, GA, GA_UNDOCUMENTED)
            await wire.until("session.created")
            session: Any = {"type": "realtime", "audio": {"input": {"transcription": {"model": "missing-whisper"}}}}
            await connection.session.update(session=session)
            await wire.until("session.updated")
            await wire.speak()
            failed = await wire.until("conversation.item.input_audio_transcription.failed")
            assert failed.error.code == "DeploymentNotFound"
            done = await wire.until("response.done")
            assert done.response.status == "completed"

    await converse(simulator(), talk)
