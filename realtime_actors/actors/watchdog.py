"""Says in the log what keeps others waiting: a handler that holds its lane, a call that blocks the event loop."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from types import FrameType
from typing import TYPE_CHECKING

import trio

from .lane import HANDLE_CODE, LaneTask
from .life import BACKGROUND_CODE, Life

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["Watchdog"]

log = logging.getLogger("realtime_actors.actors")

_LOOKS = 4  # in each of the times given


class Watchdog:
    """A thread that knocks at the event loop: one that does not answer is blocked.

    It measures on the real clock, whatever clock the runtime has; how long a handler holds its lane is measured on
    the runtime's.
    """

    def __init__(self, runtime: Runtime, blocked_after: float | None, lane_held_after: float | None) -> None:
        self._runtime = runtime
        self._blocked_after = blocked_after
        self._lane_held_after = lane_held_after
        self._over = threading.Event()
        self._knocked_at: float | None = None
        self._reported_at: float | None = None
        self._next_sweep = 0.0
        self._warned: dict[LaneTask, float] = {}

    def start(self) -> None:
        """Begin to watch the event loop of this thread."""
        limits = [limit for limit in (self._blocked_after, self._lane_held_after) if limit is not None]
        if not limits:
            return
        token = trio.lowlevel.current_trio_token()
        arguments = (token, threading.get_ident(), min(limits) / _LOOKS)
        # A daemon: a log handler that hangs must not keep the process from ending.
        threading.Thread(target=self._watch, args=arguments, name="realtime_actors watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()

    def _watch(self, token: trio.lowlevel.TrioToken, loop_thread: int, interval: float) -> None:
        while not self._over.wait(interval):
            if self._knocked_at is None:
                self._knocked_at = time.monotonic()
                try:
                    token.run_sync_soon(self._answer)
                except trio.RunFinishedError:
                    return
            elif (
                self._blocked_after is not None
                and self._reported_at is None
                and time.monotonic() - self._knocked_at >= self._blocked_after
            ):
                self._reported_at = self._knocked_at
                # No local variable: it would keep the stack with all that is on it while the thread waits.
                self._report_blocked(
                    sys._current_frames().get(loop_thread)  # pyright: ignore[reportPrivateUsage] - the only way
                )

    def _answer(self) -> None:
        """Runs in the event loop."""
        self._knocked_at = None
        if self._reported_at is not None:
            log.warning("the event loop goes on, after %.1f s", time.monotonic() - self._reported_at)
            self._reported_at = None
        if self._lane_held_after is not None and time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._lane_held_after / _LOOKS
            self._report_held_lanes(self._lane_held_after)

    def _report_blocked(self, frame: FrameType | None) -> None:
        if frame is None or self._over.is_set():
            return
        stack = list(traceback.walk_stack(frame))
        by = "a task that is no handler"
        for index, (each, _) in enumerate(stack):
            if each.f_code is HANDLE_CODE:
                lane: LaneTask = each.f_locals["self"]
                by = lane.describe()
                del stack[index:]
                break
            if each.f_code is BACKGROUND_CODE:
                life: Life = each.f_locals["self"]
                by = f"a background task of {life.slot.path} ({type(life.actor).__name__})"
                del stack[index:]
                break
        log.error(
            "the event loop has been blocked for %g s by %s: nobody else runs meanwhile. Have a thread do it "
            "(trio.to_thread.run_sync)\n%s",
            self._blocked_after,
            by,
            "".join(traceback.StackSummary.extract(reversed(stack)).format()),
        )

    def _report_held_lanes(self, limit: float) -> None:
        now = self._runtime.now()
        held = {
            lane: lane.since
            for slot in self._runtime.slots.values()
            if slot.life is not None
            for lane in slot.life.lanes()
            if lane.since is not None and now - lane.since >= limit
        }
        for lane, since in held.items():
            if self._warned.get(lane) != since:
                log.warning(
                    "%s has held its lane for %.1f s; what is queued behind it waits\n%s",
                    lane.describe(),
                    now - since,
                    "".join(lane.stack()),
                )
        self._warned = held
