"""Google's own Python SDK (asyncio) as a client of the simulator, over a real socket: the SDK insists on TLS."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme
from google import genai
from google.genai import errors, types

from realtime_actors.simulators import Call, Endless, Fail, GeminiSimulator, Reply, Say, ScriptedBrain, buzz
from realtime_actors.transports import serve

MODEL = "gemini-3.8-live"
OLD = "gemini-2.5-flash-native-audio-preview-12-2025"
SPEECH = bytes(16000) + buzz(800, 16000) + bytes(32000)


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Where.
    """
    return city


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - trustme leaves it open
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - trustme leaves it open
    return context


Converse = Callable[[str], Coroutine[Any, Any, None]]


async def drive(
    converse: Converse, *replies: Reply, transcripts: tuple[str, ...] = (), **options: Any
) -> ScriptedBrain:
    """Run a conversation of the SDK with a simulator that gives these replies."""
    brain = ScriptedBrain(replies=list(replies), transcripts=transcripts, default=[Endless()])
    options = {"speed": 20, "playback": 0.05, "seed": 1, **options}
    simulator = GeminiSimulator(brain=brain, **options)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(functools.partial(serve, simulator.respond, ssl_context=server_context()))
        with trio.fail_after(30):
            await trio.to_thread.run_sync(asyncio.run, converse(f"https://{address.host}:{address.port}"))
        nursery.cancel_scope.cancel()
    return brain


@asynccontextmanager
async def connected(url: str, model: str = MODEL, key: str = "AIza-test", **config: Any) -> AsyncGenerator[Any]:
    options: Any = {"base_url": url, "api_version": "v1beta", "async_client_args": {"ssl": client_context()}}
    client = genai.Client(api_key=key, http_options=options)
    settings: Any = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}, **config}
    async with client.aio.live.connect(model=model, config=settings) as session:
        yield session


async def turn(session: Any) -> list[types.LiveServerMessage]:
    """What the SDK takes for a turn."""
    return [message async for message in session.receive()]


def spoken(messages: list[types.LiveServerMessage], *, heard: bool = False) -> str:
    """What was said, or heard."""
    found = [message.server_content for message in messages if message.server_content]
    all_words = [each.input_transcription if heard else each.output_transcription for each in found]
    return "".join((each.text or "") for each in all_words if each)


async def speak(session: Any) -> None:
    for start in range(0, len(SPEECH), 3200):
        audio = types.Blob(data=SPEECH[start : start + 3200], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=audio)


@pytest.mark.parametrize("model", [MODEL, OLD])
async def test_a_spoken_turn(model: str) -> None:
    async def converse(url: str) -> None:
        detection = {"automatic_activity_detection": {"silence_duration_ms": 300}}
        async with connected(
            url, model, input_audio_transcription={}, realtime_input_config=detection, session_resumption={}
        ) as session:
            await speak(session)
            messages = await turn(session)
            assert spoken(messages, heard=True).strip() == "good morning"
            assert spoken(messages) == "Hello."
            data = b"".join(message.data or b"" for message in messages)
            assert data == ScriptedBrain().audio("Hello.", 24000)
            usage = messages[-1].usage_metadata
            assert usage is not None
            assert usage.response_token_count
            handles = [message.session_resumption_update for message in messages if message.session_resumption_update]
            assert handles[0].new_handle
            activity = [message.voice_activity for message in messages if message.voice_activity]
            assert [each.voice_activity_type for each in activity] == (
                [types.VoiceActivityType.ACTIVITY_START, types.VoiceActivityType.ACTIVITY_END] if model == MODEL else []
            )

    await drive(converse, Reply([Say("Hello.")]), transcripts=("good morning",))


async def test_text_and_a_picture() -> None:
    async def converse(url: str) -> None:
        async with connected(url, system_instruction="Be brief.") as session:
            await session.send_client_content(turns={"role": "user", "parts": [{"text": "Hi"}]})  # pyright: ignore[reportArgumentType]
            assert spoken(await turn(session)) == "Hello."
            await session.send_realtime_input(video=types.Blob(data=b"\xff\xd8\xff", mime_type="image/jpeg"))
            await session.send_realtime_input(text="What is it?")
            messages = await turn(session)
            assert spoken(messages) == "A pear."
            usage = messages[-1].usage_metadata
            assert usage is not None
            details = usage.prompt_tokens_details or []
            assert types.MediaModality.IMAGE in [each.modality for each in details]
            await session.send_context_update(system_instruction="Speak French.", tools=[])
            await session.send_realtime_input(text="And now?")
            assert spoken(await turn(session)) == "Oui."

    brain = await drive(converse, Reply([Say("Hello.")]), Reply([Say("A pear.")]), Reply([Say("Oui.")]))
    assert brain.heard[0].text == "Speak French."


