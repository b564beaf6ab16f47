"""OpenAI's own Python SDK (asyncio) as a client of xAI's simulator: xAI has none, and points to it."""

from typing import Any, cast

import pytest
from openai import AsyncOpenAI
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter
from sdk_conversation import TOOL, SDKConversation, conversational_brain, converse

from realtime_actors.simulators import XAISimulator

SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

UNDOCUMENTED = {
    # Every event of xAI's has one on recordings of 2026; OpenAI's types know it where items are told of.
    "previous_item_id",
    # Items, on the same recordings.
    "item.replayed",
    "item.role",
    "response.output.role",
    # What ties audio to words.
    "rid",
    "latency",
    "audio_duration_ms",
    "ts",
    "start_time",
    # Whether a transcript is complete: it comes several times.
    "status",
    # At the end of a response its id and usage are beside it.
    "response_id",
    "usage",
    # The session is flat, and says more of itself.
    *(
        f"session.{name}"
        for name in (
            "id",
            "object",
            "voice",
            "modalities",
            "turn_detection",
            "enable_noise_suppression",
            "keep_context",
            "enable_phonetic_spelling",
            "input_audio_transcription",
            "input_audio_format",
            "output_audio_format",
            "temperature",
            "max_response_output_tokens",
            "audio.input.transport",
            "audio.output.transport",
        )
    ),
}
"""Keys that recordings of xAI's wire show and the types of OpenAI's SDK do not have."""

UNKNOWN = {"ping", "conversation.item.input_audio_transcription.updated"}
"""Types of event that only xAI has."""


def completed(event: dict[str, Any]) -> dict[str, Any] | None:
    """The event with what OpenAI's types require and recordings of xAI's wire do not show; each must be missing."""
    kind: str = event["type"]
    event = {**event}
    if kind in UNKNOWN:
        return None
    if kind == "conversation.item.input_audio_transcription.completed":
        add(event, usage={"type": "duration", "seconds": 1})
    elif kind == "response.content_part.done":
        add(event, part={"type": "audio", "transcript": ""})
    elif kind == "response.function_call_arguments.delta":
        add(event, output_index=0)
    elif kind.startswith("response.output_item.") and event["item"]["type"] == "message":
        add(item := dict(event["item"]), content=[])
        event["item"] = item
    elif kind in ("response.created", "response.done"):
        response = {**event["response"], "status_details": None}
        assert event["response"]["status_details"] == "unimplemented"
        output = cast("list[dict[str, Any]]", event["response"]["output"])
        response["output"] = [openai_item(item) for item in output]
        event["response"] = response
    elif kind in ("session.created", "session.updated"):
        session: dict[str, Any] = {**event["session"]}
        add(session, type="realtime")
        tools: list[dict[str, Any]] = session["tools"]
        session["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
        event["session"] = session
    return event


def add(event: dict[str, Any], **fields: Any) -> None:
    assert not fields.keys() & event.keys()
    event |= fields


def openai_item(item: dict[str, Any]) -> dict[str, Any]:
    """xAI calls the parts of an item what OpenAI calls those of an event."""
    if "content" not in item:
        return item
    content = cast("list[dict[str, Any]]", item["content"])
    assert {part["type"] for part in content} == {"audio"}
    return {**item, "content": [{**part, "type": "output_audio"} for part in content]}


async def talk(simulator: Any) -> None:
    base = simulator.url.removesuffix("/realtime")
    async with (
        AsyncOpenAI(api_key="xai-test", websocket_base_url=base, base_url=base.replace("ws", "http")) as client,
        client.realtime.connect(model="grok-voice-latest") as connection,
    ):
        wire = SDKConversation(connection, SERVER_EVENTS, UNDOCUMENTED, completed)
        await wire.until("ping")
        assert wire.kinds() == ["session.created", "conversation.created", "ping"]
        session: Any = {
            "instructions": "Be brief.",
            "voice": "eve",
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
            "audio": {"input": {"transcription": {"model": "grok-transcribe"}}},
            "tools": [TOOL],
        }
        await connection.session.update(session=session)
        await wire.until("session.updated")
        await wire.say("Hi")
        await connection.response.create()
        await wire.until("response.done")
        assert wire.seen[-1]["response"]["output"][0]["content"] == [{"type": "audio", "transcript": "Hello."}]
        assert wire.seen[-1]["usage"]["billable_audio_seconds"] > 0
        await wire.speak()
        await wire.until("response.done")
        assert wire.seen[-1]["response"]["output"][0]["content"][0]["transcript"] == "I heard you."
        await wire.two_calls()
        await wire.a_cancel_an_interruption_and_an_error("response.output_audio.delta", reasons=False)
        await push_to_talk(wire)
    kinds = set(wire.kinds())
    assert "conversation.item.input_audio_transcription.updated" in kinds
    assert not kinds & {"conversation.item.done", "rate_limits.updated"}


async def push_to_talk(wire: SDKConversation) -> None:
    """A commit of speech starts the reply; one of silence does nothing."""
    session: Any = {"turn_detection": None}
    await wire.connection.session.update(session=session)
    await wire.until("session.updated")
    await wire.connection.input_audio_buffer.append(audio="AAAA" * 3200)
    await wire.connection.input_audio_buffer.commit()
    await wire.speak()
    await wire.connection.input_audio_buffer.commit()
    begin = len(wire.seen)
    await wire.until("response.created")
    assert [kind for kind in wire.kinds()[begin:] if kind != "ping"] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    await wire.connection.response.cancel()
    await wire.until("response.done")


async def test_the_sdk_understands_every_event() -> None:
    """But for the exceptions that are written down here."""
    await converse(XAISimulator(brain=conversational_brain(), speed=20, tells_interruptions=True), talk)


@pytest.mark.parametrize(("model", "key", "status"), [("grok-voice-latest", "bad", 401), ("gpt-realtime", "k", 404)])
async def test_refused_handshakes(model: str, key: str, status: int) -> None:
    async def refused(simulator: Any) -> None:
        base = simulator.url.removesuffix("/realtime")
        client = AsyncOpenAI(api_key=key, websocket_base_url=base, base_url=base.replace("ws", "http"))
        with pytest.raises(Exception, match=str(status)):
            async with client, client.realtime.connect(model=model) as connection:
                await connection.recv()

    await converse(XAISimulator(brain=conversational_brain()), refused)
