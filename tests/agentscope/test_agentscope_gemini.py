"""AgentScope's Gemini model, as code written for it does."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Generator
from typing import Any

import pytest
from agentscope_kit import Provider, Q, pcm_of, running, say, serving, tags, until, waiting, weather_toolkit

from realtime_actors import ProviderRefused
from realtime_actors.agentscope import (
    ClientEvents,
    GeminiRealtimeModel,
    ModelEvents,
    RealtimeAgent,
    ServerEvents,
    TextBlock,
)
from realtime_actors.providers import InvalidModel
from realtime_actors.simulators import Call, Endless, GeminiSimulator, Reply, Say, ScriptedBrain, buzz

NEWER = "gemini-3.8-live"
OLDER = "gemini-2.5-flash-native-audio-preview-09-2025"
SPEECH = base64.b64encode(buzz(800, 16000) + bytes(2 * 16000)).decode()
JPEG: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"}}


@pytest.fixture
def gemini() -> Generator[Provider]:
    """Speaks as fast as it is read, and replies as its brain is told to."""
    brain = ScriptedBrain(replies=[Reply([Say("Hello.")])], transcripts=["Hi there."])
    simulator = GeminiSimulator(brain=brain, speed=0, playback=0, seed=1)
    with serving(simulator):
        yield Provider(brain, simulator, NEWER)


def model_for(provider: Provider, name: str = NEWER, key: str = "AIza-test") -> GeminiRealtimeModel:
    model = GeminiRealtimeModel(model_name=name, api_key=key)
    model.websocket_url = provider.simulator.url.replace("v1beta", "v1alpha")
    return model


def test_an_agent_hears_and_speaks(gemini: Provider) -> None:
    """The words of the user are one event, where there each piece of them is one."""

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", model_for(gemini))
        async with running(agent) as queue:
            audio: Any = {"session_id": "s1", "audio": SPEECH, "format": {"type": "audio/pcm", "rate": 16000}}
            await agent.handle_input(ClientEvents.ClientAudioAppendEvent(**audio))
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == gemini.brain.audio("Hello.", 24000)
            heard = [each for each in events if isinstance(each, ServerEvents.AgentInputTranscriptionDoneEvent)]
            assert [each.transcript for each in heard] == ["Hi there."]
            delta = next(event for event in events if event.type == "agent_response_audio_delta")
            assert delta.format.rate == 24000
            assert delta.item_id
            assert events[-1].output_tokens

    asyncio.run(main())


@pytest.mark.parametrize("name", [NEWER, OLDER])
def test_an_agent_answers_text_and_calls_two_tools_at_once(gemini: Provider, name: str) -> None:
    """Of the third generation, too, which refuses the message in which AgentScope sends a text after the first."""
    cities = ("Oslo", "Rome")
    gemini.replies(
        Reply([Say("Hello.")]),
        Reply([Call("get_weather", f'{{"city": "{city}"}}') for city in cities], when="weather"),
        Reply([Say("Sunny.")], after="get_weather"),
    )

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", model_for(gemini, name), weather_toolkit())
        async with running(agent) as queue:
            await say(agent, "Hi")
            await until(queue, ServerEvents.AgentResponseDoneEvent)
            await say(agent, "The weather?")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            used = [each for each in events if isinstance(each, ServerEvents.AgentResponseToolUseDoneEvent)]
            assert [each.tool_use["input"] for each in used] == [{"city": city} for city in cities]
            assert "agent_error" not in tags(events)
            assert pcm_of(events) == gemini.brain.audio("Sunny.", 24000)
            # They are carried out at the same time: either may be done first.
            assert {turn.text for turn in gemini.brain.heard[-2:]} == {f"Sunny in {city}." for city in cities}

    asyncio.run(main())


def test_a_reply_can_be_cancelled(gemini: Provider) -> None:
    """The wire has no word for it: the rest is not passed on."""
    gemini.replies(Reply([Endless()]), Reply([Say("Yes?")]))
    gemini.simulator.speed = 20

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", model_for(gemini))
        async with running(agent) as queue:
            await say(agent, "A story!")
            await until(queue, ServerEvents.AgentResponseAudioDeltaEvent)
            await agent.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s1"))
            ended = (await until(queue, ServerEvents.AgentResponseDoneEvent))[-1]
            assert ended.metadata["status"] == "cancelled"
            await say(agent, "Are you there?")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == gemini.brain.audio("Yes?", 24000)

    asyncio.run(main())


def test_a_model_by_itself(gemini: Provider) -> None:
    """`connect`, `send`, `disconnect`."""
    gemini.replies(
        Reply([Say("A dot.")]),
        Reply([Call("get_weather", '{"city": "Oslo"}')], when="weather"),
        Reply([Say("Cold.")], after="get_weather"),
    )

    async def main() -> None:
        model, queue = model_for(gemini), Q()
        await model.connect(queue, "Be brief.", weather_toolkit().get_json_schemas())
        await model.send(JPEG)
        await model.send({"type": "audio", "source": {"type": "base64", "media_type": "audio/pcm", "data": SPEECH}})
        events = await until(queue, ModelEvents.ModelResponseDoneEvent)
        assert tags(events)[0] == "model_session_created"
        assert "model_error" not in tags(events)
        assert pcm_of(events) == gemini.brain.audio("A dot.", model.output_sample_rate)
        await model.send({"type": "text", "text": "The weather?"})
        used = (await until(queue, ModelEvents.ModelResponseToolUseDoneEvent))[-1].tool_use
        assert (used["name"], used["input"]) == ("get_weather", {"city": "Oslo"})
        blocks = [TextBlock(type="text", text="Rain.")]
        await model.send({"type": "tool_result", "id": used["id"], "name": used["name"], "output": blocks})
        events = await until(queue, ModelEvents.ModelResponseDoneEvent, 2)
        assert pcm_of(events) == gemini.brain.audio("Cold.", model.output_sample_rate)
        assert gemini.brain.heard[-1].text == "Rain."
        await model.disconnect()
        assert waiting(queue)[-1].type == "model_session_ended"

    asyncio.run(main())


def test_a_refusal_is_an_error_with_what_to_do(gemini: Provider) -> None:
    """There, nothing in the queue says so."""

    async def main() -> None:
        for model, said in (
            (model_for(gemini, key="bad-key"), "GEMINI_API_KEY"),
            (model_for(gemini, "gemini-9"), "model_name"),
        ):
            with pytest.raises(ProviderRefused, match=said):
                await model.connect(Q(), "Be brief.")

    asyncio.run(main())


def test_its_constructor_is_agentscope_s() -> None:
    """Positions, names and defaults; the key is not in the URL."""
    model = GeminiRealtimeModel(OLDER, "AIza-secret")
    assert (model.voice, model.enable_input_audio_transcription) == ("Puck", True)
    assert (model.input_sample_rate, model.output_sample_rate) == (16000, 24000)
    assert model.support_input_modalities == ["audio", "text", "image", "tool_result"]
    assert model.websocket_url == (
        "wss://generativelanguage.googleapis.com/ws/"
        "google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"
    )
    native = GeminiRealtimeModel(OLDER, "AIza-secret", "Kore", False).native()
    assert (native.model_name, native.voice, native.enable_input_audio_transcription) == (OLDER, "Kore", False)
    assert native.endpoint() == model.websocket_url
    with pytest.raises(InvalidModel, match="GEMINI_API_KEY"):
        GeminiRealtimeModel(model_name=OLDER, api_key=None)  # pyright: ignore[reportArgumentType]
