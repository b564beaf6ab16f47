"""Who speaks in a room, and who hears it: what the floor decides is carried out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs
import trio

from realtime_actors.actors import RealtimeError, Ref, receives
from realtime_actors.agents import AddText, GenerateReply, Reply, generate_reply
from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDone,
    AgentResponseCreated,
    AudioFormat,
    ClientPlayoutUpdate,
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
            await reply.wait()
            status = reply.status
        except RealtimeError as error:
            log.warning("%s: %s does not speak: %s", self._room, member.agent_id, error)
        await self.context.ref.send(ReplyOver(member.agent_id, number, status))

    def _silence(self, member: Member) -> str:
        """It is heard no more, at once. Returns the words that were."""
        cut = self._sound.silence(member.agent_id)
        if cut and member.ref is not None:
            # The room's clock is that of all who hear it: the agent need not guess what it is to remember.
            first = cut[0]
            self.context.tell(member.ref, ClientPlayoutUpdate("", "", first.item, int(first.played_ms), playing=False))
        return member.heard_of_reply(cut)

    def _interrupt(self, member: Member, number: int | None) -> None:
        """It is silent, and its model stops. What was heard of it is known by what was played."""
        text = self._silence(member)
        if member.ref is not None:
            self.context.tell(member.ref, ClientResponseCancel(""))
        if number is not None and member.number == number:
            self._over(member, "interrupted", text)

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
        member.ended(over.status)
        if member.outcome == "interrupted":
            self._over(member, "interrupted", self._silence(member))
        else:  # frontends play what there is to its end, even where the provider was lost
            self._sound.playouts[member.agent_id].finish()
            self._audible.set()
            self._end_if_heard(member)

    def _end_if_heard(self, member: Member) -> None:
        if member.outcome is not None and self._sound.has_spoken(member.agent_id):
            self._over(member, member.outcome, member.heard_of_reply())

    def _over(self, member: Member, outcome: Outcome, text: str) -> None:
        """Its turn is over, and so much of it was heard."""
        number = member.number
        assert number is not None
        if text:
            line_id = member.line_id() or self._new_line()
            line = RoomLine(line_id, member.agent_id, member.name, "agent", text, outcome != "completed")
            self._write_down(line, was_heard=member.has_voice)
        member.has_no_floor()
        if outcome == "completed":
            for other in self._members.values():
                if other is not member:
                    self._commit(other)
        self._apply(self._floor.agent_ended(member.agent_id, number, trio.current_time(), text, outcome))

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
        chosen: Sequence[str] = ()
        try:
            with trio.move_on_after(self.limits.decision):
                if callable(self.moderator):
                    chosen = await self.moderator(situation)
                elif self._moderator is not None:
                    chosen = await self._moderated(self._moderator, situation)
                else:
                    log.warning("%s: the policy asks a moderator, and there is none: ChatRoom(moderator=…)", self._room)
        except Exception:  # whatever it is, it is not the room's: people are answered all the same
            log.exception("%s: the moderator does not decide", self._room)
        await self.context.ref.send(Decided(number, tuple(chosen)))

    async def _moderated(self, moderator: Ref, situation: Situation) -> Sequence[str]:
        names = ", ".join(situation.names[agent] for agent in situation.candidates)
        prompt = MODERATE.format(names=names, conversation=self._transcript.told(self.settings.characters))
        reply = await generate_reply(moderator, prompt)
        try:
            await reply
        finally:
            reply.interrupt()  # of no effect when it is over
        return situation.named_in(reply.text)

    # -- what is heard

    async def _keep_time(self) -> None:
        """One tick for each `FRAME_MS`, while somebody can be heard."""
        while True:
            await self._audible.wait()
            due = trio.current_time()
            ticks = 0
            while self._sound.is_audible:
                self._tick()
                if ticks % _LEVELS_EVERY == 0:
                    self._tell_levels(self._sound.levels())
                    self._end_what_fell_silent()
                ticks += 1
                due += FRAME_MS / 1000
                if trio.current_time() - due > _MOST_BEHIND:
                    due = trio.current_time()
                await trio.sleep_until(due)
            self._tell_levels({})
            self._audible = trio.Event()

    def _tick(self) -> None:
        heard = self._sound.tick()
        for listener, pcm in heard.pcm.items():
            self._hear(self._members[listener], pcm, heard.speakers)
        for listener, pcm in self._sound.tick_people().items():
            person = self._people[listener]
            if person.hear_rate is not None:
                self._tell_person(person, RoomAudioDelta(pcm, AudioFormat(rate=person.hear_rate)))
        for person in list(self._people.values()):
            if person.ends and self._sound.has_finished(person.id):
                person.ends = False
                self._person_stopped(person)
        for member in list(self._members.values()):
            self._end_if_heard(member)

    def _hear(self, member: Member, pcm: bytes, speakers: list[str]) -> None:
        if member.ref is None or not member.is_here:
            return  # it is told in words when it is back
        member.heard |= {each: self._name_of(each) for each in speakers if each != member.agent_id}
        event = member.hear(pcm)
        if event is not None:
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

    def _person_stopped(self, person: Person) -> None:
        """A turn has been heard to its end."""
        hearers = [member for member in self._members.values() if person.id in member.heard]
        for member in hearers:
            member.turns.append(Turn(person.id, person.name, person.line))
            self._commit(member)
        now = trio.current_time()
        if hearers:
            words_come = any(member.writes_down and member.commits_at_once for member in hearers)
            self._apply(self._floor.person_stopped(person.id, now, item=person.line, words_come=words_come))
            return
        if any(member.hears_audio for member in self._members.values()):
            self._complain(person, "not_heard", "no agent was there to hear that: say it again")
        else:
            self._complain(person, "unsupported", "the agents here read, and do not hear: write to them")
        self._apply(self._floor.person_stopped(person.id, now, text=""))

    def _commit(self, member: Member) -> None:
        """What it has heard is complete for now: its model is told so."""
        if member.ref is None or not member.is_here:
            return
        names = list(dict.fromkeys(member.heard.values()))
        told = member.commit(trio.current_time())
        if told and member.takes_text and member.commits_at_once and len(self._members) + len(self._people) > 2:
            self.context.tell(member.ref, AddText(f"({' and '.join(names)} speaking:)"))
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
        now = trio.current_time()
        turns = member.written_down(now)
        if member is not self._writer or not turns:
            return
        *merged, last = turns
        for turn, text in [*((turn, "") for turn in merged), (last, event.transcript)]:
            line = RoomLine(turn.line, turn.person, turn.name, "person", text.strip())
            self._write_down(line, was_heard=True)
            self._apply(self._floor.person_transcribed(turn.person, text, now, turn.line))

    @receives
    def not_written_down(self, event: AgentError) -> None:
        """Of what an agent complains only this matters here: words that will not come."""
        member = self._members.get(event.agent_id)
        if member is None:
            return
        if event.error_type == "input_transcription_failed":
            member.written_down(trio.current_time())
        elif event.error_type == "connection_error" and event.code != "audio_dropped":
            member.forget_commits()
