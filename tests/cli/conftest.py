"""Commands to run, and a demo to talk to."""

from collections.abc import Iterator
from typing import Any

import pytest
from console import Ended, Process, Run, Start


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command: `start("demo", "--port", "0")`."""
    processes: list[Process] = []

    def start(*args: str, **options: Any) -> Process:
        processes.append(Process(*args, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


@pytest.fixture
def run(start: Start) -> Run:
    """Run a command to its end: `run("talk", "hello.wav")`."""

    def run(*args: str, **options: Any) -> Ended:
        return start(*args, **options).end()

    return run


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """A demo that runs; its URL."""
    process = Process("demo", "--port", "0")
    try:
        yield process.wait_for(r"the gateway +(ws://127\.0\.0\.1:\d+)/ws/")[1]
        process.interrupt()
        assert process.end().err == ""
    finally:
        process.kill()
