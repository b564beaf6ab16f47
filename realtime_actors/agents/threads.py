"""A function in a thread, which nothing can stop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
import trio

__all__ = ["ThreadCall"]

log = logging.getLogger("realtime_actors.agents")


@attrs.define
class ThreadCall:
    """A function in a thread: it has a task of its own (`run`) that waits for its end, however long that takes."""

    name: str
    function: Callable[[], Any]
    threads: trio.CapacityLimiter
    # Set on either side before the other's is read: a function either is not called, or its thread is known to run.
    _begun: bool = attrs.field(init=False, default=False)
    _given_up: bool = attrs.field(init=False, default=False)
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)
    _value: Any = attrs.field(init=False, default=None)
    _error: Exception | None = attrs.field(init=False, default=None)
    # Ends the wait for a free thread, and what is awaited after it.
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    async def run(self) -> None:
        """Call it, and await what it returns if that can be awaited."""
        try:
            with self._scope:
                await trio.to_thread.run_sync(self._call, limiter=self.threads)
                value = self._value
                if isinstance(value, Awaitable):  # of a plain function that wraps an async one, say
                    self._value = await cast("Awaitable[Any]", value)
        except Exception as error:  # noqa: BLE001 - raised by `result`
            self._error = error
        finally:
            self._done.set()

    def _call(self) -> None:
        self._begun = True
        if not self._given_up:
            self._value = self.function()

    async def result(self) -> Any:
        """What it returned; raises what it raised. Whoever is cancelled here gives it up."""
        try:
            await self._done.wait()
        except trio.Cancelled:
            self._given_up = True
            self._scope.cancel()
            if self._begun:
                log.warning("the tool %s still runs in a thread, which cannot be stopped: waiting for it", self.name)
            raise
        if self._error is not None:
            raise self._error
        return self._value
