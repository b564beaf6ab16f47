"""The transport that fails as it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import AgentError, AgentResponseDone, ClientTextAppend, ServerSessionUpdated
from realtime_actors.providers import ProviderRefused
from realtime_actors.testing import (
    Cut,
    Delay,
    Failures,
    Fault,
    FaultyTransport,
    Garbage,
    InvalidExpectation,
    Probe,
    RecordingTransport,
    Refuse,
    SimulatedOpenAI,
    open_test_runtime,
    simulate_openai,
)
from realtime_actors.transports import (
    Address,
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    MemoryTransport,
    Request,
    TrioWebSocketTransport,
    Upgrade,
    WebSocket,
    WebSocketOptions,
    serve,
)


@attrs.define
class Server:
    """Sends back what it gets, and writes down what came and how each connection ended."""

    url: str = "ws://memory/"
    got: list[str | bytes] = attrs.field(factory=list[str | bytes])
    ended: list[int] = attrs.field(factory=list[int])
    websockets: list[WebSocket] = attrs.field(factory=list[WebSocket])

    async def respond(self, _: Request) -> Upgrade:
        return Upgrade(self.echo)

    async def echo(self, websocket: WebSocket) -> None:
        self.websockets.append(websocket)
        try:
            while True:
                self.got.append(await websocket.receive())
                await websocket.send(self.got[-1])
        except ConnectionClosed as error:
            self.ended.append(error.code)


@pytest.fixture(params=["memory", "sockets"])
def on_sockets(request: pytest.FixtureRequest) -> bool:
    return request.param == "sockets"


@asynccontextmanager
async def faulty(on_sockets: bool, *faults: Fault) -> AsyncGenerator[tuple[FaultyTransport, Server]]:
    server = Server()
    with trio.fail_after(100):
        if not on_sockets:
            yield FaultyTransport(MemoryTransport(server.respond), faults), server
            return
        async with trio.open_nursery() as nursery:
            address: Address = await nursery.start(partial(serve, server.respond))
            server.url = f"ws://{address.host}:{address.port}/"
            yield FaultyTransport(TrioWebSocketTransport(), faults), server
            nursery.cancel_scope.cancel()


async def echo(websocket: WebSocket, *frames: str | bytes) -> list[str | bytes]:
    """What comes back."""
    for frame in frames:
        await websocket.send(frame)
    return [await websocket.receive() for _ in frames]


async def test_without_faults_it_is_the_transport_inside(on_sockets: bool) -> None:
    async with faulty(on_sockets) as (transport, server):
        async with transport.connect(server.url) as websocket:
            assert await echo(websocket, "a", b"b") == ["a", b"b"]
            assert websocket.statistics().messages_received == 2
            assert websocket.closed is None
            await websocket.aclose(4000)
            assert websocket.closed is not None
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.ended == [4000]
        assert (transport.attempts, transport.connections) == (1, 1)


async def test_connections_are_refused(on_sockets: bool) -> None:
    faults = Refuse(connections=2, first=2), Refuse(first=4, status=503, body=b"full")
    async with faulty(on_sockets, *faults) as (transport, server):
        outcomes: list[str] = []
        for _ in range(5):
            try:
                async with transport.connect(server.url) as websocket:
                    assert await echo(websocket, "a") == ["a"]
                    outcomes.append("open")
            except ConnectFailed as error:
                outcomes.append(error.stage)
            except HandshakeRejected as error:
                outcomes.append(f"{error.status} {error.body.decode()}")
        assert outcomes == ["open", "tcp", "tcp", "503 full", "open"]
        assert (transport.attempts, transport.connections) == (5, 2)


async def test_a_cut_at_a_frame_received(on_sockets: bool) -> None:
    async with faulty(on_sockets, Cut(frame=2)) as (transport, server):
        async with transport.connect(server.url) as websocket:
            await websocket.send("a")
            await websocket.send("b")
            assert await websocket.receive() == "a"
            for use in (websocket.receive, websocket.receive, partial(websocket.send, "c")):
                with pytest.raises(ConnectionClosed, match="the network or the peer with code 1006"):
                    await use()
            assert websocket.closed is not None
            assert websocket.closed.code == 1006
        async with transport.connect(server.url) as websocket:  # the next one is whole
            assert await echo(websocket, "c", "d", "e") == ["c", "d", "e"]
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.got == ["a", "b", "c", "d", "e"]
        assert server.ended == [1006, 1000]


async def test_a_cut_at_a_frame_sent(on_sockets: bool) -> None:
    async with faulty(on_sockets, Cut(direction="sent", containing="b", connection=None)) as (transport, server):
        for _ in range(2):
            async with transport.connect(server.url) as websocket:
                assert await echo(websocket, "a") == ["a"]
                with pytest.raises(ConnectionClosed, match="1006"):
                    await websocket.send("ab")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.got == ["a", "a"]


async def test_a_reader_that_waits_sees_the_cut(on_sockets: bool) -> None:
    async def read(websocket: WebSocket) -> None:
        with pytest.raises(ConnectionClosed, match="cut, by a fault"):
            await websocket.receive()

    async with (
        faulty(on_sockets, Cut(direction="sent")) as (transport, server),
        transport.connect(server.url) as websocket,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(read, websocket)
        await trio.testing.wait_all_tasks_blocked(0.01)
        with pytest.raises(ConnectionClosed):
            await websocket.send("a")


async def test_garbage_goes_before_the_frame(on_sockets: bool) -> None:
    faults = Garbage(frame=2, containing="x", garbage=b"\xff"), Garbage(direction="sent", frame=3)
    async with faulty(on_sockets, *faults) as (transport, server), transport.connect(server.url) as websocket:
        assert await echo(websocket, "x", "a", "bx", b"x") == ["x", "a", '{"type": \x00', b"\xff"]
        assert await websocket.receive() == "bx"
        assert await websocket.receive() == b"x"


async def test_frames_are_delayed_one_after_the_other(autojump_clock: MockClock) -> None:
    async with (
        faulty(False, Delay(seconds=2, frame=2), Delay(seconds=0.5, direction="sent")) as (transport, server),
        transport.connect(server.url) as websocket,
    ):
        assert await echo(websocket, "a") == ["a"]
        assert trio.current_time() == 0.5
        assert await echo(websocket, "b", "c") == ["b", "c"]
        assert trio.current_time() == 0.5 + 1 + 4


async def test_a_delayed_frame_survives_a_reader_that_gives_up(autojump_clock: MockClock) -> None:
    async with faulty(False, Delay(seconds=2)) as (transport, server), transport.connect(server.url) as websocket:
        await websocket.send("a")
        with trio.move_on_after(1):
            await websocket.receive()
        assert await websocket.receive() == "a"
        assert trio.current_time() == 2


async def test_a_slow_reader_is_felt_by_the_peer(autojump_clock: MockClock) -> None:
    async with (
        faulty(False, Delay(seconds=1)) as (transport, server),
        transport.connect(server.url, options=WebSocketOptions(max_unread=2)) as websocket,
    ):
        for _ in range(10):
            await websocket.send("a")
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.got) == 3
        for _ in range(10):
            await websocket.receive()
        assert len(server.got) == 10
        assert server.websockets[0].statistics().messages_sent == 10


async def test_senders_keep_their_order(autojump_clock: MockClock) -> None:
    async with faulty(False, Delay(seconds=1, direction="sent", containing="a")) as (transport, server):
        async with transport.connect(server.url) as websocket, trio.open_nursery() as nursery:
            for frame in ("a", "b", "c"):
                nursery.start_soon(websocket.send, frame)
                await trio.testing.wait_all_tasks_blocked()
        assert server.got == ["a", "b", "c"]
        assert trio.current_time() == 3  # one after the other


async def test_what_goes_over_the_wire_is_written_down(on_sockets: bool) -> None:
    async with faulty(on_sockets, Cut(direction="sent", frame=3)) as (transport, server):
        recording = RecordingTransport(transport, capacity=2)
        async with recording.connect(server.url, subprotocols=["b"]) as websocket:
            assert await echo(websocket, "a", b"b") == ["a", b"b"]
            with pytest.raises(ConnectionClosed):
                await websocket.send("c")
            assert websocket.closed is not None
        async with recording.connect(server.url) as websocket:
            assert websocket.statistics().messages_sent == 0
        [first, second] = recording.connections
        assert list(first.sent) == [b"b", "c"]
        assert list(first.received) == ["a", b"b"]
        assert (len(second.sent), len(second.received)) == (0, 0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Cut(frame=0), "frame counts from 1; it is 0"),
        (lambda: Cut(connection=0), "connection counts from 1"),
        (lambda: Refuse(connections=0), "connections counts from 1"),
        (lambda: Refuse(first=-1), "first counts from 1"),
        (lambda: Delay(seconds=-1), "seconds is -1; a frame cannot come before it is sent"),
        (lambda: Delay(seconds=float("nan")), "seconds is nan"),
        (lambda: Garbage(direction="back"), "direction is 'received' or 'sent', not 'back'"),  # pyright: ignore
        (lambda: FaultyTransport(TrioWebSocketTransport(), ["cut"]), "'cut' is no fault: use Refuse, Cut, Garbage"),  # pyright: ignore
    ],
)
def test_a_fault_that_cannot_be_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InvalidExpectation, match=said):
        make()


@asynccontextmanager
async def agent(
    openai: SimulatedOpenAI, *faults: Fault, failures: Failures | None = None
) -> AsyncGenerator[tuple[Probe, FaultyTransport, Any]]:
    async with open_test_runtime(failures=failures) as runtime:
        probe = await Probe.spawn(runtime)
        probe.subscribe("agents.friday.>")
        transport = FaultyTransport(openai.transport, faults)
        prototype = RealtimeAgent("Friday", "Be brief.", openai.model, transport=transport)
        yield probe, transport, await runtime.spawn(prototype, name="friday")


async def test_an_agent_whose_provider_is_cut_in_mid_reply(autojump_clock: MockClock) -> None:
    async with (
        simulate_openai("A long story.", "Yes.") as openai,
        agent(openai, Refuse(), Cut(frame=3, containing="output_audio.delta")) as (probe, transport, friday),
    ):
        assert transport.attempts == 2
        friday.tell(ClientTextAppend("s1", "A story!"))
        done = (await probe.until(AgentResponseDone))[-1]
        assert done.metadata == {"status": "failed", "reason": "connection_lost"}
        await probe.until(ServerSessionUpdated, within=10)
        assert transport.connections == 2


async def test_an_agent_whose_provider_talks_garbage(autojump_clock: MockClock) -> None:
    async with (
        simulate_openai("Hello.") as openai,
        agent(openai, Garbage(containing="response.created")) as (probe, _, friday),
    ):
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentError, error_type="protocol_error")
        done = (await probe.until(AgentResponseDone))[-1]
        assert done.metadata["status"] == "completed"


async def test_an_agent_that_is_refused_for_good(autojump_clock: MockClock) -> None:
    failures = Failures(ProviderRefused)
    async with simulate_openai() as openai:
        with pytest.raises(ProviderRefused, match="401"):
            async with agent(openai, Refuse(status=401), failures=failures):
                pass
