"""`realtime-actors top`."""

from functools import partial

import click

from realtime_actors.cli import options

__all__ = ["top"]

_ORDERS = ("tree", "rate", "handled", "mailbox", "peak", "dropped", "restarts", "busy")


@click.command(
    epilog="""\b
Examples:
  realtime-actors top
  realtime-actors top --sort rate --interval 0.5
  realtime-actors top --once > actors.txt
  REALTIME_ACTORS_TOKEN=a-long-secret realtime-actors top https://voice.example.org

\b
Columns:
  msg/s      messages handled in a second, since the last look
  mailbox    messages that wait, of how many it holds; +N are control messages, which go first
  peak       the most that ever waited
  dropped    messages that a full mailbox dropped
  in hand    the message being handled, and for how long
"""
)
@click.argument("url", default="http://127.0.0.1:8000", metavar="[URL]")
@options.token("The gateway's token, if it has one.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    callback=options.number,
    metavar="SECONDS",
    default=1.0,
    show_default=True,
    help="How often to look.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(_ORDERS),
    default="tree",
    show_default=True,
    help="What comes first: the tree from its root, or the actors with the most of this (busy: with a message in hand "
    "for longest). The key s changes it.",
)
@click.option("--once", "is_once", is_flag=True, help="Print one look, and end.")
@options.verbose
def top(*, url: str, token: str | None, interval: float, order: str, is_once: bool, verbose: int) -> None:
    """Watch the actors of a gateway: http://127.0.0.1:8000, or the one at URL (HOST:PORT will do).

    Live in a terminal (q ends it); where stdout is none, one look after the other is printed. A gateway without a
    token shows its actors to this machine only, one with a token to who has it.
    """
    from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy
    from realtime_actors.cli.watching.top import watch  # noqa: PLC0415 - heavy

    run(
        partial(watch, url=url, token=token, interval=interval, order=order, is_once=is_once),
        verbose=verbose,
        terminated=143,
    )
