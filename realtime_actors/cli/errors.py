"""The command line's own error.

::

    RealtimeError
    └── CommandFailed   a command cannot do what it was asked; the message says why and what to do
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["CommandFailed"]


class CommandFailed(RealtimeError):
    """A command cannot do what it was asked to: it ends with this sentence on stderr and exit code 1."""
