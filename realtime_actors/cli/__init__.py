"""The command line: `realtime-actors demo`, `serve`, `simulate`, `talk` and `top`.

Importing it, and asking it for help, loads nothing heavy: the commands import what they need when they run.

Exit codes: 0 for a success, and for a server that SIGTERM ended in order; 1 when a command failed, with one sentence
on stderr that says why; 2 for wrong usage; 130 after Ctrl-C, 143 for a `talk` or `top` that SIGTERM cut short.
"""

from realtime_actors.cli.signals import Signals

__all__ = ["main"]


def main() -> None:
    """Run the console script `realtime-actors`. Ends the process by `SystemExit`."""
    signals = Signals()
    signals.install()
    # Not before the handlers are there: a Ctrl-C while modules are loading would show a traceback.
    from realtime_actors.cli.commands import commands  # noqa: PLC0415

    commands(obj=signals)
