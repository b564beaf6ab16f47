"""What a hostile or broken peer, or our own cancellation, does to a connection: each fault has a fence.

All against raw bytes on real loopback sockets, with the clock virtual: a deadline that is not kept would show in
`trio.current_time()`.
"""

import contextlib
import logging
import os
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from raw_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawPeer,
    close_frame,
    frame,
    no_task_left,
    raw_client,
    raw_server,
)
from trio.testing import MockClock

from realtime_actors.transports import (
    ConnectionClosed,
    Opened,
    Request,
    ServerOptions,
    StreamTransport,
    Upgrade,
    WebSocket,
    WebSocketOptions,
    serve,
)

QUIET = WebSocketOptions(ping_interval=None)


@asynccontextmanager
async def connected(
    transport: StreamTransport,
    peer: Callable[[RawPeer], Awaitable[None]],
    *,
    options: WebSocketOptions = QUIET,
    trailing: bytes = b"",
) -> AsyncGenerator[WebSocket, None]:
    """A client of ours, connected to a raw server that runs `peer` after the handshake."""

    async def handler(raw: RawPeer) -> None:
        await raw.upgrade(trailing=trailing)
        with contextlib.suppress(trio.BrokenResourceError, EOFError):
            await peer(raw)

    async with (
        raw_server(handler) as port,
        no_task_left(besides=1 if peer is never_read else 0),
        transport.connect(f"ws://127.0.0.1:{port}", options=options) as websocket,
    ):
        yield websocket


@asynccontextmanager
async def serving(
    transport: StreamTransport,
    handler: Callable[[WebSocket], Awaitable[None]],
    *,
    options: WebSocketOptions = QUIET,
) -> AsyncGenerator[int, None]:
    """A server of ours that runs `handler` for each WebSocket; gives its port."""

    async def respond(_: Request) -> Upgrade:
        return Upgrade(handler)

    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[object]) -> None:
            await serve(
                respond,
                transport=transport,
                options=ServerOptions(websocket=options),
                task_status=task_status,
            )

        address = await nursery.start(run)
        yield address.port
        nursery.cancel_scope.cancel()


async def closing_of(websocket: WebSocket) -> ConnectionClosed:
    """How the connection ends, once all messages are read."""
    try:
        while True:
            await websocket.receive()
    except ConnectionClosed as closed:
        return closed


async def flood(websocket: WebSocket) -> None:
    """Send until it fails."""
    while True:
        await websocket.send(bytes(1_000_000))


async def never_read(_: RawPeer) -> None:
    await trio.sleep_forever()


# A ping during our own close


