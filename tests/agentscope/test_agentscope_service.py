"""A FastAPI backend, and a program, written for AgentScope: with nothing but their imports changed."""

from __future__ import annotations

import ast
import asyncio
import base64
import gc
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from agentscope_kit import Provider, eventually, runtime_threads
from agentscope_room_service import app as room_app
from agentscope_service import app
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from examples.agentscope_tutorial import talk
from realtime_actors.agentscope import OpenAIRealtimeModel
from realtime_actors.simulators import Call, Reply, Say

HERE = Path(__file__).parent
TUTORIAL = Path(inspect.getfile(talk))
DOCUMENT = HERE.parent.parent / "docs" / "agentscope.md"
TIME = [Reply([Call("get_time", '{"city": "Bern"}')]), Reply([Say("It is noon.")], after="get_time")]
WEATHER = [Reply([Call("get_weather", '{"city": "Oslo"}')]), Reply([Say("It snows.")], after="get_weather")]

# What AgentScope 1.0.21 exports of what is here, by module.
EXPORTED = {
    "agentscope": {"logger"},
    "agentscope.agent": {"RealtimeAgent"},
    "agentscope.message": {
        *("AudioBlock", "Base64Source", "ContentBlock", "ImageBlock", "TextBlock", "ThinkingBlock"),
        *("ToolResultBlock", "ToolUseBlock", "URLSource", "VideoBlock"),
    },
    "agentscope.pipeline": {"ChatRoom"},
    "agentscope.realtime": {
        *("ClientEventType", "ClientEvents", "ModelEventType", "ModelEvents", "ServerEventType", "ServerEvents"),
        *("DashScopeRealtimeModel", "GeminiRealtimeModel", "OpenAIRealtimeModel", "RealtimeModelBase"),
    },
    "agentscope.tool": {"ToolResponse", "Toolkit"},
}


class Frontend:
    """Talks JSON, as AgentScope's page does."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **event: Any) -> None:
        await self.socket.send(json.dumps(event))

    async def until(self, tag: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while not events or events[-1]["type"] != tag:
                events.append(json.loads(await self.socket.recv()))
        return events


@asynccontextmanager
async def serving(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, application: FastAPI = app
) -> AsyncGenerator[str]:
    monkeypatch.setenv("REALTIME_URL", provider.url)
    config = uvicorn.Config(
        application, port=0, log_level="critical", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or task.done())
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"ws://127.0.0.1:{port}/ws/ann/s1"
    server.should_exit = True
    await task


def test_a_backend_serves_frontends(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session with a tool call in it, from `client_session_create` to `client_session_end`."""
    provider.replies(*TIME)

    async def main() -> None:
        async with serving(provider, monkeypatch) as url, connect(url, compression=None, max_size=None) as socket:
            frontend = Frontend(socket)
            await frontend.say(type="client_session_create", config={"agent_name": "Jarvis", "instructions": "Short."})
            created = await frontend.until("server_session_created")
            assert created[-1] == {"type": "server_session_created", "session_id": "s1"}
            await frontend.say(type="client_text_append", session_id="s1", text="What time is it?")
            events = await frontend.until("agent_response_done") + await frontend.until("agent_response_done")
            assert {event["agent_name"] for event in events} == {"Jarvis"}
            (result,) = [event["tool_result"] for event in events if event["type"] == "agent_response_tool_result"]
            assert (result["name"], result["output"]) == ("get_time", [{"type": "text", "text": "Noon in Bern."}])
            audio = [event for event in events if event["type"] == "agent_response_audio_delta"]
            spoken = b"".join(base64.b64decode(event["delta"]) for event in audio)
            assert spoken == provider.brain.audio("It is noon.", audio[0]["format"]["rate"])
            await frontend.say(type="client_session_end", session_id="s1")
            await frontend.until("agent_ended")
            await eventually(lambda: runtime_threads() == [])

    asyncio.run(main())


