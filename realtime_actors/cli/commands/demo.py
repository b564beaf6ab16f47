"""`realtime-actors demo`."""

from functools import partial

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
@options.verbose
def demo(
    *,
    host: str,
    port: int,
    token: str | None,
    allowed_origins: tuple[str, ...],
    max_sessions: int,
    speed: float,
    turn_detection: str,
    verbose: int,
) -> None:
    """Run everything on this machine, without a key: a simulated model that hears and speaks, an agent with tools,
    the gateway.

    The model understands hello, the time, the date, the weather in a dozen cities, counting, repeating, thanks and
    goodbye, in English.
    """
    from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy
    from realtime_actors.cli.servers.demo import demonstrate  # noqa: PLC0415 - heavy

    run(
        partial(
            demonstrate,
            host=host,
            port=port,
            token=token,
            allowed_origins=allowed_origins,
            max_sessions=max_sessions,
            speed=speed,
            turn_detection=turn_detection,
        ),
        verbose=verbose,
    )
