"""The runtime: the root of all actors, with the registry and the bus."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import attrs
import trio

from .actor import Actor, Child
from .bus import Bus
from .errors import InvalidActor, InvalidName, NameTaken
from .group import Children, Group
from .mailbox import Overflow
from .ref import Ref
from .signals import MessagesDropped
from .slot import Slot
from .supervision import Backoff, RestartType

__all__ = ["Runtime", "open_runtime"]

log = logging.getLogger("realtime_actors.actors")

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DROP_REPORT_INTERVAL = 1.0


@attrs.define
class _Drops:
    label: str
    total: int
    reported: int


class Runtime:
    """Runs actors. Made by `open_runtime`."""

    def __init__(self, shutdown_timeout: float) -> None:
        self.bus = Bus(on_drop=self.on_drop)
        """The bus that all actors of this runtime share."""
        self.slots: dict[str, Slot] = {}
        self._shutdown_timeout = shutdown_timeout
        self._children = Children(self, "", self._give_up)
        self._body = trio.CancelScope()
        self._fatal: BaseException | None = None
        self._drops: dict[object, _Drops] = {}
        self._nursery: trio.Nursery | None = None
        self._numbers = itertools.count(1)

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
    ) -> Ref:
        """Start an actor and return its ref when its `started()` has returned; what that raises comes out as it is.

        `actor` is a prototype: its configuration is taken, and each life is a new instance. It is started again
        as `restart` says, at most `max_restarts` times within `within` seconds, waiting as `backoff` says; past
        that it ends for good. `capacity`, `overflow` (of its mailbox) and `stop_timeout` (s) replace what its
        class says. Raises `InvalidActor`, `InvalidName`, `NameTaken`, or `ActorStopped` when the runtime is closing.
        """
        return await self._children.spawn(
            Child(
                actor,
                name=name,
                restart=restart,
                capacity=capacity,
                overflow=overflow,
                stop_timeout=stop_timeout,
            ),
            max_restarts=max_restarts,
            within=within,
            backoff=backoff,
        )

    # -- for the kernel

    def new_slot(self, group: Group, child: Child, parent: str) -> Slot:
        """Register a slot for a child. Raises `InvalidActor`, `InvalidName` or `NameTaken`."""
        if not isinstance(child.actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
            raise InvalidActor(f"spawn takes an instance of an Actor subclass, not {child.actor!r}")
        prefix = f"{parent}." if parent else ""
        name = child.name or f"{type(child.actor).__name__.lower()}-{next(self._numbers)}"
        if not _NAME.fullmatch(name):
            raise InvalidName(f"{name!r} is no name for an actor: use letters, digits, _ and -")
        path = prefix + name
        if path in self.slots:
            raise NameTaken(f"there is an actor named {path} already")
        slot = self.slots[path] = Slot(self, group, child, path, name)
        return slot

    def take_fatal(self, error: BaseException) -> bool:
        """Whether `error` is, or holds, a KeyboardInterrupt or SystemExit: then the whole runtime ends with it."""
        fatal = _find_fatal(error)
        if fatal is None:
            return False
        if self._fatal is None:
            self._fatal = fatal
        self._body.cancel()
        return True

    def on_drop(self, queue: object, label: str, total: int) -> None:
        """Publish that a queue dropped a message: at once, then at most once a second."""
        drops = self._drops.get(queue)
        if drops is not None:
            drops.total = total
            return
        if not self._drops and self._nursery is not None:
            self._nursery.start_soon(self._report_drops)
        self._drops[queue] = _Drops(label, total, total)
        self.bus.publish("runtime.dropped", MessagesDropped(label, 1, total))

    async def _report_drops(self) -> None:
        while self._drops:
            await trio.sleep(_DROP_REPORT_INTERVAL)
            for queue, drops in list(self._drops.items()):
                if drops.total == drops.reported:
                    del self._drops[queue]
                    continue
                count, drops.reported = drops.total - drops.reported, drops.total
                self.bus.publish("runtime.dropped", MessagesDropped(drops.label, count, drops.total))

    def _give_up(self, error: BaseException) -> None:
        log.error("a group under the root gave up", exc_info=error)

    async def _shut_down(self) -> None:
        with trio.CancelScope(shield=True):
            try:
                with trio.move_on_after(self._shutdown_timeout) as limit:
                    await self._children.stop()
                if not limit.cancelled_caught:
                    return
                log.error(
                    "not ended within %g s, and cancelled now: %s",
                    self._shutdown_timeout,
                    ", ".join(self.slots),
                )
            except KeyboardInterrupt as error:
                self.take_fatal(error)
            for slot in list(self.slots.values()):
                if slot.life is not None:
                    slot.life.kill()
            await self._children.stop()


def _find_fatal(error: BaseException) -> BaseException | None:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return error
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return next((found for each in inner if (found := _find_fatal(each)) is not None), None)
    return None


@asynccontextmanager
async def open_runtime(*, shutdown_timeout: float = 10.0) -> AsyncGenerator[Runtime]:
    """Run actors: `async with open_runtime() as runtime:`.

    Leaving the block, or cancelling the scope around it, stops all actors in order: each has its `stop_timeout`,
    all together have `shutdown_timeout` seconds. A KeyboardInterrupt or SystemExit in an actor comes out here.
    """
    runtime = Runtime(shutdown_timeout)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        runtime._nursery = runtime._children.nursery = nursery  # pyright: ignore[reportPrivateUsage] - its own module
        with runtime._body:  # pyright: ignore[reportPrivateUsage]
            try:
                yield runtime
            except BaseException as error:  # noqa: BLE001 - raised below, outside the nursery, which would wrap it
                failure = error
        await runtime._shut_down()  # pyright: ignore[reportPrivateUsage]
        nursery.cancel_scope.cancel()
    fatal = runtime._fatal  # pyright: ignore[reportPrivateUsage]
    if fatal is not None:
        raise fatal
    if failure is not None:
        raise failure
