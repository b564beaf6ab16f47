"""How long an interruption takes, and a pass of Trio's loop: both taken in the process itself, in the same run.

A pass of the loop is what Trio does between two looks for I/O: every task that was runnable at its beginning runs once;
what one of them wakes runs in the next pass. Its length is taken in two ways:

- **As it is met**, which is what interruptions are compared to: a task wakes up at random moments (every 5 to 15 ms),
  gives way once (`checkpoint`), and takes the time until it runs again. That is what one hop between tasks waits for.
- **Each pass**, by an instrument: from the return of `epoll_wait` to that of the next, or, where nothing is runnable
  and Trio waits instead of looking, to where that wait begins. Passes in which one frame is read are many and short,
  and each counts as much as one that takes long: so this is the lesser figure.

The task takes 1 % of the loop's time, the instrument half a microsecond of each pass.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Awaitable, Callable

import attrs
import orjson
import trio

from benchmarks.statistics import percentile

__all__ = ["SECONDS", "WARM_SECONDS", "Interruption", "Passes", "interrupt"]

WARM_SECONDS, SECONDS = 0.5, 12.0
"""For how long replies are interrupted, first without being counted."""
_PATIENCE = 10.0


class Passes(trio.abc.Instrument):
    """The length of each pass, in ns. See the module."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._began: int | None = None

    def before_io_wait(self, timeout: float) -> None:
        """A pass is over, if this is more than a look."""
        if timeout > 0 and self._began is not None:
            self.lengths.append(time.monotonic_ns() - self._began)
            self._began = None

    def after_io_wait(self, timeout: float) -> None:
        """A pass begins, and with that the last one is over, if it is not yet."""
        now = time.monotonic_ns()
        if self._began is not None:
            self.lengths.append(now - self._began)
        self._began = now


async def _meet(found: list[int]) -> None:
    pauses = random.Random(2)  # noqa: S311 - no secret
    while True:
        await trio.sleep(pauses.uniform(0.005, 0.015))
        began = time.monotonic_ns()
        await trio.lowlevel.checkpoint()
        found.append(time.monotonic_ns() - began)


@attrs.define
class Interruption:
    """When (in ns) it was told, when its handling began, and when its `response.cancel` had been given to the socket.

    The last is taken when the call that sends has returned, which is at the end of a pass: a little late.
    """

    told: int = attrs.field(factory=time.monotonic_ns)
    handled: int = 0
    on_wire: int = 0
    is_on_wire: trio.Event = attrs.field(factory=trio.Event)

    def arrived(self) -> None:
        """It is on the wire."""
        self.on_wire = time.monotonic_ns()
        self.is_on_wire.set()


async def interrupt(begin: Callable[[], Awaitable[None]], cut: Callable[[], Awaitable[Interruption]]) -> None:
    """Interrupt one session's replies again and again, and print what it took as a line of JSON.

    `begin` asks for a reply and returns when there is speech of it, which the load generator makes when all sessions
    are there; `cut` interrupts it, and returns when that is on the wire and the reply over. One at a time: two that
    meet in a pass would measure each other.
    """
    found: list[Interruption] = []
    met: list[int] = []
    passes = Passes()
    pauses = random.Random(1)  # noqa: S311 - so that it is in no step with the speech

    async def one() -> Interruption:
        with trio.fail_after(_PATIENCE):
            await begin()
            await trio.sleep(pauses.uniform(0.01, 0.04))
            return await cut()

    await begin()
    await cut()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_meet, met)
        trio.lowlevel.add_instrument(passes)
        warm = trio.current_time() + WARM_SECONDS
        while trio.current_time() < warm:
            await one()
        met.clear()
        passes.lengths.clear()
        end = trio.current_time() + SECONDS
        while trio.current_time() < end:
            found.append(await one())
        trio.lowlevel.remove_instrument(passes)
        nursery.cancel_scope.cancel()
    handled = [each.on_wire - each.handled for each in found]
    told = [each.on_wire - each.told for each in found]
    values = {
        "passes": percentile(handled, 99) / percentile(met, 99),
        "p50": percentile(handled, 50) / 1e6,
        "p99": percentile(handled, 99) / 1e6,
        "p99 from tell": percentile(told, 99) / 1e6,
        "pass p50": percentile(met, 50) / 1e6,
        "pass p99": percentile(met, 99) / 1e6,
        "each pass p99": percentile(passes.lengths, 99) / 1e6,
        "each pass most": max(passes.lengths) / 1e6,
        "interruptions": len(found),
        "passes a second": len(passes.lengths) / SECONDS,
    }
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()
