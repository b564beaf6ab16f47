"""The backend on trio-websocket, with a fence around each fault found in it (version 0.12, wsproto 1.3).

The library's reader loop, its dispatch of pings, pongs and closes, and its close handshake are used; messages
do not go through its queue but straight from the parsed frames into an `Inbox`, which makes their bounds
exact and saves a wake-up. The fences, each with a test in `tests/transports`:

- a ping that arrives while we close would raise `LocalProtocolError` (`_Frames.send` drops the pong);
- a peer that sends Close and keeps TCP open would keep us for ever (every close runs against
  `close_timeout`);
- a send cancelled in the middle would corrupt what follows (`_GuardedStream.send_all` ends the connection);
- a handler that raises would close with 1000 (`wrap` closes with 1011, cancelled with 1001);
- the size limit counts characters (`_Frames` counts bytes, over fragments);
- there is no keepalive (`_TrioWebSocket._keepalive`);
- unread messages would stop the pongs (the inbox is filled in the background; for its bound see `WebSocket`);
- invalid frames would leave the connection half open without a Close frame (`_Frames.events`);
- a send that fails would lose what the peer said before it closed (`_TrioWebSocket._salvage`);
- one read may hold ten thousand empty frames, which would be parsed while nothing else runs (`_Frames.events`
  stops after some, and `_GuardedStream` lets others run before it goes on);
- a hundred peers that send much at the same time would all be parsed in one pass of the loop (`Turns`);
- a message that says that it is too large would be read up to the limit (`_Frames` refuses its head);
- nothing limits how fast a peer sends pings, or pieces of messages that never end (`Pace`).
"""

import io
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager

import trio
import trio_websocket
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Pong, Request, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import FrameDecoder, FrameProtocol, Opcode, RsvBits
from wsproto.utilities import LocalProtocolError

from realtime_actors.transports._inbox import Inbox, payload_size
from realtime_actors.transports._lifetime import lifetime
from realtime_actors.transports._pace import Pace
from realtime_actors.transports._turns import Turns
from realtime_actors.transports.client import Opened, StreamTransport
from realtime_actors.transports.errors import ConnectionClosed
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = ["TrioWebSocketTransport"]

_BATCH = 32  # frames that are parsed before others have their turn: about a third of a millisecond
_NOTHING_NEW = b"\0"  # what the library is given in place of data, since nothing would mean the end
_LIMITED_RECEIVE_SIZE = 16384  # of a peer whose rate is limited: nobody waits long for one that sends much
_MUCH = _LIMITED_RECEIVE_SIZE  # bytes in one read, which take some 50 µs to parse
_RECEIVE_SIZE = 65536  # 4 KiB, the library's own, costs a third more CPU at 5 KB and more than twice at 50 KB


class TrioWebSocketTransport(StreamTransport):
    """WebSockets on trio-websocket, without compression (which would only slow audio down)."""

    @asynccontextmanager
    async def wrap(self, opened: Opened, *, client: bool, options: WebSocketOptions) -> AsyncGenerator[WebSocket, None]:
        websocket = _TrioWebSocket(opened, client=client, options=options)
        async with lifetime(websocket, websocket.run, opened.stream):
            yield websocket


