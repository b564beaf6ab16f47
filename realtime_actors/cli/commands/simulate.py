"""`realtime-actors simulate`."""

from functools import partial
from pathlib import Path

import click

from realtime_actors.cli import options
from realtime_actors.cli.providers import PROVIDERS, Provider

__all__ = ["simulate"]

_ALL = "\n".join(f"  realtime-actors simulate {name}" for name in PROVIDERS)


@click.group(epilog=f"\b\nExamples:\n{_ALL}\n  realtime-actors simulate openai --help\n")
def simulate() -> None:
    """Run a local server with a provider's wire, for anyone's client."""


def _epilog(name: str) -> str:
    return f"""\b
Examples:
  realtime-actors simulate {name}
  realtime-actors simulate {name} --port 0 --speed 1
  realtime-actors simulate {name} --lifetime 30
  realtime-actors simulate {name} --script script.toml
  realtime-actors simulate {name} --certificate cert.pem --private-key key.pem

\b
A script, for example (docs/simulators.md has all that it can hold):
  [[replies]]
  when = "weather"                          # found in what the user said
  parts = [{{ call = "get_weather", arguments = {{ city = "Paris" }} }}]

\b
  [[replies]]
  after = "get_weather"                     # when that tool has answered
  parts = [{{ say = "It rains." }}, {{ drop = 1011 }}]

\b
  [[default]]                               # whenever nothing else fits
  say = "Ask me about the weather."
"""


def _command(name: str, provider: Provider) -> click.Command:
    @click.command(
        name,
        help=f'{provider.wire}. Every key is good, except those that begin with "bad".',
        epilog=_epilog(name),
    )
    @options.host
    @options.port(9000)
    @options.tls
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
    @click.option(
        "--lifetime",
        type=click.FloatRange(min=0, min_open=True),
        callback=options.number,
        metavar="SECONDS",
        help="How long a session may last.  [default: as long as the provider's]",
    )
    @options.verbose
    def simulate_one(
        *,
        host: str,
        port: int,
        certificate: str | None,
        private_key: str | None,
        brain: str | None,
        script: Path | None,
        speed: float,
        lifetime: float | None,
        verbose: int,
    ) -> None:
        if script is not None and brain == "speech":
            raise click.UsageError("--script is for --brain scripted.")
        if private_key is not None and certificate is None:
            raise click.UsageError("--private-key is for --certificate.")

        from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy
        from realtime_actors.cli.servers.simulator import simulate_provider  # noqa: PLC0415 - heavy

        run(
            partial(
                simulate_provider,
                name,
                host=host,
                port=port,
                certificate=certificate,
                private_key=private_key,
                is_scripted=brain == "scripted" or script is not None,
                script=script,
                speed=speed,
                lifetime=lifetime,
            ),
            verbose=verbose,
        )

    return simulate_one


for name, provider in PROVIDERS.items():
    simulate.add_command(_command(name, provider))
