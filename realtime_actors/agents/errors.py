"""Errors of the agents layer.

::

    RealtimeError
    └── AgentsError
        ├── InvalidTool         a function cannot be a tool as it is declared
        └── InvalidArguments    the model called a tool with arguments that do not fit
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["AgentsError", "InvalidArguments", "InvalidTool"]


class AgentsError(RealtimeError):
    """Base class of the agents layer's errors."""


class InvalidTool(AgentsError, TypeError):
    """A function cannot be a tool as it is declared; the message says what to change."""


class InvalidArguments(AgentsError):
    """The model called a tool with arguments that do not fit its parameters. The model is told."""
