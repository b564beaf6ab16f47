"""Errors of the local speech.

::

    RealtimeError
    └── SimulatorError
        └── SpeechError
            ├── MissingExtra   the packages for local speech are not installed
            └── VoiceFailed    eSpeak NG cannot be loaded, has no such voice, or cannot speak
"""

from realtime_actors.simulators.errors import SimulatorError

__all__ = ["MissingExtra", "SpeechError", "VoiceFailed"]


class SpeechError(SimulatorError):
    """Base class of the errors of local speech."""


class MissingExtra(SpeechError):
    """The packages for local speech are not installed; the message says how to install them."""

    def __init__(self) -> None:
        super().__init__("local speech needs the extra: pip install 'realtime_actors[demo]'")


class VoiceFailed(SpeechError):
    """eSpeak NG cannot be loaded, does not know the voice asked for, or cannot speak a text."""
