"""Running a simulator: alone, or as the model behind the demo."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import trio

import realtime_actors.simulators
from realtime_actors.cli.providers import PROVIDERS
from realtime_actors.cli.running import CLOSE_TIMEOUT
from realtime_actors.cli.servers.addresses import connectable, everywhere
from realtime_actors.simulators import ScriptedBrain, load_script
from realtime_actors.simulators.server import Simulator
from realtime_actors.simulators.speech import MissingExtra, SpeechBrain
from realtime_actors.transports import Address, ServerOptions, WebSocketOptions, load_certificate, serve

__all__ = ["serving", "simulate_provider", "speech_brain"]

S = TypeVar("S", bound=Simulator)


async def simulate_provider(
    name: str,
    *,
    host: str,
    port: int,
    certificate: str | None,
    private_key: str | None,
    is_scripted: bool,
    script: Path | None,
    speed: float,
    lifetime: float | None,
) -> None:
    """Serve a provider's wire until cancelled, and say where.

    Raises `MissingExtra`, `ScriptError`, `InvalidCertificate`, and what `serving` does.
    """
    provider = PROVIDERS[name]
    brain = _scripted_brain(script) if is_scripted else speech_brain()
    kind: type[Simulator] = getattr(realtime_actors.simulators, provider.simulator_class)
    tls = None if certificate is None else load_certificate(certificate, private_key)
    options: dict[str, Any] = {} if lifetime is None else {"lifetime": lifetime}
    made = kind(brain=brain, host=host, port=port, speed=speed, ssl_context=tls, **options)
    async with serving(made) as simulator:
        url = connectable(simulator.url)
        key = next(iter(provider.keys))
        click.echo(f"{provider.title}'s realtime wire, simulated:  {url}{provider.query}")
        click.echo(everywhere(simulator.url), nl=False)
        click.echo("Any key will do. For example, in another terminal:")
        click.echo(f"  {key}=any realtime-actors serve --provider {name} --url {url}")
        click.echo(_in_python(name, url), nl=False)
        click.echo("Ctrl-C ends it.")
        await trio.sleep_forever()


def _in_python(name: str, url: str) -> str:
    """A line on how to use the provider's own SDK with it, where that takes one argument."""
    if name == "openai":
        return f'  or in Python: AsyncOpenAI(api_key="any", websocket_base_url="{url.removesuffix("/realtime")}")\n'
    if name != "gemini":
        return ""
    if urlsplit(url).scheme == "ws":
        return "Google's own SDK insists on TLS: see --certificate.\n"
    base = f"https://{urlsplit(url).netloc}"
    return f'  or in Python: genai.Client(api_key="any", http_options={{"base_url": "{base}"}})\n'


def _scripted_brain(script: Path | None) -> ScriptedBrain:
    return ScriptedBrain() if script is None else load_script(script)


def speech_brain(names: Sequence[str] = ()) -> SpeechBrain:
    """The brain for local speech, not yet loaded, of somebody in a room with those of these `names`.

    Raises `MissingExtra` where its packages are not installed.
    """
    if not all(find_spec(name) for name in ("espeakng_loader", "pocketsphinx")):
        raise MissingExtra
    return SpeechBrain(names=names)


@asynccontextmanager
async def serving(simulator: S) -> AsyncGenerator[S, None]:
    """Have a simulator serve for as long as the block lasts, also while what is in the block is being cancelled.

    A speech brain is loaded meanwhile: who comes before waits for it. Raises `PortInUse` or `ListenFailed`, and for
    a brain that cannot be loaded `VoiceFailed`, in groups.
    """
    # Served here and not by itself, for the sake of a close that is quick enough for Ctrl-C.
    websocket = WebSocketOptions(max_message_size=simulator.max_message, close_timeout=CLOSE_TIMEOUT)
    lasting = trio.CancelScope(shield=True)

    async def serve_lasting(*, task_status: trio.TaskStatus[Address]) -> None:
        with lasting:
            await serve(
                simulator.respond,
                host=simulator.host,
                port=simulator.port,
                options=ServerOptions(websocket=websocket),
                ssl_context=simulator.ssl_context,
                task_status=task_status,
            )

    async with trio.open_nursery() as nursery:
        simulator.address = await nursery.start(serve_lasting)
        if isinstance(simulator.brain, SpeechBrain):
            nursery.start_soon(simulator.brain.prepare)
        try:
            yield simulator
        finally:
            lasting.cancel()
        nursery.cancel_scope.cancel()
