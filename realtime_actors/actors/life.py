"""One life of an actor: start, handle messages, close. What outlives it is its slot."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal, cast

import trio

from .actor import Actor, Context
from .bus import RefSubscription
from .errors import ActorCrashed, ActorStopped
from .group import Children
from .instruments import handling
from .mailbox import WAKE, LaneQueue
from .messages import Forward, HandlerEntry, Lane
from .reply import Envelope, trace_context
from .signals import Terminated
from .timers import Tick, Timer

if TYPE_CHECKING:
    from .ref import Ref
    from .runtime import Runtime
    from .slot import Slot

__all__ = ["HANDLE_CODE", "LaneTask", "Life"]

log = logging.getLogger("realtime_actors.actors")

# A lane whose mailbox never runs empty lets others run after this many messages.
_MESSAGES_PER_PASS = 64


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
            crash = _without_cancelled(error)
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
        """Run the control lane, now that there is something in it."""
        if self._control is not None or self._ending or not self.has_started:
            return
        self._control = LaneTask(self, "control")
        # The task must not inherit the context variables of whoever sends.
        assert self._tasks is not None
        self._context.run(self._tasks.start_soon, self._guarded, self._control.run)

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

    def waits_in_this_task(self, lane: Lane) -> bool:
        """Whether a lane handles nothing before the task that runs now has gone on."""
        task = trio.lowlevel.current_task()
        if task is self._main:
            return lane == "data" or not self.has_started or self._tasks is None
        return lane == "control" and self._control is not None and self._control.task is task

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
        self.slot.mailbox.queue(self.notice_lane).wake()

    def subscribe(self, pattern: str) -> RefSubscription:
        """Subscribe the actor for as long as this life lasts."""
        self._subscriptions = [each for each in self._subscriptions if not each.closed]
        subscription = self.runtime.bus.subscribe_ref(pattern, self.slot.ref)
        self._subscriptions.append(subscription)
        return subscription


class LaneTask:
    """Handles the messages of one lane, one at a time, in order."""

    def __init__(self, life: Life, lane: Lane) -> None:
        self.life = life
        self.lane: Lane = lane
        self.queue: LaneQueue = life.slot.mailbox.queue(lane)
        self.done = trio.Event()
        self.task: trio.lowlevel.Task | None = None
        self.envelope: Envelope | None = None
        """The message in hand, or the last one."""
        self.since: float | None = None
        """Since when, on Trio's clock, a message is in hand; None when there is none."""
        self._scope = trio.CancelScope()
        self._state: Literal["open", "draining", "closing"] = "open"

    def close(self) -> None:
        """Begin no other message."""
        self._state = "closing"

    def finish(self, drain: bool) -> None:
        """Finish the message in hand, with `drain` the queued ones too, each within the actor's `stop_timeout`."""
        if self._state == "closing" or (self._state == "draining" and drain):
            return
        self._state = "draining" if drain else "closing"
        if self.since is not None:
            self._limit()
        else:
            self.queue.wake()

    def _limit(self) -> None:
        self._scope.deadline = trio.current_time() + self.life.slot.stop_timeout

    async def run(self) -> None:
        """Handle messages until the life ends."""
        self.task = trio.lowlevel.current_task()
        try:
            with self._scope:
                await self._handle_all()
        finally:
            self.done.set()
        if self._scope.cancelled_caught:
            log.info(
                "%s: a handler was cancelled: it did not finish within %g s of the stop",
                self.life.slot.path,
                self.life.slot.stop_timeout,
            )

    async def _handle_all(self) -> None:
        slot, actor, queue = self.life.slot, self.life.actor, self.queue
        receiver, handlers, now = queue.receiver, slot.handlers, self.life.runtime.now
        notices: deque[Terminated] = self.life.notices if self.lane == self.life.notice_lane else deque()
        taken = 0
        while self._state != "closing":
            taken += 1
            if taken > _MESSAGES_PER_PASS:
                taken = 0
                await trio.lowlevel.checkpoint()
                continue
            if notices:
                envelope = Envelope(notices.popleft())
            elif queue.returned is not None:
                envelope, queue.returned = queue.returned, None
                queue.fill -= 1
            else:
                try:
                    envelope = receiver.receive_nowait()
                except trio.WouldBlock:
                    if self._state == "draining":
                        return
                    taken = 0
                    queue.awaited = True
                    try:
                        envelope = await receiver.receive()
                    finally:
                        queue.awaited = False
                    if envelope is not WAKE:
                        # This life may have ended since it was handed over: then it stays queued.
                        queue.returned = envelope
                    continue
                queue.fill -= 1
            if type(envelope) is Tick and not envelope.timer.begin():
                continue
            self.envelope = envelope
            self.since = now()
            if self._state == "draining":
                self._limit()
            try:
                await self._handle(actor, handlers[type(envelope.message)], envelope)
            finally:
                self.since = None
            slot.handled += 1

    async def _handle(self, actor: Actor, entry: HandlerEntry, envelope: Envelope) -> None:
        if envelope.trace is not trace_context.get():
            trace_context.set(envelope.trace)
        try:
            if self.life.slot.instruments:
                result = await self._handle_observed(actor, entry, envelope)
            else:
                result = entry.function(actor, envelope.message)
                if entry.is_async:
                    result = await result
        except BaseException as error:
            self._lose(envelope, error)
            raise
        if type(result) is Forward:
            result.to._slot.take_over(envelope)  # pyright: ignore[reportPrivateUsage] - a ref is the slot's face
        elif envelope.reply is not None and not envelope.reply.answer(result):
            self.life.slot.dead_letter(result, "late_answer")

    def describe(self) -> str:
        """What it handles, or handled last, in words."""
        slot, envelope = self.life.slot, self.envelope
        if envelope is None:
            return slot.path
        function = slot.handlers[type(envelope.message)].function
        return f"{slot.path} ({function.__qualname__} with a {type(envelope.message).__name__})"

    def stack(self) -> list[str]:
        """Where the handler waits, as lines for people, from the handler inwards."""
        if self.task is None:
            return []
        frames = list(self.task.iter_await_frames())
        inner = next((i + 1 for i, (frame, _) in enumerate(frames) if frame.f_code is HANDLE_CODE), 0)
        return traceback.StackSummary.extract(iter(frames[inner:])).format()

    async def _handle_observed(self, actor: Actor, entry: HandlerEntry, envelope: Envelope) -> Any:
        runtime = self.life.runtime
        waited = runtime.now() - envelope.at
        with handling(self.life.slot.instruments, self.life.slot.ref, envelope.message, envelope.trace, waited):
            result = entry.function(actor, envelope.message)
            return await result if entry.is_async else result

    def _lose(self, envelope: Envelope, error: BaseException) -> None:
        """The message in hand is lost with the crash, or was cancelled by the stop."""
        slot, name = self.life.slot, type(envelope.message).__name__
        crash = _without_cancelled(error) or self.life.error
        if crash is None:
            slot.dead_letter(envelope.message, "stopped")
            failure: Exception = ActorStopped(f"{slot.path} was stopped while it handled {name}")
        else:
            slot.dead_letter(envelope.message, "crashed", crash)
            failure = ActorCrashed(f"{slot.path} crashed while it handled {name}: {crash!r}")
            failure.__cause__ = crash
        if envelope.reply is not None:
            envelope.reply.fail(failure)


HANDLE_CODE = LaneTask._handle.__code__  # pyright: ignore[reportPrivateUsage]
"""By which a handler's frames are found in a stack: they come after this one."""


def _without_cancelled(error: BaseException) -> BaseException | None:
    """What an exception says beside that its task was cancelled."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        cancelled, rest = group.split(trio.Cancelled)
        return group if cancelled is None else rest
    return None if isinstance(error, trio.Cancelled) else error
