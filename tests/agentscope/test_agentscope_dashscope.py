"""AgentScope's DashScope model, which its tutorial uses throughout, as code written for it does."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Generator
from typing import Any

import pytest
from agentscope_kit import Provider, Q, pcm_of, running, serving, tags, until, weather_toolkit

from realtime_actors.agentscope import (
    ClientEvents,
    DashScopeRealtimeModel,
    ModelEvents,
    RealtimeAgent,
    ServerEvents,
)
from realtime_actors.providers import InvalidModel
from realtime_actors.simulators import Call, DashScopeSimulator, Reply, Say, ScriptedBrain, buzz

OLDER = "qwen3-omni-flash-realtime"
NEWER = "qwen3.5-omni-flash-realtime"
SPEECH = base64.b64encode(buzz(800, 16000) + bytes(2 * 16000)).decode()


@pytest.fixture
def dashscope() -> Generator[Provider]:
    """Speaks as fast as it is read, and replies as its brain is told to."""
    brain = ScriptedBrain(replies=[Reply([Say("Hello.")])], transcripts=["Hi there."])
    simulator = DashScopeSimulator(brain=brain, speed=0, transcripts="before", seed=1)
    with serving(simulator):
        yield Provider(brain, simulator, OLDER)


def model_for(provider: Provider, name: str = OLDER) -> DashScopeRealtimeModel:
    model = DashScopeRealtimeModel(model_name=name, api_key="sk-test")
    model.websocket_url = f"{provider.simulator.url}?model={name}"
    return model


def test_an_agent_hears_and_speaks(dashscope: Provider) -> None:
    """At the frontend's own rates and the model's."""

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", model_for(dashscope))
        async with running(agent) as queue:
            audio: Any = {"session_id": "s1", "audio": SPEECH, "format": {"type": "audio/pcm", "rate": 16000}}
            await agent.handle_input(ClientEvents.ClientAudioAppendEvent(**audio))
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == dashscope.brain.audio("Hello.", 24000)
            assert "agent_input_transcription_done" in tags(events)
            delta = next(event for event in events if event.type == "agent_response_audio_delta")
            assert delta.format.rate == 24000

    asyncio.run(main())


def test_a_text_is_answered_by_an_error_where_the_model_takes_none(dashscope: Provider) -> None:
    """There, it is sent as instructions for a reply, which does not work."""

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", model_for(dashscope))
        async with running(agent) as queue:
            await agent.handle_input(ClientEvents.ClientTextAppendEvent(session_id="s1", text="Hi"))
            error = (await until(queue, ServerEvents.AgentErrorEvent))[-1]
            assert "takes no text" in error.message

    asyncio.run(main())


def test_a_toolkit_is_left_out_where_the_model_calls_no_tools(
    dashscope: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """As there, but not in silence."""

    async def main() -> None:
        async with running(RealtimeAgent("Friday", "Be brief.", model_for(dashscope), weather_toolkit())):
            pass

    asyncio.run(main())
    assert f"{OLDER} calls no tools: the 1 of the toolkit are left out" in caplog.text


def test_newer_models_call_tools(dashscope: Provider) -> None:
    """Here they do, and take text."""
    dashscope.replies(
        Reply([Call("get_weather", '{"city": "Oslo"}')], when="weather"), Reply([Say("Sunny.")], after="get_weather")
    )

    async def main() -> None:
        model = model_for(dashscope, NEWER)
        assert model.support_tools
        agent = RealtimeAgent("Friday", "Be brief.", model, weather_toolkit())
        async with running(agent) as queue:
            await agent.handle_input(ClientEvents.ClientTextAppendEvent(session_id="s1", text="The weather?"))
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            assert pcm_of(events) == dashscope.brain.audio("Sunny.", 24000)
            assert dashscope.brain.heard[-1].text == "Sunny in Oslo."

    asyncio.run(main())


def test_a_model_by_itself(dashscope: Provider) -> None:
    """`connect`, `send`, `disconnect`; a picture is a JPEG."""

    async def main() -> None:
        model, queue = model_for(dashscope), Q()
        await model.connect(queue, "Be brief.", weather_toolkit().get_json_schemas())
        png: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
        await model.send(png)
        error = (await until(queue, ModelEvents.ModelErrorEvent))[-1]
        assert "takes no image/png: send image/jpeg" in error.message
        jpeg: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"}}
        await model.send(jpeg)
        await model.send({"type": "audio", "source": {"type": "base64", "media_type": "audio/pcm", "data": SPEECH}})
        events = await until(queue, ModelEvents.ModelResponseDoneEvent)
        assert "model_error" not in tags(events)
        assert pcm_of(events) == dashscope.brain.audio("Hello.", model.output_sample_rate)
        await model.disconnect()

    asyncio.run(main())


def test_its_constructor_is_agentscope_s() -> None:
    """Positions, names and defaults."""
    model = DashScopeRealtimeModel(OLDER, "sk-test")
    assert (model.voice, model.enable_input_audio_transcription, model.support_tools) == ("Cherry", True, False)
    assert (model.input_sample_rate, model.output_sample_rate) == (16000, 24000)
    assert model.websocket_url == f"wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model={OLDER}"
    assert model.support_input_modalities == ["text", "audio", "image"]
    assert model.native().endpoint() == model.websocket_url
    with pytest.raises(InvalidModel, match="DASHSCOPE_API_KEY"):
        DashScopeRealtimeModel(model_name=OLDER, api_key=None)  # pyright: ignore[reportArgumentType]
