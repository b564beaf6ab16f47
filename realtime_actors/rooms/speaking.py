"""Who speaks in a room, and who hears it: what the floor decides is carried out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs
import trio

from realtime_actors.actors import RealtimeError, receives
from realtime_actors.agents import AddText, GenerateReply, Reply, generate_reply
from realtime_actors.events import (
    AgentInputTranscriptionDone,
    AgentResponseCreated,
    AudioFormat,
    ClientResponseCancel,
    RoomAudioDelta,
    RoomFloorChanged,
    RoomLevels,
    RoomLine,
)

from .base import BaseRoom, Person
from .buffers import FRAME_MS
from .floor import Consult, FloorEffect, Grant, Interrupt, Outcome
from .member import Member, Turn
from .microphone import TurnEvent
from .policies import Situation

__all__ = ["SpeakingRoom"]

log = logging.getLogger("realtime_actors.rooms")

_LEVELS_EVERY = 10  # ticks
_NOTHING_FOR = 1.5  # seconds
_MOST_BEHIND = 1.0  # seconds: after a longer stall the time in which nobody was heard is gone

MODERATE = (
    "You moderate a conversation, and do not take part in it. These have the floor next if you name them: {names}. "
    "The conversation so far:\n{conversation}\nAnswer with the name of who is to speak next, or with NOBODY."
)


@attrs.frozen
class ReplyOver:
    """The agent's reply for this grant is complete, or failed."""

    agent_id: str
    number: int
    status: str


@attrs.frozen
class Decided:
    """The moderator's answer."""

    number: int
    agents: tuple[str, ...]


@attrs.frozen
class Tick:
    """What the others hear has gone on by a frame; whoever has been heard to the end is done."""


@attrs.frozen
class FloorTime:
    """Something has not happened in time."""


