"""HTTP and WebSockets of an ASGI server; the test is the server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from realtime_actors.actors import Actor
from realtime_actors.gateway import AccessDenied, AgentRequest, GatewaySettings, WrongEventLoop, asgi_app
from realtime_actors.transports import (
    ConnectionClosed,
    Request,
    Respond,
    Response,
    Upgrade,
    WebSocket,
    WebSocketOptions,
    serve_asgi,
)

Handler = Callable[[WebSocket], Awaitable[None]]


def no_agent(request: AgentRequest) -> Actor:
    raise AssertionError(f"an agent is made for {request}")


async def no_handler(websocket: WebSocket) -> None:
    raise AssertionError(f"there is a WebSocket of {websocket.remote}")


@attrs.define
class Peer:
    """The server's end: what it gives to the application, and what it was given."""

    to_app: trio.MemorySendChannel[dict[str, Any]]
    from_app: trio.MemoryReceiveChannel[dict[str, Any]]
    scope: trio.CancelScope
    ended: trio.Event

    async def say(self, **event: Any) -> None:
        await self.to_app.send({"type": "websocket.receive", **event})

    async def leave(self, code: int = 1001, reason: str = "") -> None:
        await self.to_app.send({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def hear(self) -> dict[str, Any]:
        with trio.fail_after(5):
            return await self.from_app.receive()


def scope_of(kind: str = "websocket", **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "path": "/ws/ann/s1",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("10.0.0.1", 5000),
        **fields,
    }


@asynccontextmanager
async def connected(
    respond: Respond | Handler, *, write_ahead: int = 100, options: WebSocketOptions | None = None, **fields: Any
) -> AsyncGenerator[Peer]:
    """A WebSocket, accepted; `write_ahead` events of the application are taken before it has to wait."""
    handler = respond

    async def upgrade(_: Request) -> Upgrade:
        return Upgrade(handler)  # pyright: ignore[reportArgumentType] - one of the two kinds

    to_app, receive = trio.open_memory_channel[dict[str, Any]](10)
    send, from_app = trio.open_memory_channel[dict[str, Any]](write_ahead)

    async def shielded_send(event: dict[str, Any]) -> None:
        with trio.CancelScope(shield=True):  # as hypercorn does
            await send.send(event)

    peer = Peer(to_app, from_app, trio.CancelScope(), trio.Event())

    async def run() -> None:
        with peer.scope:
            await serve_asgi(upgrade, scope_of(**fields), receive.receive, shielded_send, options=options)
        peer.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await to_app.send({"type": "websocket.connect"})
        assert await peer.hear() == {"type": "websocket.accept", "subprotocol": None}
        yield peer
        with trio.fail_after(5):
            await peer.ended.wait()
        # As a server does when the application has returned: what is still being written fails.
        from_app.close()
        nursery.cancel_scope.cancel()


async def test_messages_go_both_ways_and_the_end_of_the_handler_closes() -> None:
    async def echo(websocket: WebSocket) -> None:
        assert websocket.remote == "10.0.0.1:5000"
        await websocket.send(await websocket.receive())
        await websocket.send(await websocket.receive())
        statistics = websocket.statistics()
        assert (statistics.messages_received, statistics.bytes_received, statistics.bytes_sent) == (2, 8, 8)

    async with connected(echo) as peer:
        await peer.say(text="hállo")
        assert await peer.hear() == {"type": "websocket.send", "text": "hállo"}
        await peer.say(bytes=b"ab", text=None)
        assert await peer.hear() == {"type": "websocket.send", "bytes": b"ab"}
        assert await peer.hear() == {"type": "websocket.close", "code": 1000, "reason": ""}


async def test_the_peer_s_close_is_told_after_what_came_before_it() -> None:
    ends: list[ConnectionClosed] = []

    async def listen(websocket: WebSocket) -> None:
        await trio.testing.wait_all_tasks_blocked()
        assert await websocket.receive() == "last words"
        with pytest.raises(ConnectionClosed) as closed:
            await websocket.receive()
        with pytest.raises(ConnectionClosed):
            await websocket.send("too late")
        ends.append(closed.value)

    async with connected(listen) as peer:
        await peer.say(text="last words")
        await peer.leave(4000, "enough")
    assert [(end.code, end.reason, end.local) for end in ends] == [(4000, "enough", False)]


@pytest.mark.parametrize(("ends_with", "code"), [(ValueError("a bug"), 1011), (None, 1000)])
async def test_how_the_handler_ends_says_how_it_is_closed(ends_with: Exception | None, code: int) -> None:
    async def handle(_: WebSocket) -> None:
        if ends_with is not None:
            raise ends_with

    async with connected(handle) as peer:
        assert (await peer.hear())["code"] == code


async def test_a_server_that_shuts_down_closes_with_1001() -> None:
    async def handle(_: WebSocket) -> None:
        await trio.sleep_forever()

    async with connected(handle) as peer:
        peer.scope.cancel()
        assert await peer.hear() == {"type": "websocket.close", "code": 1001, "reason": ""}


async def test_the_first_close_wins_and_its_reason_is_cut() -> None:
    async def handle(websocket: WebSocket) -> None:
        with pytest.raises(ValueError, match="999 is not a WebSocket close code"):
            await websocket.aclose(999)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(websocket.aclose, 4001, "é" * 100)
            nursery.start_soon(websocket.aclose, 4001, "é" * 100)
        assert websocket.closed is not None
        assert (websocket.closed.code, websocket.closed.local) == (4001, True)

    async with connected(handle) as peer:
        assert await peer.hear() == {"type": "websocket.close", "code": 4001, "reason": "é" * 61}


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    async def handle(websocket: WebSocket) -> None:
        with pytest.raises(ConnectionClosed, match="limited to 10 bytes"):
            await websocket.receive()

    async with connected(handle, options=WebSocketOptions(max_message_size=10)) as peer:
        await peer.say(text="é" * 6)
        assert (await peer.hear())["code"] == 1009


async def test_what_is_not_read_stops_the_reading() -> None:
    go_on = trio.Event()

    async def handle(websocket: WebSocket) -> None:
        await go_on.wait()
        for _ in range(30):
            await websocket.receive()

    said: list[int] = []
    async with connected(handle, options=WebSocketOptions(max_unread=5)) as peer, trio.open_nursery() as nursery:

        async def say_much() -> None:
            for number in range(30):
                await peer.say(text="12")
                said.append(number)

        nursery.start_soon(say_much)
        await trio.testing.wait_all_tasks_blocked()
        # Read until more than 5 bytes were there, one in hand, and what the server queues by itself.
        assert len(said) == 3 + 10
        go_on.set()
        assert (await peer.hear())["code"] == 1000
        assert len(said) == 30


async def test_who_sends_too_fast_waits_and_is_then_closed(autojump_clock: trio.testing.MockClock) -> None:
    async def handle(websocket: WebSocket) -> None:
        while True:
            await websocket.receive()

    options = WebSocketOptions(max_frames_per_second=10, rate_burst=1, rate_patience=5)
    async with connected(handle, options=options) as peer:
        began = trio.current_time()
        for _ in range(30):
            await peer.say(text="x")
        assert trio.current_time() - began > 0.5
        while peer.from_app.statistics().current_buffer_used == 0 and trio.current_time() < began + 60:
            with trio.move_on_after(1):
                await peer.say(text="x")
        closed = await peer.hear()
        assert (closed["code"], closed["reason"]) == (1008, "sent too fast: 10 frames a second are allowed")


async def test_a_send_that_is_cancelled_ends_the_connection_though_the_server_does_not_let_go() -> None:
    async def handle(websocket: WebSocket) -> None:
        with trio.move_on_after(0.05) as patience:
            await websocket.send("never read")
        assert patience.cancelled_caught
        assert websocket.closed is not None
        assert websocket.closed.code == 1006
        with pytest.raises(ConnectionClosed):
            await websocket.send("another")

    async with connected(handle, write_ahead=0):
        pass


async def test_a_peer_that_reads_nothing_holds_up_no_shutdown(autojump_clock: trio.testing.MockClock) -> None:
    async def handle(websocket: WebSocket) -> None:
        await websocket.send("never read")

    async with connected(handle, write_ahead=0, options=WebSocketOptions(close_timeout=2)) as peer:
        await trio.testing.wait_all_tasks_blocked()
        peer.scope.cancel()


async def test_a_server_that_fails_to_send_ends_the_connection() -> None:
    async def handle(websocket: WebSocket) -> None:
        await ready.wait()
        await websocket.send("lost")
        with pytest.raises(ConnectionClosed, match="the server could not send"):
            await websocket.receive()

    ready = trio.Event()
    async with connected(handle) as peer:
        peer.from_app.close()
        ready.set()


# -- requests


async def ask(respond: Respond, **scope: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {"type": "websocket.connect"}

    async def send(event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(event)

    await serve_asgi(respond, scope_of(**scope), receive, send)
    return sent


async def show(request: Request) -> Response:
    return Response.text(
        200, f"{request.method} {request.path} {dict(request.query)} {request.upgrade}", **{"X-A": "b"}
    )


async def test_a_request_is_answered() -> None:
    head, body = await ask(show, kind="http", method="POST", path="/a b", query_string=b"x=1&y=%20")
    assert head["status"] == 200
    assert (b"x-a", b"b") in head["headers"]
    assert body["body"] == b"POST /a b {'x': '1', 'y': ' '} False\n"
    assert (b"content-length", str(len(body["body"])).encode()) in head["headers"]
    assert (await ask(show, kind="http", method="HEAD"))[1]["body"] == b""


@pytest.mark.parametrize(
    ("root", "path", "seen"),
    [("/app", "/app/x", "/x"), ("", "/app/x", "/app/x"), ("/app", "/apple", "/apple"), ("/", "/x", "/x")],
)
async def test_where_it_is_mounted_is_not_part_of_the_path(root: str, path: str, seen: str) -> None:
    _, body = await ask(show, kind="http", method="GET", root_path=root, path=path)
    assert f"GET {seen} ".encode() in body["body"]


async def test_a_request_never_becomes_a_websocket() -> None:
    async def upgrade(request: Request) -> Upgrade:
        assert not request.upgrade
        return Upgrade(no_handler)

    headers = [(b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-key", b"x")]
    head, _ = await ask(upgrade, kind="http", method="GET", headers=headers)
    assert head["status"] == 426


async def test_a_websocket_is_one_whatever_its_headers_say() -> None:
    async def respond(request: Request) -> Response:
        seen.append(request)
        return Response.text(404, "no")

    seen: list[Request] = []
    headers = [(b"host", b"h"), (b"connection", b"close"), (b"sec-websocket-protocol", b"other")]
    assert await ask(respond, headers=headers, subprotocols=["one", "two"]) == [{"type": "websocket.close"}]
    assert seen[0].upgrade
    assert seen[0].subprotocols == ("one", "two")


async def test_an_error_in_answering_is_a_500() -> None:
    async def fail(_: Request) -> Response:
        raise ValueError("the secret words of a bug")

    head, body = await ask(fail, kind="http", method="GET")
    assert (head["status"], body["body"]) == (500, b"internal server error\n")
    assert await ask(fail) == [{"type": "websocket.close"}]


# -- the application


async def test_without_a_lifespan_it_says_so() -> None:
    app = asgi_app(no_agent)
    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(event)

    await app(scope_of("http", method="GET"), trio.lowlevel.checkpoint, send)  # pyright: ignore[reportArgumentType]
    assert sent[0]["status"] == 503


async def test_authentication_is_asked_whatever_the_headers_of_a_websocket_say() -> None:
    asked: list[str] = []

    async def authenticate(request: Request) -> str:
        await trio.lowlevel.checkpoint()
        asked.append(request.path)
        raise AccessDenied("nobody")

    app = asgi_app(no_agent, GatewaySettings(authenticate=authenticate))
    to_app, receive = trio.open_memory_channel[dict[str, Any]](1)
    send, from_app = trio.open_memory_channel[dict[str, Any]](10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(app, {"type": "lifespan"}, receive.receive, send.send)
        await to_app.send({"type": "lifespan.startup"})
        assert await from_app.receive() == {"type": "lifespan.startup.complete"}

        async def connect() -> dict[str, Any]:
            return {"type": "websocket.connect"} if not asked else await trio.sleep_forever()

        await app(scope_of(headers=[(b"host", b"localhost")]), connect, send.send)
        assert (await from_app.receive())["type"] == "websocket.accept"
        assert await from_app.receive() == {"type": "websocket.close", "code": 4401, "reason": "nobody"}
        assert asked == ["/ws/ann/s1"]
        await to_app.send({"type": "lifespan.shutdown"})
        assert await from_app.receive() == {"type": "lifespan.shutdown.complete"}


def test_a_connection_in_an_asyncio_server_raises() -> None:
    import asyncio  # noqa: PLC0415 - for this alone

    async def unused() -> None:
        raise AssertionError("nothing is received or sent")

    app = asgi_app(no_agent)
    with pytest.raises(WrongEventLoop, match="hypercorn --worker-class trio"):
        asyncio.run(app(scope_of(), unused, unused))  # pyright: ignore[reportArgumentType]
