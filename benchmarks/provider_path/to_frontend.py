"""The benchmarks between a provider and frontends."""

from __future__ import annotations

from functools import partial

from benchmarks.benchmark import Benchmark, Contestant, Target, Values

from .hour import hour_trial
from .load import Load, load_of, sessions_in_words
from .trial import interruption_trial, relay_trial

__all__ = ["benchmarks"]

_SIZES = (1, 10, 50, 100, 200, 400)
_SIZES_OF_TRIO_WEBSOCKET = (1, 50, 100)
_QUICK_SIZE = 50
_AGENTS, _FRONTENDS = 20, (1, 4, 16)
_IDLE, _QUICK_IDLE = 500, 100
_CANCELS, _QUICK_CANCELS = 15, 5
_HOUR, _HOUR_OF_THE_BASELINE, _QUICK_HOUR = (30.0, 5.0), (4.0, 2.5), (4.0, 2.5)
"""Seconds in which users come, and for which each stays."""
_MOST_GROWTH = 2.0


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [
        *(_relay(sessions) for sessions in _SIZES),
        _frontends(),
        *(_interruption(others) for others in (0, 100)),
        _memory(),
        _hour(),
    ]


def _relay(sessions: int) -> Benchmark:
    contestants = [
        Contestant("gateway, JSON", partial(_play_relay, "agents", "json", sessions), ours=True),
        Contestant("gateway, msgpack", partial(_play_relay, "agents", "msgpack", sessions), ours=True),
        Contestant("bare Trio socket", partial(_play_relay, "bare_socket", "plain", sessions)),
    ]
    if sessions in _SIZES_OF_TRIO_WEBSOCKET:
        play = partial(_play_relay, "bare_trio_websocket", "json", sessions)
        contestants.append(Contestant("bare trio-websocket", play, quick=False))
    return Benchmark(
        group="gateway",
        name="provider to frontend",
        case=sessions_in_words(sessions),
        about="A delta of 20 ms from the provider's socket to the frontend's: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline="bare Trio socket",
        contestants=contestants,
        quick=sessions == _QUICK_SIZE,
        quick_rounds=2,
    )


def _play_relay(driver: str, framing: str, sessions: int, quick: bool) -> Values:
    return relay_trial(load_of("stream", sessions, quick=quick), driver, framing)


def _frontends() -> Benchmark:
    return Benchmark(
        group="gateway",
        name="frontends on one agent",
        about="A delta of 20 ms to 16, 4, 1 frontends of an agent (of 20 that speak): CPU time; that of each further.",
        measures={
            "cpu of 16": "µs",
            "cpu of 4": "µs",
            "cpu of 1": "µs",
            "each further": "µs",
            "further of 1": "%",
            "p99 of 16": "ms",
        },
        baseline="bare Trio socket",
        contestants=[
            Contestant("gateway, JSON", partial(_play_frontends, "broadcasts", "json"), ours=True),
            Contestant("gateway, msgpack", partial(_play_frontends, "broadcasts", "msgpack"), ours=True),
            Contestant("bare Trio socket", partial(_play_frontends, "bare_socket", "plain")),
            Contestant("bare trio-websocket", partial(_play_frontends, "bare_trio_websocket", "json"), quick=False),
        ],
        quick_rounds=1,
    )


def _play_frontends(driver: str, framing: str, quick: bool) -> Values:
    load = load_of("stream", _AGENTS, quick=True)
    least, most = _FRONTENDS[0], _FRONTENDS[-1]
    found = {
        number: relay_trial(load, driver, framing, number)
        for number in _FRONTENDS
        if not quick or number in (least, most)
    }
    further = (found[most]["cpu"] - found[least]["cpu"]) / (most - least)
    return {
        **{f"cpu of {number}": values["cpu"] for number, values in found.items()},
        "each further": further,
        "further of 1": further / found[least]["cpu"] * 100,
        f"p99 of {most}": found[most]["p99"],
        **{name: value for name, value in found[most].items() if name.startswith("generator")},
    }


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


def _hour() -> Benchmark:
    return Benchmark(
        group="gateway",
        name="an hour of users",
        about="They come, speak, hear a reply and go, 50 a second. CPU time of each; growth of memory; tasks, actors, "
        "sockets left.",
        measures={
            "cpu": "ms",
            "growth": "%",
            "slope": "KB/1000",
            "objects": "objects",
            "left over": "",
            "at a time": "",
        },
        baseline="bare trio-websocket",
        contestants=[
            Contestant("gateway", partial(_play_hour, "agents", _HOUR), ours=True),
            # It is there for its CPU time: that takes less to see.
            Contestant("bare trio-websocket", partial(_play_hour, "bare_trio_websocket", _HOUR_OF_THE_BASELINE)),
        ],
        targets=[
            Target("gateway", "growth", most=_MOST_GROWTH),
            Target("gateway", "objects", most=0.1),
            Target("gateway", "left over", most=0),
        ],
        quick_rounds=1,
    )


def _play_hour(driver: str, seconds: tuple[float, float], quick: bool) -> Values:
    return hour_trial(driver, *(_QUICK_HOUR if quick else seconds))
