"""The chat room, used as `agentscope.pipeline.ChatRoom` is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from realtime_actors.agents import LocalVAD
from realtime_actors.rooms import Everyone, FloorLimits, Policy, RoomAgent, RoomSettings

from .agent import RealtimeAgent
from .client_events import ClientEvents
from .errors import NotStarted, NotSupported
from .feed import BACKLOG_BYTES, QUEUE_AHEAD, Feed, QueueStatistics
from .missing import missing
from .room_session import Room, RoomSession
from .session import new_id
from .translation import checked

__all__ = ["AMONG_THEMSELVES", "ChatRoom"]

__getattr__ = missing(
    __name__,
    dict.fromkeys(
        (
            "FanoutPipeline",
            "MsgHub",
            "SequentialPipeline",
            "fanout_pipeline",
            "sequential_pipeline",
            "stream_printing_messages",
        ),
        "it is for agents that are not here; import it from agentscope, which may be used beside this package",
    ),
)

AMONG_THEMSELVES = FloorLimits(agent_turns=12, silence=300.0)
"""How long agents go on without the user: long enough for the debate of AgentScope's example, and not for ever."""

_USER = "user"


class ChatRoom:
    """Several agents and the user in one conversation: `start` it with a queue, `handle_input`, `stop`.

    All agents hear the user and each other. By default each answers each turn, all at the same time, as AgentScope's
    do; but after `limits` they wait for the user to speak or write. `policy` says who may speak (one object for each
    room), `turn_detection` finds the user's turns, `settings` are bounds and times; all of these are described in
    `realtime_actors.rooms`. The user is called `user_name`.

    The queue is fed as that of a `RealtimeAgent` is: `queue_ahead` events ahead of its reader, with up to
    `backlog_bytes` beside it.

    A room that is forgotten without a `stop` is stopped when it is garbage.
    """

    _session: RoomSession | None = None

    def __init__(
        self,
        agents: Sequence[RealtimeAgent],
        *,
        policy: Policy | None = None,
        limits: FloorLimits = AMONG_THEMSELVES,
        turn_detection: LocalVAD | None = None,
        settings: RoomSettings | None = None,
        user_name: str = "User",
        queue_ahead: int = QUEUE_AHEAD,
        backlog_bytes: int = BACKLOG_BYTES,
    ) -> None:
        self.agents = agents
        self._policy = policy
        self._limits = limits
        self._turn_detection = turn_detection or LocalVAD()
        self._settings = settings or RoomSettings()
        self._user_name = user_name
        self._queue_ahead = queue_ahead
        self._backlog_bytes = backlog_bytes

    async def start(self, outgoing_queue: asyncio.Queue[Any]) -> None:
        """Connect all agents, and put the `ServerEvents` of all into the queue from now on.

        Returns when every provider has accepted its agent's configuration. If one does not, no agent is left running.
        Raises `AgentNotReady`, `AlreadyInRoom` (two agents of one name), `RoomFull`, `InvalidRoom`, or `NotStarted`
        when the room, or an agent, runs already.
        """
        if self._session is not None and not self._session.is_over:
            raise NotStarted("the room runs already: stop it first, or make another")
        for agent in self.agents:
            if not isinstance(agent, RealtimeAgent):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
                raise NotSupported(
                    f"{type(agent).__module__}.{type(agent).__qualname__} cannot be in this room: its agents are of "
                    "realtime_actors.agentscope.agent.RealtimeAgent"
                )
        room = Room(
            [RoomAgent(agent.native(), agent_id=agent.id) for agent in self.agents],
            self._policy or Everyone(),
            self._limits,
            self._settings,
            self._turn_detection,
        )
        session = self._session = RoomSession(
            room,
            new_id(),
            Feed(outgoing_queue, self._queue_ahead, self._backlog_bytes),
            toolkits={agent.id: agent.toolkit for agent in self.agents if agent.toolkit is not None},
            user=_USER,
            user_name=self._user_name,
        )
        for agent in self.agents:
            agent.is_in(session)
        await session.start()

    async def handle_input(self, event: ClientEvents.EventBase) -> None:
        """What the user's frontend says, for all. Waits while the room has no room for it.

        Events that open and close a conversation are passed over. Raises `NotAnEvent` (a TypeError) for what is no
        event, `NotStarted` before the start and after the end, `InvalidEvent` for values that are not as declared.
        """
        given = checked(event)
        if self._session is None:
            raise NotStarted("the room is not started: await room.start(queue) first")
        await self._session.take(given)

    async def stop(self) -> None:
        """End all agents: each says `AgentEndedEvent`. Does nothing to a room that has ended."""
        session, self._session = self._session, None
        if session is not None:
            await session.stop()

    def __del__(self) -> None:
        if self._session is not None:
            self._session.abandon()

    def queue_statistics(self) -> QueueStatistics:
        """What became of the events for the queue. Raises `NotStarted`."""
        if self._session is None:
            raise NotStarted("the room is not started: await room.start(queue) first")
        return self._session.feed.statistics()