class _TrioWebSocket(WebSocket):
    def __init__(self, opened: Opened, *, client: bool, options: WebSocketOptions) -> None:
        self.subprotocol = opened.subprotocol
        self.remote = opened.remote
        self._options = options
        self._inbox = Inbox(options.max_unread)
        self._pace = Pace(
            options.max_frames_per_second, options.max_bytes_per_second, options.rate_burst, options.rate_patience
        )
        self._frames = _Frames(
            opened.trailing, self._inbox, self._pace, self._start_closing, client=client, options=options
        )
        self._stream = _GuardedStream(
            opened.stream, self._inbox, self._frames, opened.turns, close=self._start_closing, cut=self._cut
        )
        self._link = _Link(
            self._stream,
            # Annotated as WSConnection, which adds the handshake that is done already to this very interface.
            self._frames,  # pyright: ignore[reportArgumentType]
            host="",
            path="",
            receive_buffer_size=_RECEIVE_SIZE if options.max_bytes_per_second is None else _LIMITED_RECEIVE_SIZE,
        )
        # Shielded: when the owner is cancelled, reading and writing go on until the Close is exchanged, or cut.
        self._scope = trio.CancelScope(shield=True)
        self._finished = trio.Event()
        self._broken = False
        self._messages_sent = 0
        self._bytes_sent = 0

    @property
    def closed(self) -> ConnectionClosed | None:
        return self._inbox.error() if self._inbox.closed or self._broken else None

    async def send(self, message: str | bytes) -> None:
        if self._inbox.closed:
            await trio.lowlevel.checkpoint()
            raise self._inbox.error()
        try:
            await self._link.send_message(message)
        except trio_websocket.ConnectionClosed:
            self._broken = True  # the inbox stays open: what the peer said before may still be read
            raise self._inbox.error() from None
        self._messages_sent += 1
        self._bytes_sent += payload_size(message)

    async def receive(self) -> str | bytes:
        return await self._inbox.get()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code <= 4999:
            raise ValueError(f"{code} is not a WebSocket close code; use 1000 to 4999")
        self._start_closing(code, reason, True)
        try:
            await self._finished.wait()
        finally:
            self._scope.cancel()

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
        """Read, keep alive and close, until the connection has ended; raises nothing a peer can cause."""
        try:
            with self._scope:
                async with trio.open_nursery() as self._nursery:
                    self._nursery.start_soon(self._read)
                    if self._options.ping_interval is not None:
                        self._nursery.start_soon(self._keepalive, self._options.ping_interval)
                    task_status.started()
        finally:
            self._finished.set()
            await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        try:
            await self._link.run()
            await self._salvage()
        except LocalProtocolError as error:  # a second line: whatever sends at the wrong moment ends this socket only
            self._inbox.close(1006, f"the WebSocket library gave up: {error}", local=True)
        finally:
            # Closed before the nursery is: a close that somebody asks for later would have no task.
            self._inbox.close(1006, "the connection ended without a Close frame", local=False)
            self._scope.cancel()

    async def _salvage(self) -> None:
        # When a send fails, the library stops reading. But what the peer sent before it hung up, usually the
        # reason why it did, still waits in the socket.
        with trio.move_on_after(self._options.close_timeout):
            try:
                while not self._inbox.closed:
                    for _ in self._frames.events():
                        pass
                    data = await self._stream.receive_some(_RECEIVE_SIZE)
                    if not data:
                        break
                    self._frames.receive_data(bytes(data))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def _keepalive(self, interval: float) -> None:
        while True:
            await trio.sleep(interval)
            stalls = self._inbox.stalls + self._pace.held
            if self._inbox.full:
                continue
            try:
                with trio.move_on_after(self._options.ping_timeout) as waited:
                    await self._link.ping()
            except trio_websocket.ConnectionClosed:
                return
            if waited.cancelled_caught and stalls == self._inbox.stalls + self._pace.held:
                self._cut(f"no pong within {self._options.ping_timeout:g} s")

    def _start_closing(self, code: int, reason: str, local: bool) -> None:
        if not self._inbox.closed:
            self._inbox.close(code, reason, local=local)
            self._nursery.start_soon(self._close, code, reason)

    async def _close(self, code: int, reason: str) -> None:
        with trio.move_on_after(self._options.close_timeout):
            await self._link.aclose(code, reason)  # returns at once when the peer closed: the reader answers that
            await trio.sleep_forever()  # the end of the reader ends this
        self._scope.cancel()

    def _cut(self, reason: str) -> None:
        self._inbox.close(1006, reason, local=True)
        self._scope.cancel()


class _Link(trio_websocket.WebSocketConnection):
    """Makes the reader loop runnable where its errors can be caught."""

    async def run(self) -> None:
        await self._reader_task()


