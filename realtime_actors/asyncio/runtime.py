"""The runtime as an asyncio host sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import attrs

from realtime_actors.actors import Actor, ActorTree, Backoff, BusOverflow, Instrument, Overflow, RestartType, Runtime

from .ref import AsyncioRef
from .subscription import AsyncioSubscription
from .thread import RuntimeThread

__all__ = ["AsyncioRuntime", "CrossingStatistics", "open_runtime"]

T = TypeVar("T")


@attrs.frozen
class CrossingStatistics:
    """What is on its way between an asyncio host and the runtime's thread."""

    waiting: int
    """Messages and calls on their way to the runtime."""
    capacity: int
    """How many of them `tell` may find there before it raises."""
    refused: int
    """Messages so far for which `tell` raised `CrossingFull`."""
    calls: int
    """`ask`, `send`, `spawn` and others that wait now."""


class AsyncioRuntime:
    """Runs actors in a thread of its own, for an asyncio host. Made by `open_runtime`.

    What waits raises `WrongLoop` outside of the event loop in which that was.
    """

    def __init__(self, thread: RuntimeThread) -> None:
        self._thread = thread

    async def spawn(
        self,
        actor: Actor,
        *,
        name: str | None = None,
        restart: RestartType = "temporary",
        max_restarts: int = 3,
        within: float = 5.0,
        backoff: Backoff | None = None,
        capacity: int | None = None,
        overflow: Overflow | None = None,
        stop_timeout: float | None = None,
    ) -> AsyncioRef:
        """Start an actor and return its ref when its `started()` has returned; what that raises comes out as it is.

        All is as in `Runtime.spawn`. Cancelled, it leaves no actor behind.
        """
        spawn = partial(
            self._thread.runtime.spawn,
            actor,
            name=name,
            restart=restart,
            max_restarts=max_restarts,
            within=within,
            backoff=backoff,
            capacity=capacity,
            overflow=overflow,
            stop_timeout=stop_timeout,
        )
        return AsyncioRef(self._thread, await self._thread.call(spawn, lambda ref: ref.stop()))

    def subscribe(
        self,
        pattern: str,
        *,
        capacity: int = 1024,
        overflow: BusOverflow = "drop_oldest",
        weigh: Callable[[Any], int] | None = None,
    ) -> AsyncioSubscription:
        """Subscribe to the bus from when the `async with` block is entered until it is left.

        All is as in `Bus.subscribe`; `weigh` is called in the runtime's thread. Entering raises `InvalidName` for a bad
        pattern.
        """
        return AsyncioSubscription(self._thread, pattern, capacity, overflow, weigh)

    def find(self, path: str) -> AsyncioRef | None:
        """The actor with this path, if there is one now."""
        ref = self._thread.runtime.find(path)
        return None if ref is None else AsyncioRef(self._thread, ref)

    async def tree(self) -> ActorTree:
        """A snapshot of all actors. `print(await runtime.tree())` shows a table."""

        async def tree() -> ActorTree:
            return self._thread.runtime.tree()

        return await self._thread.call(tree)

    async def run(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run `function(runtime, *args)` in the runtime's thread, under Trio, and return what it returns.

        For what has no method here. It is given the `Runtime`. Raises what it raises.
        """
        return await self._thread.call(partial(function, self._thread.runtime, *args))

    def statistics(self) -> CrossingStatistics:
        """A snapshot of what is on its way."""
        crossing = self._thread.to_trio
        return CrossingStatistics(len(crossing), crossing.capacity, crossing.refused, self._thread.waiting_calls)


@asynccontextmanager
async def _open(runtime: Runtime, shutdown_timeout: float, capacity: int) -> AsyncGenerator[AsyncioRuntime]:
    async with RuntimeThread(runtime, shutdown_timeout, capacity) as thread:
        yield AsyncioRuntime(thread)


def open_runtime(
    *,
    shutdown_timeout: float = 10.0,
    instruments: Sequence[Instrument] = (),
    blocked_after: float | None = 1.0,
    lane_held_after: float | None = 30.0,
    capacity: int = 10_000,
) -> AbstractAsyncContextManager[AsyncioRuntime]:
    """Run actors in a thread of their own: `async with open_runtime() as runtime:`, in asyncio.

    Leaving the block, or cancelling its task, stops all actors in order: each has its `stop_timeout`, all together
    have `shutdown_timeout` seconds, what is left then is cancelled; and then the thread ends. That is waited for even
    if the task is cancelled again. When an actor raises KeyboardInterrupt or SystemExit, the block is cancelled and
    raises it.

    `capacity` is how many messages `tell` may have on their way to the runtime. The rest is as in
    `realtime_actors.open_runtime`; `instruments` are called in the runtime's thread.
    """
    runtime = Runtime(
        shutdown_timeout=shutdown_timeout,
        instruments=instruments,
        blocked_after=blocked_after,
        lane_held_after=lane_held_after,
    )
    return _open(runtime, shutdown_timeout, capacity)
