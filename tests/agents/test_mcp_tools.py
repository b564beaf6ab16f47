"""Tools of real MCP servers: processes of their own, made with the official library, over pipes and over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import trio
from agents_kit import of, outputs, statuses, talking

from realtime_actors.agents import InvalidTool, Tool, ToolServerLost, ToolServerUnavailable, mcp_tools
from realtime_actors.events import AgentResponseToolProgress, AgentToolApprovalRequested, ClientToolApproval
from realtime_actors.simulators.brain import Call, Say

SCRIPT = str(Path(__file__).with_name("mcp_server.py"))
PIPES = [sys.executable, SCRIPT]
FINE = [Say("Fine.")]


@contextmanager
def serving() -> Generator[tuple[subprocess.Popen[str], str]]:
    """A server over HTTP: its process, and the URL."""
    process = subprocess.Popen([*PIPES, "0"], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert process.stdout is not None
        yield process, f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        process.stdout.close()
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    """Of a server that all tests may use."""
    with serving() as (_, url):
        yield url


@pytest.fixture(params=["pipes", "http"])
def server(request: pytest.FixtureRequest) -> str | list[str]:
    """How to reach a server: a command line, or a URL."""
    return PIPES if request.param == "pipes" else request.getfixturevalue("url")


def by_name(tools: list[Tool]) -> dict[str, Tool]:
    return {each.name: each for each in tools}


def runs(pid: int) -> bool:
    """Whether there is such a process, one that nobody has waited for left aside."""
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except FileNotFoundError:
        return False


# The library leaves the streams of its answers to the garbage collector.
@pytest.mark.filterwarnings("ignore:Async generator '(httpx2|httpcore2):ResourceWarning")
async def test_an_agent_calls_them_and_their_progress_is_passed_on(server: str | list[str]) -> None:
    with trio.fail_after(60):
        async with mcp_tools(server) as tools:
            weather = by_name(tools)["get_weather"]
            assert weather.spec.description == "Weather in a city."
            assert weather.spec.parameters["required"] == ["city"]
            calls = [
                Call("get_weather", '{"city": "Paris"}'),
                Call("get_weather", '{"city": "nowhere"}'),
                Call("slow"),
            ]
            async with talking(calls, FINE, tools=tools) as talk:
                talk.say("How is the weather?")
                events = await talk.reply(2)
                assert statuses(events) == ["completed", "completed"]
                last, good, bad = sorted(outputs(events), key=len)
                assert (last, good) == ("at last", "sunny in Paris for 1 days")
                assert bad.startswith("Error: ")
                assert "there is no such place" in bad
                reports = of(AgentResponseToolProgress, events)
                assert [(each.text, each.fraction) for each in reports] == [
                    (f"step {step}", step / 4) for step in range(1, 5)
                ]


async def test_options_hold_for_them(url: str) -> None:
    calls = [Call("far_hang")], [Call("far_get_weather", '{"city": "Rome"}')]
    chosen: dict[str, Any] = {"only": ["get_weather", "hang"], "prefix": "far_"}
    with trio.fail_after(60):
        async with (
            mcp_tools(url, needs_approval=True, timeout=0.3, approval_timeout=0.2, **chosen) as tools,
            talking(*calls, FINE, tools=tools) as talk,
        ):
            assert sorted(by_name(tools)) == ["far_get_weather", "far_hang"]
            talk.say("Go!")
            [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
            talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
            assert outputs(await talk.reply(3)) == [
                "Error: the tool far_hang did not finish within 0.3 s.",
                "This call was not carried out: nobody approved it within 0.2 s.",
            ]
        async with mcp_tools(url) as tools:
            assert await by_name(tools)["get_weather"](city="Oslo", days=2) == "sunny in Oslo for 2 days"


async def test_nothing_is_left_running_after() -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    with trio.fail_after(30):
        async with mcp_tools(PIPES) as tools:
            pid = int(await by_name(tools)["who_are_you"]())
            assert runs(pid)
        assert not runs(pid)
        with pytest.raises(ValueError, match="of the block's own"):  # noqa: PT012 - what leaves the block
            async with mcp_tools(PIPES) as tools:
                pid = int(await by_name(tools)["who_are_you"]())
                raise ValueError("of the block's own")
        assert not runs(pid)
        with trio.move_on_after(60) as scope:
            async with mcp_tools(PIPES) as tools:
                pid = int(await by_name(tools)["who_are_you"]())
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert not runs(pid)
        with pytest.raises(ToolServerLost, match="not there any more"):
            await by_name(tools)["who_are_you"]()
    assert trio.lowlevel.current_statistics().tasks_living == tasks


@pytest.mark.parametrize("way", ["pipes", "http"])
async def test_a_server_that_dies_is_an_error_of_its_calls_only(way: str) -> None:
    with trio.fail_after(60), serving() if way == "http" else nullcontext((None, PIPES)) as (_, server):
        async with (
            mcp_tools(server) as tools,
            talking([Call("die")], [Call("get_weather", '{"city": "Rome"}')], FINE, tools=tools) as talk,
        ):
            talk.say("Go!")
            results = outputs(await talk.reply(3))
            assert len(results) == 2
            assert all(each.startswith("Error: ") for each in results)
            assert "finish within" not in "".join(results)
            assert talk.agent.statistics().state == "running"


async def test_it_has_the_environment_that_it_is_given_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of ours")
    with trio.fail_after(30):
        async with mcp_tools(PIPES, environment={"CITY": "Oslo"}) as tools:
            environment = by_name(tools)["environment"]
            assert [await environment(name="CITY"), await environment(name="SECRET")] == ["Oslo", ""]


class TestRefusals:
    @pytest.mark.parametrize(
        ("server", "words"),
        [
            (["/nowhere/server", "--key", "sk-secret"], "/nowhere/server are not to be had: .*No such file"),
            ([sys.executable, "-c", "raise SystemExit(3)"], "are not to be had: "),
            ([sys.executable, "-c", "print('no json')"], "are not to be had: "),
            ("http://user:sk-secret@127.0.0.1:9/mcp?key=sk-secret", r"http://127.0.0.1/mcp are not to be had: "),
            ("ftp://127.0.0.1/mcp", "no URL of an MCP server"),
        ],
    )
    async def test_a_server_that_is_not_there(self, server: Any, words: str) -> None:
        with trio.fail_after(30), pytest.raises(ToolServerUnavailable, match=words) as caught:
            async with mcp_tools(server, connect_timeout=10):
                pass
        assert "sk-secret" not in str(caught.value)

    async def test_a_server_that_says_nothing(self) -> None:
        silent = [sys.executable, "-c", "import sys; print(0, file=sys.stderr); sys.stdin.read()"]
        with trio.fail_after(30), pytest.raises(ToolServerUnavailable, match=r"it did not answer within 0\.5 s"):
            async with mcp_tools(silent, connect_timeout=0.5):
                pass

    async def test_a_tool_that_it_does_not_have(self) -> None:
        with trio.fail_after(30), pytest.raises(InvalidTool, match="has no fly; it has get_weather, "):
            async with mcp_tools(PIPES, only=["fly", "slow"]):
                pass

    async def test_a_name_that_no_model_takes(self) -> None:
        with trio.fail_after(30), pytest.raises(InvalidTool, match="no name for a tool"):
            async with mcp_tools(PIPES, prefix="x" * 64):
                pass

    async def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "mcp", None)
        with pytest.raises(ToolServerUnavailable, match=re.escape("pip install 'realtime_actors[mcp]'")):
            async with mcp_tools(PIPES):
                pass


def test_it_costs_nothing_until_it_is_used() -> None:
    code = "import sys, realtime_actors.agents; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own
