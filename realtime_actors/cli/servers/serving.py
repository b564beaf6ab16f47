"""Serving agents with models of one provider or several."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

import realtime_actors.providers
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.providers import PROVIDERS
from realtime_actors.cli.running import CLOSE_TIMEOUT, Stopping
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.gateway import Agents, listener
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.cli.servers.tools import load_tools
from realtime_actors.cli.workers.channel import Place
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import InvalidModel, RealtimeModel, TurnDetection

__all__ = ["Serving", "model_of", "serve_agents"]


@attrs.frozen(kw_only=True)
class Serving:
    """What to serve, and to whom."""

    providers: Sequence[str]
    """The first is that of sessions which name none."""
    model: str | None
    """The first provider's model, as `voice` and `url` are for it; None is its usual one."""
    voice: str | None
    url: str | None
    name: str
    instructions: str
    turn_detection: str
    tools: Sequence[str]
    """Import paths."""
    settings: GatewaySettings

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Serving":
        """From the options of the command, which have the names of the fields here and of the gateway's settings.

        Raises `InvalidSettings`.
        """
        own = {field.name for field in attrs.fields(cls)}
        settings = {name: value for name, value in options.items() if name not in own}
        return cls(
            **{name: value for name, value in options.items() if name in own},
            settings=GatewaySettings(**settings, close_timeout=CLOSE_TIMEOUT),
        )


async def serve_agents(
    options: Mapping[str, Any], stopping: Stopping | None = None, place: Place | None = None
) -> None:
    """Serve until cancelled, or until `stopping` asks for the end, as the command's options say.

    With a `place`, it is one of several workers, and its connections come from their supervisor.

    Raises `CommandFailed`, `InvalidSettings`, `InvalidCertificate`, `ListenFailed`.
    """
    serving = Serving.of(options)
    first, *others = dict.fromkeys(serving.providers)
    detection, local = listener(serving.turn_detection)
    given = {"model_name": serving.model, "voice": serving.voice, "url": serving.url}
    models = {first: model_of(first, **given, turn_detection=detection)}
    models |= {name: model_of(name, turn_detection=detection) for name in others}
    settings = attrs.evolve(serving.settings, providers=tuple(models))
    agents = Agents(models, serving.name, serving.instructions, load_tools(serving.tools), local)
    with_models = ", ".join(f"{model.model_name} of {PROVIDERS[name].title}" for name, model in models.items())

    def describe(url: str) -> str:
        address = connectable(url)
        return (
            f"{serving.name} listens at {address}/ws/USER/SESSION, with {with_models}; the page is "
            f"{address.replace('ws', 'http', 1)}/\n"
            f"{everywhere(url)}"
            f"Try, in another terminal:\n"
            f'  realtime-actors talk --text "hello" --url {address}\n'
            "Ctrl-C ends it."
        )

    await host_gateway(settings, describe, agent=agents, stopping=stopping, place=place)


def model_of(
    name: str,
    *,
    model_name: str | None = None,
    voice: str | None = None,
    url: str | None = None,
    turn_detection: TurnDetection | None = None,
) -> RealtimeModel:
    """A provider's model, with what the environment says. Raises `CommandFailed`."""
    provider, environment = PROVIDERS[name], {name: value.strip() for name, value in os.environ.items()}
    found = [(field, environment[variable]) for variable, field in provider.keys.items() if environment.get(variable)]
    if not found:
        raise CommandFailed(
            f"{provider} is not set, and {provider.title} wants a key: set it, or run `realtime-actors demo`, which "
            "needs none."
        )
    base = environment.get(provider.base_url or "")
    if base and url is None:
        url = f"{base.replace('http', 'ws', 1).rstrip('/')}/realtime"
    given: dict[str, Any] = {"model_name": model_name, "voice": voice, "url": url, "turn_detection": turn_detection}
    given |= {field: environment.get(variable) or None for variable, field in provider.settings.items()}
    given |= dict(found[:1])
    make: type[RealtimeModel] = getattr(realtime_actors.providers, provider.model_class)
    try:
        return make(**{field: value for field, value in given.items() if value is not None})  # pyright: ignore[reportArgumentType]
    except InvalidModel as error:
        used = [variable for variable in provider.others if environment.get(variable)]
        raise CommandFailed(f"{error} (from the environment: {', '.join(used)})" if used else str(error)) from error
