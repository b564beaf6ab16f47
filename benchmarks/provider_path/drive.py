"""Runs one driver: `python -m benchmarks.provider_path.drive listen agents PORT SESSIONS WARM COUNT`."""

from __future__ import annotations

from importlib import import_module

import click
import orjson

from .meter import Meter, Pace
from .priority import CONTESTANT, go_first

__all__ = ["main"]


@click.command()
@click.argument("kind", type=click.Choice(["listen", "speak", "relay"]))
@click.argument("driver")
@click.argument("port", type=int)
@click.argument("sessions", type=int)
@click.argument("warm", type=int)
@click.argument("count", type=int)
def main(  # noqa: PLR0917 - click gives them by name
    kind: str, driver: str, port: int, sessions: int, warm: int, count: int
) -> None:
    """Run the driver until each session has had so many pieces, beside those to warm up with."""
    go_first(CONTESTANT)
    meter = Meter(sessions * warm, sessions * (warm + count))
    module = import_module(f"benchmarks.provider_path.drivers.{driver}")
    if kind == "listen":
        module.listen(port, sessions, meter.heard)
    elif kind == "relay":
        module.relay(port, _say_port)
    else:
        module.speak(port, sessions, Pace(meter, sessions))


def _say_port(port: int) -> None:
    click.echo(orjson.dumps({"port": port}))


if __name__ == "__main__":
    main()
