"""The benchmarks between a provider and an application."""

from __future__ import annotations

from functools import partial

from benchmarks.benchmark import Benchmark, Contestant, Target, Values

from .capacity import MOST_MS, Search
from .load import QUICK_SIZE, SIZES, Kind, load_of, sessions_in_words
from .trial import trial

__all__ = ["benchmarks"]

_SIZES_OF_SPEAKING = (1, 100, 200)
_SIZES_THAT_COUNT = (100, 200)
_FLOODS = (1, 20)

_FLOORS = (
    ("bare Trio socket", "bare_socket"),
    ("websockets on asyncio", "asyncio_websockets"),
    ("bare trio-websocket", "bare_trio_websocket"),
)
_QUICK_FLOORS = ("bare_socket", "bare_trio_websocket")
_CARRIED = (
    ("agent", "agents", 200),
    ("bare Trio socket", "bare_socket", 800),
    ("websockets on asyncio", "asyncio_websockets", 450),
    ("bare trio-websocket", "bare_trio_websocket", 250),
)


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [
        *(_listen(sessions) for sessions in SIZES),
        _capacity(),
        *(_flood(sessions) for sessions in _FLOODS),
        *(_speak(sessions) for sessions in _SIZES_OF_SPEAKING),
    ]


def _listen(sessions: int) -> Benchmark:
    counts = sessions in _SIZES_THAT_COUNT
    contestants = [
        _contestant("agent", "agents", "stream", sessions, ours=True),
        *(_contestant(name, driver, "stream", sessions, quick=driver in _QUICK_FLOORS) for name, driver in _FLOORS),
    ]
    if counts:
        contestants.append(_contestant("connection only", "connections", "stream", sessions, ours=True, quick=False))
    targets = [
        Target("agent", "cpu", ratio=1.5),
        Target("agent", "cpu", ratio=1.0, to="bare trio-websocket"),
    ]
    return Benchmark(
        group="provider",
        name="provider to application",
        case=sessions_in_words(sessions),
        about="A delta of 20 ms from the provider's socket to a subscriber of the bus: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=contestants,
        targets=targets if counts else [],
        quick=sessions == QUICK_SIZE,
    )


def _capacity() -> Benchmark:
    """Not with `--quick`: a search is three tries at least, of four seconds each, for ours and again for the baseline.

    What one try could say, whether a number of sessions is carried, is in `provider to application`, as its p99.
    """
    return Benchmark(
        group="provider",
        name="sessions per core",
        about=f"Sessions of which one core hears 99 % of the deltas within {MOST_MS:g} ms.",
        measures={"sessions": ""},
        baseline="bare Trio socket",
        contestants=[
            Contestant(name, Search(driver, start).play, ours=driver == "agents") for name, driver, start in _CARRIED
        ],
        more_is_better=True,
        quick=False,
    )


def _flood(sessions: int) -> Benchmark:
    return Benchmark(
        group="provider",
        name="flood",
        case=sessions_in_words(sessions),
        about="Deltas that come as fast as they are read: CPU time of each.",
        measures={"cpu": "µs"},
        baseline="bare Trio socket",
        contestants=[
            _contestant("agent", "agents", "flood", sessions, ours=True),
            *(_contestant(name, driver, "flood", sessions) for name, driver in _FLOORS),
        ],
        quick=False,
    )


def _speak(sessions: int) -> Benchmark:
    return Benchmark(
        group="provider",
        name="application to provider",
        case=sessions_in_words(sessions),
        about="A piece of 20 ms from the application to the provider's socket: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=[
            _contestant("agent", "agents", "hear", sessions, ours=True),
            *(_contestant(name, driver, "hear", sessions, quick=driver == "bare_socket") for name, driver in _FLOORS),
        ],
        quick=sessions == QUICK_SIZE,
        quick_rounds=2,
    )


def _contestant(
    name: str, driver: str, kind: Kind, sessions: int, *, ours: bool = False, quick: bool = True
) -> Contestant:
    return Contestant(name, partial(_play, driver, kind, sessions), ours, quick)


def _play(driver: str, kind: Kind, sessions: int, quick: bool) -> Values:
    return trial(load_of(kind, sessions, quick=quick), driver)
