"""Running the demo of a room."""

import shlex
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import attrs

from realtime_actors.agents import RealtimeAgent
from realtime_actors.cli.options import TOKEN_VARIABLE
from realtime_actors.cli.running import CLOSE_TIMEOUT, Stopping
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.demo_tools import DEMO_TOOLS
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.cli.servers.simulator import serving, speech_brain
from realtime_actors.cli.workers.channel import Place
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.rooms import Addressed, ChatRoom, RoomSettings, UnknownRoom
from realtime_actors.simulators import OpenAISimulator
from realtime_actors.transports import WebSocketOptions

__all__ = ["demonstrate_room"]

_VOICES = {"Alice": "en-us+f3", "Bob": "en-us+m3"}
_INSTRUCTIONS = (
    "You are {name}, a friendly assistant. Answer in one or two short sentences. For the weather, the time and the "
    "date use your tools, and say that the weather is invented."
)


async def demonstrate_room(
    name: str,
    *,
    speed: float,
    return_within: float | None,
    stopping: Stopping | None = None,
    place: Place | None = None,
    **settings: Any,
) -> None:
    """Run the demo of the room `name`, in which are two agents, as `demonstrate` runs that of one.

    `return_within` is the time in seconds that somebody whose connection is lost has to come back. Raises what
    `demonstrate` does.
    """
    gateway = GatewaySettings(**settings, return_within=return_within, close_timeout=CLOSE_TIMEOUT)
    seats = RoomSettings(linger=60.0)
    if return_within is not None:
        seats = attrs.evolve(seats, return_within=return_within)
    _, *others = _VOICES.values()
    brain = speech_brain(list(_VOICES))
    brains = [brain, *map(brain.another, others)]
    async with AsyncExitStack() as stack:
        simulators = {
            agent: await stack.enter_async_context(
                serving(OpenAISimulator(brain=each, speed=speed, transcripts="before"))
            )
            for agent, each in zip(_VOICES, brains, strict=True)
        }

        def room(wanted: str) -> ChatRoom:
            if wanted != name:
                raise UnknownRoom(f"there is no room {wanted!r:.80}; there is: {name}")
            agents = [
                RealtimeAgent(
                    agent,
                    _INSTRUCTIONS.format(name=agent),
                    # The simulator takes any key; this one is no secret.
                    OpenAIRealtimeModel(model_name="gpt-realtime", api_key="demo", url=simulator.url),
                    DEMO_TOOLS,
                    options=WebSocketOptions(close_timeout=CLOSE_TIMEOUT),
                )
                for agent, simulator in simulators.items()
            ]
            return ChatRoom(agents, policy=Addressed(), settings=seats)

        def describe(url: str) -> str:
            address = connectable(url)
            page = f"{address.replace('ws://', 'http://')}/?room={quote(name, safe='')}"
            option = "" if address == "ws://127.0.0.1:8000" else f" --url {address}"
            talk = f"realtime-actors talk --room {shlex.quote(name)}"
            where = "this process" if place is None else "each process"
            return (
                f"Everything runs in {where}, on this machine; no key is needed.\n"
                f"In the room {name} are two agents, {' and '.join(_VOICES)}. Open it in two browsers:\n"
                f"  {page}&as=Ann\n"
                f"  {page}&as=Ben\n"
                'Say (or write) "hello", "Bob, what time is it", "Alice, ask Bob for the weather in Paris".\n'
                f"{everywhere(url)}"
                "Or, in other terminals:\n"
                f"  {talk} --as Cid{option}\n"
                f'  {talk} --as Dora --text "Bob, count to ten"{option}\n'
                + (f"  (with the token in {TOKEN_VARIABLE})\n" if gateway.token else "")
                + f"The gateway is {address}/ws/PERSON/{quote(name, safe='')}; Ctrl-C ends it."
            )

        await host_gateway(gateway, describe, room=room, stopping=stopping, place=place)
