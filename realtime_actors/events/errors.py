"""Errors of the events layer.

::

    RealtimeError
    ├── DecodeError             a frame, or a value in it, is not what the wire allows
    │   ├── InvalidAudio        base64 or PCM16 that cannot be audio
    │   └── InvalidHistory      a text is no history (events.history)
    └── EncodeError             an event holds a value that the wire cannot carry
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["DecodeError", "EncodeError", "InvalidAudio"]


class DecodeError(RealtimeError):
    """A frame cannot be decoded into an event; the message says which field and what was expected."""


class InvalidAudio(DecodeError):
    """Audio or an image is not valid base64, or PCM16 has half a sample at its end."""


class EncodeError(RealtimeError):
    """An event cannot be encoded: a value in it has no form on the wire (a lone surrogate, say)."""
