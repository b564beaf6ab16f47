"""The actor that owns the socket to a provider."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, MailboxFull, Overflow, Ref, receives
from realtime_actors.events import (
    AppendAudio,
    CancelResponse,
    CommitAudio,
    Configure,
    ModelCommand,
    ModelEvent,
    ModelNotice,
    RequestFailed,
    SessionConfigured,
    SessionEnding,
    SessionExpired,
    SessionRefused,
    SessionResumable,
)
from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    Transport,
    TransportError,
    WebSocketOptions,
    default_transport,
)

from .errors import ProviderRefused, ProviderUnavailable
from .line import Line, SessionOver, Standby
from .model import RealtimeModel, WireProtocol
from .outbox import Outbox
from .owner import (
    Abandon,
    ConnectionExpiring,
    ConnectionLost,
    ConnectionReady,
    Resume,
    Rotate,
    Unsent,
    WaitReady,
)
from .reconnection import Attempts, Spent, retry_after
from .sending import Said, Sender

__all__ = ["SOCKET_OPTIONS", "ProviderConnection"]

log = logging.getLogger("realtime_actors.providers")

SOCKET_OPTIONS = WebSocketOptions(close_timeout=1.0)
"""How sockets to providers are by default: one that does not answer a close must not hold up the end for long."""

_OWN = frozenset(
    {SessionConfigured, SessionEnding, SessionExpired, SessionRefused, SessionResumable, RequestFailed},
)
"""What the provider says that is for the connection itself, or may be. All else is passed on as it comes."""


@attrs.frozen
class _Overdue:
    """The provider has had time to answer a command that was sent over the socket of this protocol."""

    command: ModelCommand
    protocol: WireProtocol


@attrs.frozen
class _Flush:
    """There is a session for what has waited for one."""


@attrs.define(eq=False)
class ProviderConnection(Actor):
    """One connection to a provider, through as many sockets as it takes.

    It tells `owner` every `ModelEvent` and `ModelNotice`, `ConnectionReady`, `ConnectionLost` and
    `ConnectionExpiring`. How hard it tries is `model.reconnection`. It crashes with `ProviderRefused` when the provider
    will not serve us, and with `ProviderUnavailable` when its attempts are spent.

    What it is told while there is no session waits: the last `keep_audio` s of speech, everything else in full.
    """

    # While a socket takes nothing; while there is none, what comes waits in the outbox.
    mailbox_capacity: ClassVar[int] = 512
    mailbox_overflow: ClassVar[Overflow] = "drop_oldest"
    # What is in hand may be waiting for a socket that takes nothing: a stop does not wait with it.
    stop_timeout: ClassVar[float] = 0.25

    model: RealtimeModel
    owner: Ref
    transport: Transport = attrs.field(factory=default_transport)
    options: WebSocketOptions = SOCKET_OPTIONS

    _attempts: Attempts = attrs.field(init=False)
    _sender: Sender = attrs.field(init=False)
    _configuration: Configure | None = attrs.field(init=False, default=None)
    _configured: trio.Event = attrs.field(init=False, factory=trio.Event)
    # Whether the last session was left in good order.
    _rotates: bool = attrs.field(init=False, default=False)
    # With which the provider goes on with the session on another socket.
    _handle: str = attrs.field(init=False, default="", repr=False)

    async def started(self) -> None:
        """Begin to connect, in the background."""
        self._attempts = Attempts(self.model.reconnection)
        outbox = Outbox(self.model.input_rate, self.model.reconnection.keep_audio)
        self._sender = Sender(outbox, lambda: self.context.queued_control, self._set_timer, self._forget_session)
        self.context.start_soon(self._run)

    @receives(lane="control")
    async def overdue(self, due: _Overdue) -> None:
        """What the wire leaves unsaid is taken for granted."""
        line = self._sender.line
        if line is not None and due.protocol is line.protocol:
            for event in due.protocol.unanswered(due.command):
                await self._hear(line, event)
            self._sender.release()

    # -- from the owner

    @receives(lane="control")
    async def configure(self, command: Configure) -> None:
        """The configuration of the socket that is open, and of those that are opened again and again."""
        self._configuration = command
        self._configured.set()
        await self._sender.say_first(command)

    @receives(lane="control")
    async def cancel(self, command: CancelResponse) -> None:
        """Goes out before every frame that is not yet begun."""
        await self._sender.say_first(command)

    @receives(lane="control")
    def rotate(self, command: Rotate) -> None:
        """From here on all is for the next session."""
        line = self._sender.line
        if line is None or command.after != self._sender.number or not self._sender.ready.is_set():
            return
        self._forget_session()
        self._configuration, self._rotates = command.configuration, True
        self._configured.set()
        line.leave()

    @receives(lane="control")
    def abandon(self, command: Abandon) -> None:
        """The session is of no use."""
        if self._sender.line is not None and self._sender.line.ready and command.number == self._sender.number:
            self._sender.line.abandon(SessionOver(command.reason, command.code, command.was_useful))

    @receives
    async def wait_ready(self, _: WaitReady) -> None:
        """Answers when the provider has accepted the configuration."""
        await self._sender.ready.wait()

    @receives
    async def append_audio(self, command: AppendAudio) -> None:
        """Audio waits for a session, and is sent again if that is lost under it."""
        await self._sender.append(command)

    @receives
    async def converse(self, command: Said) -> None:
        """What the owner sends again after a loss."""
        refused = await self._sender.say(command)
        if refused is not None:
            await self._inform(refused)

    @receives
    def resume(self, command: Resume) -> None:
        """What follows in the queue is for the next socket."""
        self._sender.resume(command.after)

    @receives
    async def flush(self, _: _Flush) -> None:
        """Send what has waited."""
        await self._sender.flush()

    def _set_timer(self, seconds: float, command: ModelCommand, protocol: WireProtocol) -> None:
        self.context.send_after(seconds, _Overdue(command, protocol))

    def _forget_session(self) -> None:
        """The session is over: what follows waits for the next, which needs a configuration of its own."""
        if self._sender.ready.is_set():
            self._sender.ready = trio.Event()
            self._configuration = None
            self._configured = trio.Event()

    # -- the sockets

    async def _run(self, standby: Standby | None = None) -> None:
        """One socket after the other, until the provider is given up, or the next one is another task's."""
        while True:
            failure, following = await self._connect(standby)
            if standby is not None and not standby.turn.is_set():
                standby.has_failed = True
                log.info("%s: no socket ahead of time: %s", self.context.path, failure)
                return
            standby = None
            if following is not None and not following.has_failed:
                return
            if failure is None:
                continue
            asked_for = None
            if isinstance(failure, HandshakeRejected):
                asked_for = retry_after(failure.status, failure.headers)
            delay = self._attempts.next(trio.current_time(), asked_for)
            if isinstance(delay, Spent):
                await self._hand_back()
                raise ProviderUnavailable(
                    f"{self.model.provider} was not reached, or did not stay, {delay.reason}: {failure}. "
                    "To do: check the network and the url."
                ) from failure
            log.warning("%s: %s; connecting again in %.2g s", self.context.path, failure, delay)
            await trio.sleep(delay)

    async def _connect(self, standby: Standby | None) -> tuple[TransportError | None, Standby | None]:
        """Open a socket and serve it, if need be when its turn has come.

        Returns why it ended, which is nothing when it was left in good order, and the socket that follows already.
        Raises `ProviderRefused` if the end is final.
        """
        began = trio.current_time()
        handle = self._handle
        if standby is None:
            self._attempts.begin(began)
        url = self.model.resuming(handle) if handle else self.model.endpoint()
        line: Line | None = None
        failure: TransportError | None
        try:
            async with self.transport.connect(url, headers=self.model.headers(), options=self.options) as socket:
                opened = trio.current_time()
                if standby is not None:
                    await standby.turn.wait()
                    began = trio.current_time()
                    self._attempts.begin(began)
                line = Line(socket, self.model.protocol(), began, opened)
                self._sender.line = line
                failure = await self._serve(line)
                await self._end(line, failure)
            return failure, line.standby
        except HandshakeRejected as error:
            if standby is not None and not standby.turn.is_set():
                return error, None
            await self._refuse(self.model.refusal(error.status, error.body), error, handle)
            return error, None
        except ConnectFailed as error:
            return error, None
        finally:
            if line is not None and line is self._sender.line:
                self._sender.line = None
                self._sender.release()
                self._forget_session()

    async def _serve(self, line: Line) -> TransportError | None:
        """Configure the session, then hear what the provider says. Returns why it ended; `None`: it was left."""
        line.await_acceptance(self.model.reconnection.ready_timeout)
        events: Iterator[ModelEvent | ModelNotice] = iter(())
        tell, release = self.owner.tell, self._sender.release
        decode, receive = line.protocol.decode, line.socket.receive
        try:
            while True:
                with line.watch():
                    if line.awaited is None and not line.ready:
                        await self._configured.wait()
                        await self._send_configuration(line)
                    while True:
                        for event in events:
                            if type(event) in _OWN:
                                over = await self._hear(line, event)
                                if over is not None:
                                    return over
                                continue
                            try:
                                tell(event)
                            except MailboxFull:
                                await self._pass_on(line, event)
                        if line.may_leave:
                            return None
                        release()
                        events = iter(decode(await receive()))
                notice = line.notice()
                if notice is None:
                    return line.end()
                await self._inform(ConnectionExpiring(self._sender.number, *notice))
                self._stand_by(line)
                if line.unheard is not None:
                    events, line.unheard = chain((line.unheard,), events), None
        except ConnectionClosed as error:
            if line.is_left:
                return None
            refusal = None if error.local else self.model.closing(error.code, error.reason)
            await self._refuse(refusal, error, "" if line.accepted else self._handle)
            return error

    async def _refuse(self, refusal: ProviderRefused | None, error: TransportError, handle: str) -> None:
        """Raise the refusal, if it is one. With a `handle` it may be that which was refused: handles expire."""
        if refusal is None:
            return
        if handle and refusal.kind not in ("authentication", "quota"):
            self._handle = ""
            return
        await self._hand_back()
        raise refusal from error

    async def _end(self, line: Line, failure: TransportError | None) -> None:
        """The session is over, before its socket is closed: let the next one begin."""
        self._forget_session()
        lasted = trio.current_time() - line.began >= self.model.reconnection.backoff.reset_after
        if line.ready and (failure is None or (lasted and (line.over is None or line.over.was_useful))):
            self._attempts.lasted()
        if line.ready and failure is not None:
            self._sender.outbox.keep_audio()
            code = failure.code if isinstance(failure, SessionOver) else "connection_lost"
            await self._inform(ConnectionLost(self._sender.number, str(failure), code))
        if line.standby is not None:
            line.standby.turn.set()

    def _stand_by(self, line: Line) -> None:
        """Open the next socket ahead of time, unless that would be a second one of the same session."""
        same = self._handle != "" and self.model.resuming(self._handle) != self.model.endpoint()
        if same or line.standby is not None or self._attempts.are_spent(trio.current_time()):
            return
        line.standby = Standby()
        self.context.start_soon(self._run, line.standby)

    async def _send_configuration(self, line: Line) -> None:
        """Send the configuration that the session begins with."""
        line.awaited, line.handle = self._configuration, self._handle
        assert line.awaited is not None
        await self._sender.send(attrs.evolve(line.awaited, handle=line.handle))

    async def _hear(self, line: Line, event: ModelEvent | ModelNotice) -> TransportError | None:
        """Take what the provider says. Returns why its session is over, if it is."""
        match event:
            case SessionConfigured() if line.awaited is not None and line.awaited is not self._configuration:
                line.accepted = True
                await self._send_configuration(line)  # it was changed while the first one was on its way
            case SessionConfigured() if line.awaited is not None:
                await self._begin(line)
            case SessionRefused(code, message):
                await self._hand_back()
                raise self.model.refused(code, message)
            case RequestFailed(request_id=request_id) if (
                line.awaited is not None and request_id == line.awaited.request_id
            ):
                if not line.accepted:
                    await self._hand_back()
                    raise self.model.refused(event.code, event.message, "configuration")
                await self._inform(event)  # what cannot be changed is as it was
                await self._begin(line)
            case SessionExpired():
                return SessionOver(self._limit_reached, "session_expired")
            case SessionEnding(within, message):
                line.expire_within(within, message)
            case SessionResumable(handle):
                self._handle = handle
                if line.ready and self._rotates and self._configuration is not None:
                    since = tuple(item for item in self._configuration.since if item.id in event.unsure)
                    self._configuration = attrs.evolve(self._configuration, since=since)  # the rest is saved now
                await self._pass_on(line, event)
            case _:
                await self._pass_on(line, event)
        return None

    async def _begin(self, line: Line) -> None:
        """The session is ready, once it has been told what was said before it."""
        # A wire that has forgotten the session names another at once.
        remembers = bool(line.handle) and self._handle == line.handle
        if not line.seeded and line.awaited is not None:
            line.seeded = True
            history = line.awaited.since if remembers else line.awaited.history
            try:
                for frame in line.protocol.seed(history):
                    await line.socket.send(frame)
            except ConnectionClosed:
                return  # whoever reads from it sees that as well
            if line.awaited is not self._configuration:  # it was changed meanwhile
                line.accepted = True
                await self._send_configuration(line)
                return
        model = self.model
        line.accept(model.session_limit, model.reconnection.rotate_ahead, self._limit_reached)
        self._sender.number += 1
        self._sender.ready.set()
        rotated, self._rotates = self._rotates, False
        dropped_ms = self._sender.outbox.take_dropped_ms()
        await self._inform(ConnectionReady(self._sender.number, remembers, rotated, dropped_ms))
        if self._sender.outbox:
            with suppress(MailboxFull):  # whatever fills it does the same
                self.context.ref.tell(_Flush())

    @property
    def _limit_reached(self) -> str:
        return f"the session with {self.model.provider} has reached its limit"

    async def _hand_back(self) -> None:
        """The end: what there is of the user's speech is the owner's again."""
        kept = tuple(each for each in self._sender.outbox.take_all() if isinstance(each, (AppendAudio, CommitAudio)))
        if kept:
            await self._inform(Unsent(kept))

    async def _pass_on(self, line: Line, event: ModelEvent | ModelNotice) -> None:
        """Tell the owner. While it has no room the socket is not read: the provider feels back pressure."""
        try:
            self.owner.tell(event)
        except MailboxFull:
            line.unheard = event
            await self.owner.send(event)
            line.unheard = None

    async def _inform(
        self,
        event: RequestFailed | ConnectionReady | ConnectionLost | ConnectionExpiring | Unsent,
    ) -> None:
        try:
            self.owner.tell(event)
        except MailboxFull:
            await self.owner.send(event)
