"""One life of an actor: start, handle messages, close. What outlives it is its slot."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context as ContextVars
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import trio

from .actor import Actor, Context
from .bus import RefSubscription
from .errors import ActorStopped
from .group import Children
from .lane import LaneTask, without_cancelled
from .messages import HandlerEntry, Lane
from .signals import Terminated
from .timers import Timer

if TYPE_CHECKING:
    from .ref import Ref
    from .runtime import Runtime
    from .slot import Slot

__all__ = ["BACKGROUND_CODE", "Life"]

log = logging.getLogger("realtime_actors.actors")


class Life:
    """An instance of the actor with its tasks: one for each lane, and those it starts itself."""

    def __init__(self, slot: Slot, number: int, actor: Actor) -> None:
        self.slot = slot
        self.number = number
        self.actor = actor
        self.runtime: Runtime = slot.runtime
        self.error: BaseException | None = None
        """The crash that ended it, if one did."""
        self.has_started = False
        """Whether it came to handle messages: its `started()` returned, and nobody wanted it to end before."""
        self.ended_itself = False
        self.over = trio.Event()
        self.notices: deque[Terminated] = deque()
        """What waits of those watched; they go before the messages of the lane whose handler takes them."""
        self.children = Children(self.runtime, slot.path, self.crash)
        notice_entry = slot.handlers.find(Terminated)
        self.notice_lane: Lane | None = notice_entry and notice_entry.lane
        self._scope = trio.CancelScope()
        self._closing_scope = trio.CancelScope(shield=True)
        self._tasks: trio.Nursery | None = None
        self._data = LaneTask(self, "data")
        self._control: LaneTask | None = None
        self._watched: set[Slot] = set()
        self._main: trio.lowlevel.Task | None = None
        self._subscriptions: list[RefSubscription] = []
        self.timers: set[Timer] = set()
        self._context = copy_context()
        self._direct_context: ContextVars | None = None
        self._stopping_due = False
        self._ending = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live. Raises what `started()` raised, or `ActorStopped` if it was stopped before that was over."""
        self.actor.context = Context(self, self.slot.ref)
        self._main = trio.lowlevel.current_task()
        async with trio.open_nursery() as nursery:
            self.children.nursery = nursery
            try:
                await self._work(task_status)
            finally:
                await self._close()
        if not self.has_started:
            raise self.error or ActorStopped(f"{self.slot.path} was stopped while it started")

    async def _work(self, task_status: trio.TaskStatus[None]) -> None:
        with self._scope:
            async with trio.open_nursery() as self._tasks:
                await self._guarded(self._start)
                # An end that was asked for meanwhile, by whoever spawns or stops, shows here. From here on only an
                # orderly stop or a crash ends this life.
                await trio.lowlevel.checkpoint_if_cancelled()
                self._scope.shield = True
                self.has_started = True
                self.slot.on_started(self)
                task_status.started()
                await self._handle_messages()
                self._tasks.cancel_scope.cancel()

    async def _start(self) -> None:
        await self.actor.started()
        self._stopping_due = True
        self._context = copy_context()

    async def _handle_messages(self) -> None:
        control = self.slot.mailbox.control
        if (control is not None and len(control)) or (self.notices and self.notice_lane == "control"):
            self.ensure_control()
        await self._guarded(self._data.run)
        if self._control is not None:
            await self._control.done.wait()

    async def _guarded(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a part of this life: its exception is the crash of the whole, and goes no further."""
        try:
            await function(*args)
        except BaseException as error:  # supervision is where every error of an actor ends
            crash = without_cancelled(error)
            if isinstance(crash, Exception):
                self.crash(crash)
            elif self.runtime.take_fatal(error):
                self._cut()
            else:
                raise

    async def _close(self) -> None:
        self._tasks = None
        for timer in list(self.timers):
            timer.cancel()
        for subscription in self._subscriptions:
            subscription.close()
        with self._closing_scope:
            await self.children.stop()
            if self._stopping_due:
                await self._call_stopping()
        for slot in self._watched:
            slot.watchers.discard(self)

    async def _call_stopping(self) -> None:
        grace = self.slot.stop_timeout
        with trio.move_on_after(grace) as limit:
            await self._guarded(self.actor.stopping)
        if limit.cancelled_caught:
            log.error("%s: stopping() was cancelled after %g s", self.slot.path, grace)

    def crash(self, error: BaseException) -> None:
        """End this life because of an error. The first one counts; others are logged."""
        if self.error is None:
            self.error = error
        else:
            log.error("%s: another error while it crashed", self.slot.path, exc_info=error)
        self._cut()

    def kill(self) -> None:
        """End this life now: the time for an orderly end is over."""
        self._cut()
        self._closing_scope.cancel()

    def _cut(self) -> None:
        """Cancel all that this life does. A message handed to a lane but not begun stays queued."""
        self._ending = True
        for lane in self.lanes():
            lane.close()
        self._scope.cancel()

    def finish(self, *, drain: bool = False, itself: bool = False) -> None:
        """End this life in order: the message in hand is finished, within the actor's `stop_timeout`."""
        if not self._ending:
            self.ended_itself = itself
        self._ending = True
        if not self.has_started:
            self._scope.cancel()
            return
        for lane in self.lanes():
            lane.finish(drain)

    def lanes(self) -> list[LaneTask]:
        """Its lanes that run."""
        return [self._data] if self._control is None else [self._data, self._control]

    def ensure_control(self) -> None:
        """Run the control lane, now that there is something in it. The data lane lets it go first."""
        self._data.is_due = True
        if self._control is not None or self._ending or not self.has_started:
            return
        self._control = LaneTask(self, "control")
        # The task must not inherit the context variables of whoever sends.
        assert self._tasks is not None
        self._context.run(self._tasks.start_soon, self._guarded, self._control.run)

    def handle_directly(self, entry: HandlerEntry, message: object) -> bool:
        """Handle a message in the task that tells it. False when it has to be queued: the actor is not idle."""
        control = self._control
        if self.slot.is_urgent or self.notices or (control is not None and control.since is not None):
            return False
        if self._direct_context is None:
            self._direct_context = self._context.copy()
        return self._data.handle_directly(entry, message, self._direct_context)

    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a background task of this life."""
        if self._tasks is None or self._scope.cancel_called:
            raise ActorStopped(f"{self.slot.path} is stopping: it can start no task")
        self._tasks.start_soon(self._guarded, function, *args)

    def set_timer(self, delay: float, interval: float | None, message: Any, to: Ref | None) -> Timer:
        """Have a message coming, for as long as this life lasts."""
        timer = Timer(self, delay, interval, message, to)
        self.start_soon(timer.run)
        self.timers.add(timer)
        return timer

    def in_hand(self) -> tuple[LaneTask, float] | None:
        """The lane that has been busy with a message the longest, and since when."""
        busy = [(lane, lane.since) for lane in self.lanes() if lane.since is not None]
        return min(busy, key=lambda each: each[1], default=None)

    @property
    def is_busy(self) -> bool:
        """Whether something of it runs that may be waited for: a hook, or a handler."""
        return not self.has_started or self._tasks is None or any(lane.since is not None for lane in self.lanes())

    def waits_in_this_task(self, lane: Lane | None) -> bool:
        """Whether a lane (None: any) handles nothing before the task that runs now has gone on."""
        task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        control = self._control and self._control.task
        while task is not None:
            if task is self._main:
                return lane != "control" or not self.has_started or self._tasks is None
            if task is control:
                return lane != "data"
            nursery = task.parent_nursery
            # Background tasks are waited for by nobody; those in a nursery of a handler are, by that.
            task = None if nursery is None or nursery is self._tasks else nursery.parent_task
        return False

    def watch(self, ref: Ref) -> None:
        """Be told when `ref` ends."""
        slot = ref._slot  # pyright: ignore[reportPrivateUsage] - a ref is the slot's face, and this is the kernel
        if slot.terminated is None:
            self._watched.add(slot)
            slot.watchers.add(self)
        elif not any(notice.ref == ref for notice in self.notices):
            self.notify(slot.terminated)

    def unwatch(self, ref: Ref) -> None:
        """Be told no more."""
        slot = ref._slot  # pyright: ignore[reportPrivateUsage]
        self._watched.discard(slot)
        slot.watchers.discard(self)
        for notice in [notice for notice in self.notices if notice.ref == ref]:
            self.notices.remove(notice)

    def notify(self, notice: Terminated) -> None:
        """Bring a notice, whatever is queued. At most one waits for each actor watched."""
        self._watched.discard(notice.ref._slot)  # pyright: ignore[reportPrivateUsage]
        if self.notice_lane is None:
            self.slot.dead_letter(notice, "unhandled")
            return
        self.notices.append(notice)
        if self.notice_lane == "control":
            self.ensure_control()
        for lane in self.lanes():
            lane.is_due = True
        self.slot.mailbox.queue(self.notice_lane).wake()

    def subscribe(self, pattern: str) -> RefSubscription:
        """Subscribe the actor for as long as this life lasts. Raises `ActorStopped` when that is over."""
        if self._tasks is None:
            raise ActorStopped(f"{self.slot.path} is stopping: it can subscribe to nothing")
        self._subscriptions = [each for each in self._subscriptions if not each.closed]
        subscription = self.runtime.bus.subscribe_ref(pattern, self.slot.ref)
        self._subscriptions.append(subscription)
        return subscription


BACKGROUND_CODE = Life._guarded.__code__  # pyright: ignore[reportPrivateUsage] - of this module
"""In whose frames the background tasks of actors run."""
