"""Errors of the asyncio host, beside those of `realtime_actors.actors`, which come out as they are.

::

    RealtimeError
    └── ActorError
        └── MailboxFull
            └── CrossingFull    too much is on its way to the runtime's thread
"""

from realtime_actors.actors.errors import MailboxFull

__all__ = ["CrossingFull"]


class CrossingFull(MailboxFull):
    """As many messages as allowed are on their way to the runtime's thread: the host tells faster than it takes."""
