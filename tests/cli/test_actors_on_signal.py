"""SIGUSR1 prints the actors of a command that serves."""

import signal
import time

import pytest
from console import Process, Start


def wait_for_error(process: Process, text: str) -> str:
    deadline = time.monotonic() + 10
    while text not in (errors := "".join(process.errors)):
        assert time.monotonic() < deadline, process.output
        time.sleep(0.02)
    return errors


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_sigusr1_prints_the_actors_and_ends_nothing(start: Start, command: str) -> None:
    process = start(command, "--port", "0", OPENAI_API_KEY="sk-secret")
    process.wait_for("Ctrl-C ends it")
    process.interrupt(signal.SIGUSR1)
    errors = wait_for_error(process, "Gateway")
    assert errors.splitlines()[0].endswith(", actors: 1")
    assert errors.splitlines()[2].split()[:3] == ["gateway", "Gateway", "running"]
    process.interrupt()
    ended = process.end()
    assert ended.code == 130
    assert "Traceback" not in ended.err
