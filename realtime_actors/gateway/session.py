"""A frontend's session."""

from __future__ import annotations

import logging
from functools import partial

import attrs
import trio

from realtime_actors.actors import MailboxFull, RealtimeError, Terminated, receives
from realtime_actors.events import (
    AgentReady,
    AgentResponseCreated,
    AgentResponseDone,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientSessionEnd,
    ServerSessionCreated,
    ServerSessionUpdated,
)
from realtime_actors.providers import ProviderError, ProviderRefused
from realtime_actors.rooms import RoomsError, Seat
from realtime_actors.transports import ConnectionClosed

from .errors import InvalidSessionConfig
from .frontend import SharedAgent
from .reading import ReadingSession
from .request import AgentRequest

__all__ = ["FrontendSession"]

log = logging.getLogger("realtime_actors.gateway")

_ONE_MICROPHONE = "somebody else speaks in this session already: write, or have it served as a room (Gateway(room=…))"
_CREATE_FIRST = "there is no session yet: send client_session_create first"


@attrs.define(eq=False)
class FrontendSession(ReadingSession):
    """One frontend, for as long as it is there: reads what it says and has an agent for it.

    What the frontend is to hear goes into `outgoing`, from which another task feeds the socket: the events that
    the agent publishes come by the bus, those of the session itself are put between them, so that there is one
    order and one bound.

    A `client_session_create` spawns the agent, a `client_session_end` stops it; then there may be another
    create on the same socket. The `session_id` in the frontend's events is not looked at: the path has it.

    A frontend whose socket is lost may come back within `return_within` seconds: the agent goes on meanwhile, and what
    it says waits in `outgoing`. A second user of a session shares the agent of the first, who alone speaks to it; the
    second one writes. For several who speak there are rooms: there `agent` makes the frontend's seat.
    """

    async def started(self) -> None:
        """Begin to read."""
        hello, first = self.settings.hello_timeout, self.settings.first_message_timeout
        self._without_session.deadline = self._opened_at + min(hello, first)
        for kind in (AgentResponseCreated, AgentResponseDone):
            self.context.subscribe(f"{self.topic}.{kind.type}")
        self.context.subscribe(f"turns.{self.agent_id}")
        self.context.start_soon(self._read)
        self.context.start_soon(self._watch_time)

    async def stopping(self) -> None:
        """Say that the session is over; the agent has said so of itself."""
        self._unshare()
        self._end_session(self._end_reason)

    # -- what the frontend says

    async def _take(self, event: ClientEvent) -> None:
        match event:
            case ClientSessionCreate():
                await self._create(event)
            case ClientSessionEnd():
                await self._end()
            case _:
                await self._forward(event)

    def _pass_at_once(self, event: ClientResponseCancel | ClientPlayoutUpdate) -> None:
        """A cancel, and how much was heard before it, whatever else waits."""
        try:
            if self._agent is not None:
                self._agent.tell(event)
            elif not self._is_open and isinstance(event, ClientResponseCancel):  # the last of a reply is heard after it
                self._error("no_session", _CREATE_FIRST)
        except MailboxFull:
            self._error("agent_busy", "too much at once: the agent has not got to the last of it yet", audio=True)

    async def _forward(self, event: ClientEvent) -> None:
        agent = self._agent
        if agent is None:
            self._error("no_session", _CREATE_FIRST, audio=isinstance(event, ClientAudioAppend))
            return
        if self._is_guest and isinstance(event, ClientAudioAppend | ClientAudioCommit):
            self._error("one_microphone", _ONE_MICROPHONE, audio=True)
            return
        try:
            try:
                agent.tell(event)
            except MailboxFull:
                await self._keeping_in_touch(partial(agent.send, event))
        except MailboxFull:  # an actor that does not let senders wait
            self._error("agent_busy", f"the agent has no room for this {event.type}", audio=True)

    async def _create(self, event: ClientSessionCreate) -> None:
        if self._is_back:
            self._is_back = False
            self._say(ServerSessionCreated(self.admission.session_id))
            self._say(ServerSessionUpdated(self.admission.session_id, {"resumed": "true"}))
            return
        if self._is_open:
            self._error("session_exists", "this session has an agent already: send client_session_end first")
            return
        shared = self.shared.get(self.admission.session_id)
        if shared is not None:
            self._share(shared)
            return
        try:
            request = AgentRequest.of(
                event.config,
                user_id=self.admission.user_id,
                session_id=self.admission.session_id,
                agent_id=self.agent_id,
            )
            prototype = self.agent(request)
            self._is_seated = isinstance(prototype, Seat)
            self._agent_name = request.agent_name or getattr(prototype, "name", "")
            self._is_open = True
            self._measures_turns = event.config.get("measure_turns") is True
            self._without_session.deadline = float("inf")
            self._say(ServerSessionCreated(self.admission.session_id))
            agent = await self._keeping_in_touch(partial(self.context.spawn, prototype, name=self.agent_id))
        except ConnectionClosed:
            raise
        except InvalidSessionConfig as error:
            self._fail_to_create("invalid_config", str(error), "invalid_request_error")
        except RealtimeError as error:
            log.warning("session %s: no agent: %s", self.context.name, error)
            self._fail_to_create(error.code if isinstance(error, ProviderRefused | RoomsError) else "", str(error))
        except Exception:
            # Its words are for the log only: nobody has seen to it that they hold no secret.
            log.exception("session %s: no agent", self.context.name)
            self._fail_to_create("internal_error", "the agent could not be started: an internal error")
        else:
            if agent is not None:
                self._agent = agent
                self.context.watch(agent)
                if not self._is_seated:
                    self.shared[self.admission.session_id] = SharedAgent(agent, self._agent_name)
            else:
                # The frontend has ended the session before it began: what it said in it has no agent to hear it.
                while self._ahead and not isinstance(self._ahead[0][0], ClientSessionEnd):
                    self._ahead_bytes -= self._ahead.popleft()[1]

    def _share(self, shared: SharedAgent) -> None:
        """Another frontend has this session: its agent is this one's, too."""
        self._agent, self._agent_name, self._is_guest, self._is_open = shared.ref, shared.name, True, True
        self._without_session.deadline = float("inf")
        self.context.watch(shared.ref)
        self._say(ServerSessionCreated(self.admission.session_id))
        self._say(AgentReady(self.agent_id, shared.name))

    def _unshare(self) -> None:
        if self._agent is not None and not self._is_guest:
            self.shared.pop(self.admission.session_id, None)

    def _fail_to_create(self, code: str, message: str, error_type: str = "server_error") -> None:
        self._error(code or "agent_not_started", message, error_type)
        self._end_session("agent_not_started")
        self._without_session.deadline = trio.current_time() + self.settings.hello_timeout

    async def _end(self) -> None:
        if not self._is_open:
            self._error("no_session", _CREATE_FIRST)
            return
        self._unshare()
        agent, self._agent = self._agent, None
        if agent is not None:
            self.context.unwatch(agent)
            if not self._is_guest:
                await self._keeping_in_touch(agent.stop, breakable=False)
        self._is_guest = False
        self._end_session("client_ended")

    # -- the agent

    @receives(lane="control")
    def agent_ended(self, notice: Terminated) -> None:
        """The agent has ended by itself. Of a provider's failure it has told the frontend itself."""
        self._unshare()
        self._agent, self._is_guest = None, False
        self._reply_ended = trio.current_time()
        if notice.reason == "crashed" and not isinstance(notice.cause, ProviderError):
            self._error("agent_crashed", "the agent has ended because of an internal error", "server_error")
        self._end_session("agent_ended")
