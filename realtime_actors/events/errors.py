"""Errors of the events layer.

::

    RealtimeError
    └── DecodeError             a frame, or a value in it, is not what the wire allows
        └── InvalidAudio        base64 or PCM16 that cannot be audio
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["DecodeError", "InvalidAudio"]


class DecodeError(RealtimeError):
    """A frame cannot be decoded into an event; the message says which field and what was expected."""


class InvalidAudio(DecodeError):
    """Audio or an image is not valid base64, or PCM16 has half a sample at its end."""
