"""Errors of the simulators.

::

    RealtimeError
    └── SimulatorError
        ├── ScriptError          a script for the scripted brain cannot be used
        └── TranscriptionFailed  raised by a brain that cannot transcribe: the wire's "transcription failed"
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["ScriptError", "SimulatorError", "TranscriptionFailed"]


class SimulatorError(RealtimeError):
    """Base class of the simulators' errors."""


class ScriptError(SimulatorError):
    """A script cannot be used; the message names the file or object, the place in it and what is wrong."""


class TranscriptionFailed(SimulatorError):
    """A brain raises this from `transcribe`; the client then gets the wire's transcription error."""
