"""Messages and actors that the kernel's tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio

from realtime_actors.actors import Actor, Subscription, receives


@attrs.frozen
class Note:
    """Something to remember."""

    text: str


@attrs.frozen
class Notes:
    """Asks for what was noted."""


@attrs.frozen
class Crash:
    """Makes the handler raise."""

    error: BaseException = attrs.field(factory=lambda: ValueError("boom"))


@attrs.frozen
class Sleep:
    """Keeps the data lane busy."""

    seconds: float = 3600


@attrs.frozen
class Finish:
    """Makes the actor end by itself."""


@attrs.frozen
class Urgent:
    """Noted in the control lane."""

    text: str


@attrs.frozen
class UrgentCrash:
    """Makes the handler in the control lane raise."""

    error: Exception = attrs.field(factory=lambda: ValueError("urgent boom"))


@attrs.frozen
class Unknown:
    """Nobody handles this."""


@attrs.define(eq=False)
class Worker(Actor):
    """Says in a log that outlives it what happens to it."""

    log: list[str] = attrs.field(factory=list[str])
    start: Callable[[], None] | None = None
    slow_stop: float = 0
    stop: Callable[[], None] | None = None
    notes: list[str] = attrs.field(init=False, factory=list[str])

    async def started(self) -> None:
        if self.start is not None:
            self.start()
        self.log.append(f"{self.context.name} started")

    async def stopping(self) -> None:
        if self.slow_stop:
            self.log.append(f"{self.context.name} is stopping")
            await trio.sleep(self.slow_stop)
        self.log.append(f"{self.context.name} stopped")
        if self.stop is not None:
            self.stop()

    @receives
    async def note(self, message: Note) -> None:
        self.notes.append(message.text)
        self.log.append(f"{self.context.name} notes {message.text}")

    @receives
    async def report(self, message: Notes) -> list[str]:
        return self.notes

    @receives
    async def crash(self, message: Crash) -> None:
        raise message.error

    @receives
    async def sleep(self, message: Sleep) -> str:
        await trio.sleep(message.seconds)
        self.log.append(f"{self.context.name} slept")
        return "slept"

    @receives
    async def finish(self, message: Finish) -> None:
        self.context.stop()

    @receives(lane="control")
    async def urgent(self, message: Urgent) -> str:
        self.notes.append(message.text)
        self.log.append(f"{self.context.name} notes {message.text}")
        return message.text

    @receives(lane="control")
    async def urgent_crash(self, message: UrgentCrash) -> None:
        raise message.error


def failing(outcomes: list[Exception | None]) -> Callable[[], None]:
    """A hook that raises these, one at each call, and then no more."""
    left = iter(outcomes)

    def hook() -> None:
        error = next(left, None)
        if error is not None:
            raise error

    return hook


def read_all(subscription: Subscription) -> list[Any]:
    """What waits in a subscription."""
    found: list[Any] = []
    while True:
        try:
            found.append(subscription.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return found
