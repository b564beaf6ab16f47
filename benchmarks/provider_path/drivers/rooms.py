"""This package: rooms of several agents behind a gateway, who all speak at once to several people."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from realtime_actors import open_runtime
from realtime_actors.gateway import Gateway, GetStatus
from realtime_actors.rooms import ChatRoom, Everyone, FloorLimits, Hears, RoomAgent

from .agents import friday, settings

__all__ = ["rooms"]

HEARS: Hears = "audio"


async def _rooms(port: int, agents: int, rooms: int, listening: Callable[[int], None]) -> None:
    def make(_: str) -> ChatRoom:
        members = [
            RoomAgent(attrs.evolve(friday(port), name=f"Friday {number}"), HEARS) for number in range(agents // rooms)
        ]
        return ChatRoom(members, Everyone(), FloorLimits(agent_turns=0))

    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(room=make, settings=settings()), name="gateway")
        listening((await gateway.ask(GetStatus(), timeout=5)).address.port)
        await trio.sleep_forever()


def rooms(port: int, agents: int, people: int, count: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    del people  # they come when they like
    trio.run(_rooms, port, agents, count, listening)
