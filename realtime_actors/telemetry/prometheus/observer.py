"""The actor that follows what happens to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio
from prometheus_client import CollectorRegistry

from realtime_actors.actors import Actor, Ref, Subscription

from .collector import TreeCollector

__all__ = ["MetricsObserver"]


@attrs.define(eq=False)
class MetricsObserver(Actor):
    """Has what happens to actors counted, and the actors looked at in each scrape, for as long as it lives.

    It reads a subscription instead of being told, so that it counts none of its own messages.
    """

    registry: CollectorRegistry
    count: Callable[[Subscription, Callable[[str], Ref | None]], Awaitable[None]]
    """Reads the subscription, and is given a way to find actors by their paths."""
    count_turns: Callable[[Subscription], Awaitable[None]]
    """Reads what agents say of their turns."""
    _collector: TreeCollector = attrs.field(init=False)

    async def started(self) -> None:
        """Begin. Raises `ValueError` when another runtime is observed with the same registry."""
        self._collector = TreeCollector(self.context.tree, trio.lowlevel.current_trio_token())
        self.registry.register(self._collector)
        # Subscribed to before the task runs: what happens after `spawn` has returned is counted.
        self.context.start_soon(self._follow, self.context.bus.subscribe("runtime.>"))
        self.context.start_soon(self._follow_turns, self.context.bus.subscribe("turns.*"))

    async def _follow(self, happenings: Subscription) -> None:
        async with happenings:
            await self.count(happenings, self.context.find)

    async def _follow_turns(self, turns: Subscription) -> None:
        async with turns:
            await self.count_turns(turns)

    async def stopping(self) -> None:
        """Leave the registry."""
        self.registry.unregister(self._collector)
