"""Errors of the AgentScope module.

::

    RealtimeError
    └── AgentScopeError
        ├── InvalidEvent    an event is not as its class declares it (also a ValueError, as there)
        ├── NotAnEvent      what an agent is given is no event at all (also a TypeError)
        ├── NotStarted      the agent or the model has no connection (also a RuntimeError, as there)
        ├── NotSupported    a thing of AgentScope's that is not here, or not yet; the message says what is instead
        └── QueueOverflow   the application does not read its queue
"""

from realtime_actors.actors.errors import RealtimeError

__all__ = ["AgentScopeError", "InvalidEvent", "NotAnEvent", "NotStarted", "NotSupported", "QueueOverflow"]


class AgentScopeError(RealtimeError):
    """Base class of this module's errors."""


class InvalidEvent(AgentScopeError, ValueError):
    """An event is not as its class declares it; the message says which field and what was expected."""


class NotAnEvent(AgentScopeError, TypeError):
    """What an agent is given is no event; the message says what to pass instead."""


class NotStarted(AgentScopeError, RuntimeError):
    """The agent or the model is not connected, or already is; the message says what to do."""


class NotSupported(AgentScopeError):
    """A thing of AgentScope's that is not here, or not yet; the message says what there is instead."""


class QueueOverflow(AgentScopeError):
    """An application does not read its queue: what waits for it is too much, and none of it may be dropped."""