def test_a_frontend_that_leaves_takes_its_agent_with_it(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the backend stops nothing; those of others go on."""
    provider.replies(Reply([Say("I am here.")]))

    async def main() -> None:
        async with serving(provider, monkeypatch) as url, connect(url, max_size=None) as staying:
            stays = Frontend(staying)
            await stays.say(type="client_session_create", config={})
            await stays.until("server_session_created")
            async with connect(url, max_size=None) as leaving:
                leaves = Frontend(leaving)
                await leaves.say(type="client_session_create", config={})
                await leaves.until("server_session_created")
                assert provider.simulator.statistics().open_connections == 2

            def left() -> bool:
                gc.collect()  # the exception that ended the endpoint has it still
                return provider.simulator.statistics().open_connections == 1

            await eventually(left)
            await stays.say(type="client_text_append", session_id="s1", text="Still there?")
            await stays.until("agent_response_done")

    asyncio.run(main())
    assert runtime_threads() == []


def test_a_room_serves_a_frontend(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two agents debate, the first one begins; the frontend says something, ends the session, and has another one."""
    provider.brain.ms_per_character = 12
    provider.replies(Reply([Say("I am for it.")]), Reply([Say("I am not.")]))
    names = {"agent1_name": "于谦", "agent2_name": "郭德纲"}

    async def main() -> None:
        async with serving(provider, monkeypatch, room_app) as url, connect(url, max_size=None) as socket:
            frontend = Frontend(socket)
            for _ in range(2):
                await frontend.say(type="client_session_create", config=names)
                events = await frontend.until("server_session_created")
                events += await frontend.until("agent_response_done") + await frontend.until("agent_response_done")
                ready = [event["agent_name"] for event in events if event["type"] == "agent_ready"]
                assert sorted(ready) == sorted(names.values())
                replies = [event["agent_name"] for event in events if event["type"] == "agent_response_created"]
                assert replies[:2] == ["于谦", "郭德纲"]
                await frontend.say(type="client_text_append", session_id="s1", text="And now something else.")
                await frontend.until("agent_response_done")
                await frontend.say(type="client_session_end", session_id="s1")
                await frontend.until("agent_ended")
                await frontend.until("agent_ended")
                await eventually(lambda: runtime_threads() == [])

    asyncio.run(main())


def test_a_room_ends_with_the_frontend_that_leaves(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody stops it."""

    async def main() -> None:
        async with serving(provider, monkeypatch, room_app) as url:
            async with connect(url, max_size=None) as socket:
                await Frontend(socket).say(type="client_session_create", config={})
                await Frontend(socket).until("server_session_created")
                assert provider.simulator.statistics().open_connections == 2

            def left() -> bool:
                gc.collect()  # the exception that ended the endpoint has it still
                return provider.simulator.statistics().open_connections == 0

            await eventually(left)

    asyncio.run(main())
    assert runtime_threads() == []


def test_a_provider_that_is_not_here_yet_ends_the_session_only(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend is imported, and serves the next who asks."""
    provider.replies(Reply([Say("I am here.")]))

    async def main() -> None:
        async with serving(provider, monkeypatch) as url:
            async with connect(url) as socket:
                await Frontend(socket).say(type="client_session_create", config={"model_provider": "gemini"})
                with pytest.raises(ConnectionClosed):
                    await Frontend(socket).until("never")
            async with connect(url) as socket:
                await Frontend(socket).say(type="client_session_create", config={})
                await Frontend(socket).until("agent_ready")

    asyncio.run(main())


def test_the_tutorial_runs(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    """A text turn with a tool call."""
    provider.replies(*WEATHER)
    events = asyncio.run(talk(provider.url, "sk-test", "What is the weather in Oslo?", None))
    assert [event["type"] for event in events][0 :: len(events) - 1] == ["agent_ready", "agent_ended"]
    assert "tool: [{'type': 'text', 'text': 'Snow in Oslo.'}]" in capsys.readouterr().out
    assert runtime_threads() == []


def test_the_tutorial_runs_without_a_key_where_it_is_told_of_a_server(provider: Provider) -> None:
    """And says what is missing where it is not, without a traceback."""
    provider.replies(*WEATHER)
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TUTORIAL), "--text", "What is the weather in Oslo?", *options]
        return subprocess.run(  # noqa: S603 - it is our own
            command, capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    ended = run("--url", provider.url)
    assert ended.returncode == 0, ended.stderr
    assert "Snow in Oslo." in ended.stdout
    ended = run()
    assert ended.returncode == 2
    assert "OPENAI_API_KEY is not set" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "path",
    [TUTORIAL, HERE / "agentscope_service.py", HERE / "agentscope_room_service.py"],
    ids=lambda path: path.stem,
)
def test_all_that_is_imported_is_there_under_the_same_name_in_agentscope(path: Path) -> None:
    """So that the file runs with AgentScope's imports: nothing else in it is this package's."""
    source = path.read_text()
    theirs = re.sub(r"realtime_actors\.agentscope", "agentscope", source)
    assert not re.search(r"^(from|import) realtime_actors", theirs, re.MULTILINE)
    for node in ast.walk(ast.parse(theirs)):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("agentscope"):
            assert {alias.name for alias in node.names} <= EXPORTED[node.module]


def test_the_document_s_code_runs(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, with the simulator where OpenAI is."""
    provider.replies(*(Reply([Say("Forty-two.")]) for _ in range(3)))
    monkeypatch.setattr(OpenAIRealtimeModel, "websocket_url", provider.url)
    namespace: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(code, DOCUMENT.name, "exec"), namespace)  # noqa: S102 - it is our own
    assert asyncio.run(namespace["ask"]("sk-test", "What is the answer?")) == "Forty-two."
    both = asyncio.run(namespace["ask_both"]("sk-test", "Is it 42?"))
    assert both == {"Ada": "Forty-two.", "Bert": "Forty-two."}
    assert runtime_threads() == []
