"""How many connections the server takes, and TLS."""

import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st
from raw_peer import RawPeer
from trio.testing import MockClock

from realtime_actors.transports import (
    InvalidCertificate,
    Request,
    Response,
    ServerOptions,
    TrioWebSocketTransport,
    Upgrade,
    WebSocket,
    load_certificate,
    serve,
)
from realtime_actors.transports._door import Door, network_of

GET = b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(websocket: WebSocket) -> None:
    while True:
        await websocket.send(await websocket.receive())


async def respond(request: Request) -> Response | Upgrade:
    if request.path == "/slow":
        await trio.sleep(5)
    return Upgrade(echo) if request.path == "/ws" else Response.text(200, "hello")


@asynccontextmanager
async def serving(*, ssl_context: ssl.SSLContext | None = None, **options: float) -> AsyncGenerator[int]:
    settings = ServerOptions(**options)  # pyright: ignore[reportArgumentType] - as each test gives them
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(serve, respond, options=settings, ssl_context=ssl_context))
        yield address.port
        nursery.cancel_scope.cancel()


async def get(port: int, *, source: str | None = None) -> str:
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
    async with stream:
        peer = RawPeer(stream)
        await peer.send(GET)
        await peer.wait_eof()
        return peer.buffer.decode()


async def test_connections_of_one_address(autojump_clock: MockClock) -> None:
    """One more than allowed is told so, with 429; another address is another, and a place comes free again."""
    async with serving(max_connections_per_address=3) as port:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(TrioWebSocketTransport().connect(f"ws://127.0.0.1:{port}/ws"))
            assert "429" in await get(port)
            assert "close some" in await get(port)
            assert "200" in await get(port, source="127.0.0.2")
        assert "200" in await get(port)


async def test_new_connections_of_one_address(autojump_clock: MockClock) -> None:
    """Five seconds' worth come in at once, the others as fast as is allowed; another address does not wait."""
    async with serving(max_new_connections_per_second=4) as port, trio.open_nursery() as nursery:
        start = trio.current_time()
        times: list[float] = []

        async def visit() -> None:
            assert "200" in await get(port)
            times.append(trio.current_time() - start)

        for _ in range(40):
            nursery.start_soon(visit)
        await trio.sleep(1)
        assert "200" in await get(port, source="127.0.0.2")
        assert trio.current_time() - start < 1.5
        with trio.fail_after(20):
            while len(times) < 40:  # noqa: ASYNC110 - each visitor goes on by itself
                await trio.sleep(0.1)
    assert 20 <= sum(each < 0.5 for each in times) <= 22
    assert times[-1] == pytest.approx(5, abs=0.5)


async def test_new_connections_of_one_address_that_are_far_too_fast(autojump_clock: MockClock) -> None:
    """Who would wait for longer than a request may take is told so; a while later all is well again."""
    async with serving(max_new_connections_per_second=1, request_timeout=3) as port:
        answers: list[str] = []

        async def visit() -> None:
            answers.append(await get(port))

        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(visit)
        refused = [each for each in answers if "429" in each]
        assert 20 <= len(refused) <= 22
        assert all("more than 1 new connections a second from your address" in each for each in refused)
        assert sum("200" in each for each in answers) == 30 - len(refused)
        await trio.sleep(10)
        assert "200" in await get(port)


def test_what_is_known_of_addresses_is_bounded() -> None:
    door = Door(10, None, 10, max_new_per_second=1, longest_pause=0)
    for number in range(5000):
        assert door.refusal(f"address {number}", 0) is None
        with door.enter(f"address {number}", 0) as pause:
            assert pause == 0
    assert len(door._arrivals) == 1024  # pyright: ignore[reportPrivateUsage] - its size


async def test_many_that_come_back_at_the_same_moment() -> None:
    """Two hundred, who are more than may have an unfinished request: each gets in."""
    async with serving(max_requests=20, max_connections=300) as port, trio.open_nursery() as nursery:
        opened: list[None] = []
        gone = trio.Event()

        async def come_back() -> None:
            async with TrioWebSocketTransport().connect(f"ws://127.0.0.1:{port}/ws") as websocket:
                await websocket.send("x")
                assert await websocket.receive() == "x"
                opened.append(None)
                await gone.wait()

        for _ in range(200):
            nursery.start_soon(come_back)
        with trio.fail_after(20):
            while len(opened) < 200:  # noqa: ASYNC110 - each goes on by itself
                await trio.sleep(0.01)
        gone.set()


