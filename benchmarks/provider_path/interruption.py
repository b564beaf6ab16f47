"""The benchmark of interruptions inside the process: how many passes of the loop they take."""

from __future__ import annotations

import subprocess
from functools import partial

import orjson

from benchmarks.benchmark import Benchmark, Contestant, Failed, Target, ThrownOut, Values

from .load import Load
from .passes import SECONDS, WARM_SECONDS
from .processes import connect, drive, end, line, start
from .trial import check_audience, verdict
from .wire import DELTA_MS

__all__ = ["benchmarks", "passes_trial"]

_OTHERS = 100
_MOST_PASSES = 3
_MOST_WAITED = 0.02
"""More than this share of the time without a CPU, and it is stalls of some milliseconds that the p99 of a few hundred
interruptions shows: what lasts longer meets more of them."""
_MARGIN = 1.0  # seconds for which the others stream on
_PATIENCE = 90.0


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [
        Benchmark(
            group="gateway",
            name="interruption in passes",
            case=f"{_OTHERS} others stream",
            about="From the handling of an interruption until its cancel is on the wire (p99), in passes of the loop "
            "(p99 of the same run); and both in ms.",
            measures={
                "passes": "",
                "p50": "ms",
                "p99": "ms",
                "p99 from tell": "ms",
                "pass p50": "ms",
                "pass p99": "ms",
                "each pass p99": "ms",
            },
            baseline="bare trio-websocket",
            contestants=[
                Contestant("gateway", partial(_play, "timed_agents"), ours=True),
                Contestant("bare trio-websocket", partial(_play, "timed_trio_websocket")),
            ],
            targets=[Target("gateway", "passes", most=_MOST_PASSES)],
            quick=False,
        )
    ]


def _play(driver: str, quick: bool) -> Values:
    return passes_trial(driver, _OTHERS)  # a p99 needs as many with --quick


def passes_trial(driver: str, others: int) -> Values:
    """What interruptions took while so many other sessions stream to frontends. Raises `ThrownOut`, `Failed`."""
    warm, count = (round(seconds * 1000 / DELTA_MS) for seconds in (WARM_SECONDS, SECONDS + _MARGIN))
    load = Load("interrupt", others + 1, warm, count)
    numbers = [str(warm), str(count)]
    processes = [mock := start("mock", load.kind, str(load.sessions), *numbers)]
    try:
        processes.append(relay := drive(driver, "relay", str(load.sessions), *numbers))
        audience = start("audience", "hear", "json", str(relay.pid), str(others), *numbers)
        processes.append(audience)
        connect(relay, mock)
        connect(audience, relay)
        try:
            printed, _ = audience.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed("the frontends had not heard all in time") from None
        if not printed:
            raise Failed("the frontends did not hear all: see what they said on stderr")
        values: dict[str, float] = line(relay)
        relay.kill()
        report: dict[str, float] = line(mock)
    finally:
        end(processes)
    heard: dict[str, float] = orjson.loads(printed)
    verdict(load, heard, report)
    check_audience(heard)
    if heard["waited"] > _MOST_WAITED:
        raise ThrownOut(f"other processes had the CPU for {heard['waited']:.1%} of its time")
    return {**values, "waited": heard["waited"], **{f"generator {name}": value for name, value in report.items()}}
