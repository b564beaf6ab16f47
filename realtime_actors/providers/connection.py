"""The actor that owns the socket to a provider."""

from __future__ import annotations

import logging
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, Backoff, MailboxFull, Overflow, Ref, receives
from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    DeleteItem,
    ModelCommand,
    ModelEvent,
    ModelNotice,
    RequestFailed,
    SessionConfigured,
    SessionExpired,
    SessionRefused,
    SessionResumable,
    TruncateItem,
)
from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    Transport,
    TransportError,
    WebSocket,
    WebSocketOptions,
    default_transport,
)

from .errors import ProviderUnavailable
from .model import RealtimeModel, WireProtocol

__all__ = ["SOCKET_OPTIONS", "ConnectionLost", "ConnectionReady", "ProviderConnection", "Resume", "WaitReady"]

log = logging.getLogger("realtime_actors.providers")

SOCKET_OPTIONS = WebSocketOptions(close_timeout=1.0)
"""How sockets to providers are by default: one that does not answer a close must not hold up the end for long."""

RECONNECT = Backoff(min=0.25, max=8.0, factor=2.0, jitter=0.5)
"""How long a connection waits between attempts."""


@attrs.frozen
class WaitReady:
    """Ask a connection this to know when the provider has accepted the first configuration."""


@attrs.frozen
class ConnectionReady:
    """Told to the owner: a socket is open and the provider has accepted the configuration. The first is 1.

    `remembers`: the provider goes on with the session of the socket before.
    """

    number: int
    remembers: bool = False


@attrs.frozen
class ConnectionLost:
    """Told to the owner: the socket that was ready is gone, and a new one is being opened.

    The owner answers with a `Configure` for the new session, a `Resume`, and then whatever the provider had
    not acknowledged.
    """

    number: int
    reason: str


@attrs.frozen
class Resume:
    """From the owner: what follows is meant for the socket after the one with this number.

    Commands for the conversation that were queued before it and not sent are passed over, since the owner
    sends them again; audio is kept.
    """

    after: int


@attrs.frozen
class _Overdue:
    """The provider has had time to answer a command that was sent over the socket of this protocol."""

    command: ModelCommand
    protocol: WireProtocol


