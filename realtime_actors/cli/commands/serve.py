"""`realtime-actors serve`."""

import os
from functools import partial

import click

from realtime_actors.cli import options

__all__ = ["serve"]

_KEY_VARIABLE = "OPENAI_API_KEY"


@click.command(
    epilog="""\b
Examples:
  OPENAI_API_KEY=sk-... realtime-actors serve
  realtime-actors serve --model gpt-realtime --voice cedar --instructions "Be brief."
  realtime-actors serve --tools mypackage.tools:all_tools
  realtime-actors serve --host 0.0.0.0 --certificate fullchain.pem --private-key key.pem
  OPENAI_API_KEY=any realtime-actors serve --url ws://127.0.0.1:9000/v1/realtime
"""
)
@click.option(
    "--provider",
    type=click.Choice(["openai"]),
    default="openai",
    show_default=True,
    help=f"Whose model; its key is taken from {_KEY_VARIABLE}.",
)
@click.option("--model", default="gpt-realtime", show_default=True, help="The model's name.")
@click.option("--voice", default="marin", show_default=True, help="The model's voice.")
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
@click.option("--url", metavar="URL", help="Another endpoint: a proxy, or a simulator.")
@options.host
@options.port(8000)
@click.option("--certificate", metavar="FILE", help="Speak TLS (wss://, https://) with this certificate chain, in PEM.")
@click.option("--private-key", metavar="FILE", help="The certificate's key, in PEM, if it is in another file.")
@options.token("A token that frontends must show. Without one everybody who reaches the port may talk.")
@options.allow_origin
@options.max_sessions
@options.verbose
def serve(
    *,
    provider: str,
    model: str,
    voice: str,
    name: str,
    instructions: str,
    tools: tuple[str, ...],
    url: str | None,
    host: str,
    port: int,
    certificate: str | None,
    private_key: str | None,
    token: str | None,
    allowed_origins: tuple[str, ...],
    max_sessions: int,
    verbose: int,
) -> None:
    """Serve an agent with a provider's model."""
    key = os.environ.get(_KEY_VARIABLE, "").strip()
    if not key:
        raise click.ClickException(
            f"{_KEY_VARIABLE} is not set, and {provider} wants a key: set it, or run `realtime-actors demo`, "
            "which needs none."
        )

    from realtime_actors.cli.running import run  # noqa: PLC0415 - heavy
    from realtime_actors.cli.servers.openai import serve_openai  # noqa: PLC0415 - heavy

    run(
        partial(
            serve_openai,
            key=key,
            model=model,
            voice=voice,
            name=name,
            instructions=instructions,
            tools=tools,
            url=url,
            host=host,
            port=port,
            certificate=certificate,
            private_key=private_key,
            token=token,
            allowed_origins=allowed_origins,
            max_sessions=max_sessions,
        ),
        verbose=verbose,
    )
