"""The rooms that a gateway has open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from realtime_actors.actors import Ref
from realtime_actors.rooms import ChatRoom

__all__ = ["RoomFactory", "Rooms"]

RoomFactory = Callable[[str], ChatRoom]
"""Makes the room of a session id: a `ChatRoom` to spawn. It must not block.

A `RealtimeError` that it raises (`UnknownRoom`, say) is told to the frontend in its words.
"""


@attrs.define(eq=False)
class _Opening:
    done: trio.Event = attrs.field(factory=trio.Event)
    room: Ref | None = None


@attrs.define(eq=False)
class Rooms:
    """Opens each room when the first person comes, and again after it has ended. Several may ask at once."""

    make: RoomFactory
    spawn: Callable[[ChatRoom, str], Awaitable[Ref]]
    """Starts a room by this name."""
    _open: dict[str, _Opening] = attrs.field(init=False, factory=dict[str, _Opening])

    async def open(self, session_id: str, name: str) -> Ref:
        """The room of a session id, by this name. Raises what making and starting it raise."""
        while True:
            opening = self._open.get(name)
            if opening is None:
                return await self._start(session_id, name)
            await opening.done.wait()
            if opening.room is not None and opening.room.statistics().state != "stopped":
                return opening.room
            # Whoever opened it could not, or it has ended since.
            if self._open.get(name) is opening:
                del self._open[name]

    async def _start(self, session_id: str, name: str) -> Ref:
        prototype = self.make(session_id)
        opening = self._open[name] = _Opening()
        try:
            room = opening.room = await self.spawn(prototype, name)
        finally:
            if opening.room is None:
                del self._open[name]
            opening.done.set()
        return room