@attrs.define(eq=False)
class ProviderConnection(Actor):
    """One connection to a provider, through as many sockets as it takes.

    It tells `owner` every `ModelEvent` and `ModelNotice`, `ConnectionReady` and `ConnectionLost`. It crashes
    with `ProviderRefused` when the provider will not serve us, and with `ProviderUnavailable` after
    `max_attempts` attempts in a row of which none led to a session that lasted: one whose configuration was
    accepted within `ready_timeout` s, and that then went on until `backoff.reset_after` s after the attempt began.
    """

    # About ten seconds of speech in pieces of 20 ms; the oldest piece makes room when there is no socket.
    mailbox_capacity: ClassVar[int] = 512
    mailbox_overflow: ClassVar[Overflow] = "drop_oldest"
    # What is in hand may be waiting for a socket that never comes: a stop does not wait with it.
    stop_timeout: ClassVar[float] = 0.25

    model: RealtimeModel
    owner: Ref
    transport: Transport = attrs.field(factory=default_transport)
    options: WebSocketOptions = SOCKET_OPTIONS
    ready_timeout: float = 10.0
    max_attempts: int = 5
    backoff: Backoff = RECONNECT

    _socket: WebSocket | None = attrs.field(init=False, default=None)
    _protocol: WireProtocol | None = attrs.field(init=False, default=None)
    _configuration: Configure | None = attrs.field(init=False, default=None)
    _configured: trio.Event = attrs.field(init=False, factory=trio.Event)
    _ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    # Set while no control command is being sent: other frames begin only then.
    _calm: trio.Event = attrs.field(init=False, factory=trio.Event)
    # Set while the wire takes the next command: some lose what comes before they have answered the last.
    _free: trio.Event = attrs.field(init=False, factory=trio.Event)
    _number: int = attrs.field(init=False, default=0)
    _resumed_after: int = attrs.field(init=False, default=0)
    # While the session is not ready: the configuration that the provider must accept, and for how long that may take.
    _awaited: Configure | None = attrs.field(init=False, default=None)
    _patience: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    # Whether this socket's session has been accepted, be it with a configuration that was changed since.
    _accepted: bool = attrs.field(init=False, default=False)
    # With which the provider goes on with the session on another socket; and the one with which this socket was opened.
    _handle: str = attrs.field(init=False, default="", repr=False)
    _resuming: str = attrs.field(init=False, default="", repr=False)

    async def started(self) -> None:
        """Begin to connect, in the background."""
        self._calm.set()
        self._free.set()
        self.context.start_soon(self._run)

    @receives(lane="control")
    async def overdue(self, due: _Overdue) -> None:
        """What the wire leaves unsaid is taken for granted."""
        if due.protocol is self._protocol:
            for event in due.protocol.unanswered(due.command):
                await self._hear(event)
            self._release()

    # -- from the owner

    @receives(lane="control")
    async def configure(self, command: Configure) -> None:
        """The configuration of the socket that is open, and of those that are opened again and again."""
        self._configuration = command
        self._configured.set()
        await self._send_first(command)

    @receives(lane="control")
    async def cancel(self, command: CancelResponse) -> None:
        """Goes out before every frame that is not yet begun."""
        await self._send_first(command)

    @receives
    async def wait_ready(self, _: WaitReady) -> None:
        """Answers when the provider has accepted the configuration."""
        await self._ready.wait()

    @receives
    async def append_audio(self, command: AppendAudio) -> None:
        """Audio waits for a socket, and is sent again if the socket is lost under it."""
        while True:
            await self._clear_to_send()
            if await self._send(command):
                return

    @receives
    async def converse(
        self,
        command: CommitAudio
        | AppendText
        | AppendImage
        | AppendToolResult
        | CreateResponse
        | TruncateItem
        | DeleteItem,
    ) -> None:
        """What the owner sends again after a loss, so that it goes to one socket only."""
        await self._clear_to_send()
        if self._resumed_after == self._number - 1:
            await self._send(command)

    @receives
    def resume(self, command: Resume) -> None:
        """What follows in the queue is for the next socket."""
        self._resumed_after = command.after

    async def _send_first(self, command: ModelCommand) -> None:
        if not self._ready.is_set():
            return
        self._calm = trio.Event()
        try:
            await self._send(command)
        finally:
            self._calm.set()

    async def _clear_to_send(self) -> None:
        """Wait for a session, and for the control commands that go first."""
        for _ in range(3):  # not for ever: a lane that is stopping takes no more commands
            while not (self._ready.is_set() and self._calm.is_set() and self._free.is_set()):
                await self._ready.wait()
                await self._calm.wait()
                await self._free.wait()
            if not self.context.queued_control:
                return
            await trio.lowlevel.checkpoint()  # one was told just now, and is in hand after this

    async def _send(self, command: ModelCommand) -> bool:
        """Send a command. False when the socket was lost: whoever reads from it sees that as well."""
        socket, protocol = self._socket, self._protocol
        if socket is None or protocol is None:
            return False
        try:
            for frame in protocol.encode(command):
                await socket.send(frame)
        except ConnectionClosed:
            if socket is self._socket:
                self._forget_session()
            return False
        if protocol.holds and protocol is self._protocol:
            self._free = trio.Event()
        patience = protocol.patience(command)
        if patience is not None:
            self.context.send_after(patience, _Overdue(command, protocol))
        return True

    def _release(self) -> None:
        if not self._free.is_set() and not (self._protocol is not None and self._protocol.holds):
            self._free.set()

    def _forget_session(self) -> None:
        """The session is lost: what follows waits for the next, which needs a configuration of its own."""
        if self._ready.is_set():
            self._ready = trio.Event()
            self._configuration = None
            self._configured = trio.Event()

    # -- the sockets

    async def _run(self) -> None:
        attempts = 0
        while True:
            attempts += 1
            number, began = self._number, trio.current_time()
            failure = await self._connect()
            if self._number > number:
                await self._inform(ConnectionLost(self._number, str(failure)))
                if trio.current_time() - began >= self.backoff.reset_after:
                    attempts = 0
            if attempts >= self.max_attempts:
                raise ProviderUnavailable(
                    f"{self.model.provider} was not reached, or did not stay, in {attempts} attempts: {failure}. "
                    "To do: check the network and the url."
                ) from failure
            delay = self.backoff.delay(max(attempts - 1, 0))
            log.warning("%s: %s; connecting again in %.2g s", self.context.path, failure, delay)
            await trio.sleep(delay)

    async def _connect(self) -> TransportError:
        """Open a socket and serve it. Returns why it ended; raises `ProviderRefused` if that is final."""
        self._resuming = self._handle
        url = self.model.resuming(self._resuming) if self._resuming else self.model.endpoint()
        try:
            async with self.transport.connect(url, headers=self.model.headers(), options=self.options) as socket:
                return await self._serve(socket)
        except HandshakeRejected as error:
            refusal = self.model.refusal(error.status, error.body)
            if refusal is not None:
                raise refusal from error
            return error
        except ConnectionClosed as error:
            refusal = None if error.local else self.model.closing(error.code, error.reason)
            if refusal is not None and self._handle and not self._accepted:
                self._handle = ""  # it may be that which was refused: handles expire
                return error
            if refusal is not None:
                raise refusal from error
            return error
        except ConnectFailed as error:
            return error
        finally:
            self._socket = self._protocol = self._awaited = None
            self._release()
            self._forget_session()

    async def _serve(self, socket: WebSocket) -> TransportError:
        """Configure the session, then hear what the provider says until it expires. Returns why it ended."""
        protocol = self.model.protocol()
        self._socket, self._protocol, self._accepted = socket, protocol, False
        with trio.CancelScope(deadline=trio.current_time() + self.ready_timeout) as self._patience:
            await self._configured.wait()
            await self._send_configuration()
            while True:
                for event in protocol.decode(await socket.receive()):
                    expired = await self._hear(event)
                    if expired is not None:
                        return expired
                self._release()
        return TransportError(f"the configuration was not accepted within {self.ready_timeout:g} s")

    async def _send_configuration(self) -> None:
        """Send the configuration that the session begins with."""
        self._awaited = self._configuration
        assert self._awaited is not None
        await self._send(attrs.evolve(self._awaited, handle=self._handle))

    async def _hear(self, event: ModelEvent | ModelNotice) -> TransportError | None:
        """Take what the provider says. Returns why its session is over, if it is."""
        match event:
            case SessionConfigured() if self._awaited is not None and self._awaited is not self._configuration:
                self._accepted = True
                await self._send_configuration()  # it was changed while the first one was on its way
            case SessionConfigured() if self._awaited is not None:
                await self._begin()
            case SessionRefused(code, message):
                raise self.model.refused(code, message)
            case RequestFailed(request_id=request_id) if (
                self._awaited is not None and request_id == self._awaited.request_id
            ):
                if not self._accepted:
                    raise self.model.refused(event.code, event.message, "configuration")
                await self._inform(event)  # what cannot be changed is as it was
                await self._begin()
            case SessionExpired():
                return TransportError(f"the session with {self.model.provider} has reached its limit")
            case SessionResumable(handle):
                self._handle = handle
            case _:
                await self._inform(event)
        return None

    async def _begin(self) -> None:
        """The session is ready."""
        self._awaited, self._accepted, self._patience.deadline = None, True, float("inf")
        self._number += 1
        self._ready.set()
        # A wire that has forgotten the session names another at once.
        remembers = bool(self._resuming) and self._handle == self._resuming
        await self._inform(ConnectionReady(self._number, remembers))

    async def _inform(self, event: ModelEvent | ModelNotice | ConnectionReady | ConnectionLost) -> None:
        """Tell the owner. While it has no room the socket is not read: the provider feels back pressure."""
        try:
            self.owner.tell(event)
        except MailboxFull:
            await self.owner.send(event)
