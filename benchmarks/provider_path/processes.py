"""The processes of a round: each is a module of this package, and says what it has found in lines of JSON."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import orjson

from benchmarks.benchmark import Failed

__all__ = ["Driver", "Process", "connect", "drive", "end", "line", "start"]

_ROOT = Path(__file__).parents[2]


@attrs.frozen
class Driver:
    """A contestant's module, and what gives the Python that it runs with: a peer has an environment of its own."""

    module: str
    python: Callable[[], str] | None = None
    """None for this Python. It may raise `Failed`."""

    @classmethod
    def of(cls, driver: Driver | str) -> Driver:
        """The driver, or that of the provider's path of this name."""
        return cls(f"benchmarks.provider_path.drivers.{driver}") if isinstance(driver, str) else driver


class Process(subprocess.Popen[bytes]):
    """A process of a round. What a `quiet` one writes to stderr is shown only in the reason for its failure."""

    def __init__(self, command: Sequence[str], *, quiet: bool) -> None:
        self._words = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 - it is there as long as the process
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, cwd=_ROOT)

    def last_words(self) -> str:
        """The last line that it wrote to stderr, or where that is."""
        if self._words is None:
            return "see what it said on stderr"
        self._words.seek(0)
        lines = [line for line in self._words.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else "it does not say why"

    def forget(self) -> None:
        """Its last words will not be asked for."""
        if self._words is not None:
            self._words.close()


def start(module: str, *arguments: str, python: str | None = None) -> Process:
    """Run a module of this package."""
    command = [python or sys.executable, "-m", f"benchmarks.provider_path.{module}", *arguments]
    return Process(command, quiet=python is not None)


def drive(driver: Driver | str, kind: str, *arguments: str) -> Process:
    """Run a contestant. Raises `Failed` when it cannot be."""
    driver = Driver.of(driver)
    return start("drive", kind, driver.module, *arguments, python=driver.python and driver.python())


def connect(process: Process, to: Process) -> None:
    """Tell a process the port that another has said: both have started meanwhile, side by side. Raises `Failed`."""
    assert process.stdin is not None
    port = line(to)["port"]
    try:
        process.stdin.write(b"%d\n" % port)
        process.stdin.flush()
    except BrokenPipeError:  # it has ended already: what it imports is not there, for one
        process.wait()
        raise Failed(f"it did not begin: {process.last_words()}") from None


def line(process: Process) -> Any:
    """The next that it says. Raises `Failed` when it ends instead."""
    assert process.stdout is not None
    said = process.stdout.readline()
    if not said:
        raise Failed(f"a process ended too early: {process.last_words()}")
    return orjson.loads(said)


def end(processes: Sequence[Process]) -> None:
    """End them, whatever they do."""
    for process in processes:
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(ValueError):  # it was read to its end already
            process.communicate()
        process.forget()