async def test_two_calls_at_once() -> None:
    async def converse(url: str) -> None:
        async with connected(url, tools=[weather]) as session:
            await session.send_realtime_input(text="Weather?")
            calls: list[types.FunctionCall] = []
            async for message in session.receive():
                if message.tool_call:
                    calls = message.tool_call.function_calls or []
                    break
            assert [call.args for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
            results = [
                types.FunctionResponse(id=call.id, name=call.name, response={"output": "Hot."}) for call in calls
            ]
            await session.send_tool_response(function_responses=results)
            assert spoken(await turn(session)) == "Hot in both."

    called = [Call("weather", f'{{"city": "{city}"}}') for city in ("Paris", "Rome")]
    brain = await drive(converse, Reply(called), Reply([Say("Hot in both.")], after="weather"))
    assert brain.tools == ["weather"]
    assert [turn.text for turn in brain.heard[-2:]] == ["Hot.", "Hot."]


async def test_an_interruption_and_a_manual_turn() -> None:
    async def converse(url: str) -> None:
        detection = {"automatic_activity_detection": {"disabled": True}}
        async with connected(url, realtime_input_config=detection) as session:
            await session.send_client_content(turns={"parts": [{"text": "A story!"}]})
            await anext(session.receive())
            await session.send_realtime_input(activity_start=types.ActivityStart())
            await speak(session)
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            contents = [message.server_content for message in await turn(session) if message.server_content]
            assert [each.interrupted for each in contents][-2:] == [True, None]
            assert contents[-1].turn_complete
            assert spoken(await turn(session)) == "Yes?"

    await drive(converse, Reply([Endless()], when="story"), Reply([Say("Yes?")]))


async def test_calls_that_are_not_waited_for_and_are_cancelled() -> None:
    async def converse(url: str) -> None:
        async with connected(url, tools=[weather]) as session:
            await session.send_realtime_input(text="Weather?")
            async for message in session.receive():
                if message.tool_call:
                    break
            await session.send_realtime_input(text="Never mind.")
            async for message in session.receive():
                if message.tool_call_cancellation:
                    assert message.tool_call_cancellation.ids
                    break
            assert spoken(await turn(session)) == "Well."

    await drive(converse, Reply([Call("weather", '{"city": "Paris"}')]), Reply([Say("Well.")], when="never"))


async def test_the_end_of_a_connection_and_the_next() -> None:
    async def converse(url: str) -> None:
        async with connected(url, session_resumption={}) as session:
            await session.send_realtime_input(text="Hi")
            handles: list[str] = []
            with pytest.raises(errors.APIError) as caught:
                await to_the_end(session, handles)
            assert caught.value.code == 1011
        async with connected(url, session_resumption={"handle": handles[-1]}) as session:
            await session.send_realtime_input(text="And?")
            assert spoken(await turn(session)) == "Again."

    brain = await drive(converse, Reply([Say("Hello.")]), Reply([Say("Again.")]), lifetime=1, notice=0.5)
    assert [turn.text for turn in brain.heard] == ["Hi", "Hello.", "And?"]


async def to_the_end(session: Any, handles: list[str]) -> None:
    """Receive until the connection ends, and keep the handles."""
    while True:
        async for message in session.receive():
            if message.session_resumption_update and message.session_resumption_update.new_handle:
                handles.append(message.session_resumption_update.new_handle)
            if message.go_away:
                assert message.go_away.time_left == "0.5s"


@pytest.mark.parametrize(("key", "model"), [("bad", MODEL), ("AIza-test", "gemini-9")])
async def test_refusals(key: str, model: str) -> None:
    async def converse(url: str) -> None:
        with pytest.raises(errors.APIError) as caught:
            await connected(url, model, key).__aenter__()
        assert caught.value.code == 1008

    await drive(converse)


async def test_a_fault_of_the_server() -> None:
    async def converse(url: str) -> None:
        async with connected(url) as session:
            await session.send_realtime_input(text="Hi")
            with pytest.raises(errors.APIError) as caught:
                await turn(session)
            assert (caught.value.code, "Internal error" in str(caught.value)) == (1011, True)

    await drive(converse, Reply([Fail("Internal error encountered.")]))
