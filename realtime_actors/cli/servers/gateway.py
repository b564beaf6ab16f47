"""Running a gateway: what `demo` and `serve` have in common."""

import gc
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs
import click
import trio

from realtime_actors.actors import Ref, Terminated, open_runtime
from realtime_actors.agents import LocalVAD, RealtimeAgent, Tool
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.running import CLOSE_TIMEOUT, GRACE, Stopping
from realtime_actors.cli.workers.channel import Passed, Place
from realtime_actors.gateway import (
    AgentFactory,
    AgentRequest,
    Drain,
    Gateway,
    GatewaySettings,
    GetStatus,
    InvalidSessionConfig,
    RoomFactory,
)
from realtime_actors.providers import Manual, RealtimeModel, SemanticVAD, ServerVAD, TurnDetection
from realtime_actors.telemetry import dump_on_signal
from realtime_actors.transports import WebSocketOptions

__all__ = ["Agents", "host", "listener"]


def listener(turn_detection: str) -> tuple[TurnDetection | None, LocalVAD | None]:
    """Who finds the user's turns, by its name in `--turn-detection`: a setting of the models, or of the agents."""
    if turn_detection == "local":
        return None, LocalVAD()
    return {"server": ServerVAD(), "semantic": SemanticVAD(), "manual": Manual()}[turn_detection], None


@attrs.frozen
class Agents:
    """Makes the agent of a session: `AgentRequest` in, `RealtimeAgent` out. What a frontend asks for wins.

    Raises `InvalidSessionConfig` for a provider that is not among `models`; the first is the usual one.
    """

    models: Mapping[str, RealtimeModel]
    """By the provider's name."""
    name: str
    instructions: str
    tools: Sequence[Tool] = ()
    turn_detection: LocalVAD | None = None

    def __call__(self, request: AgentRequest) -> RealtimeAgent:
        """The agent for this request."""
        provider = request.model_provider or next(iter(self.models))
        if provider not in self.models:
            raise InvalidSessionConfig(
                f"config.model_provider {provider!r:.80} is not to be had here: there is {', '.join(self.models)}"
            )
        return RealtimeAgent(
            name=request.agent_name or self.name,
            instructions=request.instructions or self.instructions,
            model=self.models[provider],
            tools=self.tools,
            session_id=request.session_id,
            turn_detection=self.turn_detection,
            options=WebSocketOptions(close_timeout=CLOSE_TIMEOUT),
        )


async def host(
    settings: GatewaySettings,
    describe: Callable[[str], str],
    *,
    agent: AgentFactory | None = None,
    room: RoomFactory | None = None,
    stopping: Stopping | None = None,
    place: Place | None = None,
) -> None:
    """Serve frontends until cancelled, and say what `describe` makes of the gateway's URL (`ws://HOST:PORT`).

    Each session has the agent that `agent` makes, or is the room that `room` makes.

    Asked by `stopping`, it lets conversations finish, and returns. With a `place` it is one of several workers: its
    connections come from the supervisor, which is told instead. SIGUSR1, where there is one, prints the actors to
    stderr. Raises `PortInUse`, `ListenFailed`, or what the gateway crashed with, in groups.
    """
    passed = None
    if place is not None and stopping is not None:
        passed = Passed(place.channel, stopping.asked.set)
        settings = attrs.evolve(settings, headers=place.headers)
    async with open_runtime(shutdown_timeout=GRACE) as runtime, trio.open_nursery() as nursery:
        if hasattr(signal, "SIGUSR1"):
            label = "" if place is None else place.label
            await nursery.start(partial(dump_on_signal, runtime, signal.SIGUSR1, label=label))
        listeners = () if passed is None else (passed,)
        gateway = await runtime.spawn(Gateway(agent, settings, listeners, room=room), name="gateway")
        if stopping is not None:
            nursery.start_soon(_drain_when_asked, gateway, stopping)
        gc.freeze()  # what was imported stays: to look through all of it for garbage would stop everybody for 30 ms
        (click.echo if passed is None else passed.announce)(describe((await gateway.ask(GetStatus(), timeout=5)).url))
        ended: Terminated = await gateway.wait_stopped()
        if ended.cause is not None or stopping is None or not stopping.asked.is_set():
            raise ended.cause or CommandFailed("the gateway has ended by itself")
        nursery.cancel_scope.cancel()


async def _drain_when_asked(gateway: Ref, stopping: Stopping) -> None:
    await stopping.asked.wait()
    gateway.tell(Drain(stopping.within))
