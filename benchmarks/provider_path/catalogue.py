"""The benchmarks between a provider and an application."""

from __future__ import annotations

from functools import partial
from typing import Literal

from benchmarks.benchmark import Benchmark, Contestant, Target, Values

from .trial import Load, interruption_trial, relay_trial, trial

__all__ = ["benchmarks"]

_SIZES = (1, 10, 50, 100, 200, 400)
_FLOODS = (1, 20)
_QUICK_SIZE = 100
_WARM, _QUICK_WARM = 50, 25
_SECONDS, _QUICK_SECONDS = 3, 1
_PER_SECOND = 50
_QUICK_RELAYS = 50
_IDLE, _QUICK_IDLE = 500, 100
_CANCELS, _QUICK_CANCELS = 20, 5
_FLOOD = 20_000  # deltas, of all sessions together
_SIZES_THAT_COUNT = (100, 200)

_OURS = ("agent", "agents")
_FLOORS = (
    ("bare Trio socket", "bare_socket"),
    ("websockets on asyncio", "asyncio_websockets"),
    ("bare trio-websocket", "bare_trio_websocket"),
)

_QUICK_FLOORS = ("bare_socket", "bare_trio_websocket")


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [
        *(_listen(sessions) for sessions in _SIZES),
        *(_flood(sessions) for sessions in _FLOODS),
        *(_speak(sessions) for sessions in _SIZES),
        *(_relay(sessions) for sessions in _SIZES[:-1]),
        *(_interruption(others) for others in (0, 100)),
        _memory(),
    ]


def _case(sessions: int) -> str:
    return f"{sessions} sessions" if sessions > 1 else "1 session"


def _listen(sessions: int) -> Benchmark:
    targets = [
        Target("agent", "cpu", ratio=1.5),
        Target("agent", "cpu", ratio=1.0, to="bare trio-websocket"),
    ]
    return Benchmark(
        group="provider",
        name="provider to application",
        case=_case(sessions),
        about="A delta of 20 ms from the provider's socket to a subscriber of the bus: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=[
            _contestant(*_OURS, "stream", sessions, ours=True),
            *(_contestant(name, driver, "stream", sessions, quick=driver in _QUICK_FLOORS) for name, driver in _FLOORS),
            _contestant("connection only", "connections", "stream", sessions, ours=True, quick=False),
        ],
        targets=targets if sessions in _SIZES_THAT_COUNT else [],
        quick=sessions == _QUICK_SIZE,
    )


def _flood(sessions: int) -> Benchmark:
    return Benchmark(
        group="provider",
        name="flood",
        case=_case(sessions),
        about="Deltas that come as fast as they are read: CPU time of each.",
        measures={"cpu": "µs"},
        baseline="bare Trio socket",
        contestants=[
            _contestant(*_OURS, "flood", sessions, ours=True),
            *(_contestant(name, driver, "flood", sessions) for name, driver in _FLOORS),
        ],
        quick=False,
    )


def _speak(sessions: int) -> Benchmark:
    return Benchmark(
        group="provider",
        name="application to provider",
        case=_case(sessions),
        about="A piece of 20 ms from the application to the provider's socket: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=[
            _contestant(*_OURS, "hear", sessions, ours=True),
            *(_contestant(name, driver, "hear", sessions, quick=driver == "bare_socket") for name, driver in _FLOORS),
        ],
        quick=sessions == _QUICK_SIZE,
    )


def _relay(sessions: int) -> Benchmark:
    return Benchmark(
        group="gateway",
        name="provider to frontend",
        case=_case(sessions),
        about="A delta of 20 ms from the provider's socket to the frontend's: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=[
            Contestant("gateway, JSON", partial(_play_relay, "agents", "json", sessions), ours=True),
            Contestant("gateway, msgpack", partial(_play_relay, "agents", "msgpack", sessions), ours=True),
            Contestant("bare Trio socket", partial(_play_relay, "bare_socket", "plain", sessions)),
            Contestant(
                "bare trio-websocket", partial(_play_relay, "bare_trio_websocket", "json", sessions), quick=False
            ),
        ],
        quick=sessions == _QUICK_RELAYS,
    )


def _play_relay(driver: str, framing: str, sessions: int, quick: bool) -> Values:
    warm = _QUICK_WARM if quick else _WARM
    count = (_QUICK_SECONDS if quick else _SECONDS) * _PER_SECOND
    return relay_trial(Load("stream", sessions, warm, count), driver, framing)


def _interruption(others: int) -> Benchmark:
    return Benchmark(
        group="gateway",
        name="interruption",
        case=f"{others} others stream" if others else "alone",
        about="From a frontend's cancel until it reaches the provider, until that frontend has its last delta (0 when "
        "none follows), and until it is told that the reply has ended.",
        measures={"wire": "ms", "wire most": "ms", "silence": "ms", "silence most": "ms", "end": "ms"},
        baseline="bare trio-websocket",
        contestants=[
            Contestant("gateway", partial(_play_interruption, others, "agents"), ours=True),
            Contestant("bare trio-websocket", partial(_play_interruption, others, "bare_trio_websocket")),
        ],
        quick=False,
    )


def _play_interruption(others: int, driver: str, quick: bool) -> Values:
    return interruption_trial(others, _QUICK_CANCELS if quick else _CANCELS, driver, "json")


def _memory() -> Benchmark:
    return Benchmark(
        group="gateway",
        name="idle sessions",
        about="Memory of one of 500 sessions, with its frontend, agent and provider, in which nothing is said.",
        measures={"memory": "KB"},
        baseline="bare trio-websocket",
        contestants=[
            Contestant("gateway", partial(_play_memory, "agents", "json"), ours=True),
            Contestant("bare trio-websocket", partial(_play_memory, "bare_trio_websocket", "json")),
            Contestant("bare Trio socket", partial(_play_memory, "bare_socket", "plain")),
        ],
        quick=False,
    )


def _play_memory(driver: str, framing: str, quick: bool) -> Values:
    return relay_trial(Load("stay", _QUICK_IDLE if quick else _IDLE, 0, 0), driver, framing)


def _contestant(
    name: str,
    driver: str,
    kind: Literal["stream", "flood", "hear"],
    sessions: int,
    *,
    ours: bool = False,
    quick: bool = True,
) -> Contestant:
    return Contestant(name, partial(_play, driver, kind, sessions), ours, quick)


def _play(driver: str, kind: Literal["stream", "flood", "hear"], sessions: int, quick: bool) -> Values:
    warm = _QUICK_WARM if quick else _WARM
    count = (_QUICK_SECONDS if quick else _SECONDS) * _PER_SECOND
    if kind == "flood":
        count = _FLOOD // sessions
    return trial(Load(kind, sessions, warm, count), driver)
