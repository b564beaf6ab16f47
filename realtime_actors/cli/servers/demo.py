"""Running the demo."""

from typing import Any

import attrs

from realtime_actors.cli.options import TOKEN_VARIABLE
from realtime_actors.cli.running import CLOSE_TIMEOUT, Stopping
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.demo_tools import DEMO_TOOLS
from realtime_actors.cli.servers.gateway import Agents, listener
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.cli.servers.simulator import serving, speech_brain
from realtime_actors.cli.workers.channel import Place
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import OpenAISimulator

__all__ = ["demonstrate"]

_INSTRUCTIONS = (
    "You are Friday, a friendly assistant. Answer in one or two short sentences. For the weather, the time and the "
    "date use your tools, and say that the weather is invented."
)


async def demonstrate(
    *, speed: float, turn_detection: str, stopping: Stopping | None = None, place: Place | None = None, **settings: Any
) -> None:
    """Run the demo until cancelled, or until `stopping` asks for the end; `settings` are the gateway's.

    With a `place` it is one of several workers, each with a model of its own. Raises `InvalidSettings`,
    `CommandFailed`, `MissingExtra`, `VoiceFailed`, `ListenFailed`.
    """
    gateway = GatewaySettings(**settings, close_timeout=CLOSE_TIMEOUT)
    # A person reads it: what was heard stands before the answer, as OpenAI does not always have it.
    async with serving(OpenAISimulator(brain=speech_brain(), speed=speed, transcripts="before")) as simulator:
        # The simulator takes any key; this one is no secret.
        model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="demo", url=simulator.url)
        detection, local = listener(turn_detection)
        if detection is not None:
            model = attrs.evolve(model, turn_detection=detection)

        def describe(url: str) -> str:
            address = connectable(url)
            option = "" if address == "ws://127.0.0.1:8000" else f" --url {address}"
            where = "this process" if place is None else "each process"
            return (
                f"Everything runs in {where}, on this machine; no key is needed.\n"
                f"  the page      {address.replace('ws://', 'http://')}/\n"
                f"  the gateway   {address}/ws/USER/SESSION   (agent Friday, tools: "
                f"{', '.join(tool.name for tool in DEMO_TOOLS)})\n"
                f"  the model     {simulator.url}   (OpenAI's wire, simulated, with local speech)\n"
                f"{everywhere(url)}"
                "Try, in another terminal:\n"
                f"  realtime-actors talk tests/data/weather.wav{option}\n"
                f'  realtime-actors talk --text "what time is it"{option}\n'
                f'  realtime-actors talk --text "count to thirty" --interrupt-with tests/data/hello.wav{option}\n'
                + (f"  (with the token in {TOKEN_VARIABLE})\n" if gateway.token else "")
                + "Ctrl-C ends it."
            )

        agents = Agents({"openai": model}, "Friday", _INSTRUCTIONS, DEMO_TOOLS, local)
        await host_gateway(gateway, describe, agent=agents, stopping=stopping, place=place)
