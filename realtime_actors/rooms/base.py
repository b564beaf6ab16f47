"""What every part of a room does: publish, write down, tell the agents."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, Ref, Timer
from realtime_actors.agents import AddText, LocalVAD, RealtimeAgent
from realtime_actors.events import AgentError, Event, RoomFloorChanged, RoomLine, RoomParticipant

from .floor import Floor, FloorLimits
from .member import Member
from .policies import Policy, RoundRobin, Situation
from .settings import RoomAgent, RoomSettings
from .sound import Sound
from .topics import people_topic
from .transcript import Transcript, labelled

__all__ = ["BaseRoom", "Moderator", "Person", "called"]

log = logging.getLogger("realtime_actors.rooms")

_LONGEST_NAME = 80

Moderator = Callable[[Situation], Awaitable[Sequence[str]]]
"""Says who is next: agents' ids, or nobody."""


@attrs.define(eq=False)
class Person:
    """Somebody in the room."""

    id: str
    name: str
    topic: str
    """Where what is for this person only is published."""
    hear_rate: int | None = None
    away_since: float | None = None
    heard_at: float = 0.0
    """When audio came last."""
    line: str = ""
    """The turn that goes on, or waits to be heard to its end."""
    ends: bool = False
    """Whether it only waits for that."""
    complained_at: float = float("-inf")

    def participant(self) -> RoomParticipant:
        """As others see it."""
        return RoomParticipant(self.id, self.name, "person", "here" if self.away_since is None else "away")


@attrs.define(eq=False)
class BaseRoom(Actor):
    """A room's settings, which `ChatRoom` explains, its parts, and what they all need."""

    mailbox_capacity: ClassVar[int] = 1024
    # Its agents have their time before that.
    stop_timeout: ClassVar[float] = 5.0

    agents: Sequence[RealtimeAgent | RoomAgent]
    policy: Policy = attrs.field(factory=RoundRobin)
    limits: FloorLimits = attrs.field(factory=FloorLimits)
    settings: RoomSettings = attrs.field(factory=RoomSettings)
    turn_detection: LocalVAD = attrs.field(factory=LocalVAD)
    moderator: RealtimeAgent | Moderator | None = None

    _room: str = attrs.field(init=False, default="")
    _members: dict[str, Member] = attrs.field(init=False, factory=dict[str, Member])
    _people: dict[str, Person] = attrs.field(init=False, factory=dict[str, Person])
    _floor: Floor = attrs.field(init=False)
    _sound: Sound = attrs.field(init=False)
    _transcript: Transcript = attrs.field(init=False)
    _audible: trio.Event = attrs.field(init=False, factory=trio.Event)
    _floor_told: RoomFloorChanged = attrs.field(init=False, factory=lambda: RoomFloorChanged([], [], []))
    _floor_timer: Timer | None = attrs.field(init=False, default=None)
    _levels_told: dict[str, float] = attrs.field(init=False, factory=dict[str, float])
    _moderator: Ref | None = attrs.field(init=False, default=None)
    _lines: int = attrs.field(init=False, default=0)

    # -- what is published

    def _publish(self, event: Event) -> None:
        """For all."""
        self.context.bus.publish(f"rooms.{self._room}.{event.type}", event)

    def _tell_person(self, person: Person, event: Event) -> None:
        """For one."""
        self.context.bus.publish(f"{person.topic}.{event.type}", event)

    def _complain(self, person: Person, code: str, message: str, *, often: bool = False) -> None:
        """Tell one person of an error; of what comes with every piece of audio (`often`) once a second at most."""
        now = trio.current_time()
        if often and now - person.complained_at < 1.0:
            return
        person.complained_at = now if often else person.complained_at
        self._tell_person(person, AgentError("invalid_request_error", code, message, "", ""))

    # -- what is written down

    def _new_line(self) -> str:
        self._lines += 1
        return f"line_{self._lines}"

    def _write_down(self, line: RoomLine, *, was_heard: bool) -> None:
        """Something was said: it is published, and told in words to the agents who have not heard it."""
        self._transcript.put(line)
        if not line.text:
            return
        self._publish(line)
        for member in self._members.values():
            if member.agent_id == line.speaker_id or not member.takes_text or (was_heard and member.hears_audio):
                continue
            if member.ref is not None and member.is_here:
                self.context.tell(member.ref, AddText(labelled(line)))

    def _new_person(self, person: str, name: str) -> Person:
        return Person(person, called(name) or person, people_topic(self._room, person))


def called(name: str) -> str:
    """A person's name, fit to stand before what he says: one line, and not long."""
    return " ".join(name.split())[:_LONGEST_NAME]
