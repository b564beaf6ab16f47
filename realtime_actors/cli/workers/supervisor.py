"""The process that watches over the workers."""

import logging
import signal
import sys
from collections.abc import Sequence

import attrs
import click
import trio

from realtime_actors.actors.supervision import Backoff, Budget, GiveUp, Member, Outcome, Supervision
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.running import Stopping
from realtime_actors.cli.workers.door import Door
from realtime_actors.cli.workers.process import Worker
from realtime_actors.transports.http import listen

__all__ = ["Supervisor", "supervise"]

log = logging.getLogger("realtime_actors.cli.workers")

_BUDGET = Budget(max_restarts=5, within=60.0)
_BACKOFF = Backoff(min=0.1, max=5.0, reset_after=60.0)
_LAST = 10.0
"""Seconds beyond the time of conversations that a worker has to end; then it is killed."""


async def supervise(workers: int, host: str, port: int, stopping: Stopping) -> int:
    """Serve with this many workers, each run as this process is, until it is asked to stop; gives the exit code.

    Raises `PortInUse`, `ListenFailed`, and `CommandFailed` when a worker dies again and again.
    """
    listeners = await listen(host, port)
    port = listeners[0].socket.getsockname()[1]
    command = [sys.executable, "-m", "realtime_actors", *sys.argv[1:], "--port", str(port), "--worker"]
    supervisor = Supervisor(
        [Worker(number, [*command, f"{number}/{workers}:"]) for number in range(workers)], listeners, stopping
    )
    return await supervisor.run()


@attrs.define(eq=False)
class Supervisor:
    """Keeps workers running, and the port that they share open."""

    workers: Sequence[Worker]
    listeners: list[trio.SocketListener]
    stopping: Stopping
    _opened: trio.Event = attrs.field(init=False, factory=trio.Event)
    """The first worker was ready, or all is over."""
    _last: int = attrs.field(init=False, default=-1)
    """Who was given the last connection that is for anybody."""
    _failure: CommandFailed | None = attrs.field(init=False, default=None)
    _code: int = attrs.field(init=False, default=0)

    async def run(self) -> int:
        """Until it is asked to stop, and all workers have ended; gives the exit code. Raises `CommandFailed`."""
        self.stopping.at_once = self._kill_all
        async with trio.open_nursery() as serving:
            if hasattr(signal, "SIGUSR1"):
                await serving.start(self._pass_signals_on, signal.SIGUSR1)
            serving.start_soon(self._stop)
            serving.start_soon(self._open, serving)
            async with trio.open_nursery() as keeping:
                for worker in self.workers:
                    keeping.start_soon(self._keep, worker)
            serving.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure
        return self._code

    async def _open(self, serving: trio.Nursery) -> None:
        await self.workers[0].ready.wait()
        self._opened.set()
        await serving.start(Door(len(self.workers), self._pass_on).serve, self.listeners)
        for worker in self.workers:
            await worker.ready.wait()
        click.echo(f"{len(self.workers)} workers share the port; a session stays with one of them.")
        click.echo(self.workers[0].announcement)

    # -- the workers

    async def _keep(self, worker: Worker) -> None:
        """Have a process in this place, until all is over."""
        if worker is not self.workers[0]:  # the first one alone says what is wrong with the settings
            await self._opened.wait()
        supervision, asked = Supervision(budget=_BUDGET, backoff=_BACKOFF), self.stopping.asked
        while not asked.is_set():
            try:
                code, was_ready = await worker.live()
            except OSError as error:
                log.error("worker %d: no process can be started: %s", worker.number, error)
                code, was_ready = 1, False
            if asked.is_set():
                return
            if not self._opened.is_set():
                self._give_up(code, f"the first worker {_how(code)} before it was ready")
                return
            outcome = Outcome.START_FAILED if not was_ready else Outcome.CRASHED if code else Outcome.NORMAL
            member = Member("worker", "permanent", running=False)
            decided = supervision.exited([member], "worker", outcome, trio.current_time())
            if isinstance(decided, GiveUp):
                self._give_up(
                    1,
                    f"worker {worker.number} has ended {decided.max_restarts + 1} times within {decided.within:g} s, "
                    f"at last it {_how(code)}: it is not started again, and the server stops; why stands above",
                )
                return
            log.warning(
                "worker %d %s: it is started again in %.1f s%s",
                worker.number,
                _how(code),
                decided.delay,
                "; its conversations are lost, no others are touched" if code else "",
            )
            with trio.move_on_after(decided.delay):
                await asked.wait()

    def _give_up(self, code: int, words: str) -> None:
        if code < 0 or self._opened.is_set():
            self._failure = CommandFailed(words)
        self._code = code  # one that could not start has said why
        self.stopping.asked.set()

    async def _stop(self) -> None:
        await self.stopping.asked.wait()
        self._opened.set()
        async with trio.open_nursery() as nursery:
            for worker in self.workers:
                nursery.start_soon(worker.drain)
            await trio.sleep(self.stopping.within + _LAST)
            for worker in self.workers:
                if worker.pid is not None:
                    log.error("worker %d has not ended in time, and is killed", worker.number)
            self._kill_all()

    def _kill_all(self) -> None:
        for worker in self.workers:
            worker.kill()

    async def _pass_signals_on(
        self, number: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(number) as signals:
            task_status.started()
            async for _ in signals:
                for worker in self.workers:
                    if worker.ready.is_set():  # before that it would die of it
                        worker.signal(number)

    # -- connections

    async def _pass_on(self, number: int | None, connection: int) -> None:
        while not await self._choose(number).take(connection):
            await trio.lowlevel.checkpoint()

    def _choose(self, number: int | None) -> Worker:
        if number is not None and (self.workers[number].ready.is_set() or not self.stopping.asked.is_set()):
            return self.workers[number]
        for _ in self.workers:  # in turn; when all is about to end, all of them say so
            self._last = (self._last + 1) % len(self.workers)
            if self.workers[self._last].ready.is_set():
                break
        return self.workers[self._last]


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