@attrs.define(eq=False)
class SpeakingRoom(BaseRoom):
    """The floor, the mix, the clock."""

    # -- the floor

    def _apply(self, effects: list[FloorEffect]) -> None:
        for effect in effects:
            match effect:
                case Grant(agent, number):
                    self._grant(self._members[agent], number)
                case Interrupt(agent, number):
                    self._interrupt(self._members[agent], number)
                case Consult(number, situation):
                    self.context.start_soon(self._consult, number, situation)
        self._tell_floor()

    def _tell_floor(self) -> None:
        floor = self._floor
        now = RoomFloorChanged(list(floor.holders), list(floor.speaking), list(floor.hands))
        if now != self._floor_told:
            self._floor_told = now
            self._publish(now)
        if self._floor_timer is not None:
            self._floor_timer.cancel()
            self._floor_timer = None
        if floor.deadline is not None:
            delay = max(0.0, floor.deadline - trio.current_time())
            self._floor_timer = self.context.send_after(delay, FloorTime())

    def _grant(self, member: Member, number: int) -> None:
        self._commit(member)
        member.has_floor(number)
        self.context.start_soon(self._speak, member, number)

    async def _speak(self, member: Member, number: int) -> None:
        """One reply, from the asking to its last piece."""
        status = "failed"
        try:
            assert member.ref is not None
            reply: Reply = await member.ref.ask(GenerateReply(), timeout=self.limits.grant)
            if member.number == number:
                member.reply = reply
            await reply.wait()
            status = reply.status
        except RealtimeError as error:
            log.warning("%s: %s does not speak: %s", self._room, member.agent_id, error)
        await self.context.ref.send(ReplyOver(member.agent_id, number, status))

    def _interrupt(self, member: Member, number: int | None) -> None:
        """It is silent at once. What was heard of it is known by what was played."""
        cut = self._sound.silence(member.agent_id)
        member.is_open = False
        if member.ref is not None:
            self.context.tell(member.ref, ClientResponseCancel(""))
        if number is not None and member.number == number:
            text = member.heard_of_reply(cut)
            self._said(member, text, interrupted=True)
            member.has_no_floor()
            self._apply(self._floor.agent_ended(member.agent_id, number, trio.current_time(), text, "interrupted"))

    @receives
    def reply_began(self, event: AgentResponseCreated) -> None:
        """An agent begins to speak, or goes on after a tool call."""
        member = self._members.get(event.agent_id)
        if member is not None and not member.has_begun:
            member.has_begun = member.number is not None
            self._apply(self._floor.agent_began(member.agent_id, member.number, trio.current_time()))

    @receives
    def reply_over(self, over: ReplyOver) -> None:
        """It has said all that it says; the others may still be listening to it."""
        member = self._members.get(over.agent_id)
        if member is None or member.number != over.number:
            return
        member.is_generated = True
        if over.status in ("completed", "incomplete"):
            self._sound.playouts[member.agent_id].finish()
            if self._sound.playouts[member.agent_id].is_over:
                self._turn_over(member, "completed", member.heard_of_reply(()))
        else:
            text = member.heard_of_reply(self._sound.silence(member.agent_id))
            self._turn_over(member, "failed" if over.status == "failed" else "interrupted", text)

    def _turn_over(self, member: Member, outcome: Outcome, text: str) -> None:
        number = member.number
        assert number is not None
        self._said(member, text, interrupted=outcome != "completed")
        member.has_no_floor()
        for other in self._members.values():
            if other is not member:
                self._commit(other)
        self._apply(self._floor.agent_ended(member.agent_id, number, trio.current_time(), text, outcome))

    def _said(self, member: Member, text: str, *, interrupted: bool) -> None:
        ids = member.reply.response_ids if member.reply is not None else []
        line_id = ids[0] if ids else self._new_line()
        if text:
            line = RoomLine(line_id, member.agent_id, member.name, "agent", text, interrupted)
            self._write_down(line, was_heard=True)

    @receives
    def decided(self, decided: Decided) -> None:
        """The moderator has decided."""
        self._apply(self._floor.decided(decided.number, decided.agents, trio.current_time()))

    @receives
    def floor_time(self, _: FloorTime) -> None:
        """Somebody has not begun, or something is not known, in time."""
        self._floor_timer = None
        self._apply(self._floor.time_passed(trio.current_time()))

    async def _consult(self, number: int, situation: Situation) -> None:
        chosen: tuple[str, ...] = ()
        with trio.move_on_after(self.limits.decision):
            chosen = await self._moderated(situation)
        await self.context.ref.send(Decided(number, chosen))

    async def _moderated(self, situation: Situation) -> tuple[str, ...]:
        if callable(self.moderator):
            return tuple(await self.moderator(situation))
        if self._moderator is None:
            log.warning("%s: the policy asks a moderator, and there is none: ChatRoom(moderator=…)", self._room)
            return ()
        names = ", ".join(situation.names[agent] for agent in situation.candidates)
        prompt = MODERATE.format(names=names, conversation=self._transcript.told(self.settings.characters))
        try:
            reply = await (await generate_reply(self._moderator, prompt))
        except RealtimeError as error:
            log.warning("%s: the moderator does not decide: %s", self._room, error)
            return ()
        return tuple(situation.named_in(reply.text))

    # -- what is heard

    def _wake(self) -> None:
        if not self._audible.is_set():
            self._audible.set()

    async def _keep_time(self) -> None:
        """One tick for each `FRAME_MS`, while somebody can be heard."""
        while True:
            await self._audible.wait()
            due = trio.current_time()
            ticks = 0
            while self._sound.is_audible:
                self._tick(ticks)
                ticks += 1
                due += FRAME_MS / 1000
                if trio.current_time() - due > _MOST_BEHIND:
                    due = trio.current_time()
                await trio.sleep_until(due)
            self._tell_levels({})
            self._audible = trio.Event()
            if self._sound.is_audible:
                self._audible.set()

    def _tick(self, ticks: int) -> None:
        heard: dict[str, bytearray] = {}
        for _ in range(self._sound.ticks_due()):
            for listener, frame in self._sound.tick().items():
                if not frame.is_silent:
                    heard.setdefault(listener, bytearray()).extend(frame.pcm)
        speakers = self._sound.audible()
        for listener, pcm in heard.items():
            self._hear(listener, bytes(pcm), speakers)
        if any(person.ends for person in self._people.values()) or any(
            member.is_generated and self._sound.playouts[member.agent_id].is_over for member in self._members.values()
        ):
            self.context.tell(self.context.ref, Tick())
        if ticks % _LEVELS_EVERY == 0:
            self._tell_levels(self._sound.levels())
            self._end_what_fell_silent()

    def _hear(self, listener: str, pcm: bytes, speakers: list[str]) -> None:
        member = self._members.get(listener)
        if member is None:
            person = self._people.get(listener)
            if person is not None and person.hear_rate is not None:
                self._tell_person(person, RoomAudioDelta(pcm, AudioFormat(rate=person.hear_rate)))
            return
        member.heard |= {each: None for each in speakers if each != listener}
        event = member.hear(pcm)
        if event is not None and member.ref is not None and member.is_here:
            self.context.tell(member.ref, event)

    def _tell_levels(self, levels: dict[str, float]) -> None:
        if levels != self._levels_told:
            self._levels_told = levels
            self._publish(RoomLevels(levels))

    def _end_what_fell_silent(self) -> None:
        """A frontend that sends nothing more in the middle of a turn has ended it."""
        now = trio.current_time()
        for person, microphone in self._sound.microphones.items():
            if microphone.is_speaking and now - self._people[person].heard_at > _NOTHING_FOR:
                self._turn(self._people[person], microphone.end_turn(self._sound.is_playing))

    def _turn(self, person: Person, events: Sequence[TurnEvent]) -> None:
        """What a person's microphone says."""
        for event in events:
            now = trio.current_time()
            if event == "began":
                person.line, person.ends = self._new_line(), False
                self._apply(self._floor.person_started(person.id, now))
            elif event == "ended":
                person.ends = True
            else:
                self._apply(self._floor.person_stopped(person.id, now, text=""))

    @receives
    def look(self, _: Tick) -> None:
        """Whoever has been heard to the end has had a turn."""
        for person in list(self._people.values()):
            if person.ends and self._sound.microphones[person.id].voice.is_over:
                person.ends = False
                self._person_stopped(person)
        for member in list(self._members.values()):
            over = member.is_generated and self._sound.playouts[member.agent_id].is_over
            if over and member.number is not None:
                self._turn_over(member, "completed", member.heard_of_reply(()))

    def _person_stopped(self, person: Person) -> None:
        for member in self._members.values():
            if person.id in member.heard:
                member.turns.append(Turn(person.id, person.line))
                self._commit(member)
        self._apply(self._floor.person_stopped(person.id, trio.current_time(), item=person.line))

    def _commit(self, member: Member) -> None:
        """What it has heard is complete for now: its model is told so."""
        if member.ref is None or not member.is_here or not member.heard:
            return
        heard = [self._name_of(each) for each in member.heard]
        told = member.commit(trio.current_time())
        if told and member.takes_text and member.commits_at_once and len(self._members) + len(self._people) > 2:
            self.context.tell(member.ref, AddText(f"({' and '.join(heard)} speaking:)"))
        for event in told:
            self.context.tell(member.ref, event)

    def _name_of(self, who: str) -> str:
        if who in self._people:
            return self._people[who].name
        return self._members[who].name if who in self._members else who

    # -- what is known of it in words

    @property
    def _writer(self) -> Member | None:
        """The one agent whose model writes down what people say: of several, one that does so at once."""
        writers = [member for member in self._members.values() if member.is_here and member.writes_down]
        return min(writers, key=lambda member: not member.commits_at_once, default=None)

    @receives
    def written_down(self, event: AgentInputTranscriptionDone) -> None:
        """What was said is known in words."""
        member = self._members.get(event.agent_id)
        if member is None:
            return
        turns = member.written_down(trio.current_time())
        if member is not self._writer or not turns:
            return
        *merged, last = turns
        now = trio.current_time()
        for turn, text in [*((turn, "") for turn in merged), (last, event.transcript)]:
            person = self._people.get(turn.person)
            if person is None:
                continue
            line = RoomLine(turn.line, person.id, person.name, "person", text.strip())
            self._write_down(line, was_heard=True)
            self._apply(self._floor.person_transcribed(person.id, text, now, turn.line))
