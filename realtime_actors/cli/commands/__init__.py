"""The commands, in one group: their options and their help. What is heavy they import when they run."""

import click

from realtime_actors import __version__
from realtime_actors.cli.commands.demo import demo
from realtime_actors.cli.commands.serve import serve
from realtime_actors.cli.commands.simulate import simulate
from realtime_actors.cli.commands.talk import talk
from realtime_actors.cli.commands.top import top

__all__ = ["commands"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="realtime_actors")
def commands() -> None:
    """Realtime voice agents: run one, and talk to it.

    \b
    Two terminals, no key, no account:
      realtime-actors demo
      realtime-actors talk --text "what is the weather in Paris"
    """


for command in (demo, serve, simulate, talk, top):
    commands.add_command(command)
