"""Rounds of what only the comparison with peers has: an interruption, a slow consumer, the weight of sessions."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import orjson

from benchmarks.benchmark import Failed, Values
from benchmarks.provider_path.load import Kind, Load
from benchmarks.provider_path.processes import Driver, connect, drive, end, line, start
from benchmarks.provider_path.trial import verdict
from benchmarks.provider_path.watched import Watched

__all__ = ["consumption_trial", "conversation_trial", "interruption_trial", "weight_trial"]

_PATIENCE = 60.0
_OF_ONE_REPLY = 20_000  # deltas
_MORE_THAN_ENOUGH = 10**9
_ROOMS = 5
_LEAST_HEARD = 0.9


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


def conversation_trial(driver: Driver | str, agents: int, *, quick: bool) -> Values:
    """What it costs a room that one of its agents is heard by another: CPU time (µs) of each piece of 20 ms.

    In each of five rooms one agent speaks to all others. Raises `ThrownOut`, `Failed`.
    """
    load = Load("converse", _ROOMS * agents, 50, 50 if quick else 100)
    numbers = (str(load.warm), str(load.count))
    processes = [mock := start("mock", load.kind, str(load.sessions), *numbers, str(_ROOMS))]
    try:
        processes.insert(0, contestant := drive(driver, "converse", str(_ROOMS), *numbers, str(agents)))
        connect(contestant, mock)
        watched = Watched(contestant.pid)
        try:
            line(mock)
        except Failed:
            contestant.kill()  # so that its last words are there
            raise Failed(f"the rooms did not begin: {contestant.last_words()}") from None
        (before, waited), began = watched.spent(), time.monotonic()
        report: dict[str, float] = line(mock)
        (after, waited_after), seconds = watched.spent(), time.monotonic() - began
    finally:
        end(processes)
    expected = _ROOMS * (agents - 1) * load.count
    if report["heard"] < _LEAST_HEARD * expected:
        raise Failed(f"only {report['heard']:.0f} of {expected} pieces came to the others")
    report["expected"] = 0.0  # what is under way in the end may be missing
    verdict(load, {"waited": (waited_after - waited) / 1e9 / seconds}, report)
    return {"cpu": (after - before) / 1e3 / expected, **{f"generator {name}": value for name, value in report.items()}}


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
