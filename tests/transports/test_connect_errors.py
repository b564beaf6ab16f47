"""Every way in which a connection does not come about has its typed error, in time, and leaves nothing behind."""

import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme
from hypothesis import given
from hypothesis import strategies as st
from raw_peer import RawPeer, accept, frame, no_task_left, raw_server
from trio.testing import MockClock

from realtime_actors.transports import (
    ConnectFailed,
    HandshakeRejected,
    InvalidRequest,
    StreamTransport,
    TransportError,
    TrioWebSocketTransport,
    WebSocketOptions,
)
from realtime_actors.transports.handshake import parse_url

PATH = "/v1/realtime"
SECRETS = "?key=sk-query"
HEADERS = [("Authorization", "Bearer sk-header")]
OPTIONS = WebSocketOptions(connect_timeout=5)


async def failure(
    transport: StreamTransport, port: int, *, scheme: str = "ws", host: str = "127.0.0.1"
) -> TransportError:
    """The error of a connection attempt, checked for what every such error must keep."""
    async with no_task_left():
        with pytest.raises(TransportError) as caught:
            async with transport.connect(
                f"{scheme}://{host}:{port}{PATH}{SECRETS}", headers=HEADERS, subprotocols=["a"], options=OPTIONS
            ):
                raise AssertionError("connected")
    error = caught.value
    assert f"{scheme}://{host}:{port}{PATH}" in str(error)
    assert "sk-" not in str(error) + repr(error)
    assert trio.current_time() <= OPTIONS.connect_timeout + 0.1
    return error


@asynccontextmanager
async def answering(answer: bytes, *, hang_up: bool = True) -> AsyncGenerator[int, None]:
    """A server that reads the request, says this, and hangs up (or waits for the client to do so)."""
    closed = trio.Event()

    async def handler(raw: RawPeer) -> None:
        await raw.read_head()
        with contextlib.suppress(trio.BrokenResourceError):  # it may have heard enough
            await raw.send(answer)
        if not hang_up:
            await raw.wait_eof()
        closed.set()

    async with raw_server(handler) as port:
        yield port
        with trio.fail_after(1):
            await closed.wait()  # our side let go of the socket


@pytest.mark.parametrize("hang_up", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept("another key").encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
    ids=["SSH", "TLS alert", "empty lines", "status", "no upgrade", "other upgrade", "wrong key", "endless header"],
)
async def test_what_is_no_handshake_is_a_failed_connection(
    autojump_clock: MockClock, transport: StreamTransport, answer: bytes, hang_up: bool
) -> None:
    async with answering(answer, hang_up=hang_up) as port:
        error = await failure(transport, port)
    assert isinstance(error, ConnectFailed)
    assert error.stage == "handshake"
    assert trio.current_time() < 1


@pytest.mark.parametrize("line", ["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: permessage-deflate"])
async def test_what_was_not_offered_cannot_be_chosen(
    autojump_clock: MockClock, transport: StreamTransport, line: str
) -> None:
    async def handler(raw: RawPeer) -> None:
        head = await raw.read_head()
        key = next(text.split(": ")[1] for text in head.split("\r\n") if "WebSocket-Key" in text)
        await raw.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept(key)}\r\n{line}\r\n\r\n".encode()
        )
        await raw.wait_eof()

    async with raw_server(handler) as port:
        error = await failure(transport, port)
    assert isinstance(error, ConnectFailed)
    assert error.stage == "handshake"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swit", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webs"])
