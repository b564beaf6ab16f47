"""Rooms: several agents and several people in one conversation. So far the parts without I/O."""

from .buffers import FRAME_BYTES, FRAME_MS, ROOM_RATE, BufferStatistics, JitterBuffer, Played, PlayoutBuffer
from .errors import AlreadyInRoom, ChunkTooLong, NotInRoom, RateChanged, RoomsError
from .floor import Consult, Floor, FloorEffect, FloorLimits, FloorStatistics, Grant, Interrupt, Outcome
from .mixer import Frame, Mixer, Source
from .policies import Addressed, Everyone, Moderated, Policy, RaisedHands, RoundRobin, Said, Situation

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "ROOM_RATE",
    "Addressed",
    "AlreadyInRoom",
    "BufferStatistics",
    "ChunkTooLong",
    "Consult",
    "Everyone",
    "Floor",
    "FloorEffect",
    "FloorLimits",
    "FloorStatistics",
    "Frame",
    "Grant",
    "Interrupt",
    "JitterBuffer",
    "Mixer",
    "Moderated",
    "NotInRoom",
    "Outcome",
    "Played",
    "PlayoutBuffer",
    "Policy",
    "RaisedHands",
    "RateChanged",
    "RoomsError",
    "RoundRobin",
    "Said",
    "Situation",
    "Source",
]
