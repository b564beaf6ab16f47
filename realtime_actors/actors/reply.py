"""The one-shot answer to an `ask`, and the envelope that carries a message."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from .timers import Timer

__all__ = ["Envelope", "Reply", "message_of", "trace_context"]

trace_context: ContextVar[object | None] = ContextVar("realtime_actors_trace", default=None)
"""What tracing needs to follow a message: the sender's value is the handler's value."""


class Reply:
    """A slot for one answer, which one task waits for. Cheaper than a channel."""

    __slots__ = ("_abandoned", "_error", "_resolved", "_task", "_value")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._resolved = False
        self._abandoned = False

    def answer(self, value: Any) -> bool:
        """Give the answer. False when nobody waits for it any more."""
        return self._resolve(value, None)

    def fail(self, error: BaseException) -> bool:
        """Let the waiter raise `error`. False when nobody waits any more."""
        return self._resolve(None, error)

    def _resolve(self, value: Any, error: BaseException | None) -> bool:
        if self._abandoned or self._resolved:
            return False
        self._resolved = True
        self._value, self._error = value, error
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None
        return True

    async def wait(self) -> Any:
        """The answer. Waits at least one pass of the scheduler."""
        if self._resolved:
            await trio.lowlevel.checkpoint()
        else:
            self._task = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._task = None
                self._abandoned = True
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        if self._error is not None:
            raise self._error
        return self._value

    def abandon(self) -> None:
        """Nobody will wait for the answer: a late one is told so."""
        self._abandoned = True


@attrs.define(slots=True, eq=False)
class Envelope:
    """A message on its way with what belongs to it. One with nothing of all that is queued by itself."""

    message: object
    reply: Reply | None = None
    """Where its answer goes."""
    trace: object | None = None
    """The sender's trace context."""
    timer: Timer | None = None
    """Of whose it is: the next life of the actor that set it does not get it."""
    at: float = 0.0
    """When it was sent, on Trio's clock; kept for instruments only."""


def message_of(item: object) -> object:
    """The message of what is queued: that itself, or what is in the envelope."""
    return item.message if type(item) is Envelope else item
