"""Rooms: several agents and several people in one conversation. So far the parts without I/O."""

from .buffers import FRAME_BYTES, FRAME_MS, ROOM_RATE, BufferStatistics, JitterBuffer, Played, PlayoutBuffer
from .errors import AlreadyInRoom, ChunkTooLong, NotInRoom, RateChanged, RoomsError
from .mixer import Frame, Mixer, Source

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "ROOM_RATE",
    "AlreadyInRoom",
    "BufferStatistics",
    "ChunkTooLong",
    "Frame",
    "JitterBuffer",
    "Mixer",
    "NotInRoom",
    "Played",
    "PlayoutBuffer",
    "RateChanged",
    "RoomsError",
    "Source",
]
