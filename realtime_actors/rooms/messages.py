"""What a room is told and asked, besides by its agents; and functions that ask it and raise what it refuses."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from realtime_actors.actors import RealtimeError
from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import ClientEvent, RoomState

from .floor import FloorStatistics
from .settings import RoomAgent

__all__ = [
    "AddAgent",
    "FromPerson",
    "GetRoom",
    "GetRoomStatistics",
    "HandFloor",
    "HandUp",
    "Join",
    "Leave",
    "RemoveAgent",
    "RoomRef",
    "RoomStatistics",
    "add_agent",
    "join_room",
    "leave_room",
    "remove_agent",
]


@attrs.frozen(kw_only=True)
class Join:
    """Ask a room this: a person comes in, or back. It answers with the `RoomState`, or with the error.

    `hear_rate` is the rate in Hz at which the person wants to hear the other people; `None`: not at all.
    """

    person: str
    name: str = ""
    hear_rate: int | None = None


@attrs.frozen
class Leave:
    """Tell a room this: a person leaves; with `may_return` only the connection is gone."""

    person: str
    may_return: bool = False


@attrs.frozen
class FromPerson:
    """Tell a room this: what the frontend of somebody in it says."""

    person: str
    event: ClientEvent


@attrs.frozen
class AddAgent:
    """Ask a room this: another agent comes in. It answers with the agent's id when it is ready, or with the error."""

    agent: RealtimeAgent | RoomAgent


@attrs.frozen
class RemoveAgent:
    """Ask a room this: an agent leaves, and is stopped. It answers with `None`, or with the error."""

    agent_id: str


@attrs.frozen
class HandFloor:
    """Tell a room this: the agent of this id, or name, speaks next, whatever the policy; who speaks now finishes.

    Whoever asks is answered `None`, or with the error (`NotInRoom`).
    """

    to: str


@attrs.frozen
class HandUp:
    """Tell a room this: an agent wants to speak, or (not `up`) does not any more. Answered as `HandFloor`."""

    agent_id: str
    up: bool = True


@attrs.frozen
class GetRoom:
    """Ask a room this for its `RoomState`."""


@attrs.frozen
class GetRoomStatistics:
    """Ask a room this for its `RoomStatistics`."""


@attrs.frozen
class RoomStatistics:
    """What a room has done so far, of those who are in it now."""

    floor: FloorStatistics
    voice_dropped_ms: float
    """Speech of people that came faster than it could be heard, in ms."""
    open_dropped_ms: float
    """What people have not heard of each other because it came too late, in ms."""
    held_dropped_ms: float
    """What agents have not heard because they were speaking for too long, in ms."""
    unheard: int
    """Pieces of agents' speech that other agents have not heard, since too much of it waited."""


class RoomRef(Protocol):
    """What a room is reached by: its `Ref`, or in asyncio its `AsyncioRef`."""

    def tell(self, message: Any) -> None:
        """Give it a message."""
        ...

    async def ask(self, message: Any, *, timeout: float | None) -> Any:  # noqa: ASYNC109 - as that of Ref
        """Give it a message, and return the answer."""
        ...


async def join_room(
    room: RoomRef,
    person: str,
    *,
    name: str = "",
    hear_rate: int | None = None,
    timeout: float | None = 5.0,  # noqa: ASYNC109 - as `ask` has it
) -> RoomState:
    """Come into a room, or back. `person` is an id, `name` what others see (the id, if there is none).

    What the room says is published on `rooms.<room>.<type>`, what is for this person only on `people_topic(…)`.

    Raises:
        AlreadyInRoom: somebody of this id is there.
        RoomFull: no more people may be there.
        UnsupportedRate: `hear_rate` is not one of `realtime_actors.audio.RATES`.
    """
    state: RoomState = _raised(await room.ask(Join(person=person, name=name, hear_rate=hear_rate), timeout=timeout))
    return state


def leave_room(room: RoomRef, person: str) -> None:
    """Leave a room for good. Of no effect for somebody who is not there."""
    room.tell(Leave(person))


async def add_agent(
    room: RoomRef,
    agent: RealtimeAgent | RoomAgent,
    *,
    timeout: float | None = 60.0,  # noqa: ASYNC109 - as `ask` has it
) -> str:
    """Have another agent join, and wait until it is ready. Gives its agent id.

    Raises:
        AlreadyInRoom: an agent of this name is there.
        RoomFull: no more agents may be there.
        AgentNotReady: it was not ready in time, or could not be started (the cause says why).
    """
    agent_id: str = _raised(await room.ask(AddAgent(agent), timeout=timeout))
    return agent_id


async def remove_agent(
    room: RoomRef,
    agent_id: str,
    *,
    timeout: float | None = 30.0,  # noqa: ASYNC109 - as `ask` has it
) -> None:
    """Have an agent leave. Raises `NotInRoom`."""
    _raised(await room.ask(RemoveAgent(agent_id), timeout=timeout))


def _raised(answer: Any) -> Any:
    if isinstance(answer, RealtimeError):
        raise answer
    return answer