async def test_a_server_that_hangs_up_while_it_answers(
    autojump_clock: MockClock, transport: StreamTransport, answer: bytes
) -> None:
    async with answering(answer) as port:
        error = await failure(transport, port)
    assert isinstance(error, ConnectFailed)
    assert error.stage == "handshake"


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webs", b"HTTP/1.1 103 Early\r\n\r\n"]
)
async def test_a_handshake_that_never_ends_runs_into_the_deadline(
    autojump_clock: MockClock, transport: StreamTransport, answer: bytes
) -> None:
    async with answering(answer, hang_up=False) as port:
        error = await failure(transport, port)
    assert isinstance(error, ConnectFailed)
    assert error.stage == "deadline"
    assert "WebSocket handshake took longer than 5 s" in str(error)
    assert trio.current_time() >= 5


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 200, b"<html>"),
        (b"HTTP/1.1 401 Unauthorized\r\nX-Id: 7\r\nContent-Length: 9\r\n\r\nsk-secret", 401, b"sk-secret"),
        (b"HTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 429, b"abc"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 503 No\r\n\r\n" + b"x" * 100_000, 503, b"x" * 4096),
        (b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\ncut", 500, b"cut"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", 799, b""),
    ],
    ids=["web page", "no key", "chunked", "redirect", "endless body", "body cut short", "unknown status"],
)
@pytest.mark.parametrize("hang_up", [True, False])
async def test_an_answer_in_http_is_a_rejection(  # noqa: PLR0917 (pytest passes by name)
    autojump_clock: MockClock, transport: StreamTransport, answer: bytes, status: int, body: bytes, hang_up: bool
) -> None:
    async with answering(answer, hang_up=hang_up) as port:
        error = await failure(transport, port)
    assert isinstance(error, HandshakeRejected)
    assert (error.status, error.body) == (status, body)
    assert str(status) in str(error)
    assert trio.current_time() < 1.1  # a body that does not come to its end is not waited for


