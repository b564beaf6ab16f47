"""How a room is set up."""

from __future__ import annotations

import re
from typing import Literal, get_args

import attrs

from realtime_actors.actors import Ref
from realtime_actors.actors.names import NAME
from realtime_actors.agents import RealtimeAgent
from realtime_actors.providers import Model

from .errors import InvalidRoom

__all__ = ["Hears", "RoomAgent", "RoomSettings", "as_room_agent"]

Hears = Literal["audio", "transcripts"]
"""What an agent hears of the others: a mix of their voices, or what they said, in words."""


@attrs.frozen
class RoomAgent:
    """An agent as a member of a room: what it hears of the others."""

    agent: RealtimeAgent
    hears: Hears = "audio"
    agent_id: str = ""
    """By which events and topics name it: letters, digits, _ and -, and used once in a runtime. Empty: `<room>-<name>`,
    with a number if that is taken."""

    @property
    def model(self) -> Model:
        """The first of its models."""
        model = self.agent.model
        return model if isinstance(model, Model) else model[0]


@attrs.frozen(kw_only=True)
class RoomSettings:
    """Bounds and times of a room, in s. Wrong values raise `InvalidRoom`."""

    most_people: int = 16
    most_agents: int = 16
    ready_timeout: float = 30.0
    """How long an agent may take until its provider has accepted it."""
    return_within: float = 30.0
    """How long a person whose connection is gone stays a member."""
    linger: float | None = None
    """How long the room goes on after the last person has left; `None`: until it is stopped."""
    lines: int = 200
    """How many lines of the transcript are kept, for those who come later."""
    characters: int = 20_000
    """How many characters of it an agent is told that comes later, or back."""
    restarts: int = 5
    """How often an agent may crash in a minute and be started again."""
    introduce: bool = True
    """Whether agents are told, after their instructions, who they are in the room, and how to read what they hear."""
    handoffs: bool = False
    """Whether agents get a tool, `hand_over`, by which they give the floor to another one."""

    def __attrs_post_init__(self) -> None:
        for name in ("most_people", "most_agents", "ready_timeout", "return_within", "lines", "characters", "restarts"):
            if not getattr(self, name) >= 0:
                raise InvalidRoom(f"RoomSettings.{name} is {getattr(self, name)!r}; it must be 0 or more.")
        if self.linger is not None and not self.linger >= 0:
            raise InvalidRoom(f"RoomSettings.linger is {self.linger!r}; it must be 0 or more, or None.")


def as_room_agent(agent: object) -> RoomAgent:
    """What a room was given as an agent. Raises `TypeError` for what is none, and `InvalidRoom`."""
    if isinstance(agent, Ref):
        raise TypeError(
            f"ChatRoom(agents=…) takes agents that are not spawned, and was given the ref of {agent.path}: "
            "give it RealtimeAgent(…) itself, the room spawns and supervises it"
        )
    member = RoomAgent(agent) if isinstance(agent, RealtimeAgent) else agent
    if not isinstance(member, RoomAgent):
        raise TypeError(f"ChatRoom(agents=…) takes RealtimeAgent(…) or RoomAgent(…), not {type(agent).__name__}")
    if member.hears not in get_args(Hears):
        raise InvalidRoom(f"{member.agent.name} hears {member.hears!r}: it must be 'audio' or 'transcripts'.")
    if member.agent_id and not NAME.fullmatch(member.agent_id):
        raise InvalidRoom(f"the agent_id {member.agent_id!r:.80} has other characters than letters, digits, _ and -.")
    if member.agent.turn_detection is not None:
        raise InvalidRoom(
            f"{member.agent.name} has turn_detection of its own: leave it out, the room finds out who speaks "
            "(ChatRoom(turn_detection=LocalVAD(…)))"
        )
    if not member.model.capabilities.manual_turns:
        raise InvalidRoom(f"{member.model.model_name} replies when it likes: in a room models have to wait their turn.")
    if member.hears == "transcripts" and not member.model.capabilities.text:
        raise InvalidRoom(f"{member.model.model_name} takes no text: let {member.agent.name} hear 'audio'.")
    return member


def slug(name: str) -> str:
    """A name as a part of an actor's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-").lower() or "agent"
