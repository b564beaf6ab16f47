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
    open_runtime,
)
from realtime_actors.events import PCM_24K, ClientAudioAppend, ClientResponseCreate
from realtime_actors.gateway import Gateway, GatewaySettings, GetStatus

__all__ = ["friday", "listen", "relay", "settings", "speak"]


def friday(port: int) -> RealtimeAgent:
    """An agent whose provider is the load generator."""
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="none", url=f"ws://127.0.0.1:{port}/")
    return RealtimeAgent(name="Friday", instructions="You are friendly.", model=model)


async def _listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    async with open_runtime() as runtime, trio.open_nursery() as nursery:

        async def apply(topic: str, *, task_status: trio.TaskStatus[None]) -> None:
            async with runtime.bus.subscribe(topic) as events:
                task_status.started()
                async for event in events:
                    if isinstance(event, AgentResponseAudioDelta):
                        heard(event.delta)

        for number in range(sessions):
            agent = await runtime.spawn(friday(port), name=f"friday-{number}")
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

        agents = [await runtime.spawn(friday(port), name=f"friday-{number}") for number in range(sessions)]
        await trio.sleep(0.5)
        for number, agent in enumerate(agents):
            nursery.start_soon(speaker, agent, number)
        await trio.sleep_forever()


def speak(port: int, sessions: int, pace: Pace) -> None:
    """See the package."""
    trio.run(_speak, port, sessions, pace)


def settings() -> GatewaySettings:
    """Those of a gateway whose frontends are all on this machine, and come at once."""
    return GatewaySettings(
        port=0,
        max_sessions=1000,
        max_connections_per_address=None,
        max_new_connections_per_second=None,
    )


async def _relay(port: int, listening: Callable[[int], None]) -> None:
    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(lambda _: friday(port), settings()), name="gateway")
        listening((await gateway.ask(GetStatus(), timeout=5)).address.port)
        await trio.sleep_forever()


def relay(port: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_relay, port, listening)
