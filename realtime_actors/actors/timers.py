"""Messages that come later, or again and again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from .errors import MailboxFull, UnhandledMessage
from .reply import trace_context

if TYPE_CHECKING:
    from .life import Life
    from .ref import Ref

__all__ = ["Timer"]


class Timer:
    """A message that an actor has coming, once or again and again. It ends with the life that set it."""

    __slots__ = (
        "__weakref__",
        "_delay",
        "_interval",
        "_life",
        "_message",
        "_queued",
        "_scope",
        "_slot",
        "_to",
        "_trace",
        "active",
        "missed",
    )

    def __init__(self, life: Life, delay: float, interval: float | None, message: object, to: Ref | None) -> None:
        _check_seconds("delay", delay, least=0)
        if interval is not None:
            _check_seconds("interval", interval, least=math.ulp(0))
        self.active = True
        """Whether a message of it may still be handled."""
        self.missed = 0
        """Ticks that were not queued: the one before was still waiting, or the mailbox was full."""
        self._delay = delay
        self._interval = interval
        self._message = message
        self._to = to
        self._life = life
        self._trace = trace_context.get()
        self._queued = False
        self._scope = trio.CancelScope()
        if to is None and life.slot.handlers.find(type(message)) is None:
            raise UnhandledMessage(f"{life.slot.path} sets a timer for a {type(message).__name__}: it has no handler")

    def cancel(self) -> None:
        """Let no other message of it be handled, one that is already queued for this actor included."""
        self._end()
        self._scope.cancel()

    async def run(self) -> None:
        """Wait and send, until it is cancelled."""
        due = trio.current_time() + self._delay
        with self._scope:
            while True:
                await trio.sleep_until(due)
                self._send()
                if self._interval is None:
                    return
                # Not in a burst after a stall: what is due by now comes once.
                late = int((trio.current_time() - due) / self._interval)
                self.missed += late
                due += self._interval * (late + 1)

    def _send(self) -> None:
        if self._to is not None:
            self.missed += not self._to.tell_or_dead_letter(self._message)
            if self._interval is None:
                self._end()
        elif self._queued:
            self.missed += 1
        else:
            self._queued = True
            try:
                self._life.slot.post(self._message, None, self._trace, self)
            except MailboxFull as error:
                self.on_drop()
                self._life.slot.dead_letter(self._message, "mailbox_full", error)

    def on_drop(self) -> None:
        """A tick found no room, or had to make room."""
        self._queued = False
        self.missed += 1
        if self._interval is None:
            self._end()

    def begin(self) -> bool:
        """Called when a tick's turn has come: whether it is to be handled."""
        self._queued = False
        due = self.active
        if self._interval is None:
            self._end()
        return due

    def _end(self) -> None:
        self.active = False
        self._life.timers.discard(self)


def _check_seconds(name: str, value: float, *, least: float) -> None:
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{name} is {value!r}: it is a number of seconds, {'0 or more' if least == 0 else 'above 0'}")