async def test_the_deadline_does_not_hide_a_rejection(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async with answering(b"HTTP/1.1 403 No\r\n\r\nbecause", hang_up=False) as port:
        with pytest.raises(HandshakeRejected) as caught:
            async with transport.connect(f"ws://127.0.0.1:{port}", options=WebSocketOptions(connect_timeout=0.5)):
                raise AssertionError
    assert (caught.value.status, caught.value.body) == (403, b"because")


async def test_a_refused_connection(autojump_clock: MockClock, transport: StreamTransport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure(transport, unused.getsockname()[1])
    assert isinstance(error, ConnectFailed)
    assert error.stage == "tcp"
    assert "refused" in str(error).lower()


class Unresolvable(trio.abc.HostnameResolver):
    """A name server that knows nothing."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> list[Any]:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *args: Any, **kwargs: Any) -> tuple[str, str]:
        raise NotImplementedError


class Silent(Unresolvable):
    """A name server that does not answer."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> list[Any]:
        await trio.sleep_forever()
        raise AssertionError


async def test_an_unknown_host(autojump_clock: MockClock, transport: StreamTransport) -> None:
    trio.socket.set_custom_hostname_resolver(Unresolvable())
    error = await failure(transport, 443, scheme="wss", host="no-such-host.invalid")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "lookup"
    assert "'no-such-host.invalid'" in str(error)


async def test_a_name_server_that_does_not_answer(autojump_clock: MockClock, transport: StreamTransport) -> None:
    trio.socket.set_custom_hostname_resolver(Silent())
    error = await failure(transport, 443, scheme="wss", host="slow.invalid")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "deadline"


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def tls_server(
    authority: trustme.CA, handler: Callable[[RawPeer], Awaitable[None]], *, name: str = "127.0.0.1"
) -> AsyncGenerator[int, None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] (pyOpenSSL's type)

    async def connection(raw: RawPeer) -> None:
        assert isinstance(raw.stream, trio.SocketStream)
        stream = trio.SSLStream(raw.stream, context, server_side=True, https_compatible=True)
        try:
            await stream.do_handshake()
            await handler(RawPeer(stream))
        except trio.BrokenResourceError:
            pass

    async with raw_server(connection) as port:
        yield port


def trusting(authority: trustme.CA) -> TrioWebSocketTransport:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] (pyOpenSSL's type)
    return TrioWebSocketTransport(ssl_context=context)


async def say_hello(raw: RawPeer) -> None:
    await raw.upgrade(trailing=frame(1, b"hello"))
    await raw.read_close()
    await raw.wait_eof()


async def test_tls_with_a_trusted_certificate(autojump_clock: MockClock, authority: trustme.CA) -> None:
    async with (
        tls_server(authority, say_hello) as port,
        no_task_left(),
        trusting(authority).connect(f"wss://127.0.0.1:{port}") as websocket,
    ):
        assert await websocket.receive() == "hello"
        await websocket.send(b"x" * 1_000)
    assert trio.current_time() < 2.5


async def test_tls_with_an_unknown_authority(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async with tls_server(trustme.CA(), say_hello) as port:
        error = await failure(transport, port, scheme="wss")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "tls"
    assert "not trusted" in str(error)


async def test_tls_for_another_host(autojump_clock: MockClock, authority: trustme.CA) -> None:
    async with tls_server(authority, say_hello, name="elsewhere.example") as port:
        error = await failure(trusting(authority), port, scheme="wss")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "tls"
    assert "127.0.0.1" in str(error)


async def test_tls_to_a_server_without_it(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async def handler(raw: RawPeer) -> None:
        await raw.fill()
        await raw.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(handler) as port:
        error = await failure(transport, port, scheme="wss")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "tls"


async def test_tls_that_never_ends(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async with raw_server(lambda raw: raw.wait_eof()) as port:
        error = await failure(transport, port, scheme="wss")
    assert isinstance(error, ConnectFailed)
    assert error.stage == "deadline"
    assert "TLS handshake took longer" in str(error)


async def test_connecting_can_be_cancelled(autojump_clock: MockClock, transport: StreamTransport) -> None:
    async with answering(b"", hang_up=False) as port, no_task_left():
        with trio.move_on_after(1) as scope:
            async with transport.connect(f"ws://127.0.0.1:{port}"):
                raise AssertionError
        assert scope.cancelled_caught


# URLs


@pytest.mark.parametrize(
    ("url", "display", "host", "request_target"),
    [
        ("ws://h", "ws://h:80/", "h", "/"),
        ("wss://H/p?a=b", "wss://h:443/p", "h", "/p?a=b"),
        ("ws://h:8080/a%20b?x=%26", "ws://h:8080/a%20b", "h:8080", "/a%20b?x=%26"),
        ("wss://[::1]:444/", "wss://[::1]:444/", "[::1]:444", "/"),
        ("wss://[::1]/", "wss://[::1]:443/", "[::1]", "/"),
        ("ws://h/ü?ü", "ws://h:80/%C3%BC", "h", "/%C3%BC?%C3%BC"),
        ("ws://bücher.example/", "ws://xn--bcher-kva.example:80/", "xn--bcher-kva.example", "/"),
    ],
)
def test_urls(url: str, display: str, host: str, request_target: str) -> None:
    target = parse_url(url)
    assert (target.display, target.host_header, target.request_target) == (display, host, request_target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sk-1",
        "http://h/?sk-1",
        "ws://",
        "ws:///?sk-1",
        "ws://user:sk-1@h/",
        "ws://sk-1@h/",
        "ws://h:99999/?sk-1",
        "ws://h:port/?sk-1",
        "ws://[::1/?sk-1",
        "ws://h/#sk-1",
        "ws://h/ sk-1",
        "ws://h/\r\nX: sk-1",
        "ws://" + "h" * 300 + "/?sk-1",
        "ws://a..b/?sk-1",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_url(url)
    assert "sk-1" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text() | st.text().map("ws://".__add__) | st.text().map("wss://h".__add__))
def test_any_text_is_a_url_or_an_error(url: str) -> None:
    try:
        target = parse_url(url)
    except InvalidRequest:
        return
    target.request_target.encode("ascii")
    target.host_header.encode("ascii")
    assert parse_url(target.display).request_target == target.path
