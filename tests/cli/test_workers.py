"""`serve --workers`: real processes that share a port, and the one that watches over them."""

import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from console import Process, Run, Start

from realtime_actors.cli.workers.placement import worker_for
from realtime_actors.events import (
    AgentReady,
    AgentResponseDone,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ServerEvent,
    ServerSessionEnded,
    decode_server,
    encode_json,
)
from realtime_actors.transports import ConnectionClosed, DirectTransport, WebSocket, WebSocketOptions

SCRIPT = """
[[default]]
say = "Hello."
"""
BREAKING = """
import os, sys
from pathlib import Path

if "serve" in sys.argv and Path(__file__).with_name("broken").exists():
    os._exit(3)
"""
PATIENCE = 30.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulated model; its URL."""
    script = tmp_path_factory.mktemp("model") / "script.toml"
    script.write_text(SCRIPT)
    process = Process("simulate", "openai", "--port", "0", "--script", str(script), "--speed", "0")
    try:
        yield process.wait_for(r"(ws://127\.0\.0\.1:\d+/v1/realtime)")[1]
    finally:
        process.kill()


class Server:
    """A `serve --workers`, its port, and what can be seen of its processes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/", PATIENCE)[1]
        process.wait_for("Ctrl-C ends it")
        self._seen = {self.pid}

    @property
    def pid(self) -> int:
        return self.process.process.pid

    def workers(self) -> dict[int, int]:
        """Process ids of the workers, by their numbers."""
        found: dict[int, int] = {}
        for pid in children_of(self.pid):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if "--worker" in words:
                found[int(words[words.index("--worker") + 1].partition("/")[0])] = pid
        self._seen |= set(found.values())
        return found

    def kill(self) -> None:
        """Make sure that all of it is gone."""
        for pid in self._seen | set(self.workers().values()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def connect(self, session_id: str) -> AsyncGenerator[WebSocket]:
        options = WebSocketOptions(ping_interval=None, connect_timeout=PATIENCE)
        async with DirectTransport().connect(f"{self.url}/ws/ann/{session_id}", options=options) as websocket:
            yield websocket


Serve = Callable[..., Server]


def children_of(parent: int) -> list[int]:
    children: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, its_parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z":
                children.append(int(path.parent.name))
    return children


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - other processes' state
            await trio.sleep(0.02)


@pytest.fixture
def serve(start: Start, model: str) -> Iterator[Serve]:
    """Start a server with two workers: `serve("--drain", "2")`."""
    servers: list[Server] = []

    def serve(*options: str, **variables: str) -> Server:
        command = ("serve", "--port", "0", "--workers", "2", "--url", model)
        servers.append(Server(start(*command, *options, OPENAI_API_KEY="any", **variables)))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(model: str) -> Iterator[Server]:
    """One for several tests."""
    process = Process("serve", "--port", "0", "--workers", "2", "--url", model, OPENAI_API_KEY="any")
    try:
        server = Server(process)
        yield server
        server.kill()
    finally:
        process.kill()


def session_of(worker: int, number: int = 0) -> str:
    """The id of a session that this one of two workers has."""
    ids = (f"s{i}" for i in range(1000))
    return [each for each in ids if worker_for(f"/ws/ann/{each}", 2) == worker][number]


async def hear(websocket: WebSocket, kind: type[ServerEvent]) -> ServerEvent:
    with trio.fail_after(PATIENCE):
        while not isinstance(event := decode_server(await websocket.receive()), kind):
            pass
    return event


async def create(websocket: WebSocket) -> None:
    await websocket.send(encode_json(ClientSessionCreate({})))
    await hear(websocket, AgentReady)


async def ask(websocket: WebSocket) -> None:
    """Have a turn."""
    await websocket.send(encode_json(ClientTextAppend("s", "hello")))
    await hear(websocket, AgentResponseDone)


async def closed(websocket: WebSocket) -> ConnectionClosed:
    try:
        with trio.fail_after(PATIENCE):
            while True:
                await websocket.receive()
    except ConnectionClosed as error:
        return error


async def get(server: Server, target: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body."""
    host, _, port = server.url.removeprefix("ws://").partition(":")
    with trio.fail_after(PATIENCE):
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            head, _, body = b"".join([part async for part in stream]).decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


async def test_sessions_are_spread_and_each_has_one_worker(server: Server) -> None:
    assert "2 workers share the port" in server.process.output
    async with (
        server.connect(session_of(0)) as first,
        server.connect(session_of(1)) as second,
        server.connect(session_of(1)) as third,
    ):
        await create(first)
        await create(second)
        error = await closed(third)
        assert (error.code, "another frontend has this session" in error.reason) == (4409, True)
        for number in ("0", "1"):
            _, headers, body = await get(server, f"/healthz?worker={number}")
            assert (headers["realtime-actors-worker"], '"sessions":1,' in body) == (f"{number}/2", True)
        await ask(first)
        await ask(second)
    answered = [(await get(server, "/realtime.js"))[1]["realtime-actors-worker"] for _ in range(4)]
    assert sorted(answered) == ["0/2", "0/2", "1/2", "1/2"]


async def test_a_worker_that_is_killed_is_replaced_and_no_other_notices(server: Server) -> None:
    before = server.workers()
    assert len({os.getpgid(pid) for pid in (server.pid, *before.values())}) == 3  # Ctrl-C is not for them
    async with server.connect(session_of(0)) as first, server.connect(session_of(1)) as second:
        await create(first)
        await create(second)
        os.kill(before[1], signal.SIGKILL)
        assert (await closed(second)).code == 1006
        async with server.connect(session_of(1)) as again:  # waits for the new one
            await create(again)
            await ask(again)
        await ask(first)
    after = server.workers()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert "worker 1 was killed by SIGKILL: it is started again" in server.process.output


def test_top_shows_the_actors_of_all(server: Server, run: Run) -> None:
    rows = run("top", "--once", server.url).out.splitlines()[2:]
    assert [row.split()[:2] for row in rows] == [["0/gateway", "Gateway"], ["1/gateway", "Gateway"]]


async def test_a_signal_prints_the_actors_of_all(server: Server) -> None:
    server.process.interrupt(signal.SIGUSR1)
    await until(lambda: all(f", worker {number}, actors: 1" in server.process.output for number in (0, 1)))


async def test_a_running_session_has_its_time_and_then_a_clear_end(serve: Serve) -> None:
    server = serve("--drain", "4")
    workers = server.workers()
    async with server.connect(session_of(0)) as first, server.connect(session_of(1)) as second:
        await create(first)
        await create(second)
        began = time.monotonic()
        server.process.interrupt(signal.SIGTERM)
        await ended_door(server)
        await ask(first)
        await ask(second)
        await second.aclose()
        event = await hear(first, ServerSessionEnded)
        assert isinstance(event, ServerSessionEnded)
        assert event.metadata == {"reason": "server_stopped"}
        assert (await closed(first)).code == 1001
        assert 4 <= time.monotonic() - began < 14
    ended = server.process.end()
    assert ended.code == 0
    assert ended.err == "Conversations have 4 s to end; Ctrl-C again ends them at once.\n"
    assert not any(map(is_running, workers.values()))


async def ended_door(server: Server) -> None:
    """Wait until nobody else gets in, and check that this is said."""
    with trio.fail_after(PATIENCE):
        while (answer := await get(server, "/healthz"))[0] != 503:  # noqa: ASYNC110 - another process's state
            await trio.sleep(0.02)
    assert '"draining"' in answer[2]
    async with server.connect(session_of(0, 1)) as late:
        error = await closed(late)
        assert (error.code, error.reason) == (1001, "the server is stopping; connect again")


async def test_a_second_ctrl_c_ends_all_at_once(serve: Serve) -> None:
    server = serve("--drain", "600")
    workers = server.workers()
    async with server.connect(session_of(0)) as first:
        await create(first)
        server.process.interrupt()
        await ended_door(server)
        began = time.monotonic()
        server.process.interrupt()
        assert server.process.end().code == 130
        assert time.monotonic() - began < 5
        assert (await closed(first)).code == 1006
    await until(lambda: not any(map(is_running, workers.values())))


async def test_workers_end_when_their_supervisor_is_killed(serve: Serve) -> None:
    server = serve("--drain", "3")
    workers = server.workers()
    async with server.connect(session_of(0)) as first:
        await create(first)
        os.kill(server.pid, signal.SIGKILL)
        await ask(first)  # it still has its time
        await hear(first, ServerSessionEnded)
        assert (await closed(first)).code == 1001
    await until(lambda: not any(map(is_running, workers.values())))


async def test_a_worker_that_dies_again_and_again_is_given_up(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKING)
    server = serve(PYTHONPATH=str(tmp_path))
    workers = server.workers()
    broken = tmp_path / "broken"
    broken.touch()
    os.kill(workers[1], signal.SIGKILL)
    await until(lambda: "worker 1 ended" in server.process.output)  # what comes before that is lost with it
    async with trio.open_nursery() as nursery:

        async def wait_for_it() -> None:
            async with server.connect(session_of(1)) as patient:
                await create(patient)

        nursery.start_soon(wait_for_it)
        await until(lambda: "worker 1 ended with exit code 3" in server.process.output)
        broken.unlink()
    workers = server.workers()
    broken.touch()
    os.kill(workers[1], signal.SIGKILL)
    ended = server.process.end(within=40)
    assert ended.code == 1
    *warnings, last = ended.err.splitlines()
    assert len(warnings) == 5
    assert last.startswith("Error: worker 1 has ended 6 times within 60 s, at last it ended with exit code 3:")
    assert not any(map(is_running, workers.values()))


def test_what_is_wrong_with_the_settings_is_said_once(start: Start) -> None:
    process = start("serve", "--port", "0", "--workers", "2")
    ended = process.end(PATIENCE)
    assert ended.code == 1
    assert ended.error.startswith("OPENAI_API_KEY is not set")


async def test_one_process_lets_conversations_finish_too(start: Start, model: str) -> None:
    process = start("serve", "--port", "0", "--url", model, "--drain", "600", OPENAI_API_KEY="any")
    server = Server(process)
    assert server.workers() == {}
    async with server.connect("s") as websocket:
        await create(websocket)
        process.interrupt(signal.SIGTERM)
        await ended_door(server)
        await ask(websocket)
        await websocket.send(encode_json(ClientSessionEnd("s")))
        assert (await closed(websocket)).code == 1001
    assert process.end().code == 0
