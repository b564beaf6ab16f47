"""What a tool says of how far it has come."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import attrs
import trio

from realtime_actors.actors import ActorStopped

__all__ = ["Progress"]

INTERVAL = 0.1
"""Seconds from one report of a call to the next; of those that come faster the last is published."""
LONGEST_TEXT = 500

Report = tuple[str, float | None]


@attrs.define(eq=False)
class Progress:
    """How far a call has come, for whoever waits for it: `progress("Looking for seats", 0.25)`.

    A tool that has a parameter with this annotation is given one; the model does not see that parameter. What is
    reported is published as `AgentResponseToolProgress`, ten times a second at most. It can be called in a thread
    too, and after the call is over, when nothing happens. One made by hand (`Progress()`) reports to nobody: for
    tests of a tool.
    """

    _publish: Callable[[str, float | None], None] | None = None
    _start_soon: Callable[..., None] | None = None
    """Starts a background task."""
    _token: trio.lowlevel.TrioToken | None = None
    """Of the event loop in which it is published."""
    _latest: Report | None = attrs.field(init=False, default=None)
    # Reports are on their way to the event loop, and wait for their time in it.
    _is_waiting: bool = attrs.field(init=False, default=False)
    _published_at: float = attrs.field(init=False, default=float("-inf"))

    def __call__(self, text: str = "", fraction: float | None = None) -> None:
        """Say what is being done, and what fraction of it all is done (0 to 1; beyond that it is cut)."""
        if self._token is None:
            return
        if fraction is not None:
            fraction = None if math.isnan(fraction) else min(max(float(fraction), 0.0), 1.0)
        self._latest = text[:LONGEST_TEXT], fraction
        if trio.lowlevel.in_trio_task() and trio.lowlevel.current_trio_token() is self._token:
            self._take()
            return
        with contextlib.suppress(trio.RunFinishedError):  # a thread of the tool's own, which has outlived everything
            self._token.run_sync_soon(self._take, idempotent=True)

    def end(self) -> None:
        """Nothing more is published."""
        self._publish = None

    def _take(self) -> None:
        """In the event loop: publish the latest report now, or have it published when its time has come."""
        if self._publish is None or self._start_soon is None or self._is_waiting or self._latest is None:
            return
        if trio.current_time() >= self._published_at + INTERVAL:
            self._published_at = trio.current_time()
            report, self._latest = self._latest, None
            self._publish(*report)
        else:
            with contextlib.suppress(ActorStopped):  # the agent is stopping: nobody is there to be told
                self._start_soon(self._wait)
                self._is_waiting = True

    async def _wait(self) -> None:
        await trio.sleep_until(self._published_at + INTERVAL)
        self._is_waiting = False
        self._take()
