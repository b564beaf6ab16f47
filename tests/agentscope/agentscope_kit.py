"""A simulator of OpenAI's wire in a thread of its own, as a provider is: elsewhere. And an agent in asyncio."""

from __future__ import annotations

import asyncio
import base64
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import pytest
import trio

from realtime_actors.agentscope import (
    AnyToolkit,
    ChatRoom,
    ClientEvents,
    Event,
    ModelEvents,
    OpenAIRealtimeModel,
    RealtimeAgent,
    ServerEvents,
    TextBlock,
    Toolkit,
    ToolResponse,
)
from realtime_actors.simulators import Reply, ScriptedBrain
from realtime_actors.simulators.openai import OpenAISimulator
from realtime_actors.simulators.server import Simulator


@attrs.define
class Provider:
    """The simulator: `brain.replies` and `speed` are to be set before it is asked."""

    brain: ScriptedBrain
    simulator: Simulator
    model_name: str = "gpt-realtime"

    @property
    def url(self) -> str:
        """Where it is, with the model that AgentScope would name."""
        return f"{self.simulator.url}?model={self.model_name}"

    def replies(self, *replies: Reply) -> None:
        """What it answers, in order."""
        self.brain.replies = replies


@pytest.fixture
def provider() -> Generator[Provider]:
    """Speaks as fast as it is read, and replies as its brain is told to."""
    brain = ScriptedBrain(transcripts=["What is the weather in Oslo?"])
    simulator = OpenAISimulator(brain=brain, speed=0, transcripts="before", seed=1)
    with serving(simulator):
        yield Provider(brain, simulator)


@contextmanager
def serving(simulator: Simulator) -> Generator[None]:
    """In a thread of its own."""
    ready = threading.Event()
    stopping: list[trio.lowlevel.TrioToken | trio.CancelScope] = []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(simulator.serve)
            stopping.extend((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            ready.set()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(10)
    yield
    token, scope = stopping
    assert isinstance(token, trio.lowlevel.TrioToken)
    assert isinstance(scope, trio.CancelScope)
    token.run_sync_soon(scope.cancel)
    thread.join(10)
    assert not thread.is_alive()


Q = asyncio.Queue[Any]

AGENT_DELTAS = (
    ServerEvents.AgentResponseAudioDeltaEvent,
    ServerEvents.AgentResponseAudioTranscriptDeltaEvent,
    ServerEvents.AgentResponseToolUseDeltaEvent,
)


def agent_for(
    provider: Provider, toolkit: AnyToolkit | None = None, *, name: str = "Friday", key: str = "sk-test", **options: Any
) -> RealtimeAgent:
    """An agent made as AgentScope's are, whose model is the simulator's."""
    model = OpenAIRealtimeModel("gpt-realtime", key)
    model.websocket_url = provider.url
    return RealtimeAgent(name, "Be brief.", model, toolkit, **options)


async def get_weather(city: str) -> ToolResponse:
    """The weather.

    Args:
        city (str): Where.
    """
    return ToolResponse(content=[TextBlock(type="text", text=f"Sunny in {city}.")])


def weather_toolkit() -> Toolkit:
    """One that has `get_weather`."""
    toolkit = Toolkit()
    toolkit.register_tool_function(get_weather)
    return toolkit


@asynccontextmanager
async def running(agent: RealtimeAgent | ChatRoom) -> AsyncGenerator[Q]:
    """The queue of an agent or a room that is started, and stopped in the end."""
    queue: Q = asyncio.Queue()
    await agent.start(queue)
    try:
        yield queue
    finally:
        await agent.stop()


async def until(queue: Q, kind: type[Event], count: int = 1) -> list[Any]:
    """Events up to and with the n-th of this kind."""
    events: list[Any] = []
    async with asyncio.timeout(20):
        while count:
            events.append(await queue.get())
            count -= isinstance(events[-1], kind)
    return events


def waiting(queue: Q) -> list[Any]:
    """What is in the queue now."""
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that nothing tells of."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.002)


async def say(agent: RealtimeAgent | ChatRoom, text: str) -> None:
    """As a frontend does that has a line to type in."""
    await agent.handle_input(ClientEvents.ClientTextAppendEvent(session_id="s1", text=text))


def tags(events: list[Any]) -> list[str]:
    """Their types, a run of deltas as one."""
    return [tag for tag, _ in itertools.groupby(event.type for event in events)]


def pcm_of(events: list[Any]) -> bytes:
    """The speech among them."""
    return b"".join(
        base64.b64decode(event.delta)
        for event in events
        if isinstance(event, (ServerEvents.AgentResponseAudioDeltaEvent, ModelEvents.ModelResponseAudioDeltaEvent))
    )


def runtime_threads() -> list[str]:
    """The threads of runtimes that are alive, those of their watchdogs apart."""
    return [thread.name for thread in threading.enumerate() if thread.name == "realtime_actors"]
