"""What every backend of the seam does, whatever carries it."""

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from networks import Network
from trio.testing import MockClock

from realtime_actors.transports import (
    ConnectionClosed,
    HandshakeRejected,
    InvalidRequest,
    Request,
    Respond,
    Response,
    Upgrade,
    WebSocket,
    WebSocketOptions,
)


def upgrade_to(handler: Callable[[WebSocket], Awaitable[None]]) -> Respond:
    async def respond(_: Request) -> Upgrade:
        return Upgrade(handler)

    return respond


async def echo(websocket: WebSocket) -> None:
    while True:
        await websocket.send(await websocket.receive())


@pytest.mark.parametrize("message", ["hello", b"\x00\xff", "", b"", "é€😀" * 1000, bytes(300_000), "x" * 70_000])
async def test_messages_arrive_as_they_were_sent(
    patient_clock: MockClock, network: Network, message: str | bytes
) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        await websocket.send(message)
        received = await websocket.receive()
        assert received == message
        assert type(received) is type(message)


async def test_concurrent_senders_are_served_in_order_and_whole(autojump_clock: MockClock, network: Network) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        messages = [str(number) * 10_000 for number in range(20)]
        async with trio.open_nursery() as nursery:
            for message in messages:
                nursery.start_soon(websocket.send, message)
                await trio.testing.wait_all_tasks_blocked()
        assert [await websocket.receive() for _ in messages] == messages


async def test_the_request_reaches_the_server(autojump_clock: MockClock, network: Network) -> None:
    requests: list[Request] = []

    async def respond(request: Request) -> Upgrade:
        requests.append(request)
        return Upgrade(echo, request.subprotocols[1])

    async with (
        network(respond) as (transport, url),
        transport.connect(
            url + "/ws/a%20b/c?model=x&key=s%26t",
            headers=[("Authorization", "Bearer k"), ("X-Two", "1"), ("X-Two", "2")],
            subprotocols=["first", "second"],
        ) as websocket,
    ):
        assert websocket.subprotocol == "second"
    (request,) = requests
    assert request.upgrade
    assert request.path == "/ws/a b/c"
    assert request.query == {"model": "x", "key": "s&t"}
    assert request.headers["authorization"] == "Bearer k"
    assert request.headers["x-two"] == "1, 2"
    assert request.subprotocols == ("first", "second")


async def test_a_refusal_carries_status_headers_and_body(autojump_clock: MockClock, network: Network) -> None:
    async def respond(_: Request) -> Response:
        return Response(status=401, headers={"X-Why": "secret-value"}, body=b"no key sk-123" + bytes(10_000))

    async with network(respond) as (transport, url):
        with pytest.raises(HandshakeRejected) as caught:
            async with transport.connect(url + "/v1?key=sk-456"):
                raise AssertionError
    assert caught.value.status == 401
    assert caught.value.headers["x-why"] == "secret-value"
    assert caught.value.body.startswith(b"no key")
    assert len(caught.value.body) == 4096
    assert "401 (Unauthorized)" in str(caught.value)
    assert "/v1 " in str(caught.value)
    for secret in ("sk-", "secret"):
        assert secret not in str(caught.value) + repr(caught.value)


