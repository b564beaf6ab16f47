"""The server for HTTP and WebSockets on one port, against raw requests and an independent WebSocket library."""

import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from raw_peer import KEY, TEXT, RawPeer, frame
from trio.testing import MockClock
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.http11 import Response as WebSocketsResponse
from websockets.uri import parse_uri

from realtime_actors.transports import (
    Address,
    ListenFailed,
    PortInUse,
    Request,
    Response,
    ServerOptions,
    StreamTransport,
    Upgrade,
    WebSocket,
    serve,
)
from realtime_actors.transports.http import parse_target

UPGRADE = f"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"


async def echo(websocket: WebSocket) -> None:
    while True:
        await websocket.send(await websocket.receive())


async def respond(request: Request) -> Response | Upgrade:
    match request.path:
        case "/ws":
            return Upgrade(echo)
        case "/ws/unoffered":
            return Upgrade(echo, "never-heard-of")
        case "/ws/crash":
            return Upgrade(crash)
        case "/body":
            return Response(body=request.method.encode() + b" " + request.body)
        case "/crash":
            raise ZeroDivisionError
        case _:
            return Response(status=404, headers={"X-Path": "yes"}, body=request.path.encode())


async def crash(_: WebSocket) -> None:
    raise ZeroDivisionError


@asynccontextmanager
async def serving(
    options: ServerOptions | None = None, transport: StreamTransport | None = None
) -> AsyncGenerator[Address, None]:
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, respond, options=options, transport=transport))
        yield address
        nursery.cancel_scope.cancel()


