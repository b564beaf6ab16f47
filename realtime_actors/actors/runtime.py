"""The runtime: the root of all actors, with the registry and the bus."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import get_ident
from typing import Self, cast

import attrs
import trio

from .actor import Actor, Child, Spawner
from .bus import Bus
from .errors import InvalidActor, InvalidName, NameTaken
from .group import Children, Group
from .instruments import Instrument
from .names import NAME
from .ref import Ref
from .signals import MessagesDropped
from .slot import Slot
from .tree import ActorTree
from .watchdog import Watchdog

__all__ = ["Runtime", "open_runtime"]

log = logging.getLogger("realtime_actors.actors")

_DROP_REPORT_INTERVAL = 1.0


@attrs.define
class _Drops:
    label: str
    total: int
    reported: int


class Runtime(Spawner):
    """Runs actors. `open_runtime` makes one for a block, `await nursery.start(Runtime().serve)` one in a nursery.

    What it is made with is explained at `open_runtime`.
    """

    def __init__(
        self,
        *,
        shutdown_timeout: float = 10.0,
        instruments: Sequence[Instrument] = (),
        blocked_after: float | None = 1.0,
        lane_held_after: float | None = 30.0,
    ) -> None:
        self.bus = Bus(on_drop=self.on_drop)
        """The bus that all actors of this runtime share."""
        self.slots: dict[str, Slot] = {}
        self.instruments = tuple(instruments)
        self.thread = get_ident()
        self.handles_directly = False
        """Whether a message is being handled in the task that told it."""
        self.now: Callable[[], float] = lambda: 0.0
        """Seconds on Trio's clock, or on one that runs as it does: for differences."""
        self._watchdog = Watchdog(self, blocked_after, lane_held_after)
        self._shutdown_timeout = shutdown_timeout
        self._children = Children(self, "", None)
        self._body = trio.CancelScope()
        self._fatal: BaseException | None = None
        self._drops: dict[object, _Drops] = {}
        self._nursery: trio.Nursery | None = None
        self._numbers = itertools.count(1)

    @property
    def _own_children(self) -> Children:
        return self._children

    def find(self, path: str) -> Ref | None:
        """The actor with this path, if there is one now."""
        slot = self.slots.get(path)
        return None if slot is None else slot.ref

    def tree(self) -> ActorTree:
        """A snapshot of all actors. `print(runtime.tree())` shows a table."""
        return ActorTree.of(slot.statistics() for slot in self.slots.values())

    async def serve(self, *, task_status: trio.TaskStatus[Runtime] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until the scope around it is cancelled: `runtime = await nursery.start(Runtime().serve)`.

        A KeyboardInterrupt or SystemExit raised in an actor comes out of it.
        """
        async with self.running():
            task_status.started(self)
            await trio.sleep_forever()

    # -- for the kernel

    def new_slot(self, group: Group, child: Child, parent: str) -> Slot:
        """Register a slot for a child. Raises `InvalidActor`, `InvalidName` or `NameTaken`."""
        if not isinstance(child.actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
            raise InvalidActor(f"spawn takes an instance of an Actor subclass, not {child.actor!r}")
        prefix = f"{parent}." if parent else ""
        name = self._free_name(type(child.actor), prefix) if child.name is None else child.name
        if not NAME.fullmatch(name):
            raise InvalidName(f"{name!r} is no name for an actor: use letters, digits, _ and -")
        path = prefix + name
        if path in self.slots:
            raise NameTaken(
                f"there is an actor named {path} already, a {self.slots[path].kind}: find() that one, or leave the "
                "name out for one that is free"
            )
        slot = self.slots[path] = Slot(self, group, child, path, name)
        return slot

    def _free_name(self, cls: type, prefix: str) -> str:
        names = (f"{cls.__name__.lower()}-{number}" for number in self._numbers)
        return next(name for name in names if prefix + name not in self.slots)

    def take_fatal(self, error: BaseException) -> bool:
        """Whether `error` is, or holds, one that nobody supervises: then the whole runtime ends with it.

        That is a KeyboardInterrupt, a SystemExit, any other that is no `Exception`, or a `Cancelled` where nothing is
        cancelled.
        """
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
        elif self._nursery is not None:
            drops = self._drops[queue] = _Drops(label, total, total)
            self._nursery.start_soon(self._report_drops, queue, drops)
            self.bus.publish("runtime.dropped", MessagesDropped(label, 1, total))

    async def _report_drops(self, queue: object, drops: _Drops) -> None:
        while True:
            await trio.sleep(_DROP_REPORT_INTERVAL)
            count, drops.reported = drops.total - drops.reported, drops.total
            if count == 0:
                del self._drops[queue]
                return
            self.bus.publish("runtime.dropped", MessagesDropped(drops.label, count, drops.total))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Self]:
        """Run, and shut down when the block ends. Raises `RuntimeError` the second time."""
        if self._nursery is not None or self._children.nursery is not None:
            raise RuntimeError("a runtime runs once: make another one")
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError(
                "the actors run on Trio: use trio.run, or in asyncio realtime_actors.asyncio.open_runtime"
            )
        failure: BaseException | None = None
        clock = trio.lowlevel.current_clock()
        # Trio's own clock is this one with an offset, which costs as much again; what is asked for is how long ago.
        self.now = time.perf_counter if type(clock).__name__ == "SystemClock" else clock.current_time
        self.thread = self.bus.thread = get_ident()
        self._watchdog.start()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = self._children.nursery = nursery
                with self._body:
                    try:
                        yield self
                    except BaseException as error:  # noqa: BLE001 - raised below: the nursery would wrap it
                        failure = error
                await self._shut_down()
                self._nursery = None
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as error:
            if not self.take_fatal(error):  # Ctrl-C may hit any line, the kernel's own too
                raise
        finally:
            self._watchdog.stop()
        if self._fatal is not None:
            raise self._fatal
        if failure is not None:
            raise failure

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


def open_runtime(
    *,
    shutdown_timeout: float = 10.0,
    instruments: Sequence[Instrument] = (),
    blocked_after: float | None = 1.0,
    lane_held_after: float | None = 30.0,
) -> AbstractAsyncContextManager[Runtime]:
    """Run actors: `async with open_runtime() as runtime:`.

    Leaving the block, or cancelling the scope around it, stops all actors in order: each has its `stop_timeout`,
    all together have `shutdown_timeout` seconds; what is left then is cancelled. What ignores that (a thread's call)
    is named in the log and waited for. An exception of the block comes out as it is; so does a KeyboardInterrupt or
    SystemExit raised in an actor.

    `instruments` see every message. A call that blocks the event loop for `blocked_after` seconds, and a handler that
    holds its lane for `lane_held_after`, are logged with their stack (None: not at all).
    """
    return Runtime(
        shutdown_timeout=shutdown_timeout,
        instruments=instruments,
        blocked_after=blocked_after,
        lane_held_after=lane_held_after,
    ).running()


def _find_fatal(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return next((found for each in inner if (found := _find_fatal(each)) is not None), None)
    if isinstance(error, trio.Cancelled):
        return error if trio.current_effective_deadline() > float("-inf") else None
    return None if isinstance(error, Exception) else error