async def test_a_server_that_fails_to_answer_gives_500(
    autojump_clock: MockClock, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(_: Request) -> Response:
        raise ZeroDivisionError

    async with network(respond) as (transport, url):
        with pytest.raises(HandshakeRejected) as caught:
            async with transport.connect(url):
                raise AssertionError
    assert caught.value.status == 500
    assert "ZeroDivisionError" in caplog.text


async def test_the_peers_close_comes_after_its_messages(autojump_clock: MockClock, network: Network) -> None:
    async def handler(websocket: WebSocket) -> None:
        await websocket.send("last words")
        await websocket.aclose(4401, "token expired")

    async with network(upgrade_to(handler)) as (transport, url), transport.connect(url) as websocket:
        await trio.sleep(0.1)
        with pytest.raises(ConnectionClosed):
            await websocket.send("too late")
        assert await websocket.receive() == "last words"
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.receive()
            assert (caught.value.code, caught.value.reason, caught.value.local) == (4401, "token expired", False)


async def test_our_own_close_is_local_idempotent_and_reaches_the_peer(
    autojump_clock: MockClock, network: Network
) -> None:
    seen: list[ConnectionClosed] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.send("never read")
        try:
            await websocket.receive()
        except ConnectionClosed as closed:
            seen.append(closed)

    async with network(upgrade_to(handler)) as (transport, url):
        async with transport.connect(url) as websocket:
            await trio.sleep(0.1)
            await websocket.aclose(4000, "enough")
            await websocket.aclose(4001, "again")
            for operation in (websocket.receive, lambda: websocket.send("x")):
                with pytest.raises(ConnectionClosed) as caught:
                    await operation()
                assert (caught.value.code, caught.value.reason, caught.value.local) == (4000, "enough", True)
            assert websocket.closed is not None
        await trio.sleep(0.1)
    assert [(closed.code, closed.reason, closed.local) for closed in seen] == [(4000, "enough", False)]


async def test_a_waiting_receive_ends_when_another_task_closes(autojump_clock: MockClock, network: Network) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        with pytest.RaisesGroup(ConnectionClosed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(websocket.receive)
                await trio.testing.wait_all_tasks_blocked()
                await websocket.aclose()


@pytest.mark.parametrize(("ending", "code"), [("return", 1000), ("raise", 1011), ("cancel", 1001)])
async def test_how_the_block_ends_is_what_the_peer_sees(
    autojump_clock: MockClock, network: Network, ending: str, code: int
) -> None:
    seen: list[int] = []

    async def handler(websocket: WebSocket) -> None:
        try:
            await websocket.receive()
        except ConnectionClosed as closed:
            seen.append(closed.code)

    class Mine(Exception):
        pass

    async def block() -> None:
        async with transport.connect(url):
            await trio.sleep(0.1)
            if ending == "raise":
                raise Mine
            if ending == "cancel":
                await trio.sleep_forever()

    async with network(upgrade_to(handler)) as (transport, url):
        with trio.move_on_after(1) as scope:
            if ending == "raise":
                with pytest.raises(Mine):  # itself, not a group with it
                    await block()
            else:
                await block()
        assert scope.cancelled_caught is (ending == "cancel")
        await trio.sleep(0.1)
    assert seen == [code]


async def test_a_handler_that_raises_closes_with_1011_and_hurts_nobody_else(
    autojump_clock: MockClock, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(websocket: WebSocket) -> None:
        if await websocket.receive() == "crash":
            raise ZeroDivisionError
        await echo(websocket)

    async with (
        network(upgrade_to(handler)) as (transport, url),
        transport.connect(url) as bystander,
        transport.connect(url) as websocket,
    ):
        await bystander.send("be an echo")
        await websocket.send("crash")
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.receive()
        assert caught.value.code == 1011
        assert not caught.value.local
        await bystander.send("still there?")
        assert await bystander.receive() == "still there?"
    assert "ZeroDivisionError" in caplog.text


async def test_a_handler_that_returns_closes_with_1000(
    autojump_clock: MockClock, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(websocket: WebSocket) -> None:
        await websocket.receive()

    async with network(upgrade_to(handler)) as (transport, url), transport.connect(url) as websocket:
        await websocket.send("go")
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.receive()
    assert caught.value.code == 1000
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_error_about_another_websocket_is_not_a_normal_end(
    autojump_clock: MockClock, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(websocket: WebSocket) -> None:
        raise ConnectionClosed(1006, "upstream")

    async with network(upgrade_to(handler)) as (transport, url), transport.connect(url) as websocket:
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.receive()
    assert caught.value.code == 1011
    assert "upstream" in caplog.text


@pytest.mark.parametrize("message", ["é" * 600, b"x" * 1001], ids=["text over in bytes, not in characters", "bytes"])
@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_message_over_the_limit_in_bytes_closes_with_1009(
    autojump_clock: MockClock, network: Network, message: str | bytes, direction: str
) -> None:
    small = WebSocketOptions(max_message_size=1000)
    ends: dict[str, ConnectionClosed] = {}

    async def talk(websocket: WebSocket, *, sends: bool) -> None:
        try:
            if sends:
                await websocket.send(b"x" * 1000)
                await websocket.send(message)
            else:
                assert await websocket.receive() == b"x" * 1000
            await websocket.receive()
        except ConnectionClosed as closed:
            ends["sender" if sends else "receiver"] = closed

    async def handler(websocket: WebSocket) -> None:
        await talk(websocket, sends=direction == "down")

    async with network(upgrade_to(handler), server=small if direction == "up" else None) as (transport, url):
        options = small if direction == "down" else WebSocketOptions()
        async with transport.connect(url, options=options) as websocket:
            await talk(websocket, sends=direction == "up")
        await trio.sleep(0.1)
    assert (ends["receiver"].code, ends["receiver"].local) == (1009, True)
    assert (ends["sender"].code, ends["sender"].local) == (1009, False)


async def test_unread_messages_are_bounded_and_none_is_lost(patient_clock: MockClock, network: Network) -> None:
    count, size = 400, 50_000
    sent = 0

    async def handler(websocket: WebSocket) -> None:
        nonlocal sent
        for number in range(count):
            await websocket.send(number.to_bytes(4, "big") + bytes(size))
            sent += 1
        await websocket.receive()

    options = WebSocketOptions(max_unread=200_000)
    async with network(upgrade_to(handler)) as (transport, url), transport.connect(url, options=options) as websocket:
        with trio.move_on_after(5):
            await trio.sleep_forever()
        assert sent < count  # the sender feels it
        statistics = websocket.statistics()
        assert statistics.stalls == 1
        assert statistics.unread_bytes <= options.max_unread + 65536 + size
        received = [await websocket.receive() for _ in range(count)]
        assert [int.from_bytes(message[:4], "big") for message in received if isinstance(message, bytes)] == [
            *range(count)
        ]
        assert websocket.statistics().unread_bytes == 0


async def test_a_send_cancelled_while_it_goes_out_ends_the_connection(
    patient_clock: MockClock, network: Network
) -> None:
    seen: list[int] = []
    wake = trio.Event()

    async def handler(websocket: WebSocket) -> None:
        await wake.wait()
        try:
            while True:
                await websocket.receive()
        except ConnectionClosed as closed:
            seen.append(closed.code)

    async with network(upgrade_to(handler), server=WebSocketOptions(max_unread=1000)) as (transport, url):
        async with transport.connect(url) as websocket:
            with trio.move_on_after(1) as scope:
                while True:
                    await websocket.send(bytes(1_000_000))
            assert scope.cancelled_caught
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.send("what would this be read as?")
            assert (caught.value.code, caught.value.local) == (1006, True)
            assert "cancelled" in caught.value.reason
            wake.set()
        await trio.sleep(0.1)
    assert seen == [1006]


async def test_a_send_cancelled_in_the_queue_does_no_harm(patient_clock: MockClock, network: Network) -> None:
    wake = trio.Event()
    received: list[str | bytes] = []

    async def handler(websocket: WebSocket) -> None:
        await wake.wait()
        while True:
            received.append(await websocket.receive())

    async def flood() -> None:
        for _ in range(20):
            await websocket.send(bytes(1_000_000))

    async with (
        network(upgrade_to(handler), server=WebSocketOptions(max_unread=1000)) as (transport, url),
        transport.connect(url) as websocket,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await trio.sleep(1)
            with trio.move_on_after(1) as scope:
                await websocket.send("never mind")
            assert scope.cancelled_caught
            wake.set()
        await websocket.send("the end")
        await trio.sleep(1)
        assert websocket.closed is None
    assert received == [*[bytes(1_000_000)] * 20, "the end"]


async def test_a_cancelled_receive_loses_nothing(autojump_clock: MockClock, network: Network) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        with trio.move_on_after(1):
            await websocket.receive()
        await websocket.send("one")
        await trio.sleep(0.1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await websocket.receive()
        assert scope.cancelled_caught
        assert await websocket.receive() == "one"


async def test_statistics_count_messages_and_bytes(autojump_clock: MockClock, network: Network) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        await websocket.send("é")
        await websocket.send(b"abc")
        await websocket.receive()
        await trio.sleep(0.1)
        statistics = websocket.statistics()
        assert (statistics.messages_sent, statistics.bytes_sent) == (2, 5)
        assert (statistics.messages_received, statistics.bytes_received) == (2, 5)
        assert (statistics.unread_messages, statistics.unread_bytes) == (1, 3)


@pytest.mark.parametrize("code", [0, 999, 5000, 70_000])
async def test_an_impossible_close_code_is_refused(autojump_clock: MockClock, network: Network, code: int) -> None:
    async with network(upgrade_to(echo)) as (transport, url), transport.connect(url) as websocket:
        with pytest.raises(ValueError, match="close code"):
            await websocket.aclose(code)
        assert websocket.closed is None


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ([("Authorization", "Bearer sk-1\r\nX: y")], []),
        ([("Bad Name sk-1", "x")], []),
        ([("X", "sk-1\N{SNOWMAN}")], []),
        ([("Host", "sk-1")], []),
        ([], ["two words sk-1"]),
    ],
)
async def test_what_http_cannot_carry_is_refused_before_anything_is_sent(
    autojump_clock: MockClock, network: Network, headers: list[tuple[str, str]], subprotocols: list[str]
) -> None:
    async def respond(_: Request) -> Response:
        raise AssertionError

    async with network(respond) as (transport, url):
        with pytest.raises(InvalidRequest) as caught:
            async with transport.connect(url, headers=headers, subprotocols=subprotocols):
                raise AssertionError
    assert "sk-1" not in str(caught.value)
