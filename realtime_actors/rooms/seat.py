"""A person's place in a room, for whoever speaks with the person's frontend: takes client events as an agent does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import attrs

from realtime_actors.actors import Actor, ActorStopped, MailboxFull, Ref, Terminated, receives
from realtime_actors.events import (
    AgentError,
    ClientAudioAppend,
    ClientAudioCommit,
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
)

from .messages import FromPerson, Leave, join_room
from .topics import people_topic

__all__ = ["Seat", "SeatAway", "SeatBack"]


@attrs.frozen
class SeatAway:
    """Tell a seat this: the person's connection is lost, and may come back."""


@attrs.frozen
class SeatBack:
    """Tell a seat this: it has come back."""


@attrs.define(eq=False)
class Seat(Actor):
    """Joins a room for a person, and leaves it when it ends. `open` gives the room.

    `spawn` raises what `open` raises, `AlreadyInRoom` and `RoomFull`. It ends with the room.
    """

    mailbox_capacity: ClassVar[int] = 256

    open: Callable[[], Awaitable[Ref]]
    person: str
    name: str = ""
    hear_rate: int | None = None
    """The rate in Hz at which the person hears the other people; `None`: not at all."""

    _room: Ref = attrs.field(init=False)
    _is_away: bool = attrs.field(init=False, default=False)

    async def started(self) -> None:
        """Join."""
        self._room = await self.open()
        try:
            await self._join()
        except ActorStopped:  # it ended just now, of being empty
            self._room = await self.open()
            await self._join()
        self.context.watch(self._room)

    async def _join(self) -> None:
        await join_room(self._room, self.person, name=self.name, hear_rate=self.hear_rate)

    async def stopping(self) -> None:
        """Leave."""
        self.context.tell(self._room, Leave(self.person))

    @receives(direct=True)
    def say(
        self,
        event: ClientAudioAppend
        | ClientAudioCommit
        | ClientImageAppend
        | ClientPlayoutUpdate
        | ClientResponseCancel
        | ClientResponseCreate
        | ClientRoomMute
        | ClientSessionCreate
        | ClientTextAppend
        | ClientToolApproval
        | ClientToolResult,
    ) -> None:
        """What the person does."""
        try:
            self._room.tell(FromPerson(self.person, event))
        except MailboxFull:
            problem = f"the room has no room for this {event.type}: too much is said at once"
            error = AgentError("invalid_request_error", "room_busy", problem, "", "")
            self.context.bus.publish(f"{people_topic(self._room.name, self.person)}.{error.type}", error)

    @receives(lane="control")
    def away(self, _: SeatAway) -> None:
        """The others are told that the person may come back."""
        self._is_away = True
        self.context.tell(self._room, Leave(self.person, may_return=True))

    @receives(lane="control")
    async def back(self, _: SeatBack) -> None:
        """The person is there again, and is told how things stand."""
        if self._is_away:
            self._is_away = False
            await self._join()

    @receives(lane="control")
    def end(self, _: ClientSessionEnd) -> None:
        """The person leaves."""
        self.context.stop()

    @receives(lane="control")
    def room_ended(self, _: Terminated) -> None:
        """There is no room any more."""
        self.context.stop()
