"""Errors of rooms.

::

    RealtimeError
    └── RoomsError
        ├── AlreadyInRoom   a name is used twice in one room
        ├── NotInRoom       nobody of this name is in the room
        ├── RateChanged     audio of another sample rate in the middle of a stream
        └── ChunkTooLong    a chunk of audio is longer than all that its buffer may hold
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["AlreadyInRoom", "ChunkTooLong", "NotInRoom", "RateChanged", "RoomsError"]


class RoomsError(RealtimeError):
    """Base class of the errors of rooms."""


class AlreadyInRoom(RoomsError):
    """Somebody of this name is in the room already."""


class NotInRoom(RoomsError):
    """Nobody of this name is in the room."""


class RateChanged(RoomsError):
    """Audio of another sample rate came in the middle of a stream; the stream is as it was before."""


class ChunkTooLong(RoomsError):
    """A chunk of audio is longer than all that its buffer may hold, so that there will never be room for it."""
