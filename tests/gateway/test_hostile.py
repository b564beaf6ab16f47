"""Hostile clients, byte by byte: each does no harm, and a frontend beside them goes on."""

import os
import resource
import socket
import struct
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import attrs
import pytest
import trio
from gateway_client import Frontend, Parrot, Served, client_frame, open_gateway
from trio.testing import MockClock

from realtime_actors.actors import receives
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioTranscriptDelta,
    AgentResponseDone,
    ClientTextAppend,
    encode_json,
)

CREATE = client_frame('{"type": "client_session_create"}')
PATIENCE = 20.0


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True, size: int | None = None) -> bytes:
    """A frame, masked with zeros; `size` is what it says it has, if that is not true."""
    length = len(payload) if size is None else size
    head = bytes([opcode | (0x80 if fin else 0)])
    flag = 0x80 if mask else 0
    if length < 126:
        head += bytes([flag | length])
    elif length < 65536:
        head += bytes([flag | 126]) + struct.pack("!H", length)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", length)
    return head + (bytes(4) if mask else b"") + payload


@asynccontextmanager
async def tcp(served: Served, source: str = "127.0.0.2") -> AsyncGenerator[trio.SocketStream]:
    """A connection from another address than that of the frontend that means well."""
    port = int(served.url.rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port, local_address=source) as stream:
        yield stream


async def upgrade(stream: trio.SocketStream, session_id: str) -> None:
    """Ask for a WebSocket, and read the answer."""
    await stream.send_all(
        f"GET /ws/eve/{session_id} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await stream.receive_some(1)
    assert head.startswith(b"HTTP/1.1 101")


async def close_code(stream: trio.SocketStream) -> int:
    """Read to the end: the code of the Close frame, which comes last; 1006 without one."""
    data = b""
    try:
        while more := await stream.receive_some(65536):
            data += more
    except trio.BrokenResourceError:
        pass
    code = 1006
    while data:
        opcode, size, skip = data[0] & 15, data[1] & 127, 2
        if size == 126:
            size, skip = struct.unpack("!H", data[2:4])[0], 4
        if opcode == 8:
            code = struct.unpack("!H", data[skip : skip + 2])[0]
        data = data[skip + size :]
    return code


async def talks(frontend: Frontend) -> None:
    """Fails unless a turn of the frontend is answered."""
    await frontend.say(ClientTextAppend("s1", "hello"))
    assert (await frontend.until(AgentResponseAudioTranscriptDelta)).delta == "hello"
    await frontend.until(AgentResponseDone)


@asynccontextmanager
async def attacked(**settings: Any) -> AsyncGenerator[tuple[Served, Frontend]]:
    """A gateway with a frontend that means well; in the end nobody else is left, and that one still talks."""
    async with open_gateway(**settings) as served, served.connect("good") as frontend:
        await frontend.create()
        await talks(frontend)
        yield served, frontend
        await talks(frontend)
        await served.until(lambda status: status.sessions == 1)
        assert {path for path in served.paths() if "good" not in path} == set()


FRAMES: dict[str, tuple[bytes, int]] = {
    "too large": (frame(1, b"x" * 1_500_000), 1009),
    "too large in pieces": (frame(1, b"x" * 1000, fin=False) + frame(0, b"x" * 1000, fin=False) * 1500, 1009),
    "says it is huge": (frame(2, b"x" * 1_500_000, size=1 << 62), 1009),
    "a size that is negative": (frame(2, size=(1 << 64) - 1), 1002),
    "invalid UTF-8": (frame(1, b"\xff\xfe"), 1007),
    "invalid UTF-8 in pieces": (frame(1, b"\xe2\x82", fin=False) + frame(0, b"x"), 1007),
    "not masked": (frame(1, b"hello", mask=False), 1002),
    "an opcode that is none": (frame(3), 1002),
    "a bit that is reserved": (frame(0x41, b"x"), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002),
    "a message within a message": (frame(1, b"x", fin=False) + frame(1, b"x"), 1002),
    "a ping in pieces": (frame(9, b"x", fin=False), 1002),
    "a ping that is too large": (frame(9, b"x" * 126), 1002),
    "a close of one byte": (frame(8, b"x"), 1002),
    "a close with a code that is none": (frame(8, struct.pack("!H", 999)), 1002),
    "a close that is not UTF-8": (frame(8, struct.pack("!H", 1000) + b"\xff"), 1007),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", 1002),
    "a TLS handshake": (bytes.fromhex("1603010200010001fc0303"), 1002),
}


@pytest.mark.parametrize("is_open", [False, True], ids=["before a session", "in a session"])
@pytest.mark.parametrize(("data", "code"), list(FRAMES.values()), ids=list(FRAMES))
async def test_frames_that_are_not_allowed(data: bytes, code: int, is_open: bool) -> None:
    async with attacked(max_bytes_per_second=None, max_messages_per_second=None) as (served, _), tcp(served) as stream:
        await upgrade(stream, "bad")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, (CREATE if is_open else b"") + data)
            with trio.fail_after(PATIENCE):
                assert await close_code(stream) == code


