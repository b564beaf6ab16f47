"""This package: an agent for each session, and an application that subscribes to what it says."""

from __future__ import annotations

from collections.abc import Callable

import trio

from benchmarks.provider_path.meter import Pace
from realtime_actors import (
    AgentResponseAudioDelta,
    OpenAIRealtimeModel,
    RealtimeAgent,
    Ref,
    Runtime,
    open_runtime,
)
from realtime_actors.events import PCM_24K, ClientAudioAppend, ClientResponseCreate

__all__ = ["listen", "spawn_agent", "speak"]


async def spawn_agent(runtime: Runtime, port: int, number: int) -> Ref:
    """An agent whose provider is the load generator."""
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="none", url=f"ws://127.0.0.1:{port}/")
    agent = RealtimeAgent(name="Friday", instructions="You are friendly.", model=model)
    return await runtime.spawn(agent, name=f"friday-{number}")


async def _listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    async with open_runtime() as runtime, trio.open_nursery() as nursery:

        async def apply(topic: str, *, task_status: trio.TaskStatus[None]) -> None:
            async with runtime.bus.subscribe(topic) as events:
                task_status.started()
                async for event in events:
                    if isinstance(event, AgentResponseAudioDelta):
                        heard(event.delta)

        for number in range(sessions):
            agent = await spawn_agent(runtime, port, number)
            await nursery.start(apply, f"agents.{agent.name}.>")
            agent.tell(ClientResponseCreate(""))


def listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    """See the package."""
    trio.run(_listen, port, sessions, heard)


async def _speak(port: int, sessions: int, pace: Pace) -> None:
    async with open_runtime() as runtime, trio.open_nursery() as nursery:

        async def speaker(agent: Ref, number: int) -> None:
            for pause in pace.pauses(number):
                await trio.sleep(pause)
                agent.tell(ClientAudioAppend("", pace.piece(), PCM_24K))

        agents = [await spawn_agent(runtime, port, number) for number in range(sessions)]
        await trio.sleep(0.5)
        for number, agent in enumerate(agents):
            nursery.start_soon(speaker, agent, number)
        await trio.sleep_forever()


def speak(port: int, sessions: int, pace: Pace) -> None:
    """See the package."""
    trio.run(_speak, port, sessions, pace)
