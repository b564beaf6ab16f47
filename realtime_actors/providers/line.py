"""One socket to a provider, and what is known of the session on it."""

from __future__ import annotations

import math

import attrs
import trio

from realtime_actors.events import Configure, ModelEvent, ModelNotice
from realtime_actors.transports import TransportError, WebSocket

from .model import WireProtocol

__all__ = ["Line", "SessionOver", "Standby"]

SETTLE_WITHIN = 2.0
"""Seconds that a session may take until all that was said is saved, when it is to be left."""
LEAD = 2.0
"""Seconds, at most, by which a session is given up before the provider ends it."""


class SessionOver(TransportError):
    """A session has ended that was none of the network's doing; `code` says why, for programs."""

    def __init__(self, message: str, code: str, was_useful: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.was_useful = was_useful


@attrs.define(eq=False)
class Standby:
    """The next socket, which is opened while the one before it still serves."""

    turn: trio.Event = attrs.field(factory=trio.Event)
    """Set when it is to serve."""
    has_failed: bool = False


@attrs.define(eq=False)
class Line:
    """A socket and its session. Times are seconds on Trio's clock."""

    socket: WebSocket
    protocol: WireProtocol
    began: float
    """When the attempt that led to it began, or its turn came."""
    opened: float
    deadline: float = math.inf
    """When something is to be done about it: see `watch`."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    handle: str = ""
    """That of the session it goes on with."""
    awaited: Configure | None = None
    """While the session is not ready: the configuration that the provider must accept."""
    accepted: bool = False
    """Whether the provider has accepted the session, be it with a configuration that was changed since."""
    seeded: bool = False
    """Whether it has been told what was said before it."""
    ready: bool = False
    standby: Standby | None = None
    """The socket that follows it."""
    over: SessionOver | None = None
    """Why it is to be given up."""
    unheard: ModelEvent | ModelNotice | None = None
    """What the deadline kept from being told."""
    _ends: float = math.inf
    _why: str = ""
    _is_expiring: bool = False
    _is_leaving: bool = False
    _is_left: bool = False

    @property
    def is_left(self) -> bool:
        """Whether the next one has taken over, or is to."""
        return self._is_left or self._is_leaving

    def watch(self) -> trio.CancelScope:
        """A scope for whoever reads, which is cancelled when something is to be done about the session."""
        is_over = self._is_left or self.over is not None
        self.scope = trio.CancelScope(deadline=-math.inf if is_over else self.deadline)
        return self.scope

    def await_acceptance(self, seconds: float) -> None:
        """The provider has this long to accept the configuration."""
        self._why = f"the configuration was not accepted within {seconds:g} s"
        self._set_deadline(trio.current_time() + seconds)

    def accept(self, limit: float | None, ahead: float, why: str) -> None:
        """The session is ready, and lasts `limit` s, of which the end is told `ahead` s before it."""
        self.awaited, self.accepted, self.ready, self._why = None, True, True, why
        if limit is not None:
            self._ends = min(self._ends, self.opened + limit)
            ahead = min(ahead, limit / 2)
        self._set_deadline(self._ends - ahead)

    def expire_within(self, seconds: float, why: str) -> None:
        """The provider says that it ends the session in so many seconds."""
        ends = trio.current_time() + seconds
        if ends >= self._ends:
            return
        self._ends = ends
        if self.ready:
            self._why, self._is_expiring = why, False
            self._set_deadline(-math.inf)

    def notice(self) -> tuple[float, str] | None:
        """At the deadline: in how many seconds the session ends, and why, if that is to be told now."""
        if not self.ready or self._is_expiring or self.over is not None or self.is_left:
            return None
        self._is_expiring = True
        left = max(0.0, self._ends - trio.current_time())
        self._set_deadline(self._ends - min(LEAD, left / 10))
        return left, self._why

    def end(self) -> TransportError | None:
        """At the deadline, when nothing is to be told: why it is over."""
        if self.is_left:
            return None
        if self.over is not None:
            return self.over
        return SessionOver(self._why, "session_expired") if self.ready else TransportError(self._why)

    def leave(self) -> bool:
        """Let the next one take over: at once if all is saved (True), or as soon as it is."""
        if self.protocol.settled:
            self._is_left = True
            self.scope.cancel()
            return True
        self._is_leaving = True
        self._set_deadline(min(self.deadline, trio.current_time() + SETTLE_WITHIN))
        return False

    @property
    def may_leave(self) -> bool:
        """Whether it was waiting to be left, and can be."""
        return self._is_leaving and self.protocol.settled

    def abandon(self, over: SessionOver) -> None:
        """Give it up."""
        self.over = over
        self.scope.cancel()

    def _set_deadline(self, deadline: float) -> None:
        self.deadline = self.scope.deadline = deadline
