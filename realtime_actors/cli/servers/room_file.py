"""The file of `serve --config`: rooms, who is in them, and with which models.

Its tables have the names of the fields here. Whatever is wrong with it is told by the name of the key, all at once.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import attrs

from realtime_actors.agents import LocalVAD
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.options import ID_RULE, is_id
from realtime_actors.cli.providers import PROVIDERS
from realtime_actors.cli.servers.tables import Mistakes, key, like, read_tables, shown
from realtime_actors.rooms import FloorLimits, Hears, RoomSettings

__all__ = ["AgentTable", "ModelTable", "ModeratorTable", "PolicyName", "RoomFile", "RoomTable", "read_room_file"]

PolicyName = Literal["everyone", "round_robin", "addressed", "raised_hands", "moderated"]
"""Who may speak: the policies of `realtime_actors.rooms`, as the file calls them."""

LINGER = 60.0
"""Seconds that a room of the file goes on when everybody has left, if it does not say otherwise: agents cost money."""

_WITH_FALLBACK = ("addressed", "raised_hands")
_SECRET = re.compile(r"key|token|secret|password", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"//[^/?#]*@|[?&][^=&#]*(?:key|token|secret)[^=&#]*=", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class ModelTable:
    """`[models.PROVIDER]`: what agents with a model of this provider have, unless they say otherwise."""

    model: str | None = None
    voice: str | None = None
    url: str | None = None
    """Another endpoint: a proxy, or a simulator."""


@attrs.frozen(kw_only=True)
class ModeratorTable(ModelTable):
    """`[rooms.ROOM.moderator]`: an agent that says who is next, without taking part."""

    name: str = "Moderator"
    instructions: str = ""
    provider: str = "openai"


@attrs.frozen(kw_only=True)
class AgentTable(ModelTable):
    """`[[rooms.ROOM.agents]]`: an agent."""

    name: str
    instructions: str = "You are a helpful assistant. Answer briefly, as in a conversation."
    provider: str = "openai"
    hears: Hears = "audio"
    tools: list[str] = attrs.field(factory=list[str])
    """Import paths, as those of `serve --tools`."""


@attrs.frozen(kw_only=True)
class RoomTable:
    """`[rooms.ROOM]`: a room."""

    agents: list[AgentTable]
    policy: PolicyName = "round_robin"
    fallback: PolicyName | None = None
    """Who answers people where the policy names nobody."""
    moderator: ModeratorTable | None = None
    limits: FloorLimits = attrs.field(factory=FloorLimits)
    settings: RoomSettings = attrs.field(factory=lambda: RoomSettings(linger=LINGER))
    turn_detection: LocalVAD = attrs.field(factory=LocalVAD)


@attrs.frozen(kw_only=True)
class RoomFile:
    """The whole file."""

    rooms: dict[str, RoomTable]
    models: dict[str, ModelTable] = attrs.field(factory=dict[str, ModelTable])
    """By the provider's name."""


def read_room_file(path: Path) -> RoomFile:
    """Read the file. Raises `CommandFailed`, which says all that is wrong with it."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of TOML, and of UTF-8
        raise CommandFailed(f"{path} is no TOML: {error}") from error
    try:
        file = _understood(data)
    except Mistakes as error:
        several = "\n  ".join(["", *error.sentences]) if len(error.sentences) > 1 else f" {error}"
        raise CommandFailed(f"{path} cannot be used:{several}") from error
    return attrs.evolve(
        file, rooms={name: _with_linger(room, data["rooms"][name]) for name, room in file.rooms.items()}
    )


def _understood(data: dict[str, Any]) -> RoomFile:
    secrets = list(_secrets(data))
    if secrets:
        raise Mistakes(secrets)
    file = read_tables(data, RoomFile)
    nonsense = list(_nonsense(file))
    if nonsense:
        raise Mistakes(nonsense)
    return file


def _with_linger(room: RoomTable, data: dict[str, Any]) -> RoomTable:
    """What TOML has no word for is `inf`: a room without an end."""
    linger = data.get("settings", {}).get("linger", LINGER)
    return attrs.evolve(room, settings=attrs.evolve(room.settings, linger=None if linger == float("inf") else linger))


# -- keys, which are not for a file that is shown around


def _secrets(data: dict[str, Any], where: str = "") -> Iterator[str]:
    for name, value in data.items():
        at = f"{where}.{key(name)}".lstrip(".")
        if isinstance(value, dict):
            yield from _secrets(cast("dict[str, Any]", value), at)
        elif isinstance(value, list):
            for index, each in enumerate(cast("list[object]", value)):
                if isinstance(each, dict):
                    yield from _secrets(cast("dict[str, Any]", each), f"{at}[{index}]")
        elif isinstance(value, str) and (_SECRET.search(name) or _SECRET_IN_URL.search(value)):
            provider = PROVIDERS.get(str(data.get("provider", where.removeprefix("models."))))
            place = "the environment, as `serve --help` says" if provider is None else f"the environment: {provider}"
            yield f"{at} holds a key, and keys are not for this file: take it out, and set it in {place}"


# -- what does not fit together


def _nonsense(file: RoomFile) -> Iterator[str]:
    for provider in file.models:
        yield from _wrong_provider(f"models.{key(provider)}", provider, is_key=True)
    if not file.rooms:
        yield "rooms is empty: there has to be one, for example [rooms.lobby]"
    for name, room in file.rooms.items():
        where = f"rooms.{key(name)}"
        if not is_id(name):
            yield f"{where} is no name of a room: {ID_RULE}"
        if not room.agents:
            yield f"{where}.agents is empty: a room has at least one agent, a table [[{where}.agents]]"
        names: dict[str, int] = {}
        for index, agent in enumerate(room.agents):
            at = f"{where}.agents[{index}]"
            yield from _wrong_provider(at, agent.provider)
            if not agent.name.strip():
                yield f"{at}.name is empty"
            other = names.setdefault(agent.name.casefold(), index)
            if other != index:
                yield f"{at}.name is {agent.name!r}, as that of agents[{other}]: give one of the two another name"
        if room.moderator is not None:
            yield from _wrong_provider(f"{where}.moderator", room.moderator.provider)
        yield from _wrong_policy(where, room)


def _wrong_policy(where: str, room: RoomTable) -> Iterator[str]:
    if room.fallback is not None and room.policy not in _WITH_FALLBACK:
        yield f"{where}.fallback is for the policies {' and '.join(_WITH_FALLBACK)}, and the policy is {room.policy}"
    elif room.fallback == room.policy:
        yield f"{where}.fallback is the policy itself: {room.policy}"
    asks = "moderated" in (room.policy, room.fallback)
    if asks and room.moderator is None:
        yield f"{where}.moderator is missing: a table [{where}.moderator] for the agent that says who is next"
    elif room.moderator is not None and not asks:
        yield f"{where}.moderator is for the policy moderated, and the policy is {room.policy}"


def _wrong_provider(where: str, provider: str, *, is_key: bool = False) -> Iterator[str]:
    if provider not in PROVIDERS:
        subject = f"{where} is" if is_key else f"{where}.provider is {shown(provider)},"
        yield f"{subject} no provider; there are: {', '.join(PROVIDERS)}{like(provider, list(PROVIDERS))}"