async def exchange(port: int, request: str | bytes) -> str:
    """Send this, and read until the server hangs up."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        raw = RawPeer(stream)
        await raw.send(request.encode() if isinstance(request, str) else request)
        await raw.wait_eof()
        return raw.buffer.decode("latin-1")


async def test_requests_are_answered_and_the_connection_closed(autojump_clock: MockClock) -> None:
    async with serving() as address:
        answer = await exchange(address.port, "GET /a%20b?c=d HTTP/1.1\r\nHost: h\r\n\r\n")
        head, _, body = answer.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 404")
        assert "x-path: yes" in head
        assert "content-length: 4" in head
        assert "connection: close" in head
        assert body == "/a b"


async def test_a_body_arrives_and_head_gets_none(autojump_clock: MockClock) -> None:
    async with serving() as address:
        answer = await exchange(
            address.port,
            "POST /body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        )
        assert "100" in answer.splitlines()[0]
        assert answer.endswith("POST hello")
        answer = await exchange(address.port, "HEAD /body HTTP/1.1\r\nHost: h\r\n\r\n")
        assert "content-length: 5" in answer
        assert answer.endswith("\r\n\r\n")


async def test_one_port_serves_both(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async with serving(transport=transport) as address:
        assert "404" in await exchange(address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        async with transport.connect(f"ws://127.0.0.1:{address.port}/ws") as websocket:
            await websocket.send("hello")
            assert await websocket.receive() == "hello"
            assert "404" in await exchange(address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", 426),
        (f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}\r\n", 426),
        (f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 8\r\n\r\n", 426),
        (
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n",
            400,
        ),
        (f"POST /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Content-Length: 0\r\n\r\n", 426),
        (f"GET / HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n", 404),
        (f"GET /ws/unoffered HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n", 500),
        ("GET /crash HTTP/1.1\r\nHost: h\r\n\r\n", 500),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("hello\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: " + "x" * 30_000 + "\r\n\r\n", 431),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" + "x" * 2_000_000, 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: h\r\n" + "a:\r\n" * 101 + "\r\n", 431),
        (f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n", 400),
        (f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n".replace(KEY, "short"), 400),
        (f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\nContent-Length: 1\r\n\r\nx", 400),
        (
            f"GET /ws HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (f"GET /ws HTTP/1.0\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n", 426),
    ],
    ids=[
        "plain request to a WebSocket",
        "no version",
        "old version",
        "no key",
        "upgrade by POST",
        "upgrade of a page",
        "subprotocol not offered",
        "handler fails",
        "no Host",
        "not HTTP",
        "large head",
        "large body",
        "bad chunk",
        "large body announced",
        "many headers",
        "two keys",
        "a key that is none",
        "upgrade with a body",
        "upgrade in chunks",
        "upgrade in HTTP/1.0",
    ],
)
async def test_what_cannot_be_served_is_told_why(
    patient_clock: MockClock, request_text: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as address:
        answer = await exchange(address.port, request_text)
        assert answer.startswith(f"HTTP/1.1 {status}")
        assert "404" in await exchange(address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (status == 500) == any(record.levelno >= logging.WARNING for record in caplog.records)


async def test_lines_of_a_body_are_no_headers(autojump_clock: MockClock) -> None:
    async with serving() as address:
        body = "\n" * 500
        head = f"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        assert (await exchange(address.port, head + body)).endswith(f"POST {body}")


async def test_a_slow_request_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(ServerOptions(request_timeout=3)) as address:
        answer = await exchange(address.port, "GET / HTTP/1.1\r\nHost:")
        assert answer.startswith("HTTP/1.1 408")
        assert 3 <= trio.current_time() < 6.1


async def test_a_client_that_does_not_read_its_answer_is_given_up(patient_clock: MockClock) -> None:
    async def large(_: Request) -> Response:
        return Response(body=bytes(50_000_000))

    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, large, options=ServerOptions(request_timeout=3)))
        async with await trio.open_tcp_stream("127.0.0.1", address.port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await trio.sleep(4)
            raw = RawPeer(stream)
            await raw.wait_eof()
            assert len(raw.buffer) < 50_000_000
        nursery.cancel_scope.cancel()


async def test_connections_over_the_limit_get_503(autojump_clock: MockClock, transport: StreamTransport) -> None:
    url = "ws://127.0.0.1:{}/ws"
    async with serving(ServerOptions(max_connections=2)) as address:
        async with (
            transport.connect(url.format(address.port)) as one,
            transport.connect(url.format(address.port)) as two,
        ):
            assert (await exchange(address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")).startswith("HTTP/1.1 503")
            for websocket in (one, two):
                await websocket.send("unharmed")
                assert await websocket.receive() == "unharmed"
        await trio.sleep(1)
        assert (await exchange(address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")).startswith("HTTP/1.1 404")


async def test_a_client_that_vanishes_is_no_error(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as address:
        for data in (b"", b"GET / HT", b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"):
            stream = await trio.open_tcp_stream("127.0.0.1", address.port)
            await stream.send_all(data)
            await stream.aclose()
        async with raw_client_at(address.port, "/ws") as raw:
            await raw.send(frame(TEXT, b"hello", mask=True))
        await trio.sleep(1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@asynccontextmanager
async def raw_client_at(port: int, path: str) -> AsyncGenerator[RawPeer, None]:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        raw = RawPeer(stream)
        await raw.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n".encode())
        assert (await raw.read_head()).startswith("HTTP/1.1 101")
        yield raw


async def test_cancelling_the_server_closes_websockets_with_1001(autojump_clock: MockClock) -> None:
    codes: list[int] = []

    async def client(port: int, task_status: trio.TaskStatus[None], *, answers: bool) -> None:
        async with raw_client_at(port, "/ws") as raw:
            task_status.started()
            codes.append(await raw.read_close())
            if answers:
                await raw.send(frame(8, b"\x03\xe9", mask=True))
            await raw.wait_eof()

    async with trio.open_nursery() as clients, trio.open_nursery() as nursery:
        address = await nursery.start(serve, respond)
        for answers in (True, False):
            await clients.start(partial(client, answers=answers), address.port)
        nursery.cancel_scope.cancel()
    assert codes == [1001, 1001]
    assert trio.current_time() < 2.5  # the one that does not answer has the close timeout


async def test_a_busy_port_is_said_plainly(autojump_clock: MockClock) -> None:
    async with serving() as address:
        with pytest.raises(PortInUse, match=f":{address.port}: the port is in use"):
            await serve(respond, port=address.port)
    with pytest.raises(ListenFailed, match=r"cannot listen on 192\.0\.2\.1:0"):
        await serve(respond, host="192.0.2.1")


async def test_a_name_with_two_addresses_gets_one_port() -> None:
    infos = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, respond, host="localhost"))
        for family, _, _, _, where in infos:
            with trio.socket.socket(family) as client:
                await client.connect((where[0], address.port))
        nursery.cancel_scope.cancel()


async def test_an_independent_client_is_understood(autojump_clock: MockClock) -> None:
    """The websockets library, as a protocol without I/O, talks to our server."""
    async with serving() as address, await trio.open_tcp_stream("127.0.0.1", address.port) as stream:
        client = ClientProtocol(parse_uri(f"ws://127.0.0.1:{address.port}/ws"))
        events: list[object] = []

        async def pump() -> None:
            for data in client.data_to_send():
                if data:
                    await stream.send_all(data)
            client.receive_data(bytes(await stream.receive_some()))
            events.extend(client.events_received())

        client.send_request(client.connect())
        await pump()
        assert isinstance(events.pop(), WebSocketsResponse)
        client.send_text("héllo".encode())
        await pump()
        received = events.pop()
        assert isinstance(received, Frame)
        assert bytes(received.data).decode() == "héllo"
        client.send_close(1000)
        await pump()
        assert client.close_rcvd is not None
        assert client.close_rcvd.code == 1000


def test_targets_of_requests() -> None:
    assert parse_target("/a%2Fb?x=1&x=2&y=&z=%26") == ("/a/b", {"x": "2", "y": "", "z": "&"})
    assert parse_target("http://host:1/p?q=http://x/") == ("/p", {"q": "http://x/"})
    assert parse_target("//evil/p") == ("//evil/p", {})
    assert parse_target("/p?u=a://b") == ("/p", {"u": "a://b"})


@given(st.text())
def test_any_target_is_taken_apart(target: str) -> None:
    path, query = parse_target(target)
    assert isinstance(path, str)
    assert isinstance(query, dict)