class _Frames(Connection):
    """wsproto's connection, looked over frame by frame."""

    def __init__(
        self,
        trailing: bytes,
        inbox: Inbox,
        pace: Pace,
        close: Callable[[int, str, bool], None],
        *,
        client: bool,
        options: WebSocketOptions,
    ) -> None:
        self._inbox = inbox
        self.pace = pace
        self._close = close
        self.is_behind = False
        """More may be parsed before more is read."""
        self._max_message_size = options.max_message_size
        self._size = 0
        self._fragments: io.StringIO | io.BytesIO | None = None
        self._unreadable = False
        kind = ConnectionType.CLIENT if client else ConnectionType.SERVER
        super().__init__(kind, [_Heads(self._check_size)], trailing)

    def send(self, event: Event) -> bytes:
        if isinstance(event, Request):
            return b""  # the library's reader begins with the handshake, which is done already
        if isinstance(event, Pong) and self.state is not ConnectionState.OPEN:
            return b""  # nothing may follow our Close frame (RFC 6455, section 5.5.1)
        return super().send(event)

    def receive_data(self, data: bytes | None) -> None:
        if not self._unreadable and not self.is_behind:  # when behind, nothing was read: it is `_NOTHING_NEW`
            super().receive_data(data)

    def events(self) -> Generator[Event, None, None]:
        self.is_behind = False
        for count, event in enumerate(super().events(), 1):
            if getattr(event, "frame_finished", True):  # else a part of a frame whose rest is still to come
                self.pace.count_frame()
            self.is_behind = count == _BATCH
            if isinstance(event, (TextMessage, BytesMessage)):
                self._take(event)
            elif not isinstance(event, CloseConnection):
                yield event
            elif self.state in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
                self._close(int(event.code), event.reason or "", False)
                yield event
            else:  # not a Close frame: wsproto's way to say that it cannot parse what came
                self._unreadable = True
                self._close(int(event.code), event.reason or "", True)
            if self.is_behind:
                return

    def _check_size(self, size: int) -> None:
        # What comes of the message after this is parsed and discarded, so that the peer's Close is found behind it.
        if self._size + size > self._max_message_size:
            self._close(1009, f"a message is limited to {self._max_message_size} bytes", True)

    def _take(self, event: TextMessage | BytesMessage) -> None:
        data = event.data if isinstance(event.data, str) else bytes(event.data)
        self._size += payload_size(data)
        if not self._inbox.closed:
            if self._fragments is None and event.message_finished:
                self._inbox.put(data, self._size)
            else:
                self._collect(event)
        if event.message_finished or self._inbox.closed:
            self._fragments = None
            self._size = 0

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        # In one growing buffer: as a list, 16 MiB in fragments of one byte would take a gigabyte.
        if isinstance(event, TextMessage):
            text = self._fragments if isinstance(self._fragments, io.StringIO) else io.StringIO()
            text.write(event.data)
            self._fragments = text
        else:
            data = self._fragments if isinstance(self._fragments, io.BytesIO) else io.BytesIO()
            data.write(event.data)
            self._fragments = data
        if event.message_finished:
            self._inbox.put(self._fragments.getvalue(), self._size)


class _Heads(Extension):
    """No extension, but where wsproto lets one look at the head of a frame before its payload is there."""

    name = ""

    def __init__(self, check_size: Callable[[int], None]) -> None:
        self._check_size = check_size

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> RsvBits:
        if not opcode.iscontrol():
            self._check_size(payload_length)
        return RsvBits(False, False, False)


class _GuardedStream(trio.abc.Stream):
    """The stream as the library sees it: stops reading while the inbox is full, and dies of a torn send."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        inbox: Inbox,
        frames: "_Frames",
        turns: Turns,
        *,
        close: Callable[[int, str, bool], None],
        cut: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._inbox = inbox
        self._frames = frames
        self._turns = turns
        self._close = close
        self._cut = cut
        self._torn = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # nothing is sent yet: a cancellation here does no harm
        if self._torn:
            raise trio.ClosedResourceError
        self._torn = True
        try:
            await self._stream.send_all(data)
            self._torn = False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise
        except BaseException:
            self._cut("a send was cancelled after a part of it was sent")
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self._inbox.wait_for_room()
        await self._keep_pace()
        if self._frames.is_behind:
            await self._turns.wait()
            return _NOTHING_NEW
        data = await self._stream.receive_some(max_bytes)
        self._frames.pace.count_read(len(data))
        if len(data) >= _MUCH:
            await self._turns.wait()
        return data

    async def _keep_pace(self) -> None:
        now = trio.current_time()
        pause = self._frames.pace.pause(now)
        if pause > 0:
            complaint = self._frames.pace.complaint(now)
            if complaint is not None:
                self._close(1008, complaint, True)
            await trio.sleep(pause)

    async def aclose(self) -> None:
        await self._stream.aclose()
