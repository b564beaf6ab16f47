"""Who reads: reading goes on whoever receives, whether anybody does, and whatever is cancelled."""

import contextlib
import struct
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing
from raw_peer import BINARY, PING, PONG, TEXT, RawPeer, close_frame, frame, no_task_left, raw_client, raw_server
from trio.testing import MockClock

from realtime_actors.transports import (
    ConnectionClosed,
    DirectTransport,
    ServerOptions,
    StreamTransport,
    Upgrade,
    WebSocket,
    WebSocketOptions,
    serve,
)

QUIET = WebSocketOptions(ping_interval=None)
SOON = 0.5  # seconds within which the background reads, when nobody receives any more


@asynccontextmanager
async def between(
    transport: StreamTransport, *, we_serve: bool, options: WebSocketOptions = QUIET
) -> AsyncGenerator[tuple[WebSocket, RawPeer], None]:
    """A WebSocket of ours, as a client or as a server, and the raw peer it has; in the end no task is left."""
    over, ours = trio.Event(), list[WebSocket]()
    theirs, ready = list[RawPeer](), trio.Event()

    async def handler(websocket: WebSocket) -> None:
        ours.append(websocket)
        ready.set()
        await over.wait()

    async def respond(_: object) -> Upgrade:
        return Upgrade(handler)

    async def accept(raw: RawPeer) -> None:
        await raw.upgrade()
        theirs.append(raw)
        ready.set()
        await over.wait()

    async with no_task_left():
        if we_serve:
            async with trio.open_nursery() as nursery:

                async def run(task_status: trio.TaskStatus[object]) -> None:
                    await serve(
                        respond, transport=transport, options=ServerOptions(websocket=options), task_status=task_status
                    )

                address = await nursery.start(run)
                async with raw_client(address.port) as raw:
                    await ready.wait()
                    yield ours[0], raw
                over.set()
                nursery.cancel_scope.cancel()
        else:
            async with (
                raw_server(accept) as port,
                transport.connect(f"ws://127.0.0.1:{port}", options=options) as websocket,
            ):
                await ready.wait()
                yield websocket, theirs[0]
                over.set()


async def closing_of(websocket: WebSocket) -> ConnectionClosed:
    """How the connection ends, once all messages are read."""
    try:
        while True:
            await websocket.receive()
    except ConnectionClosed as closed:
        return closed


@pytest.fixture(params=[False, True], ids=["client", "server"])
def we_serve(request: pytest.FixtureRequest) -> bool:
    """Each way round."""
    return request.param


async def receive_one(websocket: WebSocket) -> None:
    assert await websocket.receive() == "hello"


