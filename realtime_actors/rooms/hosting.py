"""The agents of a room: how they start, come in, fail and leave."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from realtime_actors.actors import Backoff, Ref, Terminated, receives
from realtime_actors.agents import AddText, RealtimeAgent, Tool, tool
from realtime_actors.agents.listening import by_hand
from realtime_actors.audio import AudioError, duration_ms
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    DecodeError,
    RoomParticipantJoined,
    RoomParticipantLeft,
    RoomParticipantUpdated,
)
from realtime_actors.providers import Model

from .errors import AgentNotReady, AlreadyInRoom, InvalidRoom, NotInRoom, RoomFull, RoomsError
from .floor import Floor
from .member import Member
from .messages import (
    AddAgent,
    HandFloor,
    HandUp,
    RemoveAgent,
)
from .relay import Relay, Speech
from .settings import RoomAgent, as_room_agent, slug
from .sound import Sound
from .speaking import SpeakingRoom
from .transcript import Transcript

__all__ = ["HostingRoom"]

log = logging.getLogger("realtime_actors.rooms")

_HEARD_OF = (
    AgentReady,
    AgentEnded,
    AgentError,
    AgentResponseCreated,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    AgentInputTranscriptionDone,
)
"""What a room has to know of its agents."""

MOST_CALLS = 256

INTRODUCTION = (
    "You are {name}, in a conversation with several people and agents{others}. What others write or say is given to "
    "you with the name of the speaker before it. Speak as yourself only, never put a name before what you say, and "
    "be brief: others want to speak, too."
)


@attrs.define(eq=False)
class HostingRoom(SpeakingRoom):
    """Starts agents, all or none; supervises them, and lets others come and go."""

    _calls: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    """Which agent made a call."""

    async def started(self) -> None:
        """Start all agents, or none."""
        self._room = self.context.name
        agents = [as_room_agent(agent) for agent in self.agents]
        if len(agents) > self.settings.most_agents:
            raise RoomFull(f"{len(agents)} agents are more than the room takes: RoomSettings(most_agents=…)")
        hears_words = any(each.hears == "transcripts" for each in agents)
        self._floor = Floor(self.policy, self.limits, needs_words=hears_words)
        self._sound = Sound(self.turn_detection)
        self._transcript = Transcript(self.settings.lines)
        try:
            await self._start_all([self._new_member(agent) for agent in agents])
        except BaseException:
            self._leave_bus()  # of a room that has not started nobody asks to stop
            raise
        self.context.start_soon(self._keep_time)

    async def stopping(self) -> None:
        """Leave no subscription behind."""
        self._leave_bus()

    def _leave_bus(self) -> None:
        for member in self._members.values():
            self.context.bus.remove(member.relay)

    async def _start_all(self, members: list[Member]) -> None:
        starts = [partial(self._start, member) for member in members]
        if isinstance(self.moderator, RealtimeAgent):
            starts.append(partial(self._start_moderator, self.moderator))
        failures: list[RoomsError] = []
        async with trio.open_nursery() as nursery:

            async def start_or_give_up(start: Callable[[], Awaitable[None]]) -> None:
                try:
                    await start()
                except RoomsError as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()

            for start in starts:
                nursery.start_soon(start_or_give_up, start)
        if failures:
            raise failures[0]
        for member in members:  # in the order in which they were given, however long each has taken
            member.is_ready = True
            self._come_in(member)

    def _new_member(self, agent: RoomAgent) -> Member:
        if any(agent.agent.name == other.name for other in self._members.values()):
            raise AlreadyInRoom(
                f"An agent called {agent.agent.name!r} is in the room already: give one of the two another name."
            )
        agent_id = self._id_for(agent)
        if agent_id in self._members:
            raise AlreadyInRoom(f"An agent with the id {agent_id!r} is in the room already: give one another agent_id.")
        member = self._members[agent_id] = Member(
            agent_id, agent, Relay(self.context.bus, agent_id, self._room, partial(self._agent_says, agent_id))
        )
        self._sound.add_agent(agent_id, agent.model.input_rate if member.hears_audio else None)
        self.context.bus.add(member.relay)
        member.subscriptions = [self.context.subscribe(f"agents.{agent_id}.{kind.type}") for kind in _HEARD_OF]
        return member

    def _id_for(self, agent: RoomAgent) -> str:
        if agent.agent_id:
            return agent.agent_id
        plain = agent_id = f"{self._room}-{slug(agent.agent.name)}"
        number = 1
        while agent_id in self._members:  # names that have no letters of those that ids are made of
            number += 1
            agent_id = f"{plain}-{number}"
        return agent_id

    def _forget(self, member: Member) -> None:
        self._members.pop(member.agent_id, None)
        self._sound.remove_agent(member.agent_id)
        self.context.bus.remove(member.relay)
        for subscription in member.subscriptions:
            subscription.close()

    def _agent_says(self, agent_id: str, event: Speech) -> None:
        """Called in the middle of a publish: no more than to put it by."""
        member = self._members[agent_id]
        match event:
            case AgentResponseCreated(response_id):
                member.begins(response_id)
            case AgentResponseAudioTranscriptDelta():
                member.says(event.response_id, event.item_id, event.delta)
            case AgentResponseAudioDelta():
                ms = duration_ms(len(event.payload), event.format.rate)
                if member.says(event.response_id, event.item_id, ms=ms):
                    self._agent_sounds(member, event)
            case AgentResponseDone(response_id, metadata=metadata):
                if metadata.get("status", "completed") == "completed":
                    member.has_said(response_id)

    def _agent_sounds(self, member: Member, event: AgentResponseAudioDelta) -> None:
        try:
            self._sound.say(member.agent_id, event)
        except (AudioError, DecodeError, RoomsError) as error:
            if not member.has_problem:
                log.warning("%s: the others do not hear all that %s says: %s", self._room, member.agent_id, error)
            member.has_problem = True
        self._audible.set()

    async def _start_moderator(self, agent: RealtimeAgent) -> None:
        self._moderator = await self._spawn(agent, f"{self._room}--moderator")  # as no agent's id is

    async def _start(self, member: Member) -> None:
        member.ref = await self._spawn(self._in_room(member), member.agent_id)
        self.context.watch(member.ref)
        self._come_in(member)  # if it has been ready before its ref was known

    async def _spawn(self, agent: RealtimeAgent, agent_id: str) -> Ref:
        """Raises `AgentNotReady`."""
        settings = self.settings
        try:
            with trio.fail_after(settings.ready_timeout):
                return await self.context.spawn(
                    agent,
                    name=agent_id,
                    restart="transient",
                    max_restarts=settings.restarts,
                    within=60.0,
                    backoff=Backoff(0.2, 10.0),
                )
        except trio.TooSlowError:
            raise AgentNotReady(f"{agent.name} was not ready within {settings.ready_timeout:g} s.") from None
        except Exception as error:
            raise AgentNotReady(f"{agent.name} cannot join the room: {error}") from error

    def _in_room(self, member: Member) -> RealtimeAgent:
        """The agent as it is in the room: it waits its turn, and knows who it is."""
        agent = member.settings.agent
        models = (agent.model,) if isinstance(agent.model, Model) else tuple(agent.model)
        instructions, tools = agent.instructions, tuple(agent.tools)
        if self.settings.introduce:
            others = ", ".join(other.name for other in self._members.values() if other is not member)
            introduction = INTRODUCTION.format(name=agent.name, others=others and f", among them {others}")
            instructions = f"{instructions}\n\n{introduction}".strip()
        if self.settings.handoffs and models[0].capabilities.tools:
            tools = (*tools, self._hand_over_tool())
        return attrs.evolve(
            agent,
            model=tuple(by_hand(model) for model in models),
            instructions=instructions,
            tools=tools,
            session_id=self._room,
        )

    def _hand_over_tool(self) -> Tool:
        room, members = self.context.ref, self._members

        @tool
        async def hand_over(to: str) -> str:
            """Give the floor to another participant, who speaks next, when you have finished.

            Args:
                to: The name of the participant.
            """
            names = [member.name for member in members.values()]
            if to.casefold() not in [name.casefold() for name in names]:
                return f"There is no {to} here. There are: {', '.join(names)}."
            room.tell(HandFloor(to))
            return f"{to} speaks next. Say what there is to say to that, and end."

        return hand_over

    @receives
    def agent_ready(self, event: AgentReady) -> None:
        """It is in the room, or has come back: then it is told what was said."""
        member = self._members.get(event.agent_id)
        if member is not None:
            member.is_ready = True
            self._come_in(member)

    def _come_in(self, member: Member) -> None:
        if member.is_here or not member.is_ready or member.ref is None:
            return
        member.is_here = True
        if member.was_here:
            self._publish(RoomParticipantUpdated(member.participant()))
        else:
            self._publish(RoomParticipantJoined(member.participant()))
        said = self._transcript.told(self.settings.characters)
        if said and member.takes_text:
            self.context.tell(member.ref, AddText(f"(What was said in the room before you came:)\n{said}"))
        member.was_here = True
        self._apply(self._floor.agent_joined(member.agent_id, trio.current_time(), member.name))

    @receives
    def agent_down(self, event: AgentEnded) -> None:
        """It has crashed, or is stopped: the floor passes on."""
        member = self._members.get(event.agent_id)
        if member is not None and member.is_here:
            self._out(member)
            self._publish(RoomParticipantUpdated(member.participant(), "ended"))

    def _out(self, member: Member) -> None:
        """It is silent, and not on the floor, which passes on."""
        member.is_here = member.is_ready = False
        text = self._silence(member)
        member.forget_heard()
        if member.number is not None:
            self._over(member, "failed", text)
        self._apply(self._floor.left(member.agent_id, trio.current_time()))

    @receives(lane="control")
    def agent_gone(self, notice: Terminated) -> None:
        """It will not be started again."""
        member = next((each for each in self._members.values() if each.ref == notice.ref), None)
        if member is not None:
            log.warning("%s: %s has left for good: %s", self._room, member.agent_id, notice.cause or notice.reason)
            self._leave(member, "ended" if notice.reason in ("normal", "stopped") else "failed")

    def _leave(self, member: Member, reason: str) -> None:
        self._out(member)
        self._forget(member)
        self._publish(RoomParticipantLeft(member.participant(), reason))

    @receives(lane="control")
    async def add_agent(self, message: AddAgent) -> str | RoomsError:
        """Another one comes in while the room goes on."""
        try:
            agent = as_room_agent(message.agent)
            if len(self._members) >= self.settings.most_agents:
                return RoomFull(f"{self.settings.most_agents} agents are in the room: let one of them leave first.")
            member = self._new_member(agent)
        except (RoomsError, TypeError) as error:
            return error if isinstance(error, RoomsError) else InvalidRoom(str(error))
        try:
            await self._start(member)
        except RoomsError as error:
            self._forget(member)
            return error
        return member.agent_id

    @receives(lane="control")
    async def remove_agent(self, message: RemoveAgent) -> RoomsError | None:
        """An agent leaves."""
        member = self._members.get(message.agent_id)
        if member is None:
            return NotInRoom(f"No agent with the id {message.agent_id!r} is in the room.")
        if member.ref is not None:
            self.context.unwatch(member.ref)
            self._out(member)
            await member.ref.stop()  # what it says at its end is said in the room
        self._leave(member, "removed")
        return None

    @receives
    def hand_floor(self, message: HandFloor) -> RoomsError | None:
        """Somebody says who comes next."""
        for member in self._members.values():
            if message.to == member.agent_id or message.to.casefold() == member.name.casefold():
                self._apply(self._floor.handed_over(member.agent_id, trio.current_time()))
                return None
        return NotInRoom(f"No agent with the id or name {message.to!r:.80} is in the room.")

    @receives
    def hand_up(self, message: HandUp) -> RoomsError | None:
        """An agent wants to speak, or not any more."""
        if message.agent_id not in self._members:
            return NotInRoom(f"No agent with the id {message.agent_id!r:.80} is in the room.")
        if message.up:
            self._apply(self._floor.hand_raised(message.agent_id, trio.current_time()))
        else:
            self._floor.hand_lowered(message.agent_id)
            self._tell_floor()
        return None

    @receives
    def call_made(self, event: AgentResponseToolUseDone | AgentToolApprovalRequested) -> None:
        """The answer to it goes to the agent that made it."""
        self._calls[event.tool_use.id] = event.agent_id
        if len(self._calls) > MOST_CALLS:
            del self._calls[next(iter(self._calls))]
