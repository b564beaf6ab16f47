"""Rounds of what only the comparison with peers has: an interruption, a slow consumer, the weight of sessions."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import orjson

from benchmarks.benchmark import Failed, Values
from benchmarks.provider_path.load import Kind
from benchmarks.provider_path.processes import Driver, connect, drive, end, line, start

__all__ = ["consumption_trial", "interruption_trial", "weight_trial"]

_PATIENCE = 60.0
_OF_ONE_REPLY = 20_000  # deltas
_MORE_THAN_ENOUGH = 10**9


def interruption_trial(driver: Driver | str) -> Values:
    """How many of a flood's deltas the application sees after the reply has ended, and whether a cancel was sent."""
    found, report = _trial(driver, "interrupt", "flood", 1, _OF_ONE_REPLY)
    return {**found, "cancels": report["cancels"]}


def consumption_trial(driver: Driver | str) -> Values:
    """How much the memory grows while the provider floods an application that takes 20 deltas a second, in MB."""
    return _trial(driver, "consume", "flood", 1, _MORE_THAN_ENOUGH)[0]


def weight_trial(driver: Driver | str, sessions: int) -> Values:
    """The memory of a session in which nothing was said, and after a turn, in KB."""
    return _trial(driver, "stay", "answer", sessions, 0)[0]


def _trial(driver: Driver | str, kind: str, load: Kind, sessions: int, count: int) -> tuple[dict[str, Any], Any]:
    mock = start("mock", load, str(sessions), "0", str(count))
    processes = [mock]
    try:
        contestant = drive(driver, kind, str(sessions), "0", str(count))
        processes.insert(0, contestant)
        connect(contestant, mock)
        try:
            printed, _ = contestant.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed("it had not done all of its work in time") from None
        if not printed:
            raise Failed(f"it ended without a result: {contestant.last_words()}")
        if load == "answer":
            os.kill(mock.pid, signal.SIGUSR1)
        report = line(mock)
    finally:
        end(processes)
    return orjson.loads(printed.splitlines()[-1]), report
