"""An hour of users, shortened: they come and go for as long as it takes to see what is left of each."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

import orjson

from benchmarks.benchmark import Failed, Values
from benchmarks.statistics import percentile, slope

from . import inventory
from .load import Load
from .processes import Process, connect, drive, end, line, start
from .trial import check_audience, verdict

__all__ = ["flatness", "hour_trial"]

_PATIENCE = 60.0
_WARM_UP = 750
"""Users after whom memory is looked at: by then the heap is as large as the garbage collector's rhythm makes it."""
_LEAST_LOOKS = 20  # of four a second


def hour_trial(driver: str, seconds: float, stay: float) -> Values:
    """What so many seconds of users cost, and left, each there for `stay` seconds. Raises `ThrownOut`, `Failed`."""
    processes = [start("mock", "answer", "0", "0", "0")]
    try:
        relay = drive(driver, "relay", "0", "0", "0")
        processes.append(relay)
        users = start("users", str(relay.pid), str(seconds), str(stay))
        processes.append(users)
        connect(relay, processes[0])
        connect(users, relay)
        line(users)
        before = inventory.ask(relay)
        found = _go_on(users, seconds + stay)
        after = inventory.ask(relay, before)
        os.kill(processes[0].pid, signal.SIGUSR1)
        report = line(processes[0])
    finally:
        end(processes)
    verdict(Load("answer", 0, 0, 0), found, report)
    check_audience(found)
    if found["replies"] < found["users"]:
        raise Failed(f"only {found['replies']} of {found['users']} users were answered")
    memory = [(came, kb) for came, kb in found["memory"] if came >= _WARM_UP]
    return {
        "cpu": found["cpu"],
        **(flatness(memory) if len(memory) >= _LEAST_LOOKS else {}),
        "objects": max(0, after.objects - before.objects) / found["users"],
        "left over": after.left_over(before),
        "users": found["users"],
        "at a time": found["most"],
        **{f"generator {name}": value for name, value in report.items()},
    }


def _go_on(users: Process, seconds: float) -> dict[str, Any]:
    try:
        printed, _ = users.communicate(b"\n", timeout=seconds + _PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failed("the users had not done all in time") from None
    if not printed:
        raise Failed("the users did not get through: see what they said on stderr")
    return orjson.loads(printed)


def flatness(memory: Sequence[tuple[float, float]]) -> Values:
    """What the memory does, given as pairs of users so far and KB.

    `growth` is that of the last quarter over the first, of medians, in percent; `slope` that of the straight line
    that fits best, in KB for each thousand users.
    """
    quarter = max(1, len(memory) // 4)
    first, last = (percentile([kb for _, kb in part], 50) for part in (memory[:quarter], memory[-quarter:]))
    return {"growth": (last / first - 1) * 100, "slope": slope(memory) * 1000}
