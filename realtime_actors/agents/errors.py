"""Errors of the agents layer.

::

    RealtimeError
    └── AgentsError
        ├── InvalidTool           a function cannot be a tool as it is declared
        ├── ChangeRefused         an agent was not changed in the middle of a call
        ├── InvalidMemory         a bound of what is remembered makes no sense
        ├── InvalidTurnDetection  a setting of `LocalVAD` is wrong, or the model cannot do with it
        ├── NoModelLeft           every model of the agent has given up; __cause__ is why the last one has
        ├── InvalidArguments      the model called a tool with arguments that do not fit
        └── ReplyFailed           a reply that was asked for did not come about
"""

from collections.abc import Sequence

from realtime_actors.actors.errors import RealtimeError

__all__ = [
    "AgentsError",
    "ChangeRefused",
    "InvalidArguments",
    "InvalidMemory",
    "InvalidTool",
    "InvalidTurnDetection",
    "NoModelLeft",
    "ReplyFailed",
]


class AgentsError(RealtimeError):
    """Base class of the agents layer's errors."""


class InvalidTool(AgentsError, TypeError):
    """A function cannot be a tool as it is declared; the message says what to change."""


class InvalidArguments(AgentsError):
    """The model called a tool with arguments that do not fit its parameters. The model is told."""


class InvalidMemory(AgentsError, ValueError):
    """A bound of a `Memory` makes no sense; the message says which."""


class InvalidTurnDetection(AgentsError, ValueError):
    """A setting of `LocalVAD` is wrong, or the model does not work without its own; the message says what to do."""


class NoModelLeft(AgentsError):
    """Every model of the agent has given up. `causes` are their names, in order, and why."""

    def __init__(self, causes: Sequence[tuple[str, BaseException]]) -> None:
        super().__init__("no model is left: " + "; ".join(f"{name}: {cause}" for name, cause in causes))
        self.causes = tuple(causes)


class ReplyFailed(AgentsError):
    """A reply that was asked for did not come about, or broke off; `code` says why, as `AgentError` does."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ChangeRefused(AgentsError):
    """An agent was not changed in the middle of a call: it goes on as it was."""
