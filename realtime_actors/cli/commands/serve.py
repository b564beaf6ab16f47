"""`realtime-actors serve`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from realtime_actors.cli import options
from realtime_actors.cli.providers import PROVIDERS

__all__ = ["serve"]

_VARIABLES = "; ".join(
    f"{name}: {provider}" + "".join(f", {other}" for other in provider.others) for name, provider in PROVIDERS.items()
)

_OF_ONE_AGENT = ("providers", "model", "voice", "name", "instructions", "tools", "url", "turn_detection")


@click.command(
    epilog="""\b
Examples:
  OPENAI_API_KEY=sk-... realtime-actors serve
  realtime-actors serve --model gpt-realtime --voice cedar --instructions "Be brief."
  realtime-actors serve --tools mypackage.tools:all_tools
  realtime-actors serve --turn-detection local
  realtime-actors serve --host 0.0.0.0 --certificate fullchain.pem --private-key key.pem
  OPENAI_API_KEY=any realtime-actors serve --url ws://127.0.0.1:9000/v1/realtime
  GEMINI_API_KEY=... realtime-actors serve --provider gemini
  DASHSCOPE_API_KEY=... DASHSCOPE_API_REGION=ap-southeast-1 realtime-actors serve --provider dashscope
  AZURE_OPENAI_API_KEY=... AZURE_OPENAI_ENDPOINT=https://me.openai.azure.com realtime-actors serve --provider azure
  realtime-actors serve --provider openai --provider dashscope      # frontends choose
  realtime-actors serve --workers auto --drain 60
  realtime-actors serve --config examples/room.toml                 # rooms: several agents, several people
"""
)
@click.option(
    "--provider",
    "providers",
    type=click.Choice(list(PROVIDERS)),
    multiple=True,
    default=["openai"],
    show_default=True,
    help="Whose model. May be given more than once: the first is the usual one, frontends may choose another. Keys, "
    f"and what else is usual with a provider, are taken from the environment ({_VARIABLES}).",
)
@click.option("--model", metavar="NAME", help="The first provider's model.  [default: its usual one]")
@click.option("--voice", metavar="NAME", help="The first model's voice.  [default: its usual one]")
@click.option("--name", default="Friday", show_default=True, help="What the agent is called.")
@click.option(
    "--instructions",
    default="You are a helpful assistant. Answer briefly, as in a conversation.",
    show_default=True,
    help="What the agent is told to be and do; a frontend may say otherwise for its session.",
)
@click.option(
    "--tools",
    multiple=True,
    metavar="MODULE:NAME",
    help="Tools of the agent: a tool made with @tool, or a list of them, in a module that can be imported from here. "
    "May be given more than once.",
)
@click.option(
    "--url", "--provider-url", metavar="URL", help="Another endpoint of the first provider: a proxy, or a simulator."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Serve the rooms of this TOML file instead of one agent: docs/rooms.md has all that it can hold. Keys stay "
    "in the environment.",
)
@options.turn_detection
@options.host
@options.port(8000)
@options.tls
@options.token("A token that frontends must show. Without one everybody who reaches the port may talk.")
@options.allow_origin
@options.max_sessions
@options.return_within
@options.workers
@options.drain
@options.verbose
@click.pass_context
def serve(
    context: click.Context,
    *,
    config: Path | None,
    verbose: int,
    workers: int,
    worker: str | None,
    drain: float,
    **plan: Any,
) -> None:
    """Serve an agent with a provider's model, or with one of several that a frontend chooses from; or rooms."""
    if config is not None:
        options.refuse_given(context, _OF_ONE_AGENT, "--config", "the file says that of each agent")
        plan = {name: value for name, value in plan.items() if name not in _OF_ONE_AGENT}
    if workers > 1 and plan["certificate"] is not None:
        raise click.UsageError(
            "--workers is not for --certificate: which worker a connection is for stands in its request, and TLS hides "
            "that. Let a proxy in front end TLS, or serve with one worker."
        )
    from realtime_actors.cli.workers.launch import Server, launch  # noqa: PLC0415 - heavy

    def load() -> Server:
        if config is not None:
            from realtime_actors.cli.servers.serving_rooms import serve_rooms  # noqa: PLC0415 - heavy

            return partial(serve_rooms, config, **plan)
        from realtime_actors.cli.servers.serving import serve_agents  # noqa: PLC0415 - heavy

        return partial(serve_agents, plan)

    launch(
        load,
        workers=workers,
        worker=worker,
        drain=drain,
        host=plan["host"],
        port=plan["port"],
        verbose=verbose,
    )
