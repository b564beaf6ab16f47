"""This package: an agent, and an application that subscribes to what it says."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count

import attrs
import trio

from benchmarks.peers.application import Application, Host, StartSoon
from benchmarks.provider_path.drivers.agents import friday
from realtime_actors import AgentResponseAudioDelta, AgentResponseDone, Ref, Runtime, open_runtime
from realtime_actors.events import PCM_24K, ClientAudioAppend, ClientResponseCancel, ClientResponseCreate
from realtime_actors.rooms import ChatRoom, HandFloor

from .trio_host import on_trio

__all__ = ["consume", "converse", "interrupt", "open_session", "stay"]

_names = count()
_runtimes: list[Runtime] = []
_until_the_process_ends = AsyncExitStack()


@attrs.frozen
class _Session:
    agent: Ref

    async def ask(self) -> None:
        self.agent.tell(ClientResponseCreate(""))

    async def append(self, pcm: bytes) -> None:
        self.agent.tell(ClientAudioAppend("", pcm, PCM_24K))

    async def interrupt(self) -> None:
        self.agent.tell(ClientResponseCancel(""))


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    """An agent in the runtime of this process."""
    if not _runtimes:
        _runtimes.append(await _until_the_process_ends.enter_async_context(open_runtime()))
    runtime = _runtimes[0]
    agent = await runtime.spawn(friday(port), name=f"friday-{next(_names)}")
    subscribed = trio.Event()

    async def hear() -> None:
        async with runtime.bus.subscribe(f"agents.{agent.name}.>") as events:
            subscribed.set()
            async for event in events:
                if isinstance(event, AgentResponseAudioDelta):
                    await application.audio(event.delta)
                elif isinstance(event, AgentResponseDone):
                    application.ended()

    start_soon(hear)
    await subscribed.wait()
    return _Session(agent)


async def _converse(port: int, rooms: int, agents: int) -> None:
    async with open_runtime() as runtime, trio.open_nursery() as nursery:

        async def hear(room: str) -> None:
            async with runtime.bus.subscribe(f"rooms.{room}.>") as events:
                async for _ in events:
                    pass

        for number in range(rooms):
            members = [attrs.evolve(friday(port), name=f"Friday {member}") for member in range(agents)]
            room = await runtime.spawn(ChatRoom(agents=members), name=f"lobby-{number}")
            nursery.start_soon(hear, room.name)
            await room.ask(HandFloor("Friday 0"), timeout=5)


def converse(port: int, rooms: int, agents: int) -> None:
    """Rooms in each of which one agent speaks."""
    trio.run(_converse, port, rooms, agents)


_host = Host(open_session, on_trio)
interrupt, consume, stay = _host.interrupt, _host.consume, _host.stay
