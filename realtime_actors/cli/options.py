"""Options that several commands have."""

import math
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

__all__ = [
    "ID_RULE",
    "TOKEN_VARIABLE",
    "allow_origin",
    "drain",
    "host",
    "is_id",
    "max_sessions",
    "number",
    "port",
    "refuse_given",
    "return_within",
    "speed",
    "tls",
    "token",
    "turn_detection",
    "verbose",
    "workers",
]

TOKEN_VARIABLE = "REALTIME_ACTORS_TOKEN"  # noqa: S105 - the variable's name
"""The environment variable that holds the token, so that it need not be in the list of processes."""

_MOST_WORKERS = 256

_ORIGIN = re.compile(r"\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+/?")

F = TypeVar("F", bound=Callable[..., Any])


def number(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """An option's callback: refuses what is a float, but no number."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number.")
    return value


ID_RULE = "it has 1 to 128 printable characters, and no slash"


def is_id(text: str) -> bool:
    """Whether it can be a room's or a person's in a gateway's paths."""
    return 0 < len(text) <= 128 and text.isprintable() and "/" not in text and bool(text.strip())


def refuse_given(context: click.Context, names: Iterable[str], with_option: str, why: str) -> None:
    """Refuse those options of a command that were given, and have no meaning with another one.

    Raises `click.UsageError`.
    """
    for parameter in context.command.params:
        if parameter.name in names and context.get_parameter_source(parameter.name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[-1]} is not for {with_option}: {why}.")


def verbose(command: F) -> F:
    """`-v`."""
    return click.option("-v", "--verbose", count=True, help="Log what happens to stderr; twice for every detail.")(
        command
    )


def host(command: F) -> F:
    """`--host`."""
    return click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="Address to listen on; 0.0.0.0 is every address of this machine (then set a token).",
    )(command)


def port(default: int) -> Callable[[F], F]:
    """`--port`."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Port to listen on; 0 takes a free one.",
    )


def tls(command: F) -> F:
    """`--certificate` and `--private-key`."""
    key = click.option("--private-key", metavar="FILE", help="The certificate's key, in PEM, if it is in another file.")
    return click.option(
        "--certificate", metavar="FILE", help="Speak TLS (wss://, https://) with this certificate chain, in PEM."
    )(key(command))


def token(help: str) -> Callable[[F], F]:
    """`--token`, which `TOKEN_VARIABLE` gives as well."""
    return click.option("--token", envvar=TOKEN_VARIABLE, show_envvar=True, metavar="TOKEN", help=help)


def allow_origin(command: F) -> F:
    """`--allow-origin`."""
    return click.option(
        "--allow-origin",
        "allowed_origins",
        multiple=True,
        callback=_origins,
        metavar="URL",
        help="Let the pages of this site connect too, for example https://example.com, beside the gateway's own page; "
        "* is every site. May be given more than once.",
    )(command)


def _origins(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if not _ORIGIN.fullmatch(origin):
            raise click.BadParameter(
                f"{origin!r} is no site: give its scheme and host, and its port if it has one, without a path, "
                "for example https://example.com or http://localhost:3000."
            )
    return value


def max_sessions(command: F) -> F:
    """`--max-sessions`."""
    return click.option(
        "--max-sessions",
        type=click.IntRange(min=1),
        default=200,
        show_default=True,
        metavar="N",
        help="How many may talk at a time, to each worker; more are told to try again later.",
    )(command)


def workers(command: F) -> F:
    """`--workers`, and `--worker`, by which a worker is started."""
    hidden = click.option("--worker", hidden=True)
    return click.option(
        "--workers",
        default="1",
        show_default=True,
        callback=_workers,
        metavar="N",
        help="Processes that share the port, to use more than one core; auto is one for each core. One that dies is "
        "started again.",
    )(hidden(command))


def _workers(_: click.Context, __: click.Parameter, value: str) -> int:
    if value == "auto":
        return _cores()
    try:
        number = int(value)
    except ValueError:
        number = 0
    if not 1 <= number <= _MOST_WORKERS:
        raise click.BadParameter(f"{value!r} is no number of workers: give one from 1 to {_MOST_WORKERS}, or auto.")
    return number


def _cores() -> int:
    """Those that this process may use, which may be fewer than the machine has."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, _MOST_WORKERS)


def drain(command: F) -> F:
    """`--drain`."""
    return click.option(
        "--drain",
        type=click.FloatRange(min=0),
        callback=number,
        metavar="SECONDS",
        default=0.0,
        show_default=True,
        help="How long running conversations may go on after SIGTERM or Ctrl-C, while nobody else gets in; then they "
        "are ended. A second Ctrl-C ends all at once.",
    )(command)


def return_within(command: F) -> F:
    """`--return-within`."""
    return click.option(
        "--return-within",
        type=click.FloatRange(min=0),
        callback=number,
        metavar="SECONDS",
        help="How long somebody whose connection is lost may take to come back, and find the conversation going on, "
        "with what was said meanwhile; 0 ends it at once.  [default: 30 in rooms, else 0]",
    )(command)


def turn_detection(command: F) -> F:
    """`--turn-detection`."""
    return click.option(
        "--turn-detection",
        type=click.Choice(["server", "semantic", "local", "manual"]),
        default="server",
        show_default=True,
        help="Who finds out when the user's turn is over: the provider by the silence after it (server), or by what "
        "was said (semantic; some cannot), the agent itself (local), or nobody: the frontend says it (manual).",
    )(command)


def speed(command: F) -> F:
    """`--speed`."""
    return click.option(
        "--speed",
        type=click.FloatRange(min=0),
        callback=number,
        metavar="FACTOR",
        default=4.0,
        show_default=True,
        help="How many seconds of speech the simulated model makes in one; 1 is real time, 0 as fast as it is read.",
    )(command)
