"""Running the demo."""

import attrs
import click

from realtime_actors.cli.options import TOKEN_VARIABLE
from realtime_actors.cli.running import CLOSE_TIMEOUT
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.cli.servers.demo_tools import DEMO_TOOLS
from realtime_actors.cli.servers.gateway import Agents, listener
from realtime_actors.cli.servers.gateway import host as host_gateway
from realtime_actors.cli.servers.simulator import serving, speech_brain
from realtime_actors.gateway import GatewaySettings
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import OpenAISimulator

__all__ = ["demonstrate"]

_INSTRUCTIONS = (
    "You are Friday, a friendly assistant. Answer in one or two short sentences. For the weather, the time and the "
    "date use your tools, and say that the weather is invented."
)


async def demonstrate(
    *,
    host: str,
    port: int,
    token: str | None,
    allowed_origins: tuple[str, ...],
    max_sessions: int,
    speed: float,
    turn_detection: str,
) -> None:
    """Run the demo until cancelled. Raises `CommandFailed`, `MissingExtra`, `VoiceFailed`, `ListenFailed`."""
    settings = GatewaySettings(
        host=host,
        port=port,
        token=token,
        allowed_origins=allowed_origins,
        max_sessions=max_sessions,
        close_timeout=CLOSE_TIMEOUT,
    )
    # A person reads it: what was heard stands before the answer, as OpenAI does not always have it.
    async with serving(OpenAISimulator(brain=speech_brain(), speed=speed, transcripts="before")) as simulator:
        # The simulator takes any key; this one is no secret.
        model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="demo", url=simulator.url)
        detection, local = listener(turn_detection)
        if detection is not None:
            model = attrs.evolve(model, turn_detection=detection)

        def announce(url: str) -> None:
            address = connectable(url)
            option = "" if address == "ws://127.0.0.1:8000" else f" --url {address}"
            click.echo(
                "Everything runs in this process, on this machine; no key is needed.\n"
                f"  the page      {address.replace('ws://', 'http://')}/\n"
                f"  the gateway   {address}/ws/USER/SESSION   (agent Friday, tools: "
                f"{', '.join(tool.name for tool in DEMO_TOOLS)})\n"
                f"  the model     {simulator.url}   (OpenAI's wire, simulated, with local speech)\n"
                f"{everywhere(url)}"
                "Try, in another terminal:\n"
                f"  realtime-actors talk tests/data/weather.wav{option}\n"
                f'  realtime-actors talk --text "what time is it"{option}\n'
                f'  realtime-actors talk --text "count to thirty" --interrupt-with tests/data/hello.wav{option}\n'
                + (f"  (with the token in {TOKEN_VARIABLE})\n" if token else "")
                + "Ctrl-C ends it."
            )

        await host_gateway(Agents({"openai": model}, "Friday", _INSTRUCTIONS, DEMO_TOOLS, local), settings, announce)
