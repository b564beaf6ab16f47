"""Which worker a connection is for, and the door that finds out."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import h11
import pytest
import trio
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from realtime_actors.cli.commands import commands
from realtime_actors.cli.workers.channel import Passed, ask_to_drain, pass_on, read_announcement
from realtime_actors.cli.workers.door import Door
from realtime_actors.cli.workers.placement import LONGEST_LINE, target_of, worker_for

# -- in plain code

IDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)


@given(target=TARGETS, cut=st.integers(0, 200))
def test_a_head_that_comes_in_pieces_has_one_target(target: str, cut: int) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert target_of(head) == target
    assert target_of(head[:cut]) in (None, target)


@given(head=st.binary(max_size=300))
def test_whatever_comes_is_placed(head: bytes) -> None:
    """And what a worker's HTTP parser takes for a target is what it was placed by."""
    target = target_of(head)
    if target is not None:
        assert worker_for(target, 3) in (None, 0, 1, 2)
    http = h11.Connection(h11.SERVER)
    http.receive_data(head + b"\r\n\r\n")
    try:
        event = http.next_event()
    except h11.RemoteProtocolError:
        return
    if isinstance(event, h11.Request) and target is not None:
        assert target == event.target.decode("ascii")


@given(session=IDS, users=st.lists(IDS, min_size=2, max_size=4), workers=st.integers(1, 9))
def test_a_session_has_one_worker_whoever_comes_and_however_it_is_written(
    session: str, users: list[str], workers: int
) -> None:
    quoted = "".join(f"%{ord(each):02x}" for each in session)
    written = [f"/ws/{user}/{form}" for user in users for form in (session, quoted, f"{session}?worker=0")]
    written.append(f"http://example.org/ws/{users[0]}/{session}")
    assert len({worker_for(target, workers) for target in written}) == 1
    assert worker_for(written[0], workers) in range(workers)


def test_sessions_are_spread_evenly() -> None:
    counts = [0, 0, 0, 0]
    for number in range(4000):
        worker = worker_for(f"/ws/ann/session-{number}", 4)
        assert worker is not None
        counts[worker] += 1
    assert all(900 < count < 1100 for count in counts)


@pytest.mark.parametrize(
    ("target", "worker"),
    [
        ("/", None),
        ("/ws/ann", None),
        ("/debug/actors?worker=1", 1),
        ("/debug/actors?format=text&worker=0", 0),
        ("/debug/actors?worker=2", None),
        ("/debug/actors?worker=-1", None),
        ("/debug/actors?worker=%D9%A1", None),
        (f"/debug/actors?worker={'9' * 5000}", None),
    ],
)
def test_everything_else_is_for_anybody_or_for_who_is_named(target: str, worker: int | None) -> None:
    assert worker_for(target, 2) == worker


def test_a_line_without_an_end_is_for_anybody() -> None:
    assert target_of(b"GET /" + b"a" * (LONGEST_LINE - 6)) is None
    assert target_of(b"GET /" + b"a" * LONGEST_LINE) == ""
    assert target_of(b"\x16\x03\x01\x00\n") == ""


# -- the door


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


@attrs.define
class Opened:
    """A door, and whom it gave connections."""

    port: int
    placed: list[int | None] = attrs.field(factory=list[int | None])

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def until(self, count: int) -> None:
        with trio.fail_after(60):
            while len(self.placed) < count:  # noqa: ASYNC110 - it is filled elsewhere
                await trio.sleep(0.005)


@asynccontextmanager
async def open_door(*, is_stuck: bool = False) -> AsyncGenerator[Opened]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    opened = Opened(listeners[0].socket.getsockname()[1])

    async def place(worker: int | None, _: int) -> None:
        opened.placed.append(worker)
        if is_stuck:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(Door(2, place).serve, listeners)
        yield opened
        nursery.cancel_scope.cancel()


async def ended(stream: trio.SocketStream) -> bool:
    with trio.move_on_after(60):
        try:
            return await stream.receive_some() == b""
        except trio.BrokenResourceError:
            return True
    return False


