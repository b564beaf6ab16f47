"""Errors of the audio layer.

::

    RealtimeError
    └── AudioError
        ├── OddLength         PCM16 bytes that end in the middle of a sample
        ├── UnsupportedRate   a sample rate outside the usual ones
        └── WavError          a WAV file that cannot be read or written
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["AudioError", "OddLength", "UnsupportedRate", "WavError"]


class AudioError(RealtimeError):
    """Base class of the audio layer's errors."""


class OddLength(AudioError):
    """Bytes given as PCM16 have an odd length: they end in the middle of a sample."""


class UnsupportedRate(AudioError):
    """A sample rate is not one of those that audio in this package may have."""


class WavError(AudioError):
    """A WAV file cannot be read or written; the message names the file and what to do."""