async def test_connections_that_never_speak_make_way(autojump_clock: MockClock) -> None:
    """Of those that are no WebSocket the oldest is cut when there are too many: who means well comes through."""
    async with serving(max_requests=5, max_connections=8, request_timeout=1000) as port, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port)) for _ in range(20)]
        websocket = await stack.enter_async_context(TrioWebSocketTransport().connect(f"ws://127.0.0.1:{port}/ws"))
        assert "200" in await get(port)
        for stream in silent[:15]:
            await RawPeer(stream).wait_eof()
        # Those that wait for an answer that takes long, and those that do not hang up after it, count too.
        for _ in range(10):
            stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
            await stream.send_all(GET.replace(b"/page", b"/slow"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert "200" in await get(port)
        await websocket.send("x")
        assert await websocket.receive() == "x"


async def test_a_request_that_comes_byte_by_byte(autojump_clock: MockClock) -> None:
    """The time is that of the whole request, not of a pause in it."""
    async with serving(request_timeout=3) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        start = trio.current_time()
        peer = RawPeer(stream)
        for byte in GET[:10]:
            await peer.send(bytes([byte]))
            await trio.sleep(0.25)
        assert (await peer.read_head()).startswith("HTTP/1.1 408")
        assert trio.current_time() - start == pytest.approx(3, abs=0.2)


half = st.integers(1, 2**64 - 1)


@given(half, half, half)
def test_a_network_of_ipv6_counts_as_one(network: int, one: int, other: int) -> None:
    hosts = [str(ipaddress.IPv6Address(network << 64 | host)) for host in (one, other)]
    assert network_of(hosts[0]) == network_of(hosts[1])


def test_networks() -> None:
    assert network_of("::ffff:1.2.3.4") == network_of("1.2.3.4") != network_of("1.2.3.5")
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("/a/socket") == "/a/socket"


# -- TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    return context


async def test_tls(authority: trustme.CA, files: tuple[Path, Path]) -> None:
    """Requests and WebSockets, with a real handshake; who does not speak TLS gets nothing."""
    context = trusting(authority)
    async with serving(ssl_context=load_certificate(*files)) as port:
        transport = TrioWebSocketTransport(ssl_context=context)
        async with transport.connect(f"wss://127.0.0.1:{port}/ws") as websocket:
            await websocket.send("x" * 300_000)
            assert await websocket.receive() == "x" * 300_000
        tcp = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.SSLStream(tcp, context, server_hostname="127.0.0.1") as stream:
            await stream.send_all(GET)
            answer = b""
            while data := await stream.receive_some():  # to TLS's own end of the stream
                answer += data
            assert answer.endswith(b"hello\n")
        assert "HTTP" not in await get(port)


async def test_a_tls_handshake_that_takes_long(files: tuple[Path, Path], autojump_clock: MockClock) -> None:
    async with (
        serving(ssl_context=load_certificate(*files), request_timeout=3) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        start = trio.current_time()
        await stream.send_all(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello begins
        await RawPeer(stream).wait_eof()
        assert trio.current_time() - start == pytest.approx(3, abs=0.2)


def test_a_certificate_and_key_in_one_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files[1].read_bytes() + files[0].read_bytes())
    assert isinstance(load_certificate(both), ssl.SSLContext)


def test_wrong_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Each is named, with what is wrong with it; no key is asked for a password on the terminal."""
    certificate, key = files
    other = tmp_path / "other.pem"
    other.write_bytes(trustme.CA().issue_cert("h").private_key_pem.bytes())
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
        )
    )
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not PEM")
    for pair, words in (
        ((tmp_path / "none.pem", key), r"the certificate .*none.pem cannot be read: No such file"),
        ((certificate, tmp_path), r"the private key .* cannot be read: Is a directory"),
        ((certificate, other), r"other.pem is not that of the first certificate in .*certificate.pem"),
        ((certificate, encrypted), r"encrypted.pem is encrypted: decrypt it"),
        ((nonsense, key), r"nonsense.pem has to hold a certificate"),
        ((certificate, nonsense), r"nonsense.pem its private key"),
        ((certificate, None), r"both in PEM"),
    ):
        with pytest.raises(InvalidCertificate, match=words):
            load_certificate(*pair)
