"""A frontend's session."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar, TypeVar

import attrs
import trio

from realtime_actors.actors import Actor, MailboxFull, RealtimeError, Ref, Subscription, Terminated, receives
from realtime_actors.events import (
    AgentError,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentTurnMeasured,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientSessionEnd,
    DecodeError,
    ServerEvent,
    ServerSessionCreated,
    ServerSessionEnded,
    ServerSessionUpdated,
)
from realtime_actors.providers import ProviderError, ProviderRefused
from realtime_actors.rooms import RoomsError, Seat, SeatAway, SeatBack
from realtime_actors.transports import ConnectionClosed

from .admission import Admission
from .errors import InvalidSessionConfig
from .frontend import FrontendSocket, SharedAgent
from .request import AgentFactory, AgentRequest
from .settings import GatewaySettings

__all__ = ["EndAfterThis", "FrontendSession"]

log = logging.getLogger("realtime_actors.gateway")

T = TypeVar("T")

_EVENT_SIZE = 500  # bytes that an event takes beside what it carries, about
_LOOK_AGAIN = 0.25  # seconds
_LARGE_FRAME = 64 * 1024
_MOST_COMPLAINTS = 20  # in a second
_NORMAL = 1000  # the code of a frontend that closes because it is done
_STALE_AFTER = 5.0  # seconds
_ONE_MICROPHONE = "somebody else speaks in this session already: write, or have it served as a room (Gateway(room=…))"
_CREATE_FIRST = "there is no session yet: send client_session_create first"


@attrs.frozen
class EndAfterThis:
    """Tells a session to close the frontend once its conversation is over; at once if there is none."""


@attrs.define(eq=False)
class FrontendSession(Actor):
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

    async def _read(self) -> None:
        while True:
            try:
                with self._without_session:
                    while True:
                        await self._take(await self._next())
            except ConnectionClosed as error:
                log.info("session %s: %s", self.context.name, error)
                if error.code == _NORMAL or not await self._comes_back():
                    break
            else:
                await self.socket.websocket.aclose(1008, self._missing())
                break
        self.context.stop()

    async def _comes_back(self) -> bool:
        """The socket is lost: whether the frontend is there again in time."""
        if self._agent is None or not self._is_open or self._is_last or self.return_within <= 0:
            return False
        lost_at = trio.current_time()
        self._tell_seat(SeatAway())
        if not await self.socket.wait(self.return_within):
            log.info("session %s: the frontend has not come back", self.context.name)
            return False
        if trio.current_time() - lost_at > _STALE_AFTER:
            self._drop_stale()
        self._last_heard = trio.current_time()
        self._is_back = True
        self._without_session = trio.CancelScope()
        self._tell_seat(SeatBack())
        log.info("session %s: the frontend is back", self.context.name)
        return True

    def _drop_stale(self) -> None:
        """Nobody wants to hear speech so late of which the end is known."""
        done = {event.response_id for event in self.outgoing.waiting() if isinstance(event, AgentResponseDone)}
        self.outgoing.drop(lambda event: isinstance(event, AgentResponseAudioDelta) and event.response_id in done)

    def _tell_seat(self, message: SeatAway | SeatBack) -> None:
        if self._agent is not None and self._is_seated:
            self.context.tell(self._agent, message)

    def _missing(self) -> str:
        if self._last_heard is None and self.settings.first_message_timeout < self.settings.hello_timeout:
            return f"no message within {self.settings.first_message_timeout:g} s"
        return f"no client_session_create within {self.settings.hello_timeout:g} s"

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

    async def _receive(self) -> str | bytes:
        frame = await self.socket.websocket.receive()
        if self._last_heard is None:
            self._without_session.deadline = self._opened_at + self.settings.hello_timeout
        self._last_heard = trio.current_time()
        return frame

    async def _next(self) -> ClientEvent:
        if self._ahead:
            event, size = self._ahead.popleft()
            self._ahead_bytes -= size
            return event
        while True:
            event = await self._decode(await self._receive())
            if event is not None:
                return event
            # An agent's control and data lanes are read by two tasks, in any order when both wake at once: what
            # follows a cancel in the same packet must not get before it.
            await trio.lowlevel.checkpoint()

    async def _decode(self, frame: str | bytes) -> ClientEvent | None:
        """The frame's event; None when it is dealt with already: one that is no event, or one that does not wait."""
        if len(frame) < _LARGE_FRAME:
            return self._decode_now(frame)
        # Shielded, since the frame would be lost: those that are before it have but milliseconds of work each.
        event: ClientEvent | None = None
        with trio.CancelScope(shield=True):
            async with self.large_frames:
                event = self._decode_now(frame)
                await trio.lowlevel.checkpoint()
        return event

    def _decode_now(self, frame: str | bytes) -> ClientEvent | None:
        try:
            event = self.admission.wire.decode_client(frame)
        except DecodeError as error:
            self._complain(str(error))
            return None
        if isinstance(event, ClientResponseCancel | ClientPlayoutUpdate):
            self._pass_at_once(event)
            return None
        return event

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

    async def _keeping_in_touch(self, wait: Callable[[], Awaitable[T]], *, breakable: bool = True) -> T | None:
        """Wait for something slow, and go on reading: what comes is kept, but a cancel acts at once.

        None when a `breakable` wait was broken off because the frontend wants to end. Raises `ConnectionClosed`
        when it was because the frontend is gone.
        """
        result: T | None = None
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_ahead, nursery.cancel_scope, breakable)
            try:
                result = await wait()
            except Exception as error:  # noqa: BLE001 - raised below, outside the nursery, which would wrap it
                failure = error
            nursery.cancel_scope.cancel()
        if self.socket.websocket.closed is not None:
            raise self.socket.websocket.closed
        if failure is not None:
            raise failure
        return result

    async def _read_ahead(self, waiting: trio.CancelScope, breakable: bool) -> None:
        while self.socket.websocket.closed is None:
            if self._ahead_bytes >= self.settings.max_message_bytes and not self._drop_audio():
                # No more is read, so a close must be looked for.
                await trio.sleep(_LOOK_AGAIN)
                continue
            try:
                frame = await self._receive()
            except ConnectionClosed:
                break
            event = await self._decode(frame)
            if event is not None:
                size = len(frame) + _EVENT_SIZE
                self._ahead.append((event, size))
                self._ahead_bytes += size
            if breakable and isinstance(event, ClientSessionEnd):
                break
        waiting.cancel()

    def _drop_audio(self) -> bool:
        """Drop the oldest audio that was read ahead; False if there is none."""
        for index, (event, size) in enumerate(self._ahead):
            if isinstance(event, ClientAudioAppend):
                del self._ahead[index]
                self._ahead_bytes -= size
                self._audio_dropped += 1
                message = f"the agent cannot take it yet: the oldest audio was dropped ({self._audio_dropped} so far)"
                self._error("audio_dropped", message, audio=True)
                return True
        return False

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
