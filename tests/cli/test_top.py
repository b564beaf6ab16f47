"""`top` against gateways and against what is none, in pipes and in a terminal."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing
from console import Run, Start, environment

from realtime_actors.actors import Actor, open_runtime
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.watching.gateway import GatewayActors
from realtime_actors.gateway import AgentRequest, Gateway, GatewaySettings, GetStatus
from realtime_actors.transports import Request, Response, serve

TOKEN = "a-long-secret"


@attrs.define(eq=False)
class Nobody(Actor):
    """No agent is asked for."""


def nobody(_: AgentRequest) -> Actor:
    return Nobody()


@asynccontextmanager
async def gateway(token: str | None = None) -> AsyncGenerator[str]:
    async with open_runtime() as runtime:
        served = await runtime.spawn(Gateway(nobody, GatewaySettings(port=0, token=token)), name="gateway")
        yield (await served.ask(GetStatus(), timeout=5)).url


@asynccontextmanager
async def answering(response: Response) -> AsyncGenerator[str]:
    async def respond(_: Request) -> Response:
        return response

    async with trio.open_nursery() as nursery:
        address = await nursery.start(serve, respond)
        yield f"http://127.0.0.1:{address.port}"
        nursery.cancel_scope.cancel()


# -- asking


async def test_the_actors_of_a_gateway() -> None:
    async with gateway() as url:
        for given in (url, url.replace("ws", "http"), f"{url.removeprefix('ws://')}/", f"{url}/debug/actors"):
            actors = GatewayActors(given, None)
            assert actors.display == url.replace("ws", "http")
            assert [actor.path for actor in (await actors.fetch()).actors] == ["gateway"]


async def test_a_token() -> None:
    async with gateway(TOKEN) as url:
        assert len((await GatewayActors(url, TOKEN).fetch()).actors) == 1
        with pytest.raises(CommandFailed, match="to who has its token: put it into REALTIME_ACTORS_TOKEN"):
            await GatewayActors(url, None).fetch()
        with pytest.raises(CommandFailed, match="does not accept this token") as caught:
            await GatewayActors(url, "another").fetch()
        assert "another" not in str(caught.value)
        with pytest.raises(CommandFailed, match="holds characters"):
            await GatewayActors(url, "a\nb").fetch()


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (Response.text(404, "nothing here"), "is no gateway of realtime-actors"),
        (Response.text(200, "welcome"), "is no gateway of realtime-actors"),
        (Response(body=b'{"actors": [{"path": 5}]}'), "is no gateway of realtime-actors"),
        (Response(body=b'{"actors": "\xff"}'), "is no gateway of realtime-actors"),
        (Response.text(403, "to this machine only\x1b[2J"), r"does not show its actors from here: to this.* only\?"),
        (Response.text(502, "bad gateway"), "answered with HTTP status 502"),
        (Response(body=bytes(33 * 1024 * 1024)), "answers with more than"),
    ],
)
async def test_what_is_no_gateway_or_says_no(response: Response, says: str) -> None:
    async with answering(response) as url:
        with pytest.raises(CommandFailed, match=says):
            await GatewayActors(url, None).fetch()


async def test_names_that_a_terminal_would_obey_are_made_harmless() -> None:
    numbers = ("incarnation", "queued", "queued_control", "capacity", "peak", "restarts", "handled", "dropped")
    texts = {"path": "a\x1b[2J", "kind": "\x9b2J", "state": "running", "in_hand": "\r\n\x07"}
    actor = {**texts, **dict.fromkeys(numbers, 1), "in_hand_s": 1.0}
    async with answering(Response(body=json.dumps({"actors": [actor], "more": 1}).encode())) as url:
        (shown,) = (await GatewayActors(url, None).fetch()).actors
        assert (shown.path, shown.kind, shown.in_hand) == ("a?[2J", "?2J", "???")


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
async def test_what_speaks_something_else(says: bytes) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(says)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        with pytest.raises(CommandFailed, match="does not answer as a gateway does"):
            await GatewayActors(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", None).fetch()
        nursery.cancel_scope.cancel()


async def test_what_says_nothing(autojump_clock: trio.testing.MockClock) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with pytest.raises(CommandFailed, match="gave no answer within 5 s"):
            await GatewayActors(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", None).fetch()
    assert trio.current_time() >= 5


async def test_plain_http_behind_https() -> None:
    async with gateway() as url:
        with pytest.raises(CommandFailed, match=r"TLS with|does not answer"):
            await GatewayActors(url.replace("ws://", "https://"), None).fetch()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "http://me:secret@host", "a b"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(CommandFailed, match="write it as http://HOST:PORT") as caught:
        GatewayActors(url, None)
    assert "secret" not in str(caught.value)


# -- as a process


def test_one_look(run: Run, demo: str) -> None:
    ended = run("top", demo.replace("ws", "http"), "--once")
    assert (ended.code, ended.err) == (0, "")
    title, heading, *rows = ended.out.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+, [\d:]+: \d+ actors?, .* restarts", title)
    assert heading.split()[:3] == ["actor", "class", "state"]
    assert rows[0].split()[:3] == ["gateway", "Gateway", "running"]


def test_looks_go_on_in_a_pipe_until_ctrl_c(start: Start, demo: str) -> None:
    process = start("top", demo, "--interval", "0.1", "--sort", "rate")
    process.wait_for(r"messages/s[^$]+messages/s")
    process.interrupt()
    ended = process.end()
    assert (ended.code, ended.err) == (130, "")
    assert "\x1b" not in ended.out


def test_nothing_listens(run: Run) -> None:
    ended = run("top", "http://127.0.0.1:9")
    assert (ended.code, ended.out) == (1, "")
    assert ended.error.startswith("no server answers at 127.0.0.1:9: start `realtime-actors demo`")


def test_a_token_from_the_environment(run: Run, start: Start) -> None:
    url = start("demo", "--port", "0", REALTIME_ACTORS_TOKEN=TOKEN).wait_for(r"(http://127\.0\.0\.1:\d+)/")[1]
    refused = run("top", url)
    assert (refused.code, refused.out) == (1, "")
    assert "put it into REALTIME_ACTORS_TOKEN" in refused.error
    assert run("top", url, "--once", REALTIME_ACTORS_TOKEN=TOKEN).code == 0


@pytest.mark.parametrize("arguments", [["--interval", "0"], ["--interval", "nan"], ["--sort", "colour"], ["a", "b"]])
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    assert run("top", *arguments).code == 2


# -- in a terminal


@attrs.define
class Console:
    """`top` in a terminal of 100 by 12."""

    process: "subprocess.Popen[bytes]"
    master: int
    slave: int
    before: list[object]
    seen: str = ""

    def wait_for(self, pattern: str) -> str:
        """Read until this is seen; all that was seen so far."""
        deadline = time.monotonic() + 15
        while not re.search(pattern, self.seen):
            readable, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert readable, f"no {pattern!r} in {self.seen[-2000:]!r}"
            self.seen += os.read(self.master, 65536).decode()
        return self.seen

    def press(self, key: str) -> None:
        self.seen = ""
        os.write(self.master, key.encode())

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.slave)


OpenConsole = Callable[..., Console]


@pytest.fixture
def open_console() -> Iterator[OpenConsole]:
    """Runs `top` in a terminal: `open_console(url)`."""
    with contextlib.ExitStack() as stack:

        def open_console(url: str) -> Console:
            master, slave = pty.openpty()
            stack.callback(os.close, master)
            stack.callback(os.close, slave)
            termios.tcsetwinsize(slave, (12, 100))
            before = termios.tcgetattr(slave)
            # As its controlling terminal, so that the keys' signals come to it.
            code = (
                f"import os, sys; os.login_tty({slave}); sys.argv[1:] = ['top', {url!r}, '--interval', '0.2']; "
                "from realtime_actors.cli import main; main()"
            )
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", code],
                pass_fds=[slave],
                env={name: value for name, value in environment().items() if name not in ("COLUMNS", "LINES")},
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Console(process, master, slave, before)

        yield open_console


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
def test_a_terminal_is_drawn_over_and_put_back(open_console: OpenConsole, demo: str, key: str, code: int) -> None:
    console = open_console(demo)
    seen = console.wait_for(r"\x1b\[H[^$]+\x1b\[H")
    assert seen.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
    assert "realtime-actors top  http://127.0.0.1:" in seen
    assert console.settings() != console.before
    first = seen.split("\x1b[H")[1].split("\r\n")
    assert len(first) == 4
    assert all(len(re.sub(r"\x1b\[\d*\w", "", line)) <= 100 for line in first)
    console.press(key)
    console.wait_for(r"\x1b\[\?25h\x1b\[\?1049l")
    assert console.process.wait(5) == code
    assert console.settings() == console.before
    assert "Traceback" not in console.seen


def test_a_key_sorts_and_another_size_is_drawn_at_once(open_console: OpenConsole, demo: str) -> None:
    console = open_console(demo)
    console.wait_for("by tree")
    console.press("s")
    console.wait_for("by rate")
    console.seen = ""
    termios.tcsetwinsize(console.slave, (3, 40))
    lines = console.wait_for(r"(\x1b\[H[^$]+){3}").split("\x1b[H")[-2].split("\r\n")
    assert len(lines) == 3
    assert all(len(re.sub(r"\x1b\[\d*\w", "", line)) <= 40 for line in lines)


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(open_console: OpenConsole, demo: str) -> None:
    console = open_console(demo)
    console.wait_for("by tree")
    console.press("\x1a")
    console.wait_for(r"\x1b\[\?25h\x1b\[\?1049l")
    assert os.waitid(os.P_PID, console.process.pid, os.WSTOPPED) is not None
    assert console.settings() == console.before
    console.seen = ""
    console.process.send_signal(signal.SIGCONT)
    console.wait_for(r"\x1b\[\?1049h[^$]+by tree")
    console.press("q")
    assert console.process.wait(5) == 0


def test_a_server_that_is_gone_is_waited_for(start: Start, open_console: OpenConsole) -> None:
    """What was seen last stays; whoever watches a restart need not start `top` again."""
    first = start("demo", "--port", "0")
    url = first.wait_for(r"(http://127\.0\.0\.1:\d+)/")[1]
    console = open_console(url)
    console.wait_for("1 actor, 1 running")
    first.interrupt()
    console.wait_for("What is shown is old: no server answers")
    second = start("demo", "--port", url.rpartition(":")[2])
    second.wait_for("Ctrl-C ends it")
    console.seen = ""
    console.wait_for("1 actor, 1 running")