async def test_a_ping_during_our_close_does_not_disturb_the_client(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    seen: list[int] = []

    async def peer(raw: RawPeer) -> None:
        seen.append(await raw.read_close())
        await raw.send(frame(PING, b"now?"))
        await trio.sleep(0.5)
        await raw.send(frame(PING, b"and now?") + close_frame(1000))
        with pytest.raises(EOFError):  # nothing may follow a Close, no pong either
            await raw.read_frame()
        seen.append(0)

    async with connected(transport, peer) as websocket:
        await websocket.aclose(4000)
    assert trio.current_time() < 1
    assert seen == [4000, 0]


async def test_a_ping_during_our_close_does_not_disturb_the_server(
    autojump_clock: MockClock, transport: StreamTransport, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(websocket: WebSocket) -> None:
        if await websocket.receive() == b"close":
            await websocket.aclose(4000)
        else:
            await websocket.send("still here")

    async with serving(transport, handler) as port:
        async with raw_client(port) as raw:
            await raw.send(frame(BINARY, b"close", mask=True))
            assert await raw.read_close() == 4000
            await raw.send(frame(PING, b"now?", mask=True))
            await trio.sleep(0.5)
            await raw.send(close_frame(4000, mask=True))
            await raw.wait_eof()
            assert trio.current_time() < 1
            assert raw.buffer == b""
        async with raw_client(port) as raw:
            await raw.send(frame(TEXT, b"hello", mask=True))
            assert await raw.read_frame() == (TEXT, b"still here")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# A peer that does not close


@pytest.mark.parametrize("says_close", [True, False], ids=["sends Close", "ignores our Close"])
async def test_leaving_takes_close_timeout_at_most_when_the_peer_keeps_tcp_open(
    autojump_clock: MockClock, transport: StreamTransport, says_close: bool
) -> None:
    async def peer(raw: RawPeer) -> None:
        if says_close:
            await raw.send(close_frame(1001, "restarting"))
        await raw.wait_eof()  # the socket is closed in the end

    async with connected(transport, peer) as websocket:
        await trio.sleep(0.1)
        if says_close:
            assert (await closing_of(websocket)).code == 1001
            assert trio.current_time() < 1  # told at once, not after the timeout
    assert trio.current_time() < 2.5


async def test_a_server_leaves_within_close_timeout_too(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async def handler(_: WebSocket) -> None:
        return

    async with serving(transport, handler) as port, raw_client(port) as raw:
        assert await raw.read_close() == 1000
        await raw.wait_eof()
        assert 1.5 < trio.current_time() < 2.5


async def test_closing_is_bounded_while_a_send_is_blocked(patient_clock: MockClock, transport: StreamTransport) -> None:
    async with connected(transport, never_read) as websocket:

        async def send() -> None:
            with pytest.raises(ConnectionClosed):
                await flood(websocket)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(0.1)
            await websocket.aclose()
    assert trio.current_time() < 2.5


async def test_a_cancelled_close_cuts_the_connection_at_once(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    async with connected(transport, lambda raw: raw.wait_eof()) as websocket:
        with trio.move_on_after(0.2):
            await trio.sleep(0.1)
            await websocket.aclose()
    assert trio.current_time() < 0.3


# A cancelled send


async def test_after_a_cancelled_send_no_byte_follows_the_torn_frame(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    wake = trio.Event()
    received = bytearray()

    async def peer(raw: RawPeer) -> None:
        await wake.wait()
        await raw.wait_eof()
        received.extend(raw.buffer)

    async with connected(transport, peer) as websocket:
        with trio.move_on_after(1):
            await websocket.send(bytes(50_000_000))
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.send("MARK")
            assert caught.value.code == 1006
        wake.set()
        assert (await closing_of(websocket)).local
    await trio.sleep(0.1)
    assert len(received) < 50_000_000
    assert trio.current_time() < 1.5


async def test_a_sender_that_waited_behind_a_torn_frame_sends_nothing(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    peers: list[RawPeer] = []
    gone = trio.Event()

    async def peer(raw: RawPeer) -> None:
        peers.append(raw)
        await gone.wait()
        await raw.wait_eof()

    async def torn(task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await websocket.send(bytes(50_000_000))

    async def waiting() -> None:
        with pytest.raises(ConnectionClosed):
            await websocket.send(b"MARK" * 1000)

    async with connected(transport, peer) as websocket:
        async with trio.open_nursery() as nursery:
            scope = await nursery.start(torn)
            nursery.start_soon(waiting)
            await trio.sleep(1)
            scope.cancel()
            # Empty the socket at this very moment: whoever has its turn next would find room to send.
            assert isinstance(peers[0].stream, trio.SocketStream)
            before = len(read_all(peers[0].stream))
        after = read_all(peers[0].stream)
        gone.set()
    assert before > 0
    assert after == b""


def read_all(stream: trio.SocketStream) -> bytes:
    """What a socket holds just now, without giving way to any task."""
    data = bytearray()
    with socket.socket(fileno=os.dup(stream.socket.fileno())) as plain, contextlib.suppress(BlockingIOError):
        while chunk := plain.recv(1 << 20):
            data += chunk
    return bytes(data)


async def test_a_send_that_is_cancelled_before_its_first_byte_does_no_harm(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    async def peer(raw: RawPeer) -> None:
        assert (await raw.read_frame())[1] == b"second"
        await raw.send(frame(TEXT, b"got it"))
        await raw.wait_eof()

    async with connected(transport, peer) as websocket:
        with trio.CancelScope() as scope:
            scope.cancel()
            await websocket.send("first")
        await websocket.send("second")
        assert await websocket.receive() == "got it"


# Sizes


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_fragments_are_put_together_around_control_frames(
    autojump_clock: MockClock, transport: StreamTransport, opcode: int
) -> None:
    text = "héllo wörld".encode()
    pongs: list[tuple[int, bytes]] = []

    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(opcode, text[:2], fin=False))  # in the middle of a character
        await raw.send(frame(PING, b"1") + frame(CONTINUATION, b"", fin=False))
        await raw.send(frame(CONTINUATION, text[2:]) + frame(opcode, b"next"))
        pongs.append(await raw.read_frame())
        await raw.wait_eof()

    async with connected(transport, peer) as websocket:
        messages = [await websocket.receive(), await websocket.receive()]
    assert messages == ([text.decode(), "next"] if opcode == TEXT else [text, b"next"])
    assert [opcode for opcode, _ in pongs] == [PONG]


@pytest.mark.parametrize("fragment", ["é" * 5, "a" * 10], ids=["two bytes a character", "one byte"])
async def test_the_limit_counts_the_bytes_of_all_fragments(
    autojump_clock: MockClock, transport: StreamTransport, fragment: str
) -> None:
    codes: list[int] = []

    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(TEXT, fragment.encode(), fin=False))
        for _ in range(9):
            await raw.send(frame(CONTINUATION, fragment.encode(), fin=False))
        await raw.send(frame(CONTINUATION, b"") + frame(TEXT, b"x", fin=False))
        await trio.sleep(1)  # 100 bytes were right; now it goes on and on
        with contextlib.suppress(trio.BrokenResourceError):
            for _ in range(10):
                await raw.send(frame(CONTINUATION, fragment.encode(), fin=False))
            codes.append(await raw.read_close())
            await raw.send(close_frame(1009))
        await raw.wait_eof()

    options = WebSocketOptions(ping_interval=None, max_message_size=100)
    async with connected(transport, peer, options=options) as websocket:
        assert await websocket.receive() == fragment * 10
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1009, True)
        assert "100 bytes" in closed.reason
    assert codes == [1009]
    assert trio.current_time() < 1.5


async def test_a_huge_frame_is_refused_before_it_is_there(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    codes: list[int] = []

    async def peer(raw: RawPeer) -> None:
        await raw.send(struct.pack("!BBQ", 0x82, 127, 1 << 40) + bytes(2000))
        codes.append(await raw.read_close())

    options = WebSocketOptions(ping_interval=None, max_message_size=1000)
    async with connected(transport, peer, options=options) as websocket:
        assert (await closing_of(websocket)).code == 1009
    assert codes == [1009]


# Keepalive


async def test_a_peer_that_never_pongs_is_given_up(autojump_clock: MockClock, transport: StreamTransport) -> None:
    options = WebSocketOptions(ping_interval=20, ping_timeout=10)
    async with connected(transport, lambda raw: raw.wait_eof(), options=options) as websocket:
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1006, True)
        assert "no pong within 10 s" in closed.reason
        assert 29 < trio.current_time() < 31
    assert trio.current_time() < 31


async def test_a_peer_that_does_not_even_read_is_given_up(patient_clock: MockClock, transport: StreamTransport) -> None:
    async with connected(
        transport, never_read, options=WebSocketOptions(ping_interval=20, ping_timeout=10)
    ) as websocket:
        with pytest.raises(ConnectionClosed):
            await flood(websocket)
        assert 29 < trio.current_time() < 31


async def test_a_peer_that_pongs_is_kept(autojump_clock: MockClock, transport: StreamTransport) -> None:
    pings: list[bytes] = []

    async def peer(raw: RawPeer) -> None:
        while True:
            opcode, payload = await raw.read_frame()
            if opcode == PING:
                pings.append(payload)
                await raw.send(frame(PONG, payload))
            if opcode == CLOSE:
                await raw.send(frame(CLOSE, payload))

    async with connected(transport, peer, options=WebSocketOptions(ping_interval=20)) as websocket:
        await trio.sleep(190)
        assert websocket.closed is None
    assert len(pings) == len(set(pings)) == 9


# Unread messages


async def test_unread_messages_do_not_stop_the_pongs(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async def peer(raw: RawPeer) -> None:
        for number in range(200):
            await raw.send(frame(BINARY, bytes([number]) * 1000))
        await raw.send(frame(PING, b"alive?"))
        assert await raw.read_frame() == (PONG, b"alive?")
        await raw.send(frame(TEXT, b"it answered"))
        await raw.wait_eof()

    async with connected(transport, peer) as websocket:
        await trio.sleep(5)
        assert websocket.statistics().unread_messages == 201
        for number in range(200):
            assert await websocket.receive() == bytes([number]) * 1000
        assert await websocket.receive() == "it answered"


async def test_unread_messages_do_not_make_the_keepalive_give_up(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    async def peer(raw: RawPeer) -> None:
        async def answer() -> None:
            with contextlib.suppress(EOFError):
                while True:
                    opcode, payload = await raw.read_frame()
                    if opcode == PING:
                        await raw.send(frame(PONG, payload))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            for _ in range(200):
                await raw.send(frame(BINARY, bytes(50_000)))

    options = WebSocketOptions(ping_interval=20, ping_timeout=10, max_unread=100_000)
    async with connected(transport, peer, options=options) as websocket:
        await trio.sleep(100)
        assert websocket.closed is None
        assert websocket.statistics().stalls == 1
        for _ in range(200):
            assert await websocket.receive() == bytes(50_000)
        await trio.sleep(100)
        assert websocket.closed is None


async def test_a_pong_stuck_behind_unread_messages_is_not_missed(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    async def peer(raw: RawPeer) -> None:
        opcode, payload = await raw.read_frame()
        assert opcode == PING
        for _ in range(200):
            await raw.send(frame(BINARY, bytes(50_000)))
        await raw.send(frame(PONG, payload))
        await raw.wait_eof()

    options = WebSocketOptions(ping_interval=20, ping_timeout=10, max_unread=100_000)
    async with connected(transport, peer, options=options) as websocket:
        await trio.sleep(60)
        assert websocket.closed is None
        for _ in range(200):
            assert await websocket.receive() == bytes(50_000)
        assert websocket.closed is None


async def test_a_flood_of_tiny_messages_is_bounded_by_number(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    async def peer(raw: RawPeer) -> None:
        for _ in range(100):
            await raw.send(frame(TEXT, b"") * 1000)

    async with connected(transport, peer) as websocket:
        await trio.sleep(1)
        assert 1024 <= websocket.statistics().unread_messages < 1024 + 65536 / 2
        await websocket.aclose()


# Frames that are wrong


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"a"), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(3, b"x"), 1002),
        (bytes([0xF1, 0]), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(TEXT, b"x", mask=True), 1002),
        (frame(CLOSE, b"\x00"), 1002),
        (frame(CLOSE, struct.pack("!H", 1006)), 1002),
        (frame(PING, bytes(126)), 1002),
        (frame(PING, b"", fin=False), 1002),
    ],
    ids=[
        "not UTF-8",
        "not UTF-8 across fragments",
        "reason not UTF-8",
        "opcode",
        "reserved bits",
        "continues nothing",
        "masked by a server",
        "half a close code",
        "forbidden close code",
        "long ping",
        "fragmented ping",
    ],
)
async def test_invalid_frames_close_with_the_code_that_says_so(
    autojump_clock: MockClock, transport: StreamTransport, data: bytes, code: int
) -> None:
    codes: list[int] = []

    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(TEXT, b"before") + data + frame(TEXT, b"after"))
        codes.append(await raw.read_close())
        await raw.send(frame(TEXT, b"garbage after the Close") * 1000)

    async with connected(transport, peer) as websocket:
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (code, True)
    assert codes == [code]
    assert trio.current_time() < 2.5


async def test_a_client_that_does_not_mask_is_refused(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async def handler(websocket: WebSocket) -> None:
        await websocket.receive()

    async with serving(transport, handler) as port, raw_client(port) as raw:
        await raw.send(frame(TEXT, b"x"))
        assert await raw.read_close() == 1002


# Connections that end


def hang_up(raw: RawPeer, *, reset: bool) -> None:
    """Close the socket, with a TCP reset at once or in the system's own time."""
    assert isinstance(raw.stream, trio.SocketStream)
    if reset:
        raw.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.stream.socket.close()


@pytest.mark.parametrize("how", ["between frames", "in a header", "in a payload", "in a fragmented message", "reset"])
async def test_a_cut_connection_is_1006(autojump_clock: MockClock, transport: StreamTransport, how: str) -> None:
    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(TEXT, b"whole"))
        match how:
            case "in a header":
                await raw.send(frame(BINARY, bytes(1000))[:3])
            case "in a payload":
                await raw.send(frame(BINARY, bytes(1000))[:500])
            case "in a fragmented message":
                await raw.send(frame(BINARY, bytes(1000), fin=False))
            case _:
                await trio.sleep(0.1)
        if how == "reset":
            hang_up(raw, reset=True)

    async with connected(transport, peer) as websocket:
        assert await websocket.receive() == "whole"
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1006, False)
        with pytest.raises(ConnectionClosed):
            await websocket.send("anyone?")
    assert trio.current_time() < 0.5


async def test_what_the_peer_said_before_it_hung_up_survives_a_failing_send(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    """A provider says why and hangs up, while audio goes out every 20 ms."""

    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(TEXT, b"long enough to stop the reading"))
        await trio.sleep(1)
        await raw.send(frame(TEXT, b"your session has expired") + close_frame(4001, "expired"))
        hang_up(raw, reset=False)  # with our audio unread: the system answers the next with a reset

    options = WebSocketOptions(ping_interval=None, max_unread=10)
    async with connected(transport, peer, options=options) as websocket:
        await websocket.send(b"audio")
        await trio.sleep(2)
        with pytest.raises(ConnectionClosed):
            await flood(websocket)
        assert websocket.closed is not None
        assert await websocket.receive() == "long enough to stop the reading"
        assert await websocket.receive() == "your session has expired"
        assert (await closing_of(websocket)).code == 4001


async def test_frames_that_come_with_the_handshakes_answer_are_not_lost(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    async with connected(
        transport, lambda raw: raw.wait_eof(), trailing=frame(TEXT, b"early") + frame(TEXT, b"bird")
    ) as websocket:
        assert [await websocket.receive(), await websocket.receive()] == ["early", "bird"]


async def test_frames_that_come_with_the_request_are_not_lost(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    async def handler(websocket: WebSocket) -> None:
        await websocket.send(await websocket.receive())

    early = frame(TEXT, b"early", mask=True)
    async with serving(transport, handler) as port, raw_client(port, trailing=early) as raw:
        assert await raw.read_frame() == (TEXT, b"early")


async def test_a_close_without_a_code_is_1005(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async def peer(raw: RawPeer) -> None:
        await raw.send(frame(CLOSE))
        assert await raw.read_close() == 1005

    async with connected(transport, peer) as websocket:
        assert (await closing_of(websocket)).code == 1005


async def test_a_long_reason_is_cut_at_a_character(autojump_clock: MockClock, transport: StreamTransport) -> None:
    reasons: list[str] = []

    async def peer(raw: RawPeer) -> None:
        _, payload = await raw.read_frame()
        reasons.append(payload[2:].decode())

    async with connected(transport, peer) as websocket:
        await websocket.aclose(4000, "é" * 100)
    assert reasons == ["é" * 61]


async def test_a_close_in_the_very_moment_in_which_the_peer_is_gone(transport: StreamTransport) -> None:
    """At any number of scheduler passes after it, and often, as Trio shuffles what runs in one pass."""
    for passes in [*range(16)] * 12:
        ours, theirs = trio.testing.memory_stream_pair()
        opened = Opened(ours, b"", None, "test")
        async with transport.wrap(opened, client=False, options=QUIET) as websocket:
            await trio.testing.wait_all_tasks_blocked()
            await theirs.aclose()
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            await websocket.aclose()
            with pytest.raises(ConnectionClosed):
                await websocket.receive()