async def test_pings_are_answered_when_nobody_receives_any_more(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        for number in range(3):
            for pause in (0, 1):  # before it comes
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(receive_one, websocket)
                    await trio.sleep(pause)
                    await peer.send(frame(TEXT, b"hello", mask=we_serve))
            start = trio.current_time()
            await peer.send(frame(PING, b"%d" % number, mask=we_serve))
            assert await peer.read_frame() == (PONG, b"%d" % number)
            assert trio.current_time() - start < SOON


async def test_a_close_is_seen_when_nobody_receives_any_more(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        await peer.send(frame(TEXT, b"hello", mask=we_serve))
        assert await websocket.receive() == "hello"
        await peer.send(close_frame(4001, "bye", mask=we_serve))
        await trio.sleep(SOON)
        assert websocket.closed is not None
        assert (websocket.closed.code, websocket.closed.reason) == (4001, "bye")
        assert await peer.read_close() == 4001


async def test_a_close_that_is_cancelled_before_it_begins_says_nothing(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    """The peer must not take it for an orderly end."""
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        with trio.CancelScope() as scope:
            scope.cancel()
            await websocket.aclose()
        assert scope.cancelled_caught
        with pytest.raises(EOFError):
            await peer.read_frame()
        assert trio.current_time() < SOON
        assert websocket.closed is not None


async def test_those_who_wait_in_turn_get_a_message_each(autojump_clock: MockClock, transport: StreamTransport) -> None:
    """One of them reads the socket. When that one is cancelled another one does."""
    got: list[str | bytes] = []

    async def receive(scope: trio.CancelScope) -> None:
        with scope:
            got.append(await websocket.receive())

    async with between(transport, we_serve=False) as (websocket, peer):
        for cancelled in range(3):
            scopes = [trio.CancelScope() for _ in range(3)]
            got.clear()
            async with trio.open_nursery() as nursery:
                for scope in scopes:
                    nursery.start_soon(receive, scope)
                    await trio.testing.wait_all_tasks_blocked()
                scopes[cancelled].cancel()
                await trio.testing.wait_all_tasks_blocked()
                start = trio.current_time()
                await peer.send(frame(TEXT, b"one") + frame(TEXT, b"two"))
            assert sorted(map(str, got)) == ["one", "two"]
            assert trio.current_time() - start < 0.04  # at once, not when the background would


async def test_no_cancellation_of_receive_loses_or_repeats_anything(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    """At any number of passes of the loop after it began, with frames that come in halves and in heaps."""
    sizes = [10, 3000, 70_000, 0, 20_000] * 12
    messages = [bytes([number]) * size for number, size in enumerate(sizes)]
    stream = b"".join(frame(BINARY, message, mask=we_serve) for message in messages)

    async def send() -> None:
        at, step = 0, 1
        while at < len(stream):
            await peer.send(stream[at : at + step])
            at, step = at + step, step * 7 % 40_009
            await trio.lowlevel.checkpoint()

    async def cancel_after(passes: int, scope: trio.CancelScope) -> None:
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    received: list[str | bytes] = []
    async with between(transport, we_serve=we_serve) as (websocket, peer), trio.open_nursery() as nursery:
        nursery.start_soon(send)
        attempts = 0
        while len(received) < len(messages):
            attempts += 1
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_after, attempts % 9, scope)
                received.append(await websocket.receive())
    assert received == messages
    assert attempts > len(messages)


async def test_a_cancelled_receive_leaves_nothing_unparsed(
    autojump_clock: MockClock, transport: StreamTransport
) -> None:
    """Of much that came in one read, which waits for its turn; and nothing comes after it."""
    heap = frame(BINARY, bytes(1000)) * 20
    async with between(transport, we_serve=False) as (websocket, peer):
        for passes in range(10):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(websocket.receive)
                    await trio.testing.wait_all_tasks_blocked()
                    await peer.send(heap)
                    for _ in range(passes):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
            with trio.fail_after(SOON):
                while websocket.statistics().messages_received < (passes + 1) * 20:
                    await websocket.receive()
                while websocket.statistics().unread_messages:
                    await websocket.receive()


@attrs.define(eq=False)
class Steps(trio.abc.Instrument):
    """Counts how often tasks were woken, by the name of what they run."""

    counts: Counter[str] = attrs.field(factory=Counter[str])

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.counts[task.name.rpartition(".")[2]] += 1


async def test_in_a_steady_stream_only_the_receiver_wakes(autojump_clock: MockClock) -> None:
    """Also after nobody had come for a while, and the background had read."""
    steps = Steps()
    async with between(DirectTransport(), we_serve=False) as (websocket, peer):
        await trio.sleep(SOON)
        trio.lowlevel.add_instrument(steps)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream, peer)
            for _ in range(100):
                assert await websocket.receive() == "hello"
    assert steps.counts["_read_in_background"] < 10


async def stream(peer: RawPeer) -> None:
    for _ in range(100):
        await trio.sleep(0.02)
        await peer.send(frame(TEXT, b"hello"))


async def test_pings_that_cannot_be_answered_do_not_pile_up(
    patient_clock: MockClock, transport: StreamTransport
) -> None:
    """A peer that sends pings and reads nothing: there is one answer under way, not one for each."""
    async with between(transport, we_serve=False, options=QUIET) as (websocket, peer):

        async def flood() -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await websocket.send(bytes(1_000_000))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await trio.sleep(1)
            before = trio.lowlevel.current_statistics().tasks_living
            with trio.move_on_after(1):
                for number in range(2000):
                    await peer.send(frame(PING, struct.pack("!I", number)))
            await trio.sleep(1)
            assert trio.lowlevel.current_statistics().tasks_living <= before + 1
            await websocket.aclose()


# Frames that lie about their length


async def test_a_frame_that_says_it_is_longer_than_what_comes(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    """Nothing that follows is taken for a message, and the keepalive ends it: the pong is part of that frame."""
    async with between(transport, we_serve=we_serve, options=WebSocketOptions()) as (websocket, peer):
        await peer.send(frame(BINARY, bytes(100_000), mask=we_serve)[:1000])
        await peer.send(frame(TEXT, b"not a message", mask=we_serve))
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1006, True)
        assert 29 < trio.current_time() < 31
        await peer.wait_eof()


async def test_a_frame_that_says_it_is_shorter_than_what_comes(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        whole = frame(BINARY, b"\xff" * 100, mask=we_serve)
        await peer.send(whole[:1] + bytes([whole[1] - 50]) + whole[2:])
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1002, True)
        assert await peer.read_close() == 1002
    assert trio.current_time() < 2.5


@pytest.mark.parametrize(
    ("length", "codes"),
    [
        (struct.pack("!BH", 126, 5), {1002}),
        (struct.pack("!BQ", 127, 5), {1002}),
        (struct.pack("!BQ", 127, 1 << 63), {1002}),
        (struct.pack("!BQ", 127, (1 << 63) - 1), {1009}),
    ],
    ids=["two bytes for one", "eight for one", "negative", "as large as can be"],
)
async def test_a_length_that_cannot_be(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool, length: bytes, codes: set[int]
) -> None:
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        bit = 0x80 if we_serve else 0
        await peer.send(bytes([0x82, length[0] | bit]) + length[1:] + bytes(20))
        closed = await closing_of(websocket)
        assert closed.code in codes
        assert await peer.read_close() == closed.code
    assert trio.current_time() < 2.5


@pytest.mark.parametrize("size", [1, 5, 500], ids=["in a head", "after it", "in a payload"])
async def test_a_cut_in_the_middle_of_a_frame(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool, size: int
) -> None:
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        await peer.send(frame(TEXT, b"whole", mask=we_serve) + frame(BINARY, bytes(1000), mask=we_serve)[:size])
        assert await websocket.receive() == "whole"
        await peer.stream.aclose()
        closed = await closing_of(websocket)
        assert (closed.code, closed.local) == (1006, False)
        assert trio.current_time() < SOON


async def test_a_close_and_then_nothing(autojump_clock: MockClock, transport: StreamTransport, we_serve: bool) -> None:
    """The peer says Close and keeps the connection open: we say it too, and hang up within `close_timeout`."""
    async with between(transport, we_serve=we_serve) as (websocket, peer):
        await peer.send(close_frame(1001, mask=we_serve))
        assert (await closing_of(websocket)).code == 1001
        assert trio.current_time() < SOON
        assert await peer.read_close() == 1001
        await peer.wait_eof()
        # A server hangs up at once, a client leaves that to the server for a while (RFC 6455, section 7.1.1).
        assert (trio.current_time() < SOON) is we_serve
        assert trio.current_time() < 2.5


async def test_a_wrong_frame_for_one_who_has_waited_for_long(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    """Whoever finds it is told; the peer's Close is then read by the background, at once."""
    async with between(transport, we_serve=we_serve, options=QUIET) as (websocket, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(closing_of, websocket)
            await trio.sleep(10)
            huge = frame(TEXT, b"x" * 1000, mask=we_serve)
            await peer.send(bytes([0x82, 127 | huge[1] & 0x80]) + struct.pack("!Q", 1 << 40))
            assert await peer.read_close() == 1009
        await peer.send(frame(BINARY, b"", mask=we_serve))
        await peer.stream.aclose()
        await websocket.aclose()
        assert trio.current_time() < 10 + SOON


@pytest.mark.parametrize("message", ["x", bytes(1000)], ids=["tiny", "a kilobyte"])
async def test_what_a_sender_sends_in_one_go_lets_others_run(transport: StreamTransport, message: str | bytes) -> None:
    """Even when the socket takes all of it at once."""
    passes = 0

    async def count() -> None:
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async def drain() -> None:
        with contextlib.suppress(EOFError, trio.ClosedResourceError):
            await peer.wait_eof()

    async with between(transport, we_serve=True) as (websocket, peer), trio.open_nursery() as nursery:
        nursery.start_soon(count)
        nursery.start_soon(drain)
        for _ in range(1000):
            await websocket.send(message)
        assert passes > 5
        nursery.cancel_scope.cancel()


async def test_a_close_is_heard_whoever_was_reading(
    autojump_clock: MockClock, transport: StreamTransport, we_serve: bool
) -> None:
    """Nobody, just now; or one who has waited for long, and is cancelled while we close."""
    for waits in (False, True):
        async with between(transport, we_serve=we_serve) as (websocket, peer), trio.open_nursery() as nursery:
            await peer.send(frame(TEXT, b"hello", mask=we_serve))
            await receive_one(websocket)
            scope = trio.CancelScope()
            if waits:
                nursery.start_soon(receive_within, websocket, scope)
                await trio.sleep(10)
            start = trio.current_time()
            nursery.start_soon(websocket.aclose)
            assert await peer.read_close() == 1000
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            await peer.send(close_frame(1000, mask=we_serve))
            await peer.wait_eof()
            assert trio.current_time() - start < 0.04


async def receive_within(websocket: WebSocket, scope: trio.CancelScope) -> None:
    with scope, contextlib.suppress(ConnectionClosed):
        await websocket.receive()
