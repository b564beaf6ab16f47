"""The backend with the fewest wake-ups: whoever waits for a message reads the stream, and parses the frames, himself.

Each task that wakes costs more than all the parsing, so there is none between the socket and `receive`. Reading goes on
in the background all the same, so that pings are answered and a Close is seen: when nobody has come to receive for
`_ABSENCE`, a task of the connection reads into the inbox, until somebody comes again. There is one reader at a time.

A message goes out on the non-blocking socket itself, in the task that sends it; what the socket does not take at once
waits in Trio's stream.
"""

import math
import os
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import trio

from realtime_actors.transports._frames import (
    BINARY,
    CLOSE,
    PIECE,
    PING,
    PONG,
    TEXT,
    Event,
    FrameError,
    FrameReader,
    SharedFrames,
    close_payload,
    encode_frame,
    encode_message,
)
from realtime_actors.transports._inbox import Inbox, payload_size
from realtime_actors.transports._lifetime import lifetime
from realtime_actors.transports._pace import Pace
from realtime_actors.transports.client import Opened, StreamTransport
from realtime_actors.transports.errors import ConnectionClosed
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = ["DirectTransport"]

_ABSENCE = 0.05  # seconds; up to three times that pass before the background reads
_BATCH = 32  # frames that are parsed before others have their turn
_LIMITED_RECEIVE_SIZE = 16384  # of a peer whose rate is limited: nobody waits long for one that sends much
_MUCH = _LIMITED_RECEIVE_SIZE  # bytes in one read whose frames wait for a turn
_RECEIVE_SIZE = 65536
_SENT_IN_ONE_GO = 65536  # bytes after which a sender lets others run, even if the socket takes all of it at once
_LEAST_SENT = 2048  # bytes that a frame counts at least there
_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class DirectTransport(StreamTransport):
    """WebSockets read and written directly on Trio's streams, without compression: the fewest wake-ups."""

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        super().__init__(ssl_context=ssl_context)
        self._shared = SharedFrames()

    @asynccontextmanager
    async def wrap(self, opened: Opened, *, client: bool, options: WebSocketOptions) -> AsyncGenerator[WebSocket, None]:
        websocket = _DirectWebSocket(opened, None if client else self._shared, options)
        async with lifetime(websocket, websocket.run, opened.stream):
            yield websocket


