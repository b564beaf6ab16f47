"""Errors of the asyncio host, beside those of `realtime_actors.actors`, which come out as they are.

::

    RealtimeError
    └── ActorError
        ├── MailboxFull
        │   └── CrossingFull    too much is on its way to the runtime's thread
        └── WrongLoop           used in a task of Trio's, or in another event loop than the runtime's host
"""

from realtime_actors.actors.errors import ActorError, MailboxFull

__all__ = ["CrossingFull", "WrongLoop"]


class CrossingFull(MailboxFull):
    """As many messages as allowed are on their way to the runtime's thread: the host tells faster than it takes."""


class WrongLoop(ActorError):
    """Something of an asyncio host's was used in a task of Trio's, or in another event loop than the one it is of."""
