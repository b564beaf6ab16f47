"""`realtime-actors demo`."""

from functools import partial
from typing import Any

import click

from realtime_actors.cli import options

__all__ = ["demo"]


@click.command(
    epilog="""\b
Examples:
  realtime-actors demo
  realtime-actors demo --port 8080 --speed 1
  REALTIME_ACTORS_TOKEN=a-long-secret realtime-actors demo --host 0.0.0.0
"""
)
@options.host
@options.port(8000)
@options.token("A token that frontends must show. Without one everybody who reaches the port may talk.")
@options.allow_origin
@options.max_sessions
@options.speed
@options.turn_detection
@options.workers
@options.drain
@options.verbose
def demo(*, workers: int, worker: str | None, drain: float, verbose: int, **plan: Any) -> None:
    """Run everything on this machine, without a key: a simulated model that hears and speaks, an agent with tools,
    the gateway.

    The model understands hello, the time, the date, the weather in a dozen cities, counting, repeating, thanks and
    goodbye, in English.
    """
    from realtime_actors.cli.workers.launch import Server, launch  # noqa: PLC0415 - heavy

    def load() -> Server:
        from realtime_actors.cli.servers.demo import demonstrate  # noqa: PLC0415 - heavy

        return partial(demonstrate, **plan)

    launch(
        load,
        workers=workers,
        worker=worker,
        drain=drain,
        host=plan["host"],
        port=plan["port"],
        verbose=verbose,
    )