class _DirectWebSocket(WebSocket):
    def __init__(self, opened: Opened, shared: SharedFrames | None, options: WebSocketOptions) -> None:
        """`shared` is for a server."""
        self.subprotocol = opened.subprotocol
        self.remote = opened.remote
        self._shared = shared
        self._options = options
        self._stream = opened.stream
        self._turns = opened.turns
        self._plain: socket.socket | None = None
        """The stream's socket, where it is one without TLS."""
        self._receive_size = _RECEIVE_SIZE if options.max_bytes_per_second is None else _LIMITED_RECEIVE_SIZE
        self._frames = FrameReader(opened.trailing, client=shared is None, max_message_size=options.max_message_size)
        self._inbox = Inbox(options.max_unread)
        self._pace = Pace(
            options.max_frames_per_second, options.max_bytes_per_second, options.rate_burst, options.rate_patience
        )
        self._is_paced = options.max_frames_per_second is not None or options.max_bytes_per_second is not None
        self._held_until = 0.0
        """Nothing is read before this, since the peer was too fast; 0 when it was not."""
        self._is_behind = bool(opened.trailing)
        """There may be frames to parse before more is read."""
        self._is_over = False
        """There is nothing more to read."""
        self._is_reading = False
        """Somebody reads: whoever receives, or the background."""
        self._waiting = 0
        """Those who wait for what somebody else reads."""
        # Shielded: when the owner is cancelled, reading and writing go on until the Close is exchanged, or cut.
        self._scope = trio.CancelScope(shield=True)
        self._standby = trio.CancelScope()
        """Of the background, while it waits for its time."""
        self._standby_until = 0.0
        """When that is; 0 while somebody reads who will say when he leaves."""
        self._turn = trio.StrictFIFOLock()
        self._sent_in_one_go = 0
        self._pong: bytes | None = None
        """What is to be answered to the last ping."""
        self._is_answering = False
        self._ping = b""
        self._pong_came = trio.Event()
        self._close_came = trio.Event()
        self._finished = trio.Event()
        self._is_broken = False
        self._messages_sent = 0
        self._bytes_sent = 0

    @property
    def closed(self) -> ConnectionClosed | None:
        return self._inbox.error() if self._inbox.closed or self._is_broken else None

    async def send(self, message: str | bytes) -> None:
        shared = self._shared
        await self._send(encode_message(message, mask=True) if shared is None else shared.of(message))
        self._messages_sent += 1
        self._bytes_sent += payload_size(message)

    async def receive(self) -> str | bytes:
        inbox = self._inbox
        messages = inbox.messages
        if messages or inbox.closed:
            # No full checkpoint when a message is there: a pass of the scheduler costs more than all the rest.
            await trio.lowlevel.checkpoint_if_cancelled()
        while not messages:
            if self._is_reading or inbox.closed:
                self._waiting += 1
                try:
                    await inbox.wait()
                finally:
                    self._waiting -= 1
                continue
            self._is_reading = True
            try:
                message = await self._read()
            finally:
                self._is_reading = False
                self._leave()
            if message is not None:
                inbox.pass_by(message[1])
                return message[0]
        return inbox.take()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code <= 4999:
            raise ValueError(f"{code} is not a WebSocket close code; use 1000 to 4999")
        try:
            await trio.lowlevel.checkpoint_if_cancelled()  # a Close that is sent now would look like an orderly end
            self._start_closing(code, reason, local=True)
            await self._finished.wait()
        finally:
            self._cut("a close was cancelled")

    def statistics(self) -> WebSocketStatistics:
        return WebSocketStatistics(
            messages_sent=self._messages_sent,
            bytes_sent=self._bytes_sent,
            messages_received=self._inbox.messages_received,
            bytes_received=self._inbox.bytes_received,
            unread_messages=len(self._inbox),
            unread_bytes=self._inbox.unread_bytes,
            stalls=self._inbox.stalls,
        )

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Read in the background, keep alive and close, until the connection has ended."""
        if isinstance(self._stream, trio.SocketStream):
            theirs = self._stream.socket
            self._plain = socket.socket(theirs.family, theirs.type, theirs.proto, fileno=theirs.fileno())
            self._plain.setblocking(False)
        self._standby_until = trio.current_time() + _ABSENCE
        try:
            with self._scope:
                async with trio.open_nursery() as self._nursery:
                    self._nursery.start_soon(self._read_in_background)
                    if self._options.ping_interval is not None:
                        self._nursery.start_soon(self._keepalive, self._options.ping_interval)
                    task_status.started()
        finally:
            self._inbox.close(1006, "the connection was given up", local=True)
            self._finished.set()
            if self._plain is not None:
                self._plain.detach()  # the stream closes it
            await trio.aclose_forcefully(self._stream)

    # -- reading

    def _leave(self) -> None:
        """Whoever received does not read any more: see to it that somebody does."""
        if self._inbox.closed:
            self._standby.cancel()
            return
        if self._waiting:
            self._inbox.wake()  # another one who waits for a message reads on
        now = trio.current_time()
        if self._standby_until < now + _ABSENCE:  # else it may stay: to move it takes as long as to parse a frame
            self._standby_until = self._standby.deadline = now + 3 * _ABSENCE

    async def _read_in_background(self) -> None:
        while not self._is_over:
            await self._stand_by()
            self._is_reading = True
            try:
                message = await self._read()
            finally:
                self._is_reading = False
            if message is not None:
                self._inbox.put(*message)
            if self._waiting:  # they read on by themselves
                self._inbox.wake()
                self._standby_until = trio.current_time() + 3 * _ABSENCE

    async def _stand_by(self) -> None:
        """Wait until nobody has received for a while, or nobody will any more."""
        while self._is_reading or not self._inbox.closed:
            if self._standby_until <= trio.current_time():
                if not self._is_reading:
                    return
                self._standby_until = 0.0
            with trio.CancelScope(deadline=self._standby_until or math.inf) as self._standby:
                await trio.sleep_forever()

    async def _read(self) -> tuple[str | bytes, int] | None:
        """Read once, and take in what came; if that is just one message, it is returned instead, with its size."""
        inbox = self._inbox
        if inbox.messages and inbox.full:
            await inbox.wait_for_room()
        if self._held_until:
            await trio.sleep_until(self._held_until)
            self._held_until = 0.0
        if self._is_behind:
            await self._turns.wait()
            self._take_in()
            return None
        try:
            if self._plain is None:
                data = await self._stream.receive_some(self._receive_size)
            else:
                await trio.lowlevel.wait_readable(self._plain)
                data = self._plain.recv(self._receive_size)
        except BlockingIOError:
            return None
        except _GONE:
            data = b""
        if not data:
            self._is_over = True
            self._inbox.close(1006, "the connection ended without a Close frame", local=False)
            self._scope.cancel()
            return None
        if not self._is_paced and len(data) < _MUCH and not inbox.closed:
            message = self._frames.whole(data)
            if message is not None:
                return message
        self._pace.count_read(len(data))
        self._frames.feed(data)
        if len(data) < _MUCH:
            self._take_in()
        else:
            self._is_behind = True  # nothing is lost when whoever receives is cancelled while he waits for a turn
        return None

    def _take_in(self) -> None:
        self._is_behind = self._parse()
        if self._is_paced:
            self._keep_pace()

    def _keep_pace(self) -> None:
        now = trio.current_time()
        pause = self._pace.pause(now)
        if pause > 0:
            self._held_until = now + pause
            complaint = self._pace.complaint(now)
            if complaint is not None:
                self._start_closing(1008, complaint, local=True)

    def _parse(self) -> bool:
        """Take in some frames; whether there may be more."""
        for _ in range(_BATCH):
            try:
                event = self._frames.next()
            except FrameError as error:
                self._pace.count_frame()
                self._start_closing(error.code, error.reason, local=True)
                continue
            if event is None:
                return False
            self._pace.count_frame()
            kind, payload, size = event
            if kind in {TEXT, BINARY}:
                self._inbox.put(payload, size)
            elif kind != PIECE:
                self._obey(event)
        return True

    def _obey(self, event: Event) -> None:
        match event:
            case (kind, bytes(payload), _) if kind == PING:
                self._pong = payload  # of several pings the last one is to be answered (RFC 6455, section 5.5.3)
                if not self._is_answering and not self._inbox.closed:
                    self._is_answering = True
                    self._nursery.start_soon(self._answer)
            case (kind, payload, _) if kind == PONG and payload == self._ping:
                self._pong_came.set()
            case (kind, str(reason), code) if kind == CLOSE:
                self._close_came.set()
                self._start_closing(code, reason, local=False)
            case _:
                pass

    # -- sending

    async def _control(self, kind: int, payload: bytes) -> None:
        await self._send(encode_frame(kind, payload, mask=self._shared is None), is_close=kind == CLOSE)

    async def _send(self, frame: bytes, *, is_close: bool = False) -> None:
        """Send a frame, in turn. Raises `ConnectionClosed`; once the close has begun only the Close goes out."""
        await trio.lowlevel.checkpoint_if_cancelled()  # nothing is sent yet: a cancellation here does no harm
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            self._sent_in_one_go += max(len(frame), _LEAST_SENT)
            if self._sent_in_one_go > _SENT_IN_ONE_GO:
                self._sent_in_one_go = 0
                await trio.lowlevel.checkpoint()
            if self._is_broken or (self._inbox.closed and not is_close):
                raise self._inbox.error()
            await self._write(frame)
        finally:
            self._turn.release()

    async def _write(self, frame: bytes) -> None:
        sent = 0
        try:
            if self._plain is not None:
                sent = self._plain.send(frame)
        except BlockingIOError:
            pass
        except OSError:
            self._is_broken = True  # the inbox stays open: what the peer said before may still be read
            raise self._inbox.error() from None
        if sent == len(frame):
            return
        try:
            await self._stream.send_all(memoryview(frame)[sent:])
        except _GONE:
            self._is_broken = True
            raise self._inbox.error() from None
        except BaseException:
            self._cut("a send was cancelled after a part of it was sent")
            raise

    async def _answer(self) -> None:
        try:
            while self._pong is not None:
                payload, self._pong = self._pong, None
                await self._control(PONG, payload)
        except ConnectionClosed:
            pass
        finally:
            self._is_answering = False

    async def _keepalive(self, interval: float) -> None:
        while True:
            await trio.sleep(interval)
            stalls = self._inbox.stalls + self._pace.held
            if self._inbox.full:
                continue
            self._ping = os.urandom(4)
            self._pong_came = trio.Event()
            try:
                with trio.move_on_after(self._options.ping_timeout) as waited:
                    await self._control(PING, self._ping)
                    await self._pong_came.wait()
            except ConnectionClosed:
                return
            if waited.cancelled_caught and stalls == self._inbox.stalls + self._pace.held:
                self._cut(f"no pong within {self._options.ping_timeout:g} s")

    # -- closing

    def _start_closing(self, code: int, reason: str, *, local: bool) -> None:
        if self._inbox.closed:
            return
        self._inbox.close(code, reason, local=local)
        self._frames.discard()
        self._nursery.start_soon(self._close, code, reason, local)
        self._standby.cancel()

    async def _close(self, code: int, reason: str, local: bool) -> None:
        with trio.move_on_after(self._options.close_timeout), suppress(ConnectionClosed):
            await self._control(CLOSE, close_payload(code, reason))
            await self._close_came.wait()
            if self._shared is None and not local:
                await trio.sleep_forever()  # the server closes the stream, which ends this (RFC 6455, section 7.1.1)
        self._scope.cancel()

    def _cut(self, reason: str) -> None:
        self._inbox.close(1006, reason, local=True)
        self._scope.cancel()
