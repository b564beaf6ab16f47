"""A room in the shared runtime, and the application's queue that is fed with what is said in it."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from realtime_actors.actors import ActorError
from realtime_actors.agents import AddText
from realtime_actors.asyncio import AsyncioRef
from realtime_actors.audio import duration_ms
from realtime_actors.events import (
    ClientAudioAppend,
    ClientEvent,
    ClientTextAppend,
    RoomFloorChanged,
    RoomLine,
    ServerEvent,
)
from realtime_actors.providers import Model
from realtime_actors.rooms import ChatRoom, FromPerson, HandFloor, Join, RoomAgent, RoomsError, remove_agent

from .calls import AnyToolkit
from .errors import NotStarted
from .event import Event
from .feed import Feed
from .server_events import ServerEvents
from .session import Session
from .translation import server_event

__all__ = ["Room", "RoomSession"]

log = logging.getLogger("realtime_actors.agentscope")

_MOST_TYPED = 64


@attrs.frozen
class RoomOver:
    """The last that is heard of a room."""

    type: ClassVar[str] = "room_over"


@attrs.define(eq=False)
class Room(ChatRoom):
    """A room that says when it has ended."""

    async def stopping(self) -> None:
        """Say so, after all agents have said that they have."""
        await super().stopping()
        self.context.bus.publish(f"rooms.{self.context.name}.{RoomOver.type}", RoomOver())


class RoomSession(Session):
    """A room with one person in it, whose id is `user`: whoever is behind the application's `handle_input`."""

    def __init__(
        self, room: Room, room_id: str, feed: Feed, *, toolkits: Mapping[str, AnyToolkit], user: str, user_name: str
    ) -> None:
        agents: dict[str, str] = {}
        self._models: dict[str, Model] = {}
        for each in room.agents:
            assert isinstance(each, RoomAgent)
            agents[each.agent_id] = each.agent.name
            self._models[each.agent_id] = each.model
        # The first word is rooms, or people: what is for all, and what is for the one person.
        super().__init__(room, room_id, feed, pattern=f"*.{room_id}.>", agents=agents, toolkits=toolkits)
        self._user = user
        self._user_name = user_name
        self._typed: deque[str] = deque(maxlen=_MOST_TYPED)
        self._heard_ms = 0.0
        self._turns = 0
        self._is_speaking = False

    async def stop_agent(self, agent_id: str) -> None:
        if self._ref is None:
            return
        with contextlib.suppress(ActorError, RoomsError):  # it has ended, or has left before
            await remove_agent(self._ref, agent_id)

    def abandon_agent(self) -> None:
        pass  # it is the room's

    # -- what is said to it

    async def _enter(self, ref: AsyncioRef) -> None:
        await ref.send(Join(person=self._user, name=self._user_name))

    async def _deliver(self, ref: AsyncioRef, event: ClientEvent, agent_id: str | None) -> None:
        if agent_id is not None:
            await self._deliver_to(self._agent(agent_id), ref, event)
            return
        if isinstance(event, ClientTextAppend) and event.text.strip():
            self._typed.append(event.text)
        elif isinstance(event, ClientAudioAppend):
            self._heard_ms += _duration_ms(event)
        await ref.send(FromPerson(self._user, event))

    async def _deliver_to(self, agent: AsyncioRef, room: AsyncioRef, event: ClientEvent) -> None:
        """To one agent, which alone is to answer what asks for a reply."""
        if not isinstance(event, ClientTextAppend):
            await agent.send(event)
            return
        model = self._models[agent.name]
        if model.capabilities.text:
            await agent.send(AddText(event.text))
        else:
            log.warning("%s takes no text: it is asked to speak, and not told %.80r", model.model_name, event.text)
        await room.send(HandFloor(agent.name))

    async def _answer(self, agent_id: str, event: ClientEvent) -> None:
        with contextlib.suppress(ActorError, NotStarted):  # the agent has ended meanwhile
            await self._agent(agent_id).send(event)

    def _agent(self, agent_id: str) -> AsyncioRef:
        ref = None if self._runtime is None else self._runtime.find(f"{self.id}.{agent_id}")
        if ref is None:
            raise NotStarted(f"{self.agents[agent_id]} has left the room (its last events say why)")
        return ref

    # -- what is said by it

    def _translated(self, event: ServerEvent | RoomOver) -> Sequence[Event]:
        match event:
            case RoomOver():
                return []
            case RoomFloorChanged(speaking=speaking):
                return self._turn(is_speaking=self._user in speaking)
            case RoomLine() if event.speaker_id == self._user:
                return self._words(event.text)
            case _:
                translated = server_event(event)
                return [] if translated is None else [translated]

    def _turn(self, *, is_speaking: bool) -> Sequence[Event]:
        """The person begins to speak, which interrupts all, or has spoken. All agents hear it, and it is said once."""
        if is_speaking == self._is_speaking:
            return []
        self._is_speaking = is_speaking
        heard_ms = round(self._heard_ms)
        if is_speaking:
            self._turns += 1
            self.feed.supersede()
        item_id, agent_id, name = self._of_turn()
        if is_speaking:
            started = ServerEvents.AgentInputStartedEvent(
                item_id=item_id, audio_start_ms=heard_ms, agent_id=agent_id, agent_name=name
            )
            return [started]
        done = ServerEvents.AgentInputDoneEvent(
            item_id=item_id, audio_end_ms=heard_ms, agent_id=agent_id, agent_name=name
        )
        return [done]

    def _words(self, text: str) -> Sequence[Event]:
        """What the person has said; not what was typed, which the application knows."""
        if self._typed and self._typed[0] == text:
            self._typed.popleft()
            return []
        item_id, agent_id, name = self._of_turn()
        said = ServerEvents.AgentInputTranscriptionDoneEvent(
            item_id=item_id, transcript=text, agent_id=agent_id, agent_name=name
        )
        return [said]

    def _of_turn(self) -> tuple[str, str, str]:
        """The name of the person's last turn, and the agent that speaks for all."""
        agent_id, name = next(iter(self.agents.items()), ("", ""))
        return f"turn_{self._turns}", agent_id, name

    def _is_last(self, event: ServerEvent | RoomOver) -> bool:
        return isinstance(event, RoomOver)


def _duration_ms(event: ClientAudioAppend) -> float:
    """About how long it is: it is looked into elsewhere."""
    return duration_ms(len(event.payload) * 3 // 4, max(1, event.format.rate))
