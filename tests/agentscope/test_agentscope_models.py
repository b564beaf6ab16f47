"""AgentScope's way to use a model by itself: `connect`, `send`, `disconnect`, and a queue of model events."""

from __future__ import annotations

import asyncio
import base64
import gc
import subprocess
import sys
from typing import Any

import pytest
from agentscope_kit import Provider, Q, pcm_of, runtime_threads, tags, until, waiting

import realtime_actors.agentscope.tool
from realtime_actors import ProviderRefused
from realtime_actors.agentscope import (
    InvalidEvent,
    ModelEvents,
    NotStarted,
    NotSupported,
    OpenAIRealtimeModel,
)
from realtime_actors.providers import InvalidModel
from realtime_actors.simulators import Call, Reply, Say
from realtime_actors.simulators.scripted import buzz

LOOK_UP: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def model_for(provider: Provider, key: str = "sk-test") -> OpenAIRealtimeModel:
    model = OpenAIRealtimeModel("gpt-realtime", key)
    model.websocket_url = provider.url
    return model


def test_a_model_answers_text_and_calls_tools(provider: Provider) -> None:
    """Its user answers the call by a block."""
    provider.replies(Reply([Call("look_up", "{}")]), Reply([Say("It is a fish.")], after="look_up"))

    async def main() -> None:
        model, queue = model_for(provider), Q()
        await model.connect(queue, "Be brief.", [LOOK_UP])
        await model.send({"type": "text", "text": "What is a gar?"})
        used = (await until(queue, ModelEvents.ModelResponseToolUseDoneEvent))[-1].tool_use
        assert (used["name"], used["input"]) == ("look_up", {})
        await model.send(
            {
                "type": "tool_result",
                "id": used["id"],
                "name": "look_up",
                "output": [{"type": "text", "text": "A fish."}],
            }
        )
        events = await until(queue, ModelEvents.ModelResponseDoneEvent, 2)
        assert provider.brain.heard[-1].text == "A fish."
        assert pcm_of(events) == provider.brain.audio("It is a fish.", 24000)
        assert all(isinstance(event, ModelEvents.EventBase) for event in events)
        await model.disconnect()
        (ended,) = waiting(queue)
        assert (ended.type, ended.reason) == ("model_session_ended", "disconnected")
        assert runtime_threads() == []

    asyncio.run(main())


def test_a_model_hears_speech(provider: Provider) -> None:
    """At its own rate; the first event says that it is there."""
    provider.replies(Reply([Say("Yes.")]))

    async def main() -> None:
        model, queue = model_for(provider), Q()
        await model.connect(queue, "Be brief.")
        pcm = buzz(600, model.input_sample_rate) + bytes(2 * model.input_sample_rate)
        data = base64.b64encode(pcm).decode()
        await model.send({"type": "audio", "source": {"type": "base64", "media_type": "audio/pcm", "data": data}})
        events = await until(queue, ModelEvents.ModelResponseDoneEvent)
        assert tags(events)[:2] == ["model_session_created", "model_input_started"]
        assert "model_input_transcription_done" in tags(events)
        assert pcm_of(events) == provider.brain.audio("Yes.", model.output_sample_rate)
        await model.disconnect()

    asyncio.run(main())


def test_a_model_sees_a_picture(provider: Provider) -> None:
    """AgentScope's takes none for OpenAI."""
    provider.replies(Reply([Say("A dot.")]))

    async def main() -> None:
        model, queue = model_for(provider), Q()
        await model.connect(queue, "Be brief.")
        await model.send({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
        await model.send({"type": "text", "text": "What do you see?"})
        events = await until(queue, ModelEvents.ModelResponseDoneEvent)
        assert "model_error" not in tags(events)
        await model.disconnect()

    asyncio.run(main())


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_a_model_says_what_it_cannot_do(provider: Provider) -> None:
    """In errors that say what to do."""

    async def main() -> None:
        model, queue = model_for(provider), Q()
        text: Any = {"type": "text", "text": "Hi"}
        with pytest.raises(NotStarted, match="connect"):
            await model.send(text)
        await model.connect(queue, "Be brief.")
        with pytest.raises(NotStarted, match="connected already"):
            await model.connect(queue, "Be brief.")
        blocks: list[Any] = [
            {"type": "video"},
            {"type": "audio", "source": {"type": "url", "url": "http://127.0.0.1/a"}},
            [],
        ]
        for block in blocks:
            with pytest.raises(NotSupported, match="base64"):
                await model.send(block)
        with pytest.raises(InvalidEvent):
            await model.send({"type": "tool_result", "id": "c", "name": "n", "output": [{"type": "smell"}]})
        await model.disconnect()
        await model.disconnect()
        with pytest.raises(NotStarted):
            await model.send(text)
        with pytest.raises(ProviderRefused):
            await model_for(provider, "bad-key").connect(queue, "Be brief.")

    asyncio.run(main())


def test_a_model_that_is_forgotten_is_disconnected(provider: Provider) -> None:
    """As an agent is."""

    async def main() -> None:
        queue = Q()

        async def connect() -> None:
            await model_for(provider).connect(queue, "Be brief.")

        await connect()
        gc.collect()
        await until(queue, ModelEvents.ModelSessionEndedEvent)

    asyncio.run(main())


def test_a_wrong_configuration_is_found_when_it_is_made() -> None:
    """A key that the environment does not have, above all; and no message shows one."""
    with pytest.raises(InvalidModel, match="OPENAI_API_KEY"):
        OpenAIRealtimeModel(model_name="gpt-realtime", api_key=None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidModel, match="model_name"):
        OpenAIRealtimeModel("", "sk-test")
    model = OpenAIRealtimeModel("gpt-realtime", "sk-very-secret", voice="cedar", enable_input_audio_transcription=False)
    assert "secret" not in repr(vars(model)["websocket_url"]) + repr(model)
    native = model.native()
    assert (native.voice, native.enable_input_audio_transcription) == ("cedar", False)
    assert native.endpoint() == "wss://api.openai.com/v1/realtime?model=gpt-realtime"


def test_tools_that_are_not_here_say_so() -> None:
    """When they are imported."""
    with pytest.raises(ImportError, match="of your own"):
        from realtime_actors.agentscope.tool import execute_shell_command  # noqa: F401, PLC0415 # pyright: ignore
    assert not hasattr(realtime_actors.agentscope.tool, "anything_else")


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("message", "Msg", "comes as ServerEvents"),
        ("agent", "ReActAgent", "only RealtimeAgent is here"),
        ("pipeline", "MsgHub", "import it from agentscope"),
        ("tool", "view_text_file", "of your own"),
        ("", "init", "nothing to set up"),
        ("", "model", "import this module from agentscope"),
        ("", "memory", "import this module from agentscope"),
        ("", "formatter", "import this module from agentscope"),
    ],
)
def test_names_that_are_not_here_say_so_when_they_are_imported(module: str, name: str, said: str) -> None:
    where = f"realtime_actors.agentscope.{module}".rstrip(".")
    with pytest.raises(ImportError, match=f"{name} is not in {where}: .*{said}"):
        exec(f"from {where} import {name}", {})  # noqa: S102 - it is our own
    with pytest.raises(ImportError, match="cannot import name 'nonsense'"):
        exec(f"from {where} import nonsense", {})  # noqa: S102 - it is our own


def test_it_is_imported_without_pydantic_or_agentscope() -> None:
    """Neither is needed."""
    code = (
        "import sys\n"
        "import realtime_actors.agentscope\n"
        "assert not {'pydantic', 'agentscope', 'fastapi'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - it is our own