async def test_a_request_that_comes_byte_by_byte_is_placed(autojump_clock: MockClock) -> None:
    async with open_door() as door, await door.connect() as stream:
        for byte in b"GET /ws/ann/s1":
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.1)
        assert door.placed == []
        await stream.send_all(b" HTTP/1.1\r\n")
        await door.until(1)
        assert door.placed == [worker_for("/ws/ann/s1", 2)]


@pytest.mark.parametrize("said", [b"", b"GET /ws/ann"])
async def test_who_does_not_say_what_he_wants_is_cut(autojump_clock: MockClock, said: bytes) -> None:
    async with open_door() as door, await door.connect() as stream:
        if said:
            await stream.send_all(said)
        began = trio.current_time()
        assert await ended(stream)
        assert 9 < trio.current_time() - began < 12
        assert door.placed == []


async def test_the_oldest_of_many_who_are_silent_is_cut(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_door() as door:
        silent = [await door.connect() for _ in range(130)]
        began = trio.current_time()
        assert await ended(silent[0])
        assert await ended(silent[1])
        assert trio.current_time() - began < 5
        assert [record.message for record in caplog.records] == [
            "too many connections at once that no worker has yet: 1 were cut so far"
        ]
        await silent[129].send_all(b"GET / HTTP/1.1\r\n")
        await door.until(1)
        for stream in silent:
            await stream.aclose()


async def test_nobody_waits_for_ever_for_a_worker(autojump_clock: MockClock) -> None:
    async with open_door(is_stuck=True) as door, await door.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\n")
        await door.until(1)
        assert await ended(stream)


# -- the channel


@asynccontextmanager
async def open_channel() -> AsyncGenerator[tuple[socket.socket, Passed, trio.Event]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    drained = trio.Event()
    async with Passed(theirs.detach(), drained.set) as passed:
        with ours:
            yield ours, passed, drained


async def test_a_connection_is_passed_on_with_all_that_was_said() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with (
        open_channel() as (channel, passed, _),
        listeners[0] as listener,
        await trio.open_tcp_stream("127.0.0.1", port) as client,
    ):
        await client.send_all(b"hello")
        accepted = await listener.accept()
        await pass_on(channel, accepted.socket.fileno())
        await accepted.aclose()
        async with await passed.accept() as stream:
            assert stream.socket.getpeername() == client.socket.getsockname()
            assert await stream.receive_some() == b"hello"
            await stream.send_all(b"bye")
            assert await client.receive_some() == b"bye"


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_worker_is_told_to_end_and_notices_when_nobody_is_there(is_asked: bool) -> None:
    async with open_channel() as (channel, passed, drained), trio.open_nursery() as nursery:
        nursery.start_soon(passed.accept)
        if is_asked:
            await ask_to_drain(channel)
        else:
            channel.close()
        with trio.fail_after(5):
            await drained.wait()
        nursery.cancel_scope.cancel()


async def test_a_worker_that_is_gone_takes_nothing() -> None:
    async with open_channel() as (channel, passed, _):
        passed.announce("ready")
        assert await read_announcement(channel) == "ready"
        await passed.aclose()
        assert await read_announcement(channel) is None
        with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
            await pass_on(channel, channel.fileno())


# -- the options


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--workers", "0"], "'0' is no number of workers: give one from 1 to 256, or auto."),
        (["--workers", "two"], "'two' is no number of workers"),
        (["--workers", "2", "--certificate", "cert.pem"], "Let a proxy in front end TLS, or serve with one worker."),
        (["--drain", "-1"], "-1.0 is not in the range"),
        (["--drain", "nan"], "nan is not a number."),
    ],
)
def test_what_cannot_be_is_refused_in_words(args: list[str], says: str) -> None:
    ended = CliRunner().invoke(commands, ["serve", *args])
    assert ended.exit_code == 2
    assert says in " ".join(ended.output.split())


def test_a_system_that_cannot_pass_sockets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "send_fds")
    ended = CliRunner().invoke(commands, ["serve", "--workers", "2"])
    assert ended.exit_code == 1
    assert "--workers needs a system on which processes pass sockets on" in ended.output
