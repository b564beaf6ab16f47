"""Subscriptions to the bus that are read in asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any, Self

import attrs
import trio

from realtime_actors.actors import ActorStopped, Bus, BusOverflow, Subscription, SubscriptionStatistics

from .thread import RuntimeThread

__all__ = ["AsyncioSubscription"]

_READS_PER_PASS = 64


@attrs.define(eq=False)
class _SharedBuffer(Subscription):
    """A subscription that one thread fills and another reads.

    Nothing is copied on the way, and so nothing is on the way: the bus drops and discards from this buffer until the
    very moment at which a message is read. All that crosses is the news that there is something.
    """

    on_arrival: Callable[[], None]
    is_awaited: bool = attrs.field(init=False, default=False)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def offer(self, message: Any, group: Hashable) -> None:
        with self._lock:
            super().offer(message, group)

    def discard(self, group: Hashable) -> None:
        with self._lock:
            super().discard(group)

    def close(self) -> None:
        with self._lock:
            super().close()

    def statistics(self) -> SubscriptionStatistics:
        with self._lock:
            return super().statistics()

    def receive_nowait(self) -> Any:
        """As that of the base class, in the reader's thread; after `trio.WouldBlock` it is told of an arrival."""
        with self._lock:
            try:
                return super().receive_nowait()
            except trio.WouldBlock:
                self.is_awaited = True
                raise

    def _wake(self) -> None:
        if self.is_awaited:
            self.is_awaited = False
            self.on_arrival()


class AsyncioSubscription:
    """What a subscriber reads: `async with runtime.subscribe(…) as events: async for event in events`.

    It is that of `Bus.subscribe`, with the same bound, policies and order. The buffer is in the runtime's thread and
    is read straight from here: what is taken back by `Bus.discard`, a cancelled reply's audio for instance, is not
    read any more, however long the reader slept. Ends when the runtime has ended. One task reads at a time.
    """

    def __init__(
        self,
        thread: RuntimeThread,
        pattern: str,
        capacity: int,
        overflow: BusOverflow,
        weigh: Callable[[Any], int] | None,
    ) -> None:
        self.pattern = pattern
        self._thread = thread
        self._capacity = capacity
        self._overflow: BusOverflow = overflow
        self._weigh = weigh
        self._buffer: _SharedBuffer | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._reads = 0

    async def __aenter__(self) -> Self:
        if self._buffer is not None:
            raise RuntimeError("this subscription was entered before: make another")
        self._buffer = await self._thread.call(self._subscribe, self._unsubscribe)
        self._thread.on_end[self] = self._buffer.close
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        buffer = self._subscribed()
        if self._thread.on_end.pop(self, None) is not None:
            with contextlib.suppress(ActorStopped):  # the runtime ends meanwhile
                await self._thread.call(lambda: self._unsubscribe(buffer))

    async def _subscribe(self) -> _SharedBuffer:
        bus: Bus = self._thread.runtime.bus
        weigh = self._weigh or _one
        buffer = _SharedBuffer(bus, self.pattern, self._capacity, self._overflow, weigh, on_arrival=self._on_arrival)
        bus.add(buffer)
        return buffer

    async def _unsubscribe(self, buffer: _SharedBuffer) -> None:
        buffer.close()

    def _subscribed(self) -> _SharedBuffer:
        if self._buffer is None:
            raise RuntimeError("a subscription begins with `async with runtime.subscribe(…) as events:`")
        return self._buffer

    def statistics(self) -> SubscriptionStatistics:
        """A snapshot of its counters."""
        return self._subscribed().statistics()

    async def receive(self) -> Any:
        """The next message, waiting for one.

        Raises `SubscriptionOverflow`, or `trio.EndOfChannel` when the runtime has ended and all is read.
        """
        buffer = self._subscribed()
        self._reads += 1
        if self._reads % _READS_PER_PASS == 0:
            await asyncio.sleep(0)  # others have their turn, too
        while True:
            try:
                return buffer.receive_nowait()
            except trio.WouldBlock:
                pass
            if self._arrival is not None:
                raise RuntimeError("another task is reading this subscription")
            self._thread.check_loop()
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def _on_arrival(self) -> None:
        self._thread.answer(self._notify, None)

    def _notify(self, _: object) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


def _one(_: object) -> int:
    return 1
