"""One round: the load generator and the contestant, each in a process, and whether the round counts."""

from __future__ import annotations

import subprocess
from typing import Any

import orjson

from benchmarks.benchmark import Failed, ThrownOut, Values
from benchmarks.statistics import percentile

from .load import Load
from .processes import Driver, Process, connect, drive, end, line, start
from .wire import DELTA_MS

__all__ = [
    "WARM_SESSIONS",
    "check_audience",
    "interruption_trial",
    "relay_trial",
    "rooms_trial",
    "trial",
    "verdict",
]

_MOST_CPU = 0.8
"""More than this share of a core, and the frontends may have been the bottleneck."""
_MOST_LATE = 5.0
"""Milliseconds by which at most one in a hundred deltas may have been sent too late."""
_LEAST_SHARE = 0.85
"""In a flood, less than this share of a core for what is measured means that it waited for deltas."""
_MOST_WAITED = 0.1
"""More than this share of the time without a CPU, and it is the rest of the machine that is measured: what waits is
done in batches, which take longer and cost less."""
_LEAST_SECONDS = 0.8
"""Of those that a stream takes to be sent: in less it cannot have been heard as it came."""
_PATIENCE = 45.0
_SECONDS_OF_AN_INTERRUPTION = 0.25
WARM_SESSIONS = 10
"""Sessions that are opened first when memory is measured, and not counted."""


def trial(load: Load, driver: Driver | str) -> Values:
    """What the driver took. Raises `ThrownOut`, `Failed`."""
    numbers = [str(load.sessions), str(load.warm), str(load.count)]
    mock = start("mock", load.kind, *numbers)
    contestant: Process | None = None
    try:
        contestant = drive(driver, "speak" if load.kind == "hear" else "listen", *numbers)
        connect(contestant, mock)
        try:
            printed, _ = contestant.communicate(timeout=_PATIENCE + load.sessions * 0.02)
        except subprocess.TimeoutExpired:
            raise Failed("it had not done all of its work in time") from None
        if not printed:
            raise Failed(f"it ended without a result: {contestant.last_words()}")
        report = line(mock)
    finally:
        end([mock] if contestant is None else [contestant, mock])
    values: dict[str, float] = orjson.loads(printed)
    verdict(load, values, report)
    if load.kind == "hear":
        values |= {name: report.pop(name) for name in ("p50", "p99")}
    return {**values, **{f"generator {name}": value for name, value in report.items()}}


def relay_trial(load: Load, driver: Driver | str, framing: str, frontends: int | None = None) -> Values:
    """What the driver took between the provider and as many frontends, or so many of each session.

    Raises `ThrownOut`, `Failed`.
    """
    printed, (report,) = _relay(load, driver, framing, reports=1, frontends=frontends)
    values: dict[str, float] = orjson.loads(printed)
    if frontends is not None:
        values["cpu"] *= frontends  # of a delta, whoever hears it
    if load.kind != "stay":
        verdict(load, values, report)
        if load.kind != "flood":  # in which what is measured would have had to wait for them
            check_audience(values)
    return {**values, **{f"generator {name}": value for name, value in report.items()}}


def rooms_trial(load: Load, driver: Driver | str, framing: str, *, people: int, rooms: int = 1) -> Values:
    """What agents took, one for each session, in so many rooms, each heard by so many people in its room.

    `cpu` is of a delta of the provider's, whoever hears it. Raises as the others do.
    """
    agents = load.sessions
    in_a_room = agents // rooms
    numbers = [str(load.warm), str(load.count)]
    processes = [start("mock", "stream", str(agents), *numbers)]
    try:
        mock = processes[0]
        contestant = drive(driver, "room", str(agents), *numbers, str(people), str(rooms))
        processes.append(contestant)
        heard = [str(load.warm * in_a_room), str(load.count * in_a_room), str(rooms)]
        audience = start("audience", "hear", framing, str(contestant.pid), str(people * rooms), *heard)
        processes.append(audience)
        connect(contestant, mock)
        connect(audience, contestant)
        try:
            printed, _ = audience.communicate(timeout=_PATIENCE + (load.warm + load.count) * DELTA_MS / 1000)
        except subprocess.TimeoutExpired:
            raise Failed("it had not done all of its work in time") from None
        if not printed:
            raise Failed("the people did not hear all: see what they said on stderr")
        contestant.kill()
        report = line(mock)
    finally:
        end(processes)
    values: dict[str, float] = orjson.loads(printed)
    values["cpu"] *= people
    verdict(load, values, report)
    check_audience(values)
    return {**values, **{f"generator {name}": value for name, value in report.items()}}


