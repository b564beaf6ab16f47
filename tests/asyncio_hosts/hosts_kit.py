"""What the tests of asyncio hosts share: tests that run in asyncio, messages, and an actor for them."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable

import attrs
import trio

from realtime_actors.actors import Actor, Ref, receives

DEADLINE = 20.0
"""Seconds that a test may take in all."""


def in_asyncio(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in asyncio: the others of this project run in Trio."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(DEADLINE):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


def runtime_threads() -> list[threading.Thread]:
    """The threads of runtimes, those of their watchdogs apart."""
    return [thread for thread in threading.enumerate() if thread.name == "realtime_actors"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until another thread has made it true."""
    while not condition():  # noqa: ASYNC110 - there is no event of asyncio in another thread
        await asyncio.sleep(0.001)


@attrs.frozen
class Add:
    amount: int


@attrs.frozen
class GetTotal:
    pass


@attrs.frozen
class Wait:
    """Keeps the handler waiting until `Release` comes, or for ever."""


@attrs.frozen
class Release:
    pass


@attrs.frozen
class Crash:
    pass


@attrs.frozen
class Exit:
    error: BaseException


@attrs.frozen
class Pass:
    """Tells something to another."""

    what: object
    to: Ref


@attrs.frozen
class Say:
    text: str


@attrs.frozen
class TakeBack:
    """Discards what was said, and then says this."""

    text: str


@attrs.define(eq=False)
class Counter(Actor):
    """Counts, waits, crashes, and publishes on `counters.<name>`."""

    start: int = 0
    log: list[str] = attrs.field(factory=list[str])
    total: int = attrs.field(init=False, default=0)
    released: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def started(self) -> None:
        self.total = self.start
        self.log.append("started")

    async def stopping(self) -> None:
        self.log.append("stopped")

    @receives
    def add(self, message: Add) -> None:
        self.total += message.amount

    @receives
    def report(self, _: GetTotal) -> int:
        return self.total

    @receives
    async def wait(self, _: Wait) -> str:
        self.log.append("waiting")
        try:
            await self.released.wait()
        except trio.Cancelled:
            self.log.append("cancelled")
            raise
        return "released"

    @receives(lane="control")
    def release(self, _: Release) -> None:
        self.released.set()

    @receives
    def crash(self, _: Crash) -> None:
        raise ValueError("boom")

    @receives
    def exit(self, message: Exit) -> None:
        raise message.error

    @receives
    def hand_on(self, message: Pass) -> None:
        self.context.tell(message.to, message.what)

    @receives
    def say(self, message: Say) -> None:
        self.context.bus.publish(f"counters.{self.context.name}", message, group="speech")

    @receives
    def take_back(self, message: TakeBack) -> None:
        topic = f"counters.{self.context.name}"
        self.context.bus.discard(topic, "speech")
        self.context.bus.publish(topic, message)


@attrs.define(eq=False)
class SlowStarter(Actor):
    """Starts when it is let, and says in its log how its life went."""

    log: list[str]
    may_start: trio.Event

    async def started(self) -> None:
        self.log.append("starting")
        try:
            await self.may_start.wait()
        except trio.Cancelled:
            self.log.append("cancelled")
            raise
        self.log.append("started")

    async def stopping(self) -> None:
        self.log.append("stopped")
