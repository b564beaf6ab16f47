"""The benchmarks of rooms: from the agents' providers to the people."""

from __future__ import annotations

from functools import partial

from benchmarks.benchmark import Benchmark, Contestant, Target, Values

from .load import Load
from .trial import rooms_trial

__all__ = ["benchmarks"]

_AGENTS = _PEOPLE = 8
_ROOMS, _FEW, _MANY = 4, 1, 16
_WARM, _COUNT, _QUICK_COUNT = 25, 250, 50  # deltas of each agent
_WARM_MINUTE, _MINUTE = 500, 3000
_MOST_GROWTH = 2.0  # %
_MOST_MS = 20.0
_MOST_FURTHER = 30.0  # % of what the first one costs
_BASELINE = "bare Trio socket"


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [_full(), _minute(), _fan_out()]


def _full() -> Benchmark:
    return Benchmark(
        group="rooms",
        name="a full room",
        case="8 agents, 8 people",
        about="All agents speak at once, each person hears all of them, each agent all others: a delta of "
        "20 ms from the provider's socket to the frontends': CPU time for all of them, time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline=_BASELINE,
        contestants=[
            Contestant("room, JSON", partial(_play_full, "rooms", "json"), ours=True),
            Contestant("room, msgpack", partial(_play_full, "rooms", "msgpack"), ours=True),
            Contestant(_BASELINE, partial(_play_full, "bare_socket", "plain")),
        ],
        targets=[Target("room, JSON", "p99", most=_MOST_MS), Target("room, msgpack", "p99", most=_MOST_MS)],
        quick_rounds=1,
    )


def _play_full(driver: str, framing: str, quick: bool) -> Values:
    load = Load("stream", _AGENTS, _WARM, _QUICK_COUNT if quick else _COUNT)
    return rooms_trial(load, driver, framing, people=_PEOPLE)


def _minute() -> Benchmark:
    return Benchmark(
        group="rooms",
        name="a minute of a full room",
        about="The same for a minute, after ten seconds that do not count: growth of memory, time under way.",
        measures={"p99": "ms", "growth": "%"},
        baseline=_BASELINE,
        contestants=[
            Contestant("room, JSON", partial(_play_minute, "rooms", "json", _MINUTE), ours=True),
            Contestant(_BASELINE, partial(_play_minute, "bare_socket", "plain", _COUNT)),
        ],
        targets=[Target("room, JSON", "growth", most=_MOST_GROWTH), Target("room, JSON", "p99", most=_MOST_MS)],
        quick=False,
    )


def _play_minute(driver: str, framing: str, count: int, quick: bool) -> Values:
    load = Load("stream", _AGENTS, _WARM if quick else _WARM_MINUTE, _COUNT if quick else count)
    return rooms_trial(load, driver, framing, people=_PEOPLE)


def _fan_out() -> Benchmark:
    return Benchmark(
        group="rooms",
        name="people in a room",
        about="A delta of 20 ms to 16, and to 1, in each of four rooms with an agent: CPU time; that of each further.",
        measures={"cpu of 16": "µs", "cpu of 1": "µs", "each further": "µs", "further of 1": "%", "p99 of 16": "ms"},
        baseline=_BASELINE,
        contestants=[
            Contestant("room, JSON", partial(_play_fan_out, "rooms", "json"), ours=True),
            Contestant("room, msgpack", partial(_play_fan_out, "rooms", "msgpack"), ours=True, quick=False),
            Contestant(_BASELINE, partial(_play_fan_out, "bare_socket", "plain")),
        ],
        targets=[
            Target("room, JSON", "further of 1", most=_MOST_FURTHER),
            Target("room, msgpack", "further of 1", most=_MOST_FURTHER),
        ],
        quick=False,
    )


def _play_fan_out(driver: str, framing: str, quick: bool) -> Values:
    load = Load("stream", _ROOMS, _WARM, _QUICK_COUNT if quick else _COUNT)
    found = {people: rooms_trial(load, driver, framing, people=people, rooms=_ROOMS) for people in (_FEW, _MANY)}
    further = (found[_MANY]["cpu"] - found[_FEW]["cpu"]) / (_MANY - _FEW)
    return {
        **{f"cpu of {people}": values["cpu"] for people, values in found.items()},
        "each further": further,
        "further of 1": further / found[_FEW]["cpu"] * 100,
        f"p99 of {_MANY}": found[_MANY]["p99"],
        **{name: value for name, value in found[_MANY].items() if name.startswith("generator")},
    }
