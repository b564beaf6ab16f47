"""What every part of a frontend's session does: keep the time, and say something to the frontend."""

from __future__ import annotations

import logging
from collections import deque
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, Ref, Subscription, receives
from realtime_actors.events import (
    AgentError,
    AgentResponseCreated,
    AgentResponseDone,
    AgentTurnMeasured,
    ClientEvent,
    ServerEvent,
    ServerSessionEnded,
)

from .admission import Admission
from .frontend import FrontendSocket, SharedAgent
from .request import AgentFactory
from .settings import GatewaySettings

__all__ = ["BaseSession", "EndAfterThis"]

log = logging.getLogger("realtime_actors.gateway")

_MOST_COMPLAINTS = 20  # in a second


@attrs.frozen
class EndAfterThis:
    """Tells a session to close the frontend once its conversation is over; at once if there is none."""


@attrs.define(eq=False)
class BaseSession(Actor):
    """What a session is given, which `FrontendSession` explains, and what it remembers."""

    # Its agent, and below that the connection, have their own time to end, before it.
    stop_timeout: ClassVar[float] = 2.0

    admission: Admission
    agent_id: str
    """The name of its agent."""
    topic: str
    """Where what it is to hear is published, followed by `.<type>`."""
    socket: FrontendSocket
    outgoing: Subscription
    agent: AgentFactory
    settings: GatewaySettings
    """Its times, and `max_message_bytes`: as much is read ahead, and kept, while the agent starts or has no room. The
    oldest audio is dropped then; when all else is too much, reading stops."""
    return_within: float
    shared: dict[str, SharedAgent]
    """The agents that sessions have, by session id."""
    large_frames: trio.Lock
    """Held while a large frame is decoded: one in each pass of the loop, whoever sends them, so that others' events
    do not wait behind many."""

    _agent: Ref | None = attrs.field(init=False, default=None)
    _is_guest: bool = attrs.field(init=False, default=False)
    """Whether the agent is another frontend's."""
    _is_seated: bool = attrs.field(init=False, default=False)
    """Whether it is in a room."""
    _is_back: bool = attrs.field(init=False, default=False)
    """Whether it has come back and not said how it goes on."""
    _measures_turns: bool = attrs.field(init=False, default=False)
    _agent_name: str = attrs.field(init=False, default="")
    _is_open: bool = attrs.field(init=False, default=False)
    _ahead: deque[tuple[ClientEvent, int]] = attrs.field(init=False, factory=deque[tuple[ClientEvent, int]])
    _ahead_bytes: int = attrs.field(init=False, default=0)
    _audio_dropped: int = attrs.field(init=False, default=0)
    _without_session: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    _opened_at: float = attrs.field(init=False, factory=trio.current_time)
    _last_heard: float | None = attrs.field(init=False, default=None)
    _reply_ended: float = attrs.field(init=False, default=float("-inf"))
    """Infinity while one is running."""
    _end_reason: str = attrs.field(init=False, default="server_stopped")
    _is_last: bool = attrs.field(init=False, default=False)
    _last_complaint: float = attrs.field(init=False, default=float("-inf"))
    _second_began: float = attrs.field(init=False, default=float("-inf"))
    _complaints: int = attrs.field(init=False, default=0)
    """How many more frames that are no events are answered in this second."""
    _unanswered: int = attrs.field(init=False, default=0)

    # -- the time

    async def _watch_time(self) -> None:
        idle, session = (
            float("inf") if limit is None else limit
            for limit in (self.settings.idle_timeout, self.settings.session_timeout)
        )
        while (now := trio.current_time()) < self._opened_at + session:
            # While a reply is running, it is time to look again when the frontend could first be idle after it.
            idle_from = min(now, max(self._last_heard or self._opened_at, self._reply_ended))
            if now >= idle_from + idle:
                self._give_up("idle", f"nothing was said for {idle:g} s")
                return
            await trio.sleep_until(min(self._opened_at + session, idle_from + idle))
        self._give_up("session_timeout", f"a session may take {session:g} s")

    def _give_up(self, reason: str, words: str) -> None:
        log.info("session %s: %s", self.context.name, words)
        self._end_reason = reason
        self.socket.code, self.socket.reason = 1008, words
        self.context.stop()

    @receives(lane="control")
    def reply_began(self, _: AgentResponseCreated) -> None:
        """While it runs, the frontend is not idle."""
        self._reply_ended = float("inf")

    @receives(lane="control")
    def reply_done(self, _: AgentResponseDone) -> None:
        """From now on the frontend is idle unless it speaks."""
        self._reply_ended = trio.current_time()

    @receives(lane="control")
    def end_after_this(self, _: EndAfterThis) -> None:
        """No other conversation on this socket."""
        self._is_last = True
        self.socket.reason = "the server is stopping"
        if not self._is_open:
            self.context.stop()
        elif self.socket.is_awaited:
            self.socket.give_up()

    @receives
    def turn_measured(self, event: AgentTurnMeasured) -> None:
        """For a frontend that asked for it."""
        if self._measures_turns:
            self._say(event)

    # -- what the frontend hears

    def _say(self, event: ServerEvent) -> None:
        self.outgoing.offer(event, None)

    def _end_session(self, reason: str) -> None:
        if self._is_open:
            self._is_open = False
            self._without_session.deadline = trio.current_time() + self.settings.hello_timeout
            self._say(ServerSessionEnded(self.admission.session_id, {"reason": reason}))
            if self._is_last:
                self.context.stop()

    def _complain(self, words: str) -> None:
        """Tell the frontend that a frame is no event; of more than some in a second, how many there were."""
        now = trio.current_time()
        if now >= self._second_began + 1.0:
            self._second_began, self._complaints = now, _MOST_COMPLAINTS
        if not self._complaints:
            self._unanswered += 1
            return
        self._complaints -= 1
        if self._unanswered:
            words += f" ({self._unanswered} more before it were no events either, and not answered)"
            self._unanswered = 0
        self._error("invalid_event", words)

    def _error(
        self, code: str, message: str, error_type: str = "invalid_request_error", *, audio: bool = False
    ) -> None:
        """Tell the frontend, of what comes with every piece of `audio` once a second at most."""
        if audio:
            now = trio.current_time()
            if now - self._last_complaint < 1.0:
                return
            self._last_complaint = now
        log.debug("session %s: %s: %s", self.context.name, code, message)
        self._say(AgentError(error_type, code, message, self.agent_id, self._agent_name))
