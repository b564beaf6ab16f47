"""The room: its people, who come and go, and what they say."""

from __future__ import annotations

import logging

import attrs
import trio

from realtime_actors.actors import receives
from realtime_actors.audio import AudioError, check_rate
from realtime_actors.events import (
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientRoomMute,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ClientToolApproval,
    ClientToolResult,
    DecodeError,
    RoomLine,
    RoomParticipant,
    RoomParticipantJoined,
    RoomParticipantLeft,
    RoomParticipantUpdated,
    RoomState,
)

from .base import Person, called
from .errors import AlreadyInRoom, NotInRoom, RoomFull, RoomsError
from .hosting import HostingRoom
from .messages import (
    FromPerson,
    GetRoom,
    GetRoomStatistics,
    Join,
    Leave,
    RoomStatistics,
)

__all__ = ["ChatRoom"]

log = logging.getLogger("realtime_actors.rooms")


@attrs.frozen
class GoneFor:
    """A person was away for long enough."""

    person: str
    since: float


@attrs.frozen
class Lingered:
    """Nobody has been there for long enough."""

    departures: int


@attrs.define(eq=False)
class ChatRoom(HostingRoom):
    """Several agents and several people in one conversation. `agents` are agents that are not spawned.

    `spawn` returns when all agents are ready, or raises, and then none is running: `AgentNotReady`, `InvalidRoom`,
    `AlreadyInRoom` (two agents of one name), `TypeError` (something else than an agent). Each agent's id is
    `<room>-<name>`, or its `RoomAgent.agent_id`. What all of them say, and what the room says, is published on
    `rooms.<room>.<type>`; people come in by `join_room`, and what their frontends say is told to the room as
    `FromPerson`.

    `policy` says who may speak, within `limits`. `turn_detection` finds people's turns. `moderator` decides where the
    policy is `Moderated()`: a function, or an agent, which then is in the room without taking part. An agent that
    crashes is started again and told what was said; the room ends when it is stopped, or as `settings.linger` says.
    """

    _departures: int = attrs.field(init=False, default=0)

    # -- who is there

    @receives
    def join(self, message: Join) -> RoomState | RoomsError | AudioError:
        """Somebody comes in, or back."""
        person = self._people.get(message.person)
        try:
            if message.hear_rate is not None:
                check_rate(message.hear_rate)
        except AudioError as error:
            return error
        if person is not None and person.away_since is None:
            return AlreadyInRoom(f"{message.person!r} is in the room already: leave there first, or take another id.")
        if person is None:
            if len(self._people) >= self.settings.most_people:
                return RoomFull(f"{self.settings.most_people} people are in the room already: try again later.")
            if message.person in self._members:
                return AlreadyInRoom(f"{message.person!r} is the id of an agent in the room: take another one.")
            person = self._people[message.person] = self._new_person(message.person, message.name)
            self._sound.add_person(person.id)
            self._publish(RoomParticipantJoined(person.participant()))
            self._apply(self._floor.person_joined(person.id, trio.current_time()))
        else:
            person.away_since = None
            person.name = called(message.name) or person.name
            self._publish(RoomParticipantUpdated(person.participant(), "back"))
        person.hear_rate = message.hear_rate
        self._sound.let_hear_people(person.id, message.hear_rate)
        state = self._state(person.id)
        self._tell_person(person, state)
        return state

    @receives
    def leave(self, message: Leave) -> None:
        """Somebody leaves, or has lost the connection."""
        person = self._people.get(message.person)
        if person is None or (message.may_return and person.away_since is not None):
            return
        self._end_turn(person)
        if message.may_return and self.settings.return_within > 0:
            person.away_since = trio.current_time()
            self._sound.let_hear_people(person.id, None)
            self._publish(RoomParticipantUpdated(person.participant(), "connection_lost"))
            self.context.send_after(self.settings.return_within, GoneFor(person.id, person.away_since))
        else:
            self._leave_for_good(person, "left")

    @receives
    def gone(self, message: GoneFor) -> None:
        """Whoever does not come back has left."""
        person = self._people.get(message.person)
        if person is not None and person.away_since == message.since:
            self._leave_for_good(person, "gone")

    def _leave_for_good(self, person: Person, reason: str) -> None:
        del self._people[person.id]
        self._sound.remove_person(person.id)
        self._publish(RoomParticipantLeft(person.participant(), reason))
        self._apply(self._floor.left(person.id, trio.current_time()))
        self._departures += 1
        if not self._people and self.settings.linger is not None:
            self.context.send_after(self.settings.linger, Lingered(self._departures))

    @receives
    def lingered(self, message: Lingered) -> None:
        """Nobody has come for a while: the room ends."""
        if not self._people and message.departures == self._departures:
            self.context.stop()

    @receives
    def state(self, _: GetRoom) -> RoomState:
        """Who is there, who speaks, and what was said."""
        return self._state("")

    @receives
    def statistics(self, _: GetRoomStatistics) -> RoomStatistics:
        """What it has done so far."""
        microphones = self._sound.microphones.values()
        return RoomStatistics(
            self._floor.statistics(),
            sum(microphone.voice.statistics().dropped_ms for microphone in microphones),
            sum(microphone.open.statistics().dropped_ms for microphone in microphones),
            sum(member.dropped_ms for member in self._members.values()),
            self._sound.refused,
        )

    def _state(self, person: str) -> RoomState:
        participants: list[RoomParticipant] = [each.participant() for each in self._members.values()]
        participants += [each.participant() for each in self._people.values()]
        floor = self._floor
        return RoomState(
            self._room,
            person,
            participants,
            self._transcript.lines,
            list(floor.holders),
            list(floor.speaking),
            list(floor.hands),
        )

    # -- what people say

    @receives(direct=True)
    def from_person(self, message: FromPerson) -> None:
        """What a frontend says."""
        person = self._people.get(message.person)
        if person is None:
            log.debug("%s: %s is not here, and said %s", self._room, message.person, message.event.type)
            return
        if isinstance(message.event, ClientAudioAppend):
            self._heard(person, message.event)
        else:
            self._told(person, message.event)

    def _heard(self, person: Person, event: ClientAudioAppend) -> None:
        microphone = self._sound.microphones[person.id]
        dropped_ms = microphone.dropped_ms
        try:
            turns = microphone.hear(event, self._sound.is_playing)
        except (AudioError, DecodeError, RoomsError) as error:
            self._complain(person, "invalid_audio", str(error), often=True)
            return
        person.heard_at = trio.current_time()  # audio that is refused does not keep a turn open
        dropped_ms = microphone.dropped_ms - dropped_ms
        if dropped_ms:
            problem = f"{dropped_ms / 1000:g} s of what was said are lost: it came faster than it can be heard"
            self._complain(person, "audio_dropped", problem, often=True)
        if turns:
            self._turn(person, turns)
        if microphone.is_audible:
            self._audible.set()

    def _end_turn(self, person: Person) -> bool:
        """The turn of a person is over, if there was one, as far as he says so."""
        turns = self._sound.microphones[person.id].end_turn(self._sound.is_playing)
        self._turn(person, turns)
        self._audible.set()
        return bool(turns)

    def _told(self, person: Person, event: ClientEvent) -> None:  # noqa: PLR0912 - a branch for each type
        match event:
            case ClientTextAppend(text=text):
                if text.strip():
                    self._wrote(person, text)
            case ClientAudioCommit():
                self._end_turn(person)
            case ClientResponseCreate():
                # What was said is answered without that, and so is what somebody answers now.
                if not self._end_turn(person) and not person.ends and not self._floor.holders:
                    self._apply(self._floor.person_wrote(person.id, "…", trio.current_time()))
            case ClientResponseCancel():
                for agent in self._floor.holders:
                    self._interrupt(self._members[agent], self._members[agent].number)
            case ClientImageAppend():
                self._show(person, event)
            case ClientToolResult(id=call) | ClientToolApproval(id=call):
                self._to_agent(person, self._calls.get(call), event)
            case ClientRoomMute(participant_id=who, muted=muted):
                self._mute(person, who, muted=muted)
            case ClientPlayoutUpdate():
                pass  # several people hear it, and none of them at the same time: the room's own clock counts
            case ClientSessionEnd():
                self.leave(Leave(person.id))
            case ClientSessionCreate() | _:
                self._tell_person(person, self._state(person.id))

    def _wrote(self, person: Person, text: str) -> None:
        self._write_down(RoomLine(self._new_line(), person.id, person.name, "person", text), was_heard=False)
        if self._members and not any(member.takes_text for member in self._members.values()):
            self._complain(person, "unsupported", "no agent in the room takes text: speak to them instead")
        else:
            self._apply(self._floor.person_wrote(person.id, text, trio.current_time()))

    def _show(self, person: Person, event: ClientImageAppend) -> None:
        sees = [each for each in self._members.values() if each.is_here and each.settings.model.capabilities.images]
        if not sees:
            self._complain(person, "unsupported", "no agent in the room sees pictures")
        for member in sees:
            self._to_agent(person, member.agent_id, event)

    def _to_agent(self, person: Person, agent_id: str | None, event: ClientEvent) -> None:
        member = None if agent_id is None else self._members.get(agent_id)
        if member is None or member.ref is None:
            self._complain(person, "unknown_call", f"no agent here waits for this {event.type}")
        else:
            self.context.tell(member.ref, event)

    def _mute(self, person: Person, who: str, *, muted: bool) -> None:
        try:
            self._sound.mute(who, person.id, muted=muted)
        except (NotInRoom, ValueError) as error:
            self._complain(person, "not_in_room", f"{error} Only people whom you hear can be muted here.")
