"""Serving agents with a provider's model."""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import cast

import click

from realtime_actors.agents import Tool
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.running import CLOSE_TIMEOUT
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.gateway import Agents
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import OpenAIRealtimeModel

__all__ = ["load_tools", "serve_openai"]


async def serve_openai(
    *,
    key: str,
    model: str,
    voice: str,
    name: str,
    instructions: str,
    tools: Sequence[str],
    url: str | None,
    host: str,
    port: int,
    certificate: str | None,
    private_key: str | None,
    token: str | None,
    allowed_origins: tuple[str, ...],
    max_sessions: int,
) -> None:
    """Serve until cancelled.

    Raises `CommandFailed`, `InvalidModel`, `InvalidSettings`, `InvalidCertificate`, `ListenFailed`.
    """
    settings = GatewaySettings(
        host=host,
        port=port,
        token=token,
        certificate=certificate,
        private_key=private_key,
        allowed_origins=allowed_origins,
        max_sessions=max_sessions,
        close_timeout=CLOSE_TIMEOUT,
    )
    agents = Agents(
        OpenAIRealtimeModel(model_name=model, api_key=key, voice=voice, url=url), name, instructions, load_tools(tools)
    )

    def announce(url: str) -> None:
        address = connectable(url)
        click.echo(
            f"{name} listens at {address}/ws/USER/SESSION, with {model} of OpenAI; the page is "
            f"{address.replace('ws', 'http', 1)}/\n"
            f"{everywhere(url)}"
            f"Try, in another terminal:\n"
            f'  realtime-actors talk --text "hello" --url {address}\n'
            "Ctrl-C ends it."
        )

    await host_gateway(agents, settings, announce)


def load_tools(paths: Iterable[str]) -> list[Tool]:
    """The tools at these import paths (`module:name`), each a tool or several. Raises `CommandFailed`."""
    sys.path.insert(0, os.getcwd())
    tools: dict[str, Tool] = {}
    for path in paths:
        for tool in _load(path):
            if tools.setdefault(tool.name, tool) is not tool:
                raise CommandFailed(f"--tools {path}: there is a tool named {tool.name} already")
    return list(tools.values())


def _load(path: str) -> list[Tool]:
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise CommandFailed(f"--tools {path}: write it as MODULE:NAME, for example mypackage.tools:get_weather")
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a module of somebody else does
        words = " ".join(str(error).split())
        if not isinstance(error, ImportError):
            words = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise CommandFailed(f"--tools {path}: {module_name} cannot be imported: {words}") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    several = list(cast("Iterable[object]", found)) if isinstance(found, Iterable) else [found]
    tools = [each for each in several if isinstance(each, Tool)]
    if not tools or len(tools) < len(several):
        raise CommandFailed(f"--tools {path}: {name} is no tool and no list of tools: make them with @tool")
    return tools
