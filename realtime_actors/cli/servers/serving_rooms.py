"""Serving the rooms of a file."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs

from realtime_actors.actors.errors import RealtimeError
from realtime_actors.agents import RealtimeAgent, Tool
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.running import CLOSE_TIMEOUT, Stopping
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.cli.servers.room_file import ModelTable, PolicyName, RoomTable, read_room_file
from realtime_actors.cli.servers.serving import model_of
from realtime_actors.cli.servers.tools import load_tools
from realtime_actors.cli.workers.channel import Place
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import RealtimeModel
from realtime_actors.rooms import (
    Addressed,
    ChatRoom,
    Everyone,
    Moderated,
    Policy,
    RaisedHands,
    RoomAgent,
    RoomSettings,
    RoundRobin,
    UnknownRoom,
)
from realtime_actors.rooms.settings import as_room_agent
from realtime_actors.transports import WebSocketOptions

__all__ = ["ConfiguredRoom", "configured_rooms", "serve_rooms"]


@attrs.frozen
class ConfiguredRoom:
    """A room of the file, with its models: makes the room to spawn, as often as it is opened."""

    table: RoomTable
    models: tuple[RealtimeModel, ...]
    """Of its agents, in their order."""
    tools: tuple[tuple[Tool, ...], ...]
    moderator: RealtimeModel | None
    settings: RoomSettings

    def make(self) -> ChatRoom:
        """A new one."""
        table, moderator = self.table, None
        if table.moderator is not None and self.moderator is not None:
            moderator = _agent(table.moderator.name, table.moderator.instructions, self.moderator)
        return ChatRoom(
            self.agents(),
            policy=_policy(table.policy, table.fallback),
            limits=table.limits,
            settings=self.settings,
            turn_detection=table.turn_detection,
            moderator=moderator,
        )

    def agents(self) -> list[RoomAgent]:
        """Its agents, not spawned."""
        return [
            RoomAgent(_agent(agent.name, agent.instructions, model, tools), agent.hears)
            for agent, model, tools in zip(self.table.agents, self.models, self.tools, strict=True)
        ]

    def __str__(self) -> str:
        agents = zip(self.table.agents, self.models, strict=True)
        return f"{', '.join(f'{agent.name} ({model.model_name})' for agent, model in agents)}; {self.table.policy}"


def configured_rooms(path: Path, return_within: float | None = None) -> dict[str, ConfiguredRoom]:
    """The rooms of a file, by name, ready to be made. `return_within` (s) takes the place of theirs.

    Raises `CommandFailed`: for what is wrong with the file, for keys that are missing in the environment, and for
    models that cannot be in a room.
    """
    file = read_room_file(path)
    rooms: dict[str, ConfiguredRoom] = {}
    for name, table in file.rooms.items():
        models: list[RealtimeModel] = []
        tools: list[tuple[Tool, ...]] = []
        moderator = None
        at = name
        try:
            for agent in table.agents:
                at = f"{agent.name} of the room {name}"
                models.append(_model(agent.provider, agent, file.models))
                tools.append(tuple(load_tools(agent.tools, "tools")))
            if table.moderator is not None:
                at = f"the moderator of the room {name}"
                moderator = _model(table.moderator.provider, table.moderator, file.models)
            settings = table.settings
            if return_within is not None:
                settings = attrs.evolve(settings, return_within=return_within)
            room = rooms[name] = ConfiguredRoom(table, tuple(models), tuple(tools), moderator, settings)
            for each in room.agents():
                at = f"{each.agent.name} of the room {name}"
                as_room_agent(each)
        except RealtimeError as error:
            raise CommandFailed(f"{path}: {at}: {error}") from error
        if len(table.agents) > settings.most_agents:
            raise CommandFailed(
                f"{path}: the room {name} has {len(table.agents)} agents, more than rooms.{name}.settings.most_agents "
                f"({settings.most_agents}): give that a higher number"
            )
    return rooms


async def serve_rooms(
    path: Path,
    *,
    return_within: float | None,
    stopping: Stopping | None = None,
    place: Place | None = None,
    **settings: Any,
) -> None:
    """Serve the rooms of a file until cancelled, or until `stopping` asks for the end; `settings` are the gateway's.

    With a `place` it is one of several workers: a room is in one of them, by its name. Raises `CommandFailed`,
    `InvalidSettings`, `InvalidCertificate`, `ListenFailed`.
    """
    rooms = configured_rooms(path, return_within)
    within = max(room.settings.return_within for room in rooms.values())
    gateway = GatewaySettings(**settings, return_within=within, close_timeout=CLOSE_TIMEOUT)

    def room(name: str) -> ChatRoom:
        if name not in rooms:
            raise UnknownRoom(f"there is no room {name!r:.80}; there are: {', '.join(rooms)}")
        return rooms[name].make()

    def describe(url: str) -> str:
        address = connectable(url)
        first = next(iter(rooms))
        return (
            f"The rooms of {path} are at {address}/ws/PERSON/ROOM:\n"
            + "".join(f"  {name}: {room}\n" for name, room in rooms.items())
            + f"The page is {address.replace('ws', 'http', 1)}/?room={quote(first, safe='')}&as=Ann\n"
            f"{everywhere(url)}"
            "Try, in another terminal:\n"
            f"  realtime-actors talk --room {shlex.quote(first)} --as Ann --url {address}\n"
            "Ctrl-C ends it."
        )

    await host_gateway(gateway, describe, room=room, stopping=stopping, place=place)


def _model(provider: str, table: ModelTable, usual: Mapping[str, ModelTable]) -> RealtimeModel:
    given = usual.get(provider, ModelTable())
    return model_of(
        provider,
        model_name=table.model or given.model,
        voice=table.voice or given.voice,
        url=table.url or given.url,
    )


def _agent(name: str, instructions: str, model: RealtimeModel, tools: tuple[Tool, ...] = ()) -> RealtimeAgent:
    return RealtimeAgent(name, instructions, model, tools, options=WebSocketOptions(close_timeout=CLOSE_TIMEOUT))


def _policy(name: PolicyName, fallback: PolicyName | None) -> Policy:
    """A new one, since policies may remember what was."""
    match name:
        case "everyone":
            return Everyone()
        case "round_robin":
            return RoundRobin()
        case "moderated":
            return Moderated()
        case "addressed":
            return Addressed() if fallback is None else Addressed(_policy(fallback, None))
        case "raised_hands":
            return RaisedHands(None if fallback is None else _policy(fallback, None))
