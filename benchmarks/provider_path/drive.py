"""Runs one driver: `python -m benchmarks.provider_path.drive listen MODULE SESSIONS WARM COUNT`.

The port of the load generator comes as a line on stdin. What is imported here must be in a peer's environment, too.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click
import orjson

from .meter import Meter, Pace
from .priority import CONTESTANT, go_first

__all__ = ["main"]


@click.command()
@click.argument(
    "kind",
    type=click.Choice(["listen", "speak", "relay", "broadcast", "room", "interrupt", "consume", "stay", "converse"]),
)
@click.argument("driver")
@click.argument("sessions", type=int)
@click.argument("warm", type=int)
@click.argument("count", type=int)
@click.argument("frontends", type=int, default=1)  # or members of a room
@click.argument("rooms", type=int, default=1)
def main(  # noqa: PLR0917 - click gives them by name
    kind: str, driver: str, sessions: int, warm: int, count: int, frontends: int, rooms: int
) -> None:
    """Run the driver until each session has had so many pieces, beside those to warm up with."""
    go_first(CONTESTANT)
    meter = Meter(sessions * warm, sessions * (warm + count))
    module = import_module(driver)
    port = int(sys.stdin.readline())
    if kind == "listen":
        module.listen(port, sessions, meter.heard)
    elif kind == "relay":
        if "trio" in sys.modules:
            from .inventory import give_when_asked  # noqa: PLC0415 - it counts Trio's tasks and this package's actors

            give_when_asked()
        module.relay(port, _say_port)
    elif kind == "broadcast":
        module.broadcast(port, sessions, frontends, _say_port)
    elif kind == "room":
        module.rooms(port, sessions, frontends, rooms, _say_port)
    elif kind == "stay":
        module.stay(port, sessions)
    elif kind == "converse":
        module.converse(port, sessions, frontends)
    elif kind != "speak":
        getattr(module, kind)(port)  # it prints by itself what it has found
    else:
        module.speak(port, sessions, Pace(meter, sessions))


def _say_port(port: int) -> None:
    click.echo(orjson.dumps({"port": port}))


if __name__ == "__main__":
    main()