async def _send(stream: trio.SocketStream, data: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(data)


FLOODS: dict[str, tuple[bytes, bytes]] = {
    "pings": (b"", frame(9, b"x" * 125)),
    "pongs": (b"", frame(10)),
    "empty messages": (b"", frame(1)),
    "tiny messages": (CREATE, frame(1, b"{}")),
    "empty pieces": (frame(1, b"x", fin=False), frame(0, fin=False)),
    "creates": (b"", CREATE),
    "cancels": (CREATE, client_frame('{"type": "client_response_cancel", "session_id": "bad"}')),
}


@pytest.mark.parametrize(("first", "flood"), list(FLOODS.values()), ids=list(FLOODS))
async def test_a_flood(first: bytes, flood: bytes) -> None:
    """Five that send without a pause: closed, with little memory taken, while the other one talks."""
    limits: dict[str, float] = {"rate_burst": 1, "rate_patience": 0.5}
    tracemalloc.start()
    try:
        async with attacked(**limits) as (served, frontend), trio.open_nursery() as nursery:
            codes: list[int] = []

            async def attack(session_id: str) -> None:
                async with tcp(served) as stream:
                    await upgrade(stream, session_id)
                    async with trio.open_nursery() as both:
                        both.start_soon(_send, stream, first + flood * 200_000)
                        codes.append(await close_code(stream))
                        both.cancel_scope.cancel()

            for number in range(5):
                nursery.start_soon(attack, f"bad{number}")
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            with trio.fail_after(PATIENCE):
                while len(codes) < 5:
                    await talks(frontend)
                    await trio.sleep(0.02)
            assert set(codes) <= {1006, 1008, 1013}
            _, peak = tracemalloc.get_traced_memory()
            sent = 5 * len(first + flood * 200_000)  # by the attackers, in this very process
            assert peak - before < sent + 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "payload",
    [
        '{"type": "client_session_create", "config": ' + '{"x":' * 100_000 + "1" + "}" * 100_000 + "}",
        "[" * 1_000_000,
        '{"type": "client_session_create", "config": {"x": [' + "{}," * 300_000 + "{}]}}",
        '{"type": "client_text_append", "session_id": "bad", "text": "' + "\\u0000" * 100_000,
        '{"type": ' + "9" * 1_000_000 + "}",
    ],
    ids=["nested config", "nested lists", "many values", "an end that never comes", "a long number"],
)
async def test_json_that_is_a_bomb(payload: str) -> None:
    """It is answered in words, as any frame that is no event."""
    async with attacked(max_bytes_per_second=None) as (served, _), served.connect("bad") as bad:
        await bad.socket.send(payload)
        assert (await bad.until(AgentError)).code == "invalid_event"


