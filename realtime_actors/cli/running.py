"""Running a command in Trio: how it is stopped, how it fails, what it logs."""

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import cast

import click
import trio

from realtime_actors.actors.errors import RealtimeError
from realtime_actors.cli.signals import Signals
from realtime_actors.transports import PortInUse

__all__ = ["CLOSE_TIMEOUT", "GRACE", "run"]

log = logging.getLogger("realtime_actors.cli")

GRACE = 1.2
"""Seconds that the actors have to end in order after Ctrl-C; what blocks in a thread is waited for beyond it."""

CLOSE_TIMEOUT = 0.4
"""Seconds that a peer has for its part of a close: with `GRACE`, everything has ended within 2 s."""

_REMIND_AFTER = 2.0


def run(command: Callable[[], Awaitable[None]], *, verbose: int, terminated: int = 0) -> None:
    """Run `command` to its end, and leave the process with its exit code if it is not 0.

    The first Ctrl-C or SIGTERM cancels it, so that everything ends in order, with exit code 130 or `terminated`; a
    second Ctrl-C ends the process at once. A `RealtimeError` becomes one sentence on stderr and exit code 1 (with
    its traceback in the log where that is verbose). Anything else is a bug and keeps its traceback.
    """
    _configure_logging(verbose)
    signals = click.get_current_context().ensure_object(Signals)
    try:
        trio.run(_until_stopped, command, signals)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - raised again unless it is expected
        _fail(error, stopped=signals.received is not None)
    match signals.received:
        case signal.SIGINT:
            sys.exit(130)
        case signal.SIGTERM:
            sys.exit(terminated)
        case _:
            pass


async def _until_stopped(command: Callable[[], Awaitable[None]], signals: Signals) -> None:
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:

        def stop() -> None:
            trio.lowlevel.spawn_system_task(_remind)
            scope.cancel()

        def on_stop() -> None:
            try:
                token.run_sync_soon(stop)
            except trio.RunFinishedError:
                log.debug("stopped when all was over")

        signals.on_stop = on_stop
        await command()


async def _remind() -> None:
    await trio.sleep(_REMIND_AFTER)
    click.echo("Still waiting for what cannot be stopped; press Ctrl-C again to end at once.", err=True)


def _fail(error: BaseException, *, stopped: bool) -> None:
    leaves = _leaves(error)
    if any(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        # Whoever read the output has gone (`| head`): nothing is left to say, nor anybody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    expected = [leaf for leaf in leaves if isinstance(leaf, RealtimeError)]
    if len(expected) < len(leaves):
        raise error
    log.info("the whole story", exc_info=error)
    if not stopped:
        raise click.ClickException(_sentence(expected[0]))


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for each in inner for leaf in _leaves(each)]


def _sentence(error: RealtimeError) -> str:
    message = str(error)
    if isinstance(error, PortInUse):
        message += " with --port"
    return message if message.endswith((".", "!", "?")) else f"{message}."


def _configure_logging(verbose: int) -> None:
    """Our log goes to stderr: warnings, with `-v` what happens, with `-vv` every detail. Libraries: warnings."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("realtime_actors").setLevel(level)
