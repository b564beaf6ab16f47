"""The way from one thread to another: a deque, and at most one wake-up under way."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs

from .errors import CrossingFull

__all__ = ["Crossing"]

log = logging.getLogger("realtime_actors.asyncio")

# What crosses before others have their turn: no more than an actor handles in a turn of its own, so that the mailbox
# of one that never waits does not run full in a flood.
_BATCH = 64


@attrs.define(eq=False)
class Crossing:
    """Runs functions in the other thread, in order. Waking that thread costs much more than all the rest.

    `wake` has a function called there soon (`TrioToken.run_sync_soon`, `loop.call_soon_threadsafe`), and raises a
    `RuntimeError` when nothing runs there any more, as `put` then does.
    """

    wake: Callable[[Callable[[], None]], object]
    capacity: int
    """Of what is put by `put_if_room`."""
    refused: int = attrs.field(init=False, default=0)
    _waiting: deque[tuple[Callable[[Any], object], Any]] = attrs.field(
        init=False, factory=deque[tuple[Callable[[Any], object], Any]]
    )
    _is_armed: bool = attrs.field(init=False, default=False)

    def __len__(self) -> int:
        return len(self._waiting)

    def put_if_room(self, function: Callable[[Any], object], argument: Any) -> None:
        """As `put`, where there is room. Raises `CrossingFull`."""
        if len(self._waiting) >= self.capacity:
            self.refused += 1
            raise CrossingFull(
                f"{self.capacity} messages are on their way to the runtime already: await send() instead, which waits"
            )
        self.put(function, argument)

    def put(self, function: Callable[[Any], object], argument: Any) -> None:
        """Have `function(argument)` called in the other thread. What it raises is logged."""
        self._waiting.append((function, argument))
        if not self._is_armed:
            self._arm()

    def _arm(self) -> None:
        self._is_armed = True
        try:
            self.wake(self._run)
        except RuntimeError:
            self._is_armed = False
            self._waiting.clear()
            raise

    def _run(self) -> None:
        # Before the deque is looked at: what is put from now on is seen below, or arms another wake-up.
        self._is_armed = False
        waiting = self._waiting
        for _ in range(min(len(waiting), _BATCH)):
            function, argument = waiting.popleft()
            try:
                function(argument)
            except Exception:
                log.exception("%r failed on its way between two threads", function)
        if waiting and not self._is_armed:
            # Nothing runs there any more: what is left was for a runtime that has ended.
            with contextlib.suppress(RuntimeError):
                self._arm()
