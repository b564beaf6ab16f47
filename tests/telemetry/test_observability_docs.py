"""Every snippet of docs/observability.md runs, and what it says is shown is."""

import asyncio
import logging
import os
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

import realtime_actors
from realtime_actors.agents import RealtimeAgent, generate_reply
from realtime_actors.simulators import Say
from realtime_actors.testing import open_test_runtime, simulate_openai

TEXT = (Path(realtime_actors.__file__).parent.parent / "docs" / "observability.md").read_text()


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """All its snippets, as one file."""
    namespace: dict[str, Any] = {"__name__": "observability"}
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), 1):
        exec(compile(snippet, f"observability.md, snippet {number}", "exec"), namespace)  # noqa: S102 - it is our own
    logging.getLogger("realtime_actors").setLevel(logging.NOTSET)
    return namespace


async def test_the_table(page: dict[str, Any]) -> None:
    assert f"```\n{await page['look']()}\n```" in TEXT


async def test_the_signal(page: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    started, printed = trio.Event(), ""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(page["serve_until_stopped"], started)
            await started.wait()
            os.kill(os.getpid(), signal.SIGUSR1)
            while "greeter  Greeter  running" not in printed:
                await trio.sleep(0.01)
                printed += capfd.readouterr().err
            nursery.cancel_scope.cancel()


async def test_what_the_runtime_says(page: dict[str, Any]) -> None:
    assert await page["ends"]() == ["greeter", "stopped"]


async def test_the_journal(page: dict[str, Any]) -> None:
    assert await page["keep_a_journal"]() == ["greeter handled Greet, from outside"]


async def test_the_traces(page: dict[str, Any]) -> None:
    exporter = InMemorySpanExporter()
    await page["traced"](exporter)
    greeted, host = exporter.get_finished_spans()
    assert (greeted.name, host.name) == ("process Greet", "somebody comes in")
    assert greeted.parent == host.context
    assert greeted.attributes is not None
    assert all(f"`{name}`" in TEXT for name in greeted.attributes)


async def test_the_metrics(page: dict[str, Any]) -> None:
    """Each one that is scraped is in the table, and the other way round."""
    started, registry = trio.Event(), CollectorRegistry()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(page["measured"], started, port, registry)
            await started.wait()
            text = await trio.to_thread.run_sync(read)
            nursery.cancel_scope.cancel()
    assert 'realtime_actors_messages_handled_total{actor="Greeter",message="Greet"} 1.0' in text
    scraped = set(re.findall(r"^# TYPE realtime_actors_(\w+) (?:counter|histogram|gauge)", text, re.MULTILINE))
    table = TEXT[TEXT.index("| metric | labels | what |") :]
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert {name for name in scraped if not name.endswith("_created")} == documented


def test_the_metrics_of_an_asyncio_service(page: dict[str, Any]) -> None:
    app = page["app"]

    async def visit() -> str:
        transport = httpx.ASGITransport(app)
        async with (
            asyncio.timeout(10),
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            assert (await client.get("/greet/Ann")).json() == "Hello Ann"
            return (await client.get("/metrics")).text

    text = asyncio.run(visit())
    assert 'realtime_actors_messages_handled_total{actor="Greeter",message="Greet"} 1.0' in text
    assert 'realtime_actors_actors{actor="Greeter",state="running"} 1.0' in text
    assert 'realtime_actors_started_total{actor="Greeter"} 1.0' in text


async def test_how_long_turns_take(page: dict[str, Any]) -> None:
    async with simulate_openai([Say("Hello.")]) as openai, open_test_runtime() as runtime:
        agent = await runtime.spawn(RealtimeAgent("Friday", "", openai.model, transport=openai.transport))
        await (await generate_reply(agent, "Hello?"))
        assert re.fullmatch(r"1 turns: half began to sound within \d+ ms, .* within \d+", await page["how_fast"](agent))
