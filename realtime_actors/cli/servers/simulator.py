"""Running a simulator: alone, or as the model behind the demo."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import trio

from realtime_actors.cli.running import CLOSE_TIMEOUT
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.simulators import Brain, OpenAISimulator, ScriptedBrain, load_script
from realtime_actors.simulators.openai import TranscriptOrder
from realtime_actors.simulators.openai.server import MAX_MESSAGE
from realtime_actors.simulators.speech import MissingExtra, SpeechBrain
from realtime_actors.transports import Address, ServerOptions, WebSocketOptions, serve

__all__ = ["serving", "simulate_openai", "speech_brain"]


async def simulate_openai(*, host: str, port: int, is_scripted: bool, script: Path | None, speed: float) -> None:
    """Serve OpenAI's wire until cancelled, and say where.

    Raises `MissingExtra`, `ScriptError`, and what `serving` does.
    """
    brain = _scripted_brain(script) if is_scripted else speech_brain()
    async with serving(brain, host=host, port=port, speed=speed) as simulator:
        assert simulator.address is not None
        url = connectable(simulator.url)
        click.echo(f"OpenAI's Realtime wire, simulated:  {url}?model=gpt-realtime")
        click.echo(everywhere(simulator.url), nl=False)
        click.echo("Any key will do. For example, in another terminal:")
        click.echo(f"  OPENAI_API_KEY=any realtime-actors serve --provider openai --url {url}")
        base = url.removesuffix("/realtime")
        click.echo(f'  or in Python: AsyncOpenAI(api_key="any", websocket_base_url="{base}")')
        click.echo("Ctrl-C ends it.")
        await trio.sleep_forever()


def _scripted_brain(script: Path | None) -> ScriptedBrain:
    return ScriptedBrain() if script is None else load_script(script)


def speech_brain() -> SpeechBrain:
    """The brain for local speech, not yet loaded. Raises `MissingExtra` where its packages are not installed."""
    if not all(find_spec(name) for name in ("espeakng_loader", "pocketsphinx")):
        raise MissingExtra
    return SpeechBrain()


@asynccontextmanager
async def serving(
    brain: Brain, *, host: str, port: int, speed: float, transcripts: TranscriptOrder = "random"
) -> AsyncGenerator[OpenAISimulator, None]:
    """A simulator that serves for as long as the block lasts, also while what is in the block is being cancelled.

    A speech brain is loaded meanwhile: who comes before waits for it. Raises `PortInUse` or `ListenFailed`, and for
    a brain that cannot be loaded `VoiceFailed`, in groups.
    """
    simulator = OpenAISimulator(brain=brain, host=host, port=port, speed=speed, transcripts=transcripts)
    # Served here and not by itself, for the sake of a close that is quick enough for Ctrl-C.
    websocket = WebSocketOptions(max_message_size=MAX_MESSAGE, close_timeout=CLOSE_TIMEOUT)
    lasting = trio.CancelScope(shield=True)

    async def serve_lasting(*, task_status: trio.TaskStatus[Address]) -> None:
        with lasting:
            await serve(
                simulator.respond,
                host=host,
                port=port,
                options=ServerOptions(websocket=websocket),
                task_status=task_status,
            )

    async with trio.open_nursery() as nursery:
        simulator.address = await nursery.start(serve_lasting)
        if isinstance(brain, SpeechBrain):
            nursery.start_soon(brain.prepare)
        try:
            yield simulator
        finally:
            lasting.cancel()
        nursery.cancel_scope.cancel()
