"""The processes of a round: each is a module of this package, and says what it has found in lines of JSON."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson

from benchmarks.benchmark import Failed

__all__ = ["Process", "connect", "end", "line", "start"]

Process = subprocess.Popen[bytes]


def start(module: str, *arguments: str) -> Process:
    """Run a module of this package."""
    return subprocess.Popen(  # noqa: S603 - parts of this package
        [sys.executable, "-m", f"benchmarks.provider_path.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def connect(process: Process, to: Process) -> None:
    """Tell a process the port that another has said: both have started meanwhile, side by side."""
    assert process.stdin is not None
    process.stdin.write(b"%d\n" % line(to)["port"])
    process.stdin.flush()


def line(process: Process) -> Any:
    """The next that it says. Raises `Failed` when it ends instead."""
    assert process.stdout is not None
    said = process.stdout.readline()
    if not said:
        raise Failed("a process ended too early: see what it said on stderr")
    return orjson.loads(said)


def end(processes: Sequence[Process]) -> None:
    """End them, whatever they do."""
    for process in processes:
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(ValueError):  # it was read to its end already
            process.communicate()