async def test_msgpack_that_unpacks_to_eighty_times_its_size() -> None:
    maps = b"\xdc\x03\xb6" + b"\x80" * 950  # as many as a list may hold
    bomb = b"\x82\xa4type\xb5client_session_create\xa6config\x81\xa1x\xdc\x03\xb6" + maps * 950
    async with (
        attacked(max_bytes_per_second=None) as (served, frontend),
        served.connect("bad", subprotocols=["realtime-actors.msgpack"]) as bad,
    ):
        tracemalloc.start()
        try:
            for _ in range(3):
                await bad.socket.send(bomb)
                assert "more than 2000 values" in (await bad.until(AgentError)).message
                await talks(frontend)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 20_000_000


async def test_large_frames_that_end_at_the_same_moment() -> None:
    """Of ten frontends: one is decoded in each pass of the loop, and small ones go before."""
    passes, heard = Passes(), list[tuple[str, int]]()

    @attrs.define(eq=False)
    class Listener(Parrot):
        @receives
        async def text(self, event: ClientTextAppend) -> None:
            heard.append((self.context.name, passes.count))

    large = frame(1, encode_json(ClientTextAppend("s", "x" * 70_000)).encode())
    async with (
        open_gateway(lambda _: Listener(), max_bytes_per_second=None) as served,
        served.connect("good") as frontend,
        AsyncExitStack() as stack,
    ):
        await frontend.create()
        streams = [await stack.enter_async_context(tcp(served)) for _ in range(10)]
        for number, stream in enumerate(streams):
            await upgrade(stream, f"large{number}")
            await stream.send_all(CREATE + large[:-10])
        await served.until(lambda _: len(served.paths(".gateway-large")) == len(streams))
        await trio.testing.wait_all_tasks_blocked(0.05)
        trio.lowlevel.add_instrument(passes)
        for stream in streams:
            os.write(stream.socket.fileno(), large[-10:])  # in one pass of the loop
        await frontend.say(ClientTextAppend("good", "hello"))
        await served.until(lambda _: len(heard) == len(streams) + 1)
    counts = [count for name, count in heard if name != "gateway-good"]
    assert len(set(counts)) == len(streams)
    assert [name for name, _ in heard].index("gateway-good") < 5


