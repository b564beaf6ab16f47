"""Errors of rooms.

::

    RealtimeError
    └── RoomsError
        ├── AlreadyInRoom   a name is used twice in one room
        ├── NotInRoom       nobody of this name is in the room
        ├── RateChanged     audio of another sample rate in the middle of a stream
        ├── ChunkTooLong    a chunk of audio is longer than all that its buffer may hold
        ├── InvalidRoom     a room is set up in a way in which it cannot work
        ├── RoomFull        no more people, or agents, may be in the room
        ├── AgentNotReady   an agent of the room was not ready in time
        └── UnknownRoom     there is no room of this name
"""

import re

from realtime_actors.actors.errors import RealtimeError

__all__ = [
    "AgentNotReady",
    "AlreadyInRoom",
    "ChunkTooLong",
    "InvalidRoom",
    "NotInRoom",
    "RateChanged",
    "RoomFull",
    "RoomsError",
    "UnknownRoom",
]


class RoomsError(RealtimeError):
    """Base class of the errors of rooms."""

    @property
    def code(self) -> str:
        """What an event says of it: the name of the class in snake case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class AlreadyInRoom(RoomsError):
    """Somebody of this name is in the room already."""


class NotInRoom(RoomsError):
    """Nobody of this name is in the room."""


class RateChanged(RoomsError):
    """Audio of another sample rate came in the middle of a stream; the stream is as it was before."""


class ChunkTooLong(RoomsError):
    """A chunk of audio is longer than all that its buffer may hold, so that there will never be room for it."""


class InvalidRoom(RoomsError):
    """A room is set up in a way in which it cannot work."""


class RoomFull(RoomsError):
    """No more people, or agents, may be in the room."""


class AgentNotReady(RoomsError):
    """An agent of the room was not ready in time."""


class UnknownRoom(RoomsError):
    """There is no room of this name."""
