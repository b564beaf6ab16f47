"""From an asyncio host to actors in a thread of their own, one way, in a flood."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from benchmarks.benchmark import Contestant, Values
from realtime_actors.actors import Actor, receives
from realtime_actors.asyncio import open_runtime
from realtime_actors.asyncio.crossing import Crossing

__all__ = ["bare_crossing", "bare_sync_soon", "contestant", "sync_soon", "tell"]

_FLOOD = 2_000  # messages that are told before the host waits until they have arrived
_ROOM = 1_000_000
_SECONDS, _QUICK_SECONDS = 0.25, 0.05

Tell = Callable[[int], Awaitable[None]]
"""Sends so many messages across, and returns when the last has arrived."""


@attrs.frozen
class Ball:
    """A message with nothing in it."""


_BALL = Ball()


@attrs.define(eq=False)
class _Arrivals:
    """Counted in Trio's thread; the host waits for the last."""

    loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    over: asyncio.Event = attrs.field(factory=asyncio.Event)
    left: int = 0

    def count(self, _: object) -> None:
        self.left -= 1
        if not self.left:
            self.loop.call_soon_threadsafe(self.over.set)

    async def flood(self, tell: Callable[[Ball], object], count: int) -> None:
        for _ in range(0, count, _FLOOD):
            self.left = _FLOOD
            self.over.clear()
            for _ in range(_FLOOD):
                tell(_BALL)
            await self.over.wait()


@attrs.define(eq=False)
class _Counter(Actor):
    arrivals: _Arrivals

    @receives
    async def add(self, message: Ball) -> None:
        self.arrivals.count(message)


@asynccontextmanager
async def tell() -> AsyncGenerator[Tell]:
    """`tell` of a ref that the host has of an actor."""
    arrivals = _Arrivals()
    async with open_runtime() as runtime:
        ref = await runtime.spawn(_Counter(arrivals), capacity=_ROOM)
        yield lambda count: arrivals.flood(ref.tell, count)


@asynccontextmanager
async def sync_soon() -> AsyncGenerator[Tell]:
    """The same actor, told by `run_sync_soon` for each message."""
    arrivals = _Arrivals()

    async def token(_: object) -> trio.lowlevel.TrioToken:
        return trio.lowlevel.current_trio_token()

    async with open_runtime() as runtime:
        ref = (await runtime.spawn(_Counter(arrivals), capacity=_ROOM)).ref
        soon = (await runtime.run(token)).run_sync_soon
        yield lambda count: arrivals.flood(lambda ball: soon(ref.tell, ball), count)


@asynccontextmanager
async def bare_crossing() -> AsyncGenerator[Tell]:
    """Our way across alone, without an actor at its end."""
    arrivals = _Arrivals()
    async with _trio_thread() as token:
        crossing = Crossing(token.run_sync_soon, _ROOM)
        yield lambda count: arrivals.flood(lambda ball: crossing.put(arrivals.count, ball), count)


@asynccontextmanager
async def bare_sync_soon() -> AsyncGenerator[Tell]:
    """`run_sync_soon` for each message, without an actor at its end."""
    arrivals = _Arrivals()
    async with _trio_thread() as token:
        yield lambda count: arrivals.flood(lambda ball: token.run_sync_soon(arrivals.count, ball), count)


@asynccontextmanager
async def _trio_thread() -> AsyncGenerator[trio.lowlevel.TrioToken]:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    there: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def run() -> None:
        with trio.CancelScope() as scope:
            there.append((trio.lowlevel.current_trio_token(), scope))
            loop.call_soon_threadsafe(ready.set)
            await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    await ready.wait()
    token, scope = there[0]
    yield token
    with contextlib.suppress(trio.RunFinishedError):
        token.run_sync_soon(scope.cancel)
    await asyncio.to_thread(thread.join)


def contestant(
    name: str, scenario: Callable[[], AbstractAsyncContextManager[Tell]], *, ours: bool = False
) -> Contestant:
    """A contestant whose round gives the CPU time (µs) of one message, in both threads together."""

    async def measure(seconds: float) -> float:
        async with scenario() as tell:
            await tell(_FLOOD)
            start = time.process_time()
            await tell(_FLOOD)
            count = max(_FLOOD, round(seconds / (time.process_time() - start) * _FLOOD))
            count -= count % _FLOOD
            gc.collect()
            start = time.process_time()
            await tell(count)
            return (time.process_time() - start) / count

    def play(quick: bool) -> Values:
        return {"time": asyncio.run(measure(_QUICK_SECONDS if quick else _SECONDS)) * 1e6}

    return Contestant(name, play, ours)
