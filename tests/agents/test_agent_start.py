"""Spawning an agent: it is ready, or it says why not."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from agents_kit import KEY, MODEL, of, talking
from trio.testing import MockClock

from realtime_actors.actors import Backoff, Runtime, open_runtime
from realtime_actors.agents import InvalidTool, RealtimeAgent, frontend_tool, tool
from realtime_actors.events import AgentEnded, AgentError, AgentReady
from realtime_actors.providers import Capabilities, OpenAIRealtimeModel, ProviderRefused, ProviderUnavailable
from realtime_actors.simulators.openai import OpenAISimulator
from realtime_actors.simulators.scripted import ScriptedBrain
from realtime_actors.transports import ConnectFailed, MemoryTransport, Request, Response, Transport


def simulator() -> MemoryTransport:
    return MemoryTransport(OpenAISimulator(brain=ScriptedBrain()).respond)


async def spawn(runtime: Runtime, *, transport: Transport | None = None, **fields: Any) -> None:
    options: dict[str, Any] = {"name": "Friday", "instructions": "Be brief.", "model": MODEL, **fields}
    agent = RealtimeAgent(transport=transport or simulator(), **options)
    await runtime.spawn(agent, name="friday")


async def test_it_is_ready_when_spawn_returns(autojump_clock: MockClock) -> None:
    async with talking() as talk:
        assert talk.sent("session.update") != []
        assert await talk.receive() == AgentReady("friday", "Friday")


async def test_it_is_ready_on_real_sockets() -> None:
    with trio.fail_after(5):
        async with talking(sockets=True) as talk:
            assert await talk.receive() == AgentReady("friday", "Friday")


async def test_it_is_not_ready_before_the_provider_has_accepted_the_configuration(autojump_clock: MockClock) -> None:
    """Nothing is published of an agent that does not start."""

    async def silent(_: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with open_runtime() as runtime, runtime.bus.subscribe("agents.>") as events:
        with pytest.raises(ProviderUnavailable):
            await spawn(runtime, transport=MemoryTransport(silent))
        assert events.statistics().waiting == 0


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        (attrs.evolve(MODEL, api_key="bad-key"), "authentication", "check the key"),
        (attrs.evolve(MODEL, model_name="gpt-5000"), "model", "gpt-5000"),
        (attrs.evolve(MODEL, voice="nobody"), "configuration", "voice"),
        (attrs.evolve(MODEL, extra={"nonsense": True}), "configuration", "nonsense"),
        (attrs.evolve(MODEL, url="ws://memory/nowhere"), "model", "check model_name"),
    ],
)
async def test_a_refusal_comes_out_of_spawn_in_words(
    model: OpenAIRealtimeModel, kind: str, words: str, autojump_clock: MockClock
) -> None:
    started = trio.current_time()
    async with open_runtime() as runtime:
        with pytest.raises(ProviderRefused) as caught:
            await spawn(runtime, model=model)
        assert caught.value.kind == kind
        assert words in str(caught.value)
        assert caught.value.__notes__ == ["while starting the actor friday (RealtimeAgent)"]
        assert trio.current_time() == started
        # Nothing is left of it: the name is free.
        await spawn(runtime)


async def test_a_provider_that_cannot_be_reached_comes_out_with_its_cause(autojump_clock: MockClock) -> None:
    transport = simulator()
    transport.reachable = False
    async with open_runtime() as runtime:
        with pytest.raises(ProviderUnavailable) as caught:
            await spawn(runtime, transport=transport)
        assert isinstance(caught.value.__cause__, ConnectFailed)
        assert KEY not in str(caught.value)


@attrs.frozen(kw_only=True)
class Toolless(OpenAIRealtimeModel):
    """Calls no functions."""

    @property
    def capabilities(self) -> Capabilities:
        return attrs.evolve(MODEL.capabilities, tools=False)


@tool
def look() -> str:
    """Look around."""
    return "nothing"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tools": [look, frontend_tool("look", "Look there.")]}, "two tools are named look"),
        ({"tools": [look.function]}, "make one of it with @tool"),
        ({"tools": [look], "model": Toolless(api_key=KEY, url=MODEL.url)}, "calls no tools"),
    ],
)
async def test_tools_that_cannot_be_called_come_out_of_spawn(
    fields: dict[str, Any], words: str, autojump_clock: MockClock
) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidTool, match=words):
            await spawn(runtime, **fields)


async def test_a_start_that_is_cancelled_leaves_nothing_and_is_prompt(autojump_clock: MockClock) -> None:
    async def silent(_: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    before, started = trio.lowlevel.current_statistics().tasks_living, autojump_clock.current_time()
    async with open_runtime() as runtime:
        with trio.move_on_after(3):
            await spawn(runtime, transport=MemoryTransport(silent))
        assert autojump_clock.current_time() - started < 3.3
        await spawn(runtime)
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_an_agent_may_be_restarted_when_its_provider_was_away_for_too_long(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.>") as events:
        transport = simulator()
        agent = RealtimeAgent("Friday", "Be brief.", MODEL, transport=transport)
        backoff = Backoff(min=60, max=60)
        ref = await runtime.spawn(agent, name="friday", restart="transient", within=600, backoff=backoff)
        transport.reachable = False
        transport.drop_connections()
        await trio.sleep(30)
        assert ref.statistics().state == "restarting"
        transport.reachable = True
        await trio.sleep(60)
        assert ref.statistics().state == "running"
        for kind in (AgentReady, AgentError, AgentError, AgentEnded, AgentReady):
            assert isinstance(await events.receive(), kind)
        assert events.statistics().waiting == 0


async def test_agents_do_not_know_of_each_other(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.>") as events:
        for name in ("alice", "bob"):
            await runtime.spawn(RealtimeAgent(name.title(), "Be brief.", MODEL, transport=simulator()), name=name)
        ready = [await events.receive(), await events.receive()]
        assert of(AgentReady, ready) == [AgentReady("alice", "Alice"), AgentReady("bob", "Bob")]
