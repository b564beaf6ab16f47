"""Every snippet of the page about tools runs, and does what the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

import realtime_actors
from realtime_actors import (
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentToolApprovalRequested,
    ClientTextAppend,
    ClientToolApproval,
    OpenAIRealtimeModel,
    Progress,
)
from realtime_actors.agents import InvalidArguments, Tool, ToolOptions
from realtime_actors.simulators import Call, Say
from realtime_actors.testing import open_test_runtime, simulate_openai

ROOT = Path(realtime_actors.__file__).parent.parent
TEXT = (ROOT / "docs" / "tools.md").read_text()


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """All its snippets, as one file."""
    namespace: dict[str, Any] = {"__name__": "tools"}
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), 1):
        code = compile(snippet, f"tools.md, snippet {number}", "exec", dont_inherit=True)
        exec(code, namespace)  # noqa: S102 - it is our own
    return namespace


async def test_arguments_become_what_they_are_annotated_with(page: dict[str, Any]) -> None:
    find: Tool = page["find_flights"]
    keywords = find.structure({"to": "OSL", "passengers": [{"name": "Ann"}], "cabin": "business"})
    assert await find(**keywords) == [{"flight": "LH-1", "to": "OSL", "cabin": "business", "for": "Ann"}]
    definitions = find.spec.parameters["$defs"]
    assert definitions["Passenger"]["properties"]["name"]["description"] == "As in the passport."


def test_errors_are_in_the_words_of_the_page(page: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments) as caught:
        page["find_flights"].structure({"passengers": [], "cabin": "first"})
    assert str(caught.value) in " ".join(TEXT.split())


def test_every_option_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `?([^`|]+)`? \|", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(ToolOptions.__annotations__)
    defaults = {name: str(default) for name, default in rows}
    made = realtime_actors.frontend_tool("look", "Look.")
    for name, default in defaults.items():
        assert default.strip('"') == f"{getattr(made, name)}".removesuffix(".0")


async def test_a_booking_is_approved_and_tells_how_far_it_is(page: dict[str, Any]) -> None:
    calls = [Call("book", '{"flight": "LH-1", "euros": 99}')]
    with trio.fail_after(20):
        async with (
            simulate_openai(calls, [Say("Done.")], in_memory=True, speed=0) as openai,
            open_test_runtime() as runtime,
            runtime.bus.subscribe("agents.friday.>", capacity=1000) as events,
        ):
            assert isinstance(openai.model, OpenAIRealtimeModel)
            prototype = page["RealtimeAgent"](
                "Friday", "Be brief.", openai.model, [page["book"]], transport=openai.transport
            )
            agent = await runtime.spawn(prototype, name="friday")
            agent.tell(ClientTextAppend("s1", "Book it."))
            told: list[str] = []
            async for event in events:
                match event:
                    case AgentToolApprovalRequested(tool_use=use):
                        agent.tell(ClientToolApproval("s1", use.id, approved=True))
                    case AgentResponseToolProgress(text=text):
                        told.append(text)
                    case AgentResponseToolResult(tool_result=result):
                        told.append(str(result.output))
                        break
                    case _:
                        pass
            assert told == ["Looking for a seat", "Paying", "LH-1 is booked."]
    assert await page["book"]("LH-1", 40, Progress()) == "LH-1 is booked."


async def test_tools_of_a_server_beside_others(page: dict[str, Any]) -> None:
    server = [sys.executable, str(ROOT / "tests" / "agents" / "mcp_server.py")]
    with trio.fail_after(60):
        names = await page["agent_with"](server, OpenAIRealtimeModel(api_key="any"))
    assert names == ["find_flights", "book", "show_map", "far_get_weather"]
