"""Ctrl-C and SIGTERM end everything in order, at any moment, and at once when asked twice."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from console import DATA, Ended, Process, Start, environment

NAPPING = """
import time
from realtime_actors.agents import tool

@tool
def nap(seconds: float) -> str:
    "Sleep."
    print("the nap begins", flush=True)
    time.sleep(seconds)
    return "awake"
"""
SCRIPT = """
[[replies]]
when = "nap"
parts = [{ call = "nap", arguments = { seconds = 3.0 } }]
"""


def check(ended: Ended, code: int = 130) -> None:
    assert ended.code == code, ended
    assert ended.seconds < 2.0
    assert ended.err == ""


@pytest.mark.parametrize(
    ("args", "number", "code"),
    [
        (["demo"], signal.SIGINT, 130),
        (["simulate", "openai"], signal.SIGTERM, 0),
        (["serve"], signal.SIGINT, 130),
    ],
)
def test_a_server_that_waits_ends(start: Start, args: list[str], number: int, code: int) -> None:
    process = start(*args, "--port", "0", OPENAI_API_KEY="sk-secret")
    process.wait_for("Ctrl-C ends it")
    process.interrupt(number)
    check(process.end(), code)


@pytest.mark.parametrize("module", ["click", "trio", "numpy", "realtime_actors.gateway"])
def test_a_command_that_is_still_loading_ends(module: str) -> None:
    code = (
        "import os, signal, sys\n"
        f"def hook(event, args):\n"
        f"    if event == 'import' and args[0] == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
        "sys.argv = ['realtime-actors', 'demo', '--port', '0']\n"
        "from realtime_actors.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, env=environment(), check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_the_demo_accepts_a_conversation_within_three_seconds(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--port", "0")
    url = process.wait_for(r"the gateway +(ws://127\.0\.0\.1:\d+)/ws/")[1]
    start("talk", "--text", "hello", "--url", url, "--events", str(tmp_path / "events"))
    wait_for_event(tmp_path / "events", "agent_ready")
    assert time.monotonic() - process.started < 3.0


def wait_for_event(path: Path, kind: str) -> None:
    deadline = time.monotonic() + 15
    while not path.exists() or f'"{kind}"' not in path.read_text():
        assert time.monotonic() < deadline, f"no {kind}"
        time.sleep(0.02)


def test_a_demo_that_talks_ends_and_who_talks_is_told(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--port", "0")
    url = process.wait_for(r"the gateway +(ws://127\.0\.0\.1:\d+)/ws/")[1]
    talk = start("talk", "--text", "count to thirty", "--url", url, "--events", str(tmp_path / "events"))
    wait_for_event(tmp_path / "events", "agent_response_audio_delta")
    process.interrupt()
    check(process.end())
    ended = talk.end()
    assert ended.code == 1
    assert "stopping" in ended.error or "the agent ended before its answer was complete" in ended.error


@pytest.mark.parametrize(
    "moment", ["client_session_create", "agent_input_started", "agent_response_tool_use_done", "server_session_ended"]
)
def test_talk_ends_in_every_phase(start: Start, demo: str, moment: str, tmp_path: Path) -> None:
    talk = start("talk", str(DATA / "time.wav"), "--url", demo, "--events", str(tmp_path / "events"))
    wait_for_event(tmp_path / "events", moment)
    talk.interrupt()
    ended = talk.end()
    assert ended.seconds < 2.0
    assert ended.err == ""
    # At the very end the interpreter has taken its own handler back: dead by the signal, which shells call 130 too.
    assert ended.code == 130 or (moment == "server_session_ended" and ended.code in (0, -signal.SIGINT))


def test_what_was_heard_until_sigterm_is_saved(start: Start, demo: str, tmp_path: Path) -> None:
    reply, events = tmp_path / "reply.wav", tmp_path / "events"
    talk = start("talk", "--text", "count to thirty", "--url", demo, "--save", str(reply), "--events", str(events))
    wait_for_event(events, "agent_response_audio_delta")
    talk.interrupt(signal.SIGTERM)
    check(talk.end(), 143)
    assert reply.stat().st_size > 1000


def receive_until(peer: socket.socket, what: bytes) -> None:
    received = b""
    while what not in received:
        received += peer.recv(4096)


def test_a_server_ends_beside_peers_that_say_nothing_and_read_nothing(start: Start) -> None:
    process = start("demo", "--port", "0")
    gateway = process.wait_for(r"the gateway +ws://127\.0\.0\.1:(\d+)/ws/")[1]
    model = process.wait_for(r"the model +ws://127\.0\.0\.1:(\d+)/v1/")[1]
    upgrade = (
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer x\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    create = b'{"type": "client_session_create"}'
    with contextlib.ExitStack() as peers:
        for port, path in ((gateway, "/ws/a/b"), (model, "/v1/realtime?model=gpt-realtime"), (gateway, None)):
            peer = peers.enter_context(socket.create_connection(("127.0.0.1", int(port))))
            peer.settimeout(10)
            if path is not None:
                peer.sendall(upgrade.format(path).encode())
                receive_until(peer, b"HTTP/1.1 101")
            if path == "/ws/a/b":
                peer.sendall(bytes([0x81, 0x80 | len(create), 0, 0, 0, 0]) + create)
                receive_until(peer, b"agent_ready")
        process.interrupt()
        check(process.end())


@pytest.fixture
def napping(start: Start, tmp_path: Path) -> tuple[Process, Process]:
    """A server whose agent is in the middle of a tool that blocks for 3 s."""
    (tmp_path / "napping.py").write_text(NAPPING)
    (tmp_path / "script.toml").write_text(SCRIPT)
    simulator = start("simulate", "openai", "--port", "0", "--script", str(tmp_path / "script.toml"))
    wire = simulator.wait_for(r"(ws://127\.0\.0\.1:\d+/v1/realtime)")[1]
    served = start("serve", "--port", "0", "--url", wire, "--tools", "napping:nap", cwd=tmp_path, OPENAI_API_KEY="any")
    url = served.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/")[1]
    talk = start("talk", "--text", "take a nap", "--url", url)
    talk.wait_for("tool +nap")
    served.wait_for("the nap begins")
    return served, talk


def test_a_tool_that_blocks_is_named_and_waited_for(napping: tuple[Process, Process]) -> None:
    served, _ = napping
    served.interrupt()
    ended = served.end()
    assert ended.code == 130
    assert 2.0 < ended.seconds < 6.0
    assert "the tool nap still runs" in ended.err
    assert "press Ctrl-C again to end at once" in ended.err
    assert "Traceback" not in ended.err


def test_a_second_ctrl_c_ends_at_once(napping: tuple[Process, Process]) -> None:
    served, _ = napping
    served.interrupt()
    time.sleep(0.5)
    served.interrupt()
    ended = served.end()
    assert ended.code == 130
    assert ended.seconds < 0.5
    assert "Traceback" not in ended.err