@attrs.define(eq=False)
class Passes(trio.abc.Instrument):
    """Counts the passes of the event loop."""

    count: int = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_a_thousand_connections_that_never_speak() -> None:
    """Frontends get in beside them; what they hold is bounded, and so is their number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        async with attacked() as (served, frontend), AsyncExitStack() as stack:
            before = trio.lowlevel.current_statistics().tasks_living
            for number in range(1000):
                await stack.enter_async_context(tcp(served, f"127.0.0.{2 + number % 50}"))
                if number % 100 == 0:
                    await talks(frontend)
                    async with served.connect("other") as other:
                        await other.create()
            assert trio.lowlevel.current_statistics().tasks_living - before < 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_sockets_that_never_say_anything() -> None:
    """WebSockets, of which there may be as many as there are sessions, are closed in time."""
    async with attacked(first_message_timeout=0.3) as (served, _), AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(tcp(served)) for _ in range(20)]
        for number, stream in enumerate(streams):
            await upgrade(stream, f"bad{number}")
        with trio.fail_after(PATIENCE):
            for stream in streams:
                assert await close_code(stream) == 1008


async def test_slowloris() -> None:
    """Heads that come a byte at a time do not come to an end, and hold nothing for longer than others do."""
    async with attacked(request_timeout=0.5) as (served, frontend), AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(tcp(served)) for _ in range(90)]
        answers: list[bytes] = []

        async def trickle(stream: trio.SocketStream) -> None:
            try:
                for byte in b"GET /ws/eve/bad HTTP/1.1\r\nX: " + b"x" * 10_000:
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.02)
            except trio.BrokenResourceError:
                pass
            try:
                answers.append(bytes(await stream.receive_some()))
            except trio.BrokenResourceError:
                answers.append(b"")

        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(trickle, stream)
            with trio.fail_after(PATIENCE):
                while len(answers) < len(streams):
                    await talks(frontend)
                    await trio.sleep(0.05)
        assert all(answer[:12] in (b"", b"HTTP/1.1 408") for answer in answers)


async def test_half_open_sockets(autojump_clock: MockClock) -> None:
    """Peers that are gone without a word, as after a cable was cut: noticed by the pings, and their agents stopped."""
    async with attacked(ping_interval=20) as (served, frontend), AsyncExitStack() as stack:
        for number in range(10):
            stream = await stack.enter_async_context(tcp(served))
            await upgrade(stream, f"bad{number}")
            await stream.send_all(CREATE)  # and nothing more, no pong either
        await served.until(lambda status: status.sessions == 11)
        with trio.fail_after(40):
            while (await served.status()).sessions > 1:
                await talks(frontend)
                await trio.sleep(1)


STATES: dict[str, bytes] = {
    "in the request": b"",
    "after the upgrade": b"x",
    "in a frame's head": CREATE[:3],
    "in a frame": CREATE[:20],
    "in a message in pieces": frame(1, b"{", fin=False),
    "while the agent starts": CREATE,
    "in a reply": CREATE + client_frame(encode_json(ClientTextAppend("bad", "flood 1000000"))),
    "while the agent ends": CREATE + client_frame('{"type": "client_session_end"}'),
    "after its own Close": CREATE + frame(8, struct.pack("!H", 1000)),
    "after a frame that is wrong": CREATE + frame(3),
}


async def _hang_up(stream: trio.SocketStream) -> None:
    await stream.aclose()


async def _stop_sending(stream: trio.SocketStream) -> None:
    await stream.send_eof()
    await close_code(stream)


async def _reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def _close_frame(stream: trio.SocketStream) -> None:
    await _send(stream, frame(8, struct.pack("!H", 1001)))
    await close_code(stream)


@pytest.mark.parametrize("leave", [_hang_up, _stop_sending, _reset, _close_frame])
@pytest.mark.parametrize("state", list(STATES), ids=list(STATES))
async def test_a_close_in_every_state(state: str, leave: Callable[[trio.SocketStream], Awaitable[None]]) -> None:
    """At once after the bytes, and a little later."""
    for pause in (0, 0.02):
        times = {"close_timeout": 0.2, "request_timeout": 0.2, "first_message_timeout": 1.0}
        async with attacked(**times) as (served, _), tcp(served) as stream:
            if state == "in the request":
                await stream.send_all(b"GET /ws/eve/bad HTTP/1.1\r\nHost:")
            else:
                await upgrade(stream, "bad")
                if state != "after the upgrade":
                    await stream.send_all(STATES[state])
            await trio.sleep(pause)
            with trio.fail_after(PATIENCE):
                await leave(stream)


HEADS: dict[str, tuple[bytes, bytes]] = {
    "an upgrade to HTTP/2": (
        b"GET /healthz HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        b"200",
    ),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"404"),
    "a tunnel": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", b"404"),
    "thousands of headers": (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a:\r\n" * 4000 + b"\r\n", b"431"),
    "a body in pieces of one byte": (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000,
        b"413",
    ),
    "two ends of a body": (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1",
        b"413",
    ),
    "requests in a row": (b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 50, b"200"),
    "a session id of 10 kB": (
        b"GET /ws/eve/" + b"%41" * 3300 + b" HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"101",
    ),
}


@pytest.mark.parametrize(("head", "status"), list(HEADS.values()), ids=list(HEADS))
async def test_requests_that_are_not_those_of_browsers(head: bytes, status: bytes) -> None:
    """Each is answered once, and hung up on."""
    async with attacked(close_timeout=0.2) as (served, _), tcp(served) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(_send, stream, head)
        answer = b""
        with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
            while more := await stream.receive_some():
                answer += more
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.count(b"HTTP/1.1") == 1
