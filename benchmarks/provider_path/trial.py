"""One round: the load generator and the contestant, each in a process, and whether the round counts."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import Literal

import attrs
import orjson

from benchmarks.benchmark import ThrownOut, Values

__all__ = ["Load", "trial", "verdict"]

_MOST_CPU = 0.8
"""More than this share of a core, and the generator may have been the bottleneck."""
_MOST_LATE = 5.0
"""Milliseconds by which at most one in a hundred deltas may have been sent too late."""
_MOST_WAITED = 0.1
"""More than this share of the time without a CPU, and it is the rest of the machine that is measured: what waits is
done in batches, which take longer and cost less."""
_PATIENCE = 45.0


@attrs.frozen
class Load:
    """What the generator does: a stream at the pace of speech or a flood of deltas, or hearing what is appended."""

    kind: Literal["stream", "flood", "hear"]
    sessions: int
    warm: int
    """Pieces for each session that are not counted."""
    count: int
    """Pieces for each session that are."""


def trial(load: Load, driver: str) -> Values:
    """What the driver took. Raises `ThrownOut`."""
    numbers = [str(load.sessions), str(load.warm), str(load.count)]
    mock = _start("mock", load.kind, *numbers)
    contestant: subprocess.Popen[bytes] | None = None
    try:
        port = str(_line(mock)["port"])
        contestant = _start("drive", "speak" if load.kind == "hear" else "listen", driver, port, *numbers)
        try:
            printed, _ = contestant.communicate(timeout=_PATIENCE + load.sessions * 0.02)
        except subprocess.TimeoutExpired:
            raise ThrownOut("it had not done all of its work in time") from None
        if not printed:
            raise RuntimeError(f"the driver {driver} ended without a result: see what it said on stderr")
        report = _line(mock)
    finally:
        for process in (contestant, mock):
            if process is not None:
                with suppress(ProcessLookupError):
                    process.kill()
                process.communicate()
    values: dict[str, float] = orjson.loads(printed)
    verdict(load, values, report)
    if load.kind == "hear":
        values |= {name: report.pop(name) for name in ("p50", "p99")}
    return {**values, **{f"generator {name}": value for name, value in report.items()}}


def verdict(load: Load, values: Values, report: Values) -> None:
    """Raises `ThrownOut` when the generator, or what else runs here, may have been what was measured."""
    if values["waited"] > _MOST_WAITED:
        raise ThrownOut(f"other processes had the CPU for {values['waited']:.0%} of its time")
    if report["late_p99"] > _MOST_LATE:
        raise ThrownOut(f"the load generator was late: by {report['late_p99']:.1f} ms at the 99th percentile")
    if load.kind == "flood":
        return  # it takes what CPU there is, until the sockets are full
    if report["cpu"] > _MOST_CPU:
        raise ThrownOut(f"the load generator took {report['cpu']:.0%} of a core")
    if report.get("heard", 0.0) < report.get("expected", 0.0):
        raise ThrownOut(f"only {report['heard']:.0f} of {report['expected']:.0f} pieces arrived")


def _start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - parts of this package
        [sys.executable, "-m", f"benchmarks.provider_path.{module}", *arguments], stdout=subprocess.PIPE
    )


def _line(process: subprocess.Popen[bytes]) -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the load generator ended too early: see what it said on stderr")
    return orjson.loads(line)
