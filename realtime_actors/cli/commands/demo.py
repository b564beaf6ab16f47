"""`realtime-actors demo`."""

from functools import partial
from typing import Any

import click

from realtime_actors.cli import options

__all__ = ["demo"]


def _room(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not options.is_id(value):
        raise click.BadParameter(f"{value!r:.80} is no name of a room: {options.ID_RULE}.")
    return value


@click.command(
    epilog="""\b
Examples:
  realtime-actors demo
  realtime-actors demo --room
  realtime-actors demo --port 8080 --speed 1
  REALTIME_ACTORS_TOKEN=a-long-secret realtime-actors demo --host 0.0.0.0
"""
)
@click.option(
    "--room",
    is_flag=False,
    flag_value="lobby",
    metavar="[NAME]",
    callback=_room,
    help="Two agents with different voices in a room of this name, lobby if it has none, which several people can "
    "enter: each opens the page.",
)
@options.host
@options.port(8000)
@options.token("A token that frontends must show. Without one everybody who reaches the port may talk.")
@options.allow_origin
@options.max_sessions
@options.speed
@options.turn_detection
@options.return_within
@options.workers
@options.drain
@options.verbose
@click.pass_context
def demo(
    context: click.Context,
    *,
    room: str | None,
    workers: int,
    worker: str | None,
    drain: float,
    verbose: int,
    **plan: Any,
) -> None:
    """Run everything on this machine, without a key: a simulated model that hears and speaks, an agent with tools,
    the gateway.

    The model understands hello, the time, the date, the weather in a dozen cities, counting, repeating, thanks and
    goodbye, in English; in a room also its name, and "ask Bob for the date".
    """
    if room is not None:
        options.refuse_given(context, ["turn_detection"], "--room", "a room finds people's turns itself")
        del plan["turn_detection"]
    from realtime_actors.cli.workers.launch import Server, launch  # noqa: PLC0415 - heavy

    def load() -> Server:
        if room is not None:
            from realtime_actors.cli.servers.demo_room import demonstrate_room  # noqa: PLC0415 - heavy

            return partial(demonstrate_room, room, **plan)
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
