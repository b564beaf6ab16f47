"""One lane of an actor: the task that handles its messages, one at a time, in order."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from contextvars import Context as ContextVars
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Literal, cast

import trio

from .errors import ActorCrashed, ActorStopped, AskedItself, in_words
from .instruments import handling
from .mailbox import WAKE, LaneQueue
from .messages import Forward, HandlerEntry, Lane
from .reply import Envelope, Reply, trace_context
from .signals import Terminated

if TYPE_CHECKING:
    from .actor import Actor
    from .life import Life

__all__ = ["HANDLE_CODE", "LaneTask", "without_cancelled"]

log = logging.getLogger("realtime_actors.actors")

# A lane whose mailbox never runs empty lets others run after this many messages.
_MESSAGES_PER_PASS = 64
_COROUTINE: type = CoroutineType  # a plain method may return one, of another method


class LaneTask:
    """Handles the messages of one lane, one at a time, in order."""

    def __init__(self, life: Life, lane: Lane) -> None:
        self.life = life
        self.lane: Lane = lane
        self.queue: LaneQueue = life.slot.mailbox.queue(lane)
        self.done = trio.Event()
        self.task: trio.lowlevel.Task | None = None
        self.message: object = None
        """The message in hand, or the last one."""
        self.since: float | None = None
        """Since when, on Trio's clock, a message is in hand; None when there is none."""
        self.is_due = True
        """Whether there may be something to look at before the next message: an end, a notice, the other lane."""
        self._failure: BaseException | None = None
        """What a handler raised that was called directly: raised again in this task, which is where a lane crashes."""
        self._scope = trio.CancelScope()
        self._state: Literal["open", "draining", "closing"] = "open"

    def close(self) -> None:
        """Begin no other message."""
        self._state = "closing"
        self.is_due = True

    def finish(self, drain: bool) -> None:
        """Finish the message in hand, with `drain` the queued ones too, each within the actor's `stop_timeout`."""
        if self._state == "closing" or (self._state == "draining" and drain):
            return
        self._state = "draining" if drain else "closing"
        self.is_due = True
        if self.since is not None:
            self._limit()
        else:
            self.queue.wake()

    def _limit(self) -> None:
        self._scope.deadline = trio.current_time() + self.life.slot.stop_timeout

    def handle_directly(self, entry: HandlerEntry, message: object, context: ContextVars) -> bool:
        """Handle a message in the task that tells it, with the context variables given. False when it is not idle."""
        queue, life = self.queue, self.life
        runtime = life.runtime
        # One at a time: a handler that is called so tells in the usual way, or stacks could grow without an end.
        if runtime.handles_directly or not queue.awaited or queue.fill or self._state != "open":
            return False
        runtime.handles_directly = True
        self.message, self.since = message, runtime.now()
        try:
            result: Any = context.run(entry.function, life.actor, message)
            if result is not None:
                context.run(self._answered_directly, result, message)
        except BaseException as error:  # noqa: BLE001 - it is this lane's, which raises it, and not the sender's
            context.run(self._lose, message, None, error)
            self._failure = error
            self.close()
            queue.wake()
        else:
            life.slot.handled += 1
        finally:
            runtime.handles_directly = False
        self.since = None
        return True

    def _answered_directly(self, result: object, message: object) -> None:
        if type(result) is Forward:
            self._forward(result, message, None, None)
        elif isinstance(result, CoroutineType):
            result.close()
            raise TypeError(f"{self.describe()} is direct, and cannot wait: return no coroutine")

    async def run(self) -> None:
        """Handle messages until the life ends."""
        self.task = trio.lowlevel.current_task()
        try:
            with self._scope:
                await self._handle_all()
        finally:
            self.since = None
            self.done.set()
        if self._scope.cancelled_caught:
            log.info(
                "%s: a handler was cancelled: it did not finish within %g s of the stop",
                self.life.slot.path,
                self.life.slot.stop_timeout,
            )

    async def _handle_all(self) -> None:  # noqa: PLR0912, PLR0915 - one frame for all: see below
        slot, actor, queue = self.life.slot, self.life.actor, self.queue
        receiver, handlers, now = queue.receiver, slot.handlers, self.life.runtime.now
        take, current_trace, observed = receiver.receive_nowait, trace_context.get, bool(slot.instruments)
        notices: deque[Terminated] = self.life.notices if self.lane == self.life.notice_lane else deque()
        is_data, left, began, draining = self.lane == "data", _MESSAGES_PER_PASS, now(), False
        while True:
            if self.is_due or not left:
                self.is_due = False
                if self._state == "closing":
                    break
                draining = self._state == "draining"
                if not left or (slot.is_urgent and is_data):
                    await trio.lowlevel.checkpoint()
                    if slot.is_urgent and is_data:
                        # In the pass of a control lane that wakes now this one may come first: it lets another one go
                        # by.
                        slot.is_urgent = False
                        await trio.lowlevel.checkpoint()
                    left, began, self.is_due = _MESSAGES_PER_PASS, now(), True
                    continue
                if notices:
                    item: object = notices.popleft()
                elif queue.returned is not None:
                    item, queue.returned = queue.returned, None
                    queue.fill -= 1
                else:
                    continue
                self.is_due = True
            else:
                try:
                    item = take()
                except trio.WouldBlock:
                    if draining:
                        return
                    if not is_data:
                        slot.is_urgent = False
                    queue.awaited = True
                    try:
                        item = await receiver.receive()
                    finally:
                        queue.awaited = False
                    left, began, self.is_due = _MESSAGES_PER_PASS, now(), True
                    if item is not WAKE:
                        # This life may have ended since it was handed over: then it stays queued.
                        queue.returned = item
                    continue
                queue.fill -= 1
            left -= 1
            # All in this one frame: a call for each message would cost a tenth of all that is done for it.
            message, reply, trace = item, None, None
            if type(item) is Envelope:
                message, reply, trace = item.message, item.reply, item.trace
                if item.timer is not None and not item.timer.begin():
                    continue
            entry = handlers[type(message)]
            self.message = message
            # One that never waits has begun about when its batch did: that is not worth a look at the clock.
            self.since = now() if entry.can_wait else began
            if draining:
                self._limit()
            if trace is not current_trace():
                trace_context.set(trace)
            try:
                result: Any
                if observed:
                    result = await self._handle_observed(actor, entry, cast("Envelope", item))
                else:
                    result = entry.function(actor, message)
                    if entry.is_async:
                        result = await result
                    elif result is not None and isinstance(result, _COROUTINE):
                        self.since = now()
                        result = await result
                if result is not None and type(result) is Forward:
                    self._forward(result, message, reply, trace)
                elif reply is not None and not reply.answer(result):
                    slot.dead_letter(result, "late_answer")
            except BaseException as error:
                self._lose(message, reply, error)
                raise
            self.since = None
            slot.handled += 1
        if self._failure is not None:
            raise self._failure

    async def _handle_observed(self, actor: Actor, entry: HandlerEntry, envelope: Envelope) -> Any:
        slot = self.life.slot
        waited = self.life.runtime.now() - envelope.at
        with handling(slot.instruments, slot.ref, envelope.message, envelope.trace, waited):
            result: Any = entry.function(actor, envelope.message)
            return await result if entry.is_async or isinstance(result, _COROUTINE) else result

    def _forward(self, forward: Forward, message: object, reply: Reply | None, trace: object | None) -> None:
        slot = self.life.slot
        if forward.to == slot.ref:
            raise AskedItself(f"{slot.path} forwards a message to itself, which would go on for ever")
        forward.to._slot.take_over(message, reply, trace)  # pyright: ignore[reportPrivateUsage] - a ref is the slot's face

    def describe(self) -> str:
        """What it handles, or handled last, in words."""
        slot, entry = self.life.slot, self.life.slot.handlers.get(type(self.message))
        if entry is None:
            return slot.path
        return f"{slot.path} ({entry.function.__qualname__} with a {type(self.message).__name__})"

    def stack(self) -> list[str]:
        """Where the handler waits, as lines for people, from the handler inwards."""
        if self.task is None:
            return []
        frames = list(self.task.iter_await_frames())
        inner = next((i + 1 for i, (frame, _) in enumerate(frames) if frame.f_code is HANDLE_CODE), 0)
        return traceback.StackSummary.extract(iter(frames[inner:])).format()

    def _lose(self, message: object, reply: Reply | None, error: BaseException) -> None:
        """The message in hand is lost with the crash, or was cancelled by the stop."""
        slot, name = self.life.slot, type(message).__name__
        crash = without_cancelled(error) or self.life.error
        if crash is None:
            slot.dead_letter(message, "stopped")
            failure: Exception = ActorStopped(f"{slot.path} was stopped while it handled {name}")
        else:
            slot.dead_letter(message, "crashed", crash)
            words = in_words(crash)
            failure = ActorCrashed(f"{slot.path} crashed while it handled {name}: {type(crash).__name__}: {words}")
            failure.__cause__ = crash
        if reply is not None:
            reply.fail(failure)


HANDLE_CODE = LaneTask._handle_all.__code__  # pyright: ignore[reportPrivateUsage]
"""By which a handler's frames are found in a stack: they come after this one."""


def without_cancelled(error: BaseException) -> BaseException | None:
    """What an exception says beside that its task was cancelled."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        cancelled, rest = group.split(trio.Cancelled)
        return group if cancelled is None else rest
    return None if isinstance(error, trio.Cancelled) else error
