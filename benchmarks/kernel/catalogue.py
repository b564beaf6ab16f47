"""The kernel's benchmarks."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import orjson

from benchmarks.benchmark import Benchmark, Contestant, Target, Values

from . import asks, crossing, hops
from .fan_out import bare_fan_out, bus_fan_out
from .spawning import actor_spawn, bare_spawn
from .timing import contestant

__all__ = ["benchmarks"]

_BUSY = (0, 10, 100)
_TIME = {"time": "µs"}
_MANY_ACTORS, _MANY_RESTARTS = (10_000, 1_000), (3_000, 1_000)  # the second ones with --quick


def benchmarks() -> list[Benchmark]:
    """All of them."""
    found: list[Benchmark] = []
    for busy in _BUSY:
        found += [_hop(busy), _pipelined(busy), _ask(busy), _ask_with_timeout(busy)]
        found += [_fan_out(subscribers, busy) for subscribers in (1, 10, 100)]
        found.append(_spawn(busy))
    found += [_hooks(), _crossing(), _crossing_alone(), _population(), _restarts()]
    return sorted(found, key=lambda each: each.name)


def _case(busy: int) -> str:
    return "idle" if not busy else f"{busy} busy tasks"


def _hop(busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name="hop",
        case=_case(busy),
        about="From tell to handler, both actors idle before it.",
        measures=_TIME,
        baseline="bare channel",
        contestants=[
            contestant("actor", hops.actors_hop, busy=busy, ours=True),
            contestant("bare channel", hops.bare_hop, busy=busy),
            contestant("actor, plain handler", hops.plain_actors_hop, busy=busy, ours=True),
        ],
        targets=[Target("actor", "time", ratio=1.5)] if not busy else [],
        quick=busy in (0, 100),
    )


def _pipelined(busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name="pipelined hop",
        case=_case(busy),
        about="From tell to handler, 128 messages told before the receiver runs.",
        measures=_TIME,
        baseline="bare channel, batches",
        contestants=[
            contestant("actor", hops.actors_pipeline, busy=busy, ours=True),
            contestant("bare channel, batches", hops.bare_pipeline, busy=busy),
        ],
        targets=[Target("actor", "time", ratio=3.0)] if not busy else [],
        quick=not busy,
    )


def _ask(busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name="ask",
        case=_case(busy),
        about="A question and its answer, without timeout.",
        measures=_TIME,
        baseline="bare channel",
        contestants=[
            contestant("actor", asks.actor_ask, busy=busy, ours=True),
            contestant("bare channel", asks.bare_channel, busy=busy),
            contestant("bare one-shot", asks.bare_one_shot, busy=busy),
        ],
        targets=[Target("actor", "time", ratio=1.5)] if not busy else [],
        quick=busy in (0, 100),
    )


def _ask_with_timeout(busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name="ask with timeout",
        case=_case(busy),
        about="A question and its answer; the bare ones are under fail_after.",
        measures=_TIME,
        baseline="bare one-shot",
        contestants=[
            contestant("actor", asks.actor_ask_with_timeout, busy=busy, ours=True),
            contestant("bare one-shot", asks.bare_one_shot_with_timeout, busy=busy),
            contestant("bare channel", asks.bare_channel_with_timeout, busy=busy),
        ],
        targets=[Target("actor", "time", ratio=1.5)] if not busy else [],
        quick=not busy,
    )


def _fan_out(subscribers: int, busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name=f"fan-out to {subscribers}",
        case=_case(busy),
        about="A message published on the bus, for each task that reads it.",
        measures=_TIME,
        baseline="bare channels",
        contestants=[
            contestant("bus", partial(bus_fan_out, subscribers), busy=busy, ours=True),
            contestant("bare channels", partial(bare_fan_out, subscribers), busy=busy),
        ],
        quick=not busy,
    )


def _spawn(busy: int) -> Benchmark:
    return Benchmark(
        group="kernel",
        name="spawn and stop",
        case=_case(busy),
        about="An actor spawned and stopped; the bare one is a task with a channel.",
        measures=_TIME,
        baseline="bare task",
        contestants=[
            contestant("actor", actor_spawn, busy=busy, ours=True),
            contestant("bare task", bare_spawn, busy=busy),
        ],
        quick=not busy,
    )


def _hooks() -> Benchmark:
    return Benchmark(
        group="kernel",
        name="instrumented hop",
        about="A hop with the hooks around each message in use, by an instrument that does nothing.",
        measures=_TIME,
        baseline="no instrument",
        contestants=[
            contestant("one instrument", hops.instrumented_actors_hop, ours=True),
            contestant("no instrument", hops.actors_hop, ours=True),
        ],
    )


def _crossing() -> Benchmark:
    return Benchmark(
        group="kernel",
        name="from asyncio",
        about="A message from an asyncio host to an actor in the runtime's thread, one way, in a flood.",
        measures=_TIME,
        baseline="run_sync_soon",
        contestants=[
            crossing.contestant("tell", crossing.tell, ours=True),
            crossing.contestant("run_sync_soon", crossing.sync_soon),
        ],
        targets=[Target("tell", "time", ratio=1 / 3)],
    )


def _crossing_alone() -> Benchmark:
    return Benchmark(
        group="kernel",
        name="from asyncio, way alone",
        about="The same without an actor at the end: a function is called in Trio's thread.",
        measures=_TIME,
        baseline="run_sync_soon",
        contestants=[
            crossing.contestant("crossing", crossing.bare_crossing, ours=True),
            crossing.contestant("run_sync_soon", crossing.bare_sync_soon),
        ],
        targets=[Target("crossing", "time", ratio=1 / 3)],
        quick=False,  # so little that what another process does to the caches doubles it
    )


_POPULATION = {"time": "µs", "memory": "KB", "left behind": "objects", "growth": "KB"}


def _population() -> Benchmark:
    return Benchmark(
        group="kernel",
        name="10,000 actors",
        about="Started, each told once, stopped: for each of them, the CPU time, the memory while all are there, "
        "the objects left behind; and the memory by which the process grows when all is done again.",
        measures=_POPULATION,
        baseline="bare tasks",
        contestants=[
            _in_a_process("actors", "actors", _MANY_ACTORS, ours=True),
            _in_a_process("bare tasks", "tasks", _MANY_ACTORS),
        ],
        targets=[Target("actors", "left behind", most=0.1), Target("actors", "growth", most=1024)],
        quick_rounds=1,
    )


def _restarts() -> Benchmark:
    return Benchmark(
        group="kernel",
        name="3,000 restarts",
        about="An actor that crashes at each message: for each life, the CPU time and what is left of it.",
        measures=_POPULATION,
        baseline="bare loop",
        contestants=[
            _in_a_process("actor", "restarts", _MANY_RESTARTS, ours=True),
            _in_a_process("bare loop", "loop", _MANY_RESTARTS),
        ],
        targets=[Target("actor", "left behind", most=0.1), Target("actor", "growth", most=1024)],
        quick_rounds=1,
    )


def _in_a_process(name: str, way: str, counts: tuple[int, int], *, ours: bool = False) -> Contestant:
    def play(quick: bool) -> Values:
        number = str(counts[quick])
        done = subprocess.run(  # noqa: S603 - itself
            [sys.executable, "-m", "benchmarks.kernel.population", way, number],
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
        return orjson.loads(done.stdout)

    return Contestant(name, play, ours)
