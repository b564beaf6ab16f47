"""This package: several frontends of one agent, through a gateway.

A gateway's session has an agent of its own, and until there are rooms that is all it can have. So the agent of each
session is one that stays silent here, and what the shared agent says is published on the topics of all of them: the
same event, which is encoded once for each wire. That is one wake-up more for a delta than with rooms, and a message
more on the bus for each frontend; the rest of the way is that of every session.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from realtime_actors import Runtime, open_runtime
from realtime_actors.actors import Actor, receives
from realtime_actors.events import AgentReady, AgentResponseAudioDelta, ClientResponseCreate
from realtime_actors.gateway import Gateway, GetStatus

from .agents import friday, settings

__all__ = ["broadcast"]


@attrs.define(eq=False)
class _Seat(Actor):
    """The agent of a session, in which another one is heard."""

    take: Callable[[str], None]

    async def started(self) -> None:
        name = self.context.name
        self.context.bus.publish(f"agents.{name}.{AgentReady.type}", AgentReady(name, "Friday"))
        self.take(name)

    @receives
    def ask(self, _: ClientResponseCreate) -> None:
        """Nothing: the shared agent is asked when all are there."""


async def _share(runtime: Runtime, agent: str, seats: list[str], *, task_status: trio.TaskStatus[None]) -> None:
    topics = [f"agents.{seat}.{AgentResponseAudioDelta.type}" for seat in seats]
    async with runtime.bus.subscribe(f"agents.{agent}.{AgentResponseAudioDelta.type}") as events:
        task_status.started()
        async for event in events:
            for topic in topics:
                runtime.bus.publish(topic, event)


async def _broadcast(port: int, agents: int, frontends: int, listening: Callable[[int], None]) -> None:
    seats: list[str] = []
    all_taken = trio.Event()

    def take(seat: str) -> None:
        seats.append(seat)
        if len(seats) == agents * frontends:
            all_taken.set()

    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        refs = [await runtime.spawn(friday(port), name=f"friday-{number}") for number in range(agents)]
        gateway = await runtime.spawn(Gateway(lambda _: _Seat(take), settings()), name="gateway")
        listening((await gateway.ask(GetStatus(), timeout=5)).address.port)
        await all_taken.wait()
        for number, ref in enumerate(refs):
            await nursery.start(_share, runtime, ref.name, seats[number::agents])
            ref.tell(ClientResponseCreate(""))
        await trio.sleep_forever()


def broadcast(port: int, agents: int, frontends: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_broadcast, port, agents, frontends, listening)
