"""What only the in-memory transport offers: failures to order."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    MemoryTransport,
    Request,
    Response,
    Upgrade,
    WebSocket,
    WebSocketOptions,
)

seen: list[ConnectionClosed] = []


async def wait_for_close(websocket: WebSocket) -> None:
    try:
        await websocket.receive()
    except ConnectionClosed as closed:
        seen.append(closed)


async def respond(_: Request) -> Upgrade:
    return Upgrade(wait_for_close)


async def test_dropped_connections_break_on_both_sides() -> None:
    seen.clear()
    transport = MemoryTransport(respond)
    async with transport.connect("ws://memory") as one, transport.connect("ws://memory") as two:
        await trio.testing.wait_all_tasks_blocked()
        assert transport.drop_connections() == 2
        for websocket in (one, two):
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.receive()
            assert (caught.value.code, caught.value.local) == (1006, False)
    assert [closed.code for closed in seen] == [1006, 1006]
    assert transport.drop_connections() == 0


async def test_an_unreachable_server_and_its_return() -> None:
    transport = MemoryTransport(respond)
    transport.reachable = False
    with pytest.raises(ConnectFailed) as caught:
        async with transport.connect("wss://memory/p?key=sk-1"):
            raise AssertionError
    assert caught.value.stage == "tcp"
    assert "wss://memory:443/p:" in str(caught.value)
    transport.reachable = True
    async with transport.connect("wss://memory/p"):
        pass


async def test_a_handshake_that_takes_too_long(autojump_clock: MockClock) -> None:
    async def slow(_: Request) -> Response:
        await trio.sleep(6)
        return Response()

    with pytest.raises(ConnectFailed) as caught:
        async with MemoryTransport(slow).connect("ws://memory", options=WebSocketOptions(connect_timeout=5)):
            raise AssertionError
    assert caught.value.stage == "deadline"
    assert trio.current_time() == 5


async def test_a_handler_that_does_not_notice_has_close_timeout_to_end(autojump_clock: MockClock) -> None:
    ended = trio.Event()

    async def oblivious(_: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async def upgrade(_: Request) -> Upgrade:
        return Upgrade(oblivious)

    async with MemoryTransport(upgrade).connect("ws://memory"):
        pass
    assert ended.is_set()
    assert trio.current_time() == 2


async def test_the_handler_goes_on_while_the_client_is_cancelled(autojump_clock: MockClock) -> None:
    finished = trio.Event()

    async def tidy(websocket: WebSocket) -> None:
        await wait_for_close(websocket)
        await trio.sleep(1)
        finished.set()

    async def upgrade(_: Request) -> Upgrade:
        return Upgrade(tidy)

    with trio.move_on_after(1):
        async with MemoryTransport(upgrade).connect("ws://memory"):
            await trio.sleep_forever()
    assert finished.is_set()
