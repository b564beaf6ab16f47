"""Running a command in Trio: how it is stopped, how it fails, what it logs."""

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import cast

import attrs
import click
import trio

from realtime_actors.actors.errors import RealtimeError
from realtime_actors.cli.signals import Signals
from realtime_actors.transports import PortInUse

__all__ = ["CLOSE_TIMEOUT", "GRACE", "Stopping", "run"]

log = logging.getLogger("realtime_actors.cli")

GRACE = 1.2
"""Seconds that the actors have to end in order after Ctrl-C; what blocks in a thread is waited for beyond it."""

CLOSE_TIMEOUT = 0.4
"""Seconds that a peer has for its part of a close: with `GRACE`, everything has ended within 2 s."""

_REMIND_AFTER = 2.0


@attrs.define(eq=False)
class Stopping:
    """For a server that lets conversations finish: a signal asks it to stop, and does not cancel it."""

    within: float
    """Seconds that conversations have."""
    asked: trio.Event = attrs.field(factory=trio.Event)
    is_told: bool = False
    """Whether another process says so, and this one need not."""
    at_once: Callable[[], None] = attrs.field(default=lambda: None)
    """Called in a signal handler before a second Ctrl-C ends the process."""


def run(
    command: Callable[[], Awaitable[int | None]],
    *,
    verbose: int,
    terminated: int = 0,
    stopping: Stopping | None = None,
    label: str = "",
) -> None:
    """Run `command` to its end, and leave the process with its exit code if it is not 0.

    The first Ctrl-C or SIGTERM cancels it (or asks it, where there is `stopping`), so that everything ends in order,
    with exit code 130 or `terminated`; a second Ctrl-C ends the process at once. Log lines bear the `label`. A
    `RealtimeError` becomes one sentence on stderr and exit code 1 (with its traceback in the log where that is
    verbose). Anything else is a bug and keeps its traceback.
    """
    _configure_logging(verbose, label)
    code = None
    signals = click.get_current_context().ensure_object(Signals)
    try:
        code = trio.run(_until_stopped, command, signals, stopping)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - raised again unless it is expected
        _fail(error, stopped=signals.received is not None)
    match signals.received:
        case signal.SIGINT:
            sys.exit(130)
        case signal.SIGTERM:
            sys.exit(terminated)
        case _:
            if code:
                sys.exit(code)


async def _until_stopped(
    command: Callable[[], Awaitable[int | None]], signals: Signals, stopping: Stopping | None
) -> int | None:
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:

        def stop() -> None:
            if stopping is None:
                trio.lowlevel.spawn_system_task(_remind, _REMIND_AFTER)
                scope.cancel()
                return
            if stopping.within and not stopping.is_told:
                words = f"Conversations have {stopping.within:g} s to end; Ctrl-C again ends them at once."
                click.echo(words, err=True)
            trio.lowlevel.spawn_system_task(_remind, stopping.within + _REMIND_AFTER)
            stopping.asked.set()

        def on_stop() -> None:
            try:
                token.run_sync_soon(stop)
            except trio.RunFinishedError:
                log.debug("stopped when all was over")

        def at_once() -> None:
            if stopping is not None:
                stopping.at_once()

        signals.on_stop, signals.at_once = on_stop, at_once
        return await command()
    return None


async def _remind(after: float) -> None:
    await trio.sleep(after)
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


def _configure_logging(verbose: int, label: str) -> None:
    """Our log goes to stderr: warnings, with `-v` what happens, with `-vv` every detail. Libraries: warnings."""
    form = f"%(asctime)s %(levelname)s {label and label + ' '}%(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=form, force=True)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("realtime_actors").setLevel(level)