def interruption_trial(others: int, times: int, driver: Driver | str, framing: str) -> Values:
    """How long after a frontend's cancel it reached the provider, and the frontend heard the last delta, in ms.

    So many other sessions stream meanwhile. Raises `ThrownOut`, `Failed`.
    """
    load = Load("interrupt", others + 1, times, round(times * _SECONDS_OF_AN_INTERRUPTION * 1000 / DELTA_MS))
    printed, (report, came) = _relay(load, driver, framing, reports=2)
    verdict(load, {"waited": 0.0}, report)
    heard = orjson.loads(printed)
    if len(came) != times:
        raise ThrownOut(f"{len(came)} of {times} cancels reached the provider")
    wire = [(at - sent) / 1e6 for at, sent in zip(came, heard["sent"], strict=True)]
    return {
        "wire": percentile(wire, 50),
        "wire most": max(wire),
        "silence": percentile(heard["silent"], 50),
        "silence most": max(heard["silent"]),
        "end": percentile(heard["ended"], 50),
        **{f"generator {name}": value for name, value in report.items()},
    }


def _relay(
    load: Load, driver: Driver | str, framing: str, *, reports: int, frontends: int | None = None
) -> tuple[bytes, list[Any]]:
    """What the frontends printed, and what the provider did."""
    numbers = [str(load.warm), str(load.count)]
    provided = load.sessions + (WARM_SESSIONS if load.kind == "stay" else 0)
    processes = [start("mock", load.kind, str(provided), *numbers)]
    try:
        mock = processes[0]
        arguments = [str(provided), *numbers]
        if frontends is None:
            relay = drive(driver, "relay", *arguments)
        else:
            relay = drive(driver, "broadcast", *arguments, str(frontends))
        processes.append(relay)
        kind = "hear" if load.kind in ("stream", "flood") else load.kind
        sessions = load.sessions * (frontends or 1)
        audience = start("audience", kind, framing, str(relay.pid), str(sessions), *numbers)
        processes.append(audience)
        connect(relay, mock)
        connect(audience, relay)
        try:
            printed, _ = audience.communicate(timeout=_PATIENCE + load.sessions * 0.1)
        except subprocess.TimeoutExpired:
            raise Failed("it had not done all of its work in time") from None
        if not printed:
            raise Failed("the frontends did not hear all: see what they said on stderr")
        relay.kill()
        return printed, [line(mock) for _ in range(reports)]
    finally:
        end(processes)


def verdict(load: Load, values: Values, report: Values) -> None:
    """Raises `ThrownOut` when the generator, or what else runs here, may have been what was measured."""
    if values["waited"] > _MOST_WAITED:
        raise ThrownOut(f"other processes had the CPU for {values['waited']:.0%} of its time")
    if report["late_p99"] > _MOST_LATE:
        raise ThrownOut(f"the load generator was late: by {report['late_p99']:.1f} ms at the 99th percentile")
    if load.kind == "stream" and "share" in values:
        seconds = values["cpu"] * load.sessions * load.count / 1e6 / values["share"]
        if seconds < _LEAST_SECONDS * load.count * DELTA_MS / 1000:
            raise ThrownOut("it was held up before, and heard at once what had waited for it")
    if load.kind == "flood":
        # The sockets may take all of it at once, so the generator's own share says nothing.
        if values["share"] < _LEAST_SHARE:
            raise ThrownOut(f"it took {values['share']:.0%} of a core: it had to wait for the load generator")
        return
    if report["cpu"] > load.most_cpu:
        raise ThrownOut(f"the load generator took {report['cpu']:.0%} of a core")
    if report.get("heard", 0.0) < report.get("expected", 0.0):
        raise ThrownOut(f"only {report['heard']:.0f} of {report['expected']:.0f} pieces arrived")


def check_audience(values: Values) -> None:
    """Raises `ThrownOut` when the frontends may have been what was measured."""
    if values["audience cpu"] > _MOST_CPU:
        raise ThrownOut(f"the frontends took {values['audience cpu']:.0%} of a core")
