"""How fast a peer may send: the bucket itself, and a server that keeps to it."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import pairwise

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from raw_peer import CONTINUATION, PING, TEXT, RawPeer, frame, raw_client
from trio.testing import MockClock

from realtime_actors.transports import ServerOptions, StreamTransport, Upgrade, WebSocket, WebSocketOptions, serve
from realtime_actors.transports._pace import Pace, TokenBucket
from realtime_actors.transports._turns import Turns

amounts = st.floats(0, 1e6)


@given(st.floats(0.1, 1e6), st.floats(0.1, 60), st.lists(st.tuples(st.floats(0, 100), amounts), min_size=1))
def test_a_bucket(rate: float, burst: float, steps: list[tuple[float, float]]) -> None:
    """Who waits as told takes in all no more than the burst and the rate allow, and the last amount."""
    bucket = TokenBucket(rate, rate * burst, rate * burst)
    now = taken = 0.0
    for pause, amount in steps:
        now += pause
        wait = bucket.take(amount, now)
        assert taken <= (rate * (now + burst)) * 1.000001
        taken += amount
        now += wait


def test_speech_is_never_held() -> None:
    """Fifty messages a second, and what a minute's stall of the network had held back, in a burst."""
    pace = Pace(frames=200, bytes=1_000_000, burst=5, patience=10)
    for step in range(5000):
        pace.count_frame()
        pace.count_read(1400)
        assert pace.pause(step * 0.02) == 0
    for _ in range(600):
        pace.count_frame()
        pace.count_read(1400)
    assert pace.pause(5000 * 0.02) == 0


def test_patience() -> None:
    """A peer that is over its rate without a break is complained of; one that makes a pause is not."""
    pace = Pace(frames=10, bytes=None, burst=1, patience=5)
    now = 0.0
    while pace.complaint(now) is None:
        for _ in range(20):
            pace.count_frame()
        now += pace.pause(now)
        assert now < 20
    assert now >= 5
    now += 10
    pace.count_frame()
    assert pace.pause(now) == 0
    assert pace.complaint(now) is None


@asynccontextmanager
async def listening(transport: StreamTransport, handler: object, **limits: float) -> AsyncGenerator[int]:
    async def respond(_: object) -> Upgrade:
        return Upgrade(handler)  # pyright: ignore[reportArgumentType] - each test gives one that is

    options = ServerOptions(websocket=WebSocketOptions(close_timeout=1, **limits))  # pyright: ignore[reportArgumentType]
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, respond, transport=transport, options=options))
        yield address.port
        nursery.cancel_scope.cancel()


async def take(websocket: WebSocket, times: list[float]) -> None:
    while True:
        await websocket.receive()
        times.append(trio.current_time())


@pytest.mark.parametrize(
    "limits", [{"max_frames_per_second": 100}, {"max_bytes_per_second": 100_000}], ids=["frames", "bytes"]
)
async def test_a_peer_that_sends_too_fast_is_held_back(
    transport: StreamTransport, limits: dict[str, float], autojump_clock: MockClock
) -> None:
    """600 messages of 1 KB: 100 at once, the rest as fast as is allowed; nothing is lost, nobody is closed."""
    times: list[float] = []
    async with (
        listening(transport, partial(take, times=times), ping_interval=5, ping_timeout=0.5, **limits) as port,
        raw_client(port) as peer,
    ):
        start = trio.current_time()
        await peer.send(frame(TEXT, b"x" * 1000, mask=True) * 600)
        with trio.fail_after(20):
            while len(times) < 600:  # noqa: ASYNC110 - the server tells nobody
                await trio.sleep(0.1)
        assert 4 < times[-1] - start < 8


FLOODS = {
    "messages": frame(TEXT, b"x", mask=True),
    "empty messages": frame(TEXT, mask=True),
    "pings": frame(PING, b"x", mask=True),
    "pieces that never end": frame(CONTINUATION, mask=True, fin=False),
}


@pytest.mark.parametrize("flood", list(FLOODS.values()), ids=list(FLOODS))
async def test_a_peer_that_does_not_stop_is_closed(
    transport: StreamTransport, flood: bytes, autojump_clock: MockClock
) -> None:
    times: list[float] = []
    async with (
        listening(transport, partial(take, times=times), max_frames_per_second=100, rate_patience=3) as port,
        raw_client(port, trailing=frame(TEXT, b"x", mask=True, fin=False) if flood[0] == 0 else b"") as peer,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_flood, peer, flood)
        start = trio.current_time()
        assert await peer.read_close() == 1008
        assert 3 <= trio.current_time() - start < 6
        nursery.cancel_scope.cancel()


async def _flood(peer: RawPeer, flood: bytes) -> None:
    try:
        while True:
            await peer.send(flood * 500)
    except trio.BrokenResourceError:
        pass


@attrs.define(eq=False)
class Passes(trio.abc.Instrument):
    """Counts the passes of the event loop."""

    count: int = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


@pytest.mark.parametrize("apart", [1, 4])
async def test_turns(apart: int) -> None:
    """In order of arrival, one in every so many passes of the loop."""
    passes, turns = Passes(), Turns()
    taken: list[tuple[int, int]] = []

    async def work(number: int) -> None:
        await turns.wait(apart)
        taken.append((passes.count, number))

    trio.lowlevel.add_instrument(passes)
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(work, number)
            await trio.lowlevel.checkpoint()
    assert [number for _, number in taken] == [0, 1, 2, 3, 4]
    assert all(after[0] - before[0] >= apart for before, after in pairwise(taken))


async def test_peers_that_send_much_at_the_same_moment(transport: StreamTransport) -> None:
    """What one of ten sent is parsed in a pass of the loop."""
    passes = Passes()
    arrived: list[tuple[int, str]] = []

    async def handler(websocket: WebSocket) -> None:
        while True:
            await websocket.receive()
            arrived.append((passes.count, websocket.remote))

    much = frame(TEXT, b"x" * 1016, mask=True) * 16  # as much as is read at once
    async with listening(transport, handler, max_bytes_per_second=1e9) as port, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(raw_client(port)) for _ in range(10)]
        await trio.testing.wait_all_tasks_blocked(0.02)
        trio.lowlevel.add_instrument(passes)
        for peer in peers:
            assert isinstance(peer.stream, trio.SocketStream)
            os.write(peer.stream.socket.fileno(), much)  # in one pass
        with trio.fail_after(5):
            while len(arrived) < 160:  # noqa: ASYNC110 - the server tells nobody
                await trio.sleep(0.01)
    assert len({count for count, _ in arrived}) == len(set(arrived)) == 10


async def test_others_run_while_empty_frames_are_parsed(transport: StreamTransport) -> None:
    """A peer's ten thousand frames in one read do not keep others waiting until all of them are parsed."""
    arrived = trio.Event()
    times: list[float] = []

    async def handler(websocket: WebSocket) -> None:
        arrived.set()
        await take(websocket, times)

    flood = frame(TEXT, b"x", mask=True, fin=False) + frame(CONTINUATION, mask=True, fin=False) * 10_000
    turns = 0
    async with listening(transport, handler) as port, raw_client(port) as peer:
        await arrived.wait()
        await peer.send(flood + frame(CONTINUATION, mask=True))
        while not times:
            await trio.lowlevel.checkpoint()
            turns += 1
    assert turns > 200
