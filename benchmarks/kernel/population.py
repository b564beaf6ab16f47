"""Many actors, and many lives of one: in a process of its own, so that its memory says something.

`python -m benchmarks.kernel.population actors 10000` prints one JSON object.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import click
import orjson
import trio
import trio.testing

from realtime_actors.actors import Actor, open_runtime, receives
from realtime_actors.actors.supervision import Backoff

from .spawning import Idler, Nudge, bare_task

__all__ = ["WAYS", "resident_kb"]

_SHUTDOWN = 120.0


def resident_kb() -> float:
    """The resident memory of this process, in KB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


async def actors(count: int) -> float:
    """Actors started, each told once, and stopped with their runtime. Gives the memory in KB while all are there."""
    async with open_runtime(shutdown_timeout=_SHUTDOWN) as runtime:
        refs = [await runtime.spawn(Idler()) for _ in range(count)]
        for ref in refs:
            ref.tell(Nudge())
        while any(not ref.statistics().handled for ref in (refs[0], refs[-1])):
            await trio.lowlevel.checkpoint()
        return resident_kb()


async def tasks(count: int) -> float:
    """The same with tasks that have a channel each."""
    async with trio.open_nursery() as nursery:
        channels = [trio.open_memory_channel[Nudge](256) for _ in range(count)]
        for _, receiver in channels:
            await nursery.start(bare_task, receiver, trio.Event())
        for sender, _ in channels:
            sender.send_nowait(Nudge())
        await trio.testing.wait_all_tasks_blocked()
        resident = resident_kb()
        for sender, _ in channels:
            sender.close()
        return resident


class Broken(Exception):
    """What the actor crashes with."""


@attrs.define(eq=False)
class _Crasher(Actor):
    @receives
    async def crash(self, _: Nudge) -> None:
        raise Broken


async def restarts(count: int) -> float:
    """One actor that crashes again and again."""
    async with open_runtime() as runtime:
        ref = await runtime.spawn(
            _Crasher(), restart="permanent", max_restarts=count, within=3600, backoff=Backoff(max=0)
        )
        for life in range(1, count + 1):
            ref.tell(Nudge())
            while ref.statistics().incarnation <= life or ref.statistics().state != "running":
                await trio.lowlevel.checkpoint()
        return resident_kb()


async def loop(count: int) -> float:
    """A task that fails, in a loop that starts it again, each time in a nursery and a scope of its own."""
    sender, receiver = trio.open_memory_channel[Nudge](256)
    lives = 0

    async def live() -> None:
        await receiver.receive()
        raise Broken

    async def supervise() -> None:
        nonlocal lives
        while True:
            lives += 1
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(live)
            except* Broken:
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise)
        await trio.lowlevel.checkpoint()
        for life in range(1, count + 1):
            sender.send_nowait(Nudge())
            while lives <= life:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
        return resident_kb()


WAYS: dict[str, Callable[[int], Awaitable[float]]] = {
    "actors": actors,
    "tasks": tasks,
    "restarts": restarts,
    "loop": loop,
}


@click.command()
@click.argument("way", type=click.Choice(list(WAYS)))
@click.argument("count", type=int)
def main(way: str, count: int) -> None:
    """Do it once to warm up, and once to measure, and a third time to see whether memory grows."""
    logging.disable(logging.CRITICAL)  # what a crash logs is the host's affair
    run = WAYS[way]
    trio.run(run, 100)
    gc.collect()
    before_kb, objects = resident_kb(), len(gc.get_objects())
    start = time.process_time()
    peak_kb = trio.run(run, count)
    seconds = time.process_time() - start
    gc.collect()
    objects_left = len(gc.get_objects()) - objects
    next_peak_kb = trio.run(run, count)
    values = {
        "time": seconds / count * 1e6,
        "memory": (peak_kb - before_kb) / count,
        "left behind": max(0, objects_left) / count,
        # Between the peaks: how much of it the allocator has given back in between says little.
        "growth": max(0.0, next_peak_kb - peak_kb),
    }
    sys.stdout.buffer.write(orjson.dumps(values))


if __name__ == "__main__":
    main()
