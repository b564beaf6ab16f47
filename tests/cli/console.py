"""The console script as users run it: a process of its own, with pipes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from realtime_actors.cli.providers import PROVIDERS

DATA = Path(__file__).parent.parent / "data"


def environment(**variables: str) -> dict[str, str]:
    """This process's, without what would change a command's behaviour."""
    usual = {name for provider in PROVIDERS.values() for name in (*provider.keys, *provider.others)}
    clean = {name: value for name, value in os.environ.items() if name not in usual and name != "REALTIME_ACTORS_TOKEN"}
    return {**clean, "PYTHONUNBUFFERED": "1", **variables}


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def error(self) -> str:
        """The one sentence that it failed with: nothing else may be on stderr."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: ")
        return lines[0].removeprefix("Error: ")


class Process:
    """A command that runs. Its output is read all the time, so that it never waits for us."""

    def __init__(self, *args: str, cwd: Path | None = None, **variables: str) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "realtime_actors", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            cwd=cwd,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Iterator[str], lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, pattern: str, within: float = 15.0) -> re.Match[str]:
        """Wait until its output matches."""
        deadline = time.monotonic() + within
        with self._changed:
            while (found := re.search(pattern, "".join(self.lines))) is None:
                assert self.process.poll() is None or any(reader.is_alive() for reader in self._readers), self.output
                assert self._changed.wait(deadline - time.monotonic()), f"no {pattern!r} in: {self.output}"
        return found

    @property
    def output(self) -> str:
        """All of it so far."""
        return "".join(self.lines) + "".join(self.errors)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal, Ctrl-C's by default."""
        self.process.send_signal(number)

    def end(self, within: float = 20.0) -> Ended:
        """Wait for its end."""
        began = time.monotonic()
        code = self.process.wait(within)
        seconds = time.monotonic() - began
        for reader in self._readers:
            reader.join()
        return Ended(code, "".join(self.lines), "".join(self.errors), seconds)

    def kill(self) -> None:
        """Make sure that it is gone."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


Start = Callable[..., Process]
"""Starts a command: `start("demo", "--port", "0")`; keyword arguments but `cwd` are environment variables."""

Run = Callable[..., Ended]
"""Runs a command to its end: `run("talk", "hello.wav")`."""
