"""Running a server in one process, or in several."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import click

from realtime_actors.cli.running import Stopping, run
from realtime_actors.cli.workers.channel import Place, is_supported
from realtime_actors.cli.workers.supervisor import supervise

__all__ = ["Server", "launch"]


class Server(Protocol):
    """What serves in one process: until cancelled, or until `stopping` asks for the end; `place` is a worker's."""

    def __call__(self, *, stopping: Stopping | None, place: Place | None) -> Awaitable[None]:
        """Serve."""
        ...


def launch(
    load: Callable[[], Server], *, workers: int, worker: str | None, drain: float, host: str, port: int, verbose: int
) -> None:
    """Run a server as `run` does: here, or in so many workers; this process is one of them where it has a `worker`.

    `load` imports it, which a process that only watches over workers does without.
    """
    stopping = Stopping(drain, is_told=worker is not None)
    if worker is not None:
        place = Place.of(worker)
        run(partial(load(), stopping=stopping, place=place), verbose=verbose, stopping=stopping, label=place.label)
    elif workers > 1:
        if not is_supported():
            raise click.ClickException(
                "--workers needs a system on which processes pass sockets on to each other (Linux, macOS, BSD). Here, "
                "start the command once for each core, each with a port of its own, behind a proxy."
            )
        run(partial(supervise, workers, host, port, stopping), verbose=verbose, stopping=stopping)
    elif drain:
        run(partial(load(), stopping=stopping, place=None), verbose=verbose, stopping=stopping)
    else:  # a signal cancels it
        run(partial(load(), stopping=None, place=None), verbose=verbose)
