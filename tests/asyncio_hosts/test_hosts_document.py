"""The document on hosts: its code runs."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from http_kit import get
from server_kit import ROOT, run_server

from realtime_actors.actors import Actor, InvalidName, Runtime
from realtime_actors.asyncio import open_runtime
from realtime_actors.events import AgentEnded

DOCUMENT = (ROOT / "docs" / "hosts.md").read_text()
ASYNCIO, FASTAPI, TRIO, HYPERCORN = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def run(*snippets: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, "hosts.md", "exec"), namespace)  # noqa: S102 - it is our own
    return namespace


def test_the_asyncio_host_counts() -> None:
    assert asyncio.run(run(ASYNCIO)["main"]()) == 5


@pytest.mark.parametrize("session_id", ["x y", "über", ""])
def test_an_id_from_outside_may_be_no_name(session_id: str) -> None:
    async def main() -> None:
        async with open_runtime() as runtime:
            with pytest.raises(InvalidName):
                await runtime.spawn(Actor(), name=session_id)
            with pytest.raises(InvalidName):
                async with runtime.subscribe(f"agents.{session_id}.>"):
                    pass

    asyncio.run(main())


def test_an_id_from_outside_may_be_a_pattern_by_which_everybody_is_heard() -> None:
    async def main() -> object:
        async with open_runtime() as runtime, runtime.subscribe(f"agents.{'*'}.>") as events:

            async def speak(trio_runtime: Runtime) -> None:
                trio_runtime.bus.publish("agents.another.agent_ended", AgentEnded("another", "Another"))

            await runtime.run(speak)
            return await asyncio.wait_for(events.receive(), 5)

    assert asyncio.run(main()) == AgentEnded("another", "Another")


async def test_the_trio_host_counts() -> None:
    assert await run(ASYNCIO, TRIO)["main"]() == 5


async def test_the_fastapi_service_answers(tmp_path: Path) -> None:
    (tmp_path / "visiting.py").write_text(FASTAPI)
    async with run_server("-m", "uvicorn", "visiting:app", "--port", "0", PYTHONPATH=str(tmp_path)) as server:
        address = (await server.wait_for(r"running on http://([\d.:]+)"))[1]
        assert [(await get(address, "/visits/home"))[2] for _ in range(2)] == [b"1", b"2"]
        assert await server.end() is not None


async def test_the_asgi_application_serves(tmp_path: Path) -> None:
    (tmp_path / "mounted.py").write_text(HYPERCORN)
    command = ("-m", "hypercorn", "--worker-class", "trio", "--bind", "127.0.0.1:0", "mounted:app")
    async with run_server(*command, PYTHONPATH=str(tmp_path), OPENAI_API_KEY="sk-test") as server:
        address = (await server.wait_for(r"Running on http://([\d.:]+)"))[1]
        assert json.loads((await get(address, "/healthz"))[2])["max_sessions"] == 100
        assert await server.end() == 0


async def test_the_runtime_of_a_trio_host_ends_with_its_nursery() -> None:
    runtime: Runtime | None = None
    async with trio.open_nursery() as nursery:
        runtime = await nursery.start(Runtime().serve)
        assert isinstance(runtime, Runtime)
        counter = await runtime.spawn(run(ASYNCIO)["Counter"](), name="counter")
        nursery.cancel_scope.cancel()
    assert (await counter.wait_stopped()).reason == "stopped"
    assert runtime.tree().actors == ()
