"""Times operations inside a Trio run, beside tasks that are always runnable."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from benchmarks.benchmark import Contestant, Values

__all__ = ["Countdown", "Operate", "Scenario", "contestant"]

Operate = Callable[[int], Awaitable[None]]
"""Does so many operations, and returns when the last one is done."""

Scenario = Callable[[], AbstractAsyncContextManager[Operate]]
"""Sets up what the operations need."""

_SECONDS, _BUSY_SECONDS, _QUICK_SECONDS = 0.25, 0.1, 0.05


@attrs.define(eq=False)
class Countdown:
    """Counts what is still to be done; the driver waits until nothing is."""

    left: int = 0
    over: trio.Event = attrs.field(factory=trio.Event)

    def begin(self, count: int) -> None:
        """So many are to be done."""
        self.left = count
        self.over = trio.Event()

    def count(self) -> bool:
        """One is done. Whether there are more to do."""
        self.left -= 1
        if self.left:
            return True
        self.over.set()
        return False


def contestant(name: str, scenario: Scenario, *, busy: int = 0, ours: bool = False) -> Contestant:
    """A contestant whose round gives the CPU time (µs) of one operation."""

    def play(quick: bool) -> Values:
        seconds = _QUICK_SECONDS if quick else _BUSY_SECONDS if busy else _SECONDS
        return {"time": trio.run(_measure, scenario, busy, seconds) * 1e6}

    return Contestant(name, play, ours)


async def _measure(scenario: Scenario, busy: int, seconds: float) -> float:
    async with trio.open_nursery() as nursery:
        async with scenario() as operate:
            for _ in range(busy):
                nursery.start_soon(_spin)
            count, elapsed = 1, 0.0
            while elapsed < seconds / 8:  # which warms up, too
                count *= 2
                elapsed = await _timed(operate, count)
            count = max(1, round(count * seconds / elapsed))
            gc.collect()
            elapsed = await _timed(operate, count)
        nursery.cancel_scope.cancel()
    return elapsed / count


async def _timed(operate: Operate, count: int) -> float:
    # CPU time: nothing here waits for anything but the CPU, and what other processes do is no part of it.
    start = time.process_time()
    await operate(count)
    return time.process_time() - start


async def _spin() -> None:
    while True:
        await trio.lowlevel.checkpoint()
