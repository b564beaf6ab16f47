"""The port that workers share."""

import logging
import socket
from collections.abc import Awaitable, Callable

import attrs
import trio

from realtime_actors.cli.workers.placement import LONGEST_LINE, target_of, worker_for

__all__ = ["Door"]

log = logging.getLogger("realtime_actors.cli.workers")

_TO_SPEAK, _FOR_A_WORKER = 10.0, 30.0
"""Seconds that a connection has to say what it wants, and for which it then waits until its worker has started."""
_SILENT = 128
"""Connections at a time that have not said what they want; for one more, the oldest of them is cut."""
_WAITING = 512
"""Connections at a time that wait for a worker to start; one more is cut."""
_WARN_AGAIN = 60.0
"""Seconds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.25
"""Seconds between looks at a first line that comes in pieces: twice as long each time."""


@attrs.define(eq=False)
class Door:
    """Accepts connections, and finds out which worker each one is for."""

    workers: int
    pass_on: Callable[[int | None, int], Awaitable[None]]
    """Gives a worker (None: any) a connection, by its file descriptor, as soon as it can take it."""
    _silent: dict[trio.CancelScope, None] = attrs.field(init=False, factory=dict[trio.CancelScope, None])
    _waiting: int = attrs.field(init=False, default=0)
    _cut: int = attrs.field(init=False, default=0)
    _last_warning: float = attrs.field(init=False, default=float("-inf"))

    async def serve(
        self,
        listeners: list[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept until cancelled."""
        await trio.serve_listeners(self._connection, listeners, task_status=task_status)

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Pass it on. Trio closes this process's part of it then: a worker that has it goes on."""
        with trio.move_on_after(_TO_SPEAK) as scope:
            try:
                target = await self._ask(stream.socket, scope)
                if target is not None:
                    scope.deadline = trio.current_time() + _FOR_A_WORKER
                    await self._pass_on(worker_for(target, self.workers), stream.socket)
            except OSError as error:
                log.debug("a client hung up: %r", error)
            except Exception:
                log.exception("a connection could not be passed on; no other is affected")
        if scope.cancelled_caught:
            log.debug("a connection was cut: it took long to say what it wants, or its worker to start")

    async def _ask(self, connection: trio.socket.SocketType, scope: trio.CancelScope) -> str | None:
        if len(self._silent) >= _SILENT:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.cancel()
            self._count_cut()
        self._silent[scope] = None
        try:
            return await _look(connection)
        finally:
            self._silent.pop(scope, None)

    async def _pass_on(self, worker: int | None, connection: trio.socket.SocketType) -> None:
        if self._waiting >= _WAITING:
            self._count_cut()
            return
        self._waiting += 1
        try:
            await self.pass_on(worker, connection.fileno())
        finally:
            self._waiting -= 1

    def _count_cut(self) -> None:
        self._cut += 1
        now = trio.current_time()
        if now >= self._last_warning + _WARN_AGAIN:
            self._last_warning = now
            log.warning("too many connections at once that no worker has yet: %d were cut so far", self._cut)


async def _look(connection: trio.socket.SocketType) -> str | None:
    """The target of the request that comes; None if nothing does. It stays in the socket for the worker."""
    pause, seen = _FIRST_PAUSE, 0
    while True:
        head = await connection.recv(LONGEST_LINE, socket.MSG_PEEK)
        if not head:
            return None
        target = target_of(head)
        if target is not None:
            return target
        if len(head) == seen:  # else the rest is on its way
            pause = min(2 * pause, _LONGEST_PAUSE)
        seen = len(head)
        await trio.sleep(pause)
