"""`realtime-actors simulate`."""

from functools import partial
from pathlib import Path

import click

from realtime_actors.cli import options

__all__ = ["simulate"]


@click.group(
    epilog="""\b
Examples:
  realtime-actors simulate openai
  realtime-actors simulate openai --help
"""
)
def simulate() -> None:
    """Run a local server with a provider's wire, for anyone's client."""


@simulate.command(
    epilog="""\b
Examples:
  realtime-actors simulate openai
  realtime-actors simulate openai --port 0 --speed 1
  realtime-actors simulate openai --script script.toml

\b
A script, for example (docs/simulators.md has all that it can hold):
  [[replies]]
  when = "weather"                          # found in what the user said
  parts = [{ call = "get_weather", arguments = { city = "Paris" } }]

\b
  [[replies]]
  after = "get_weather"                     # when that tool has answered
  parts = [{ say = "It rains." }, { drop = 1011 }]

\b
  [[default]]                               # whenever nothing else fits
  say = "Ask me about the weather."
"""
)
@options.host
@options.port(9000)
@click.option(
    "--brain",
    type=click.Choice(["speech", "scripted"]),
    help="What answers: local speech recognition and synthesis, or a script.  "
    "[default: speech, or scripted with --script]",
)
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A script for --brain scripted, in TOML, or in JSON (.json): see below.",
)
@options.speed
@options.verbose
def openai(*, host: str, port: int, brain: str | None, script: Path | None, speed: float, verbose: int) -> None:
    """OpenAI's Realtime wire (GA, WebSocket). Every key is good, except those that begin with "bad"."""
    if script is not None and brain == "speech":
        raise click.UsageError("--script is for --brain scripted.")

    from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy
    from realtime_actors.cli.servers.simulator import simulate_openai  # noqa: PLC0415 - heavy

    is_scripted = brain == "scripted" or script is not None
    run(
        partial(simulate_openai, host=host, port=port, is_scripted=is_scripted, script=script, speed=speed),
        verbose=verbose,
    )
