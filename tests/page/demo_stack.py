"""What `realtime-actors demo` runs, in this process: a simulated model, agents with tools, a gateway."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import trio

from realtime_actors.actors import Ref, Runtime, open_runtime
from realtime_actors.agents import RealtimeAgent, Tool
from realtime_actors.audio import read_wav, write_wav
from realtime_actors.cli.servers.demo_tools import DEMO_TOOLS
from realtime_actors.cli.servers.gateway import Agents
from realtime_actors.gateway import Gateway, GatewaySettings, GatewayStatus, GetStatus
from realtime_actors.providers import OpenAIRealtimeModel, ServerVAD, TurnDetection
from realtime_actors.rooms import Addressed, ChatRoom, Policy, RoomSettings, UnknownRoom
from realtime_actors.simulators import Brain, OpenAISimulator
from realtime_actors.simulators.speech import SpeechBrain
from realtime_actors.transports import WebSocket

DATA = Path(__file__).parent.parent / "data"


@attrs.define(eq=False, kw_only=True)
class Droppable(OpenAISimulator):
    """Loses its connections when it is told to, and answers no new one until it may."""

    _open_scopes: list[trio.CancelScope] = attrs.field(factory=list[trio.CancelScope])
    _may: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._may.set()

    def drop(self) -> None:
        self._may = trio.Event()
        for scope in self._open_scopes:
            scope.cancel()
        self._open_scopes.clear()

    def go_on(self) -> None:
        self._may.set()

    async def converse(self, websocket: WebSocket, session: Any) -> None:
        with trio.CancelScope() as scope:
            self._open_scopes.append(scope)
            await self._may.wait()
            await super().converse(websocket, session)


@attrs.define
class Demo:
    """A demo that runs; its gateway may be stopped, and started again on the same port."""

    runtime: Runtime
    simulator: OpenAISimulator
    agents: Agents
    settings: GatewaySettings
    gateway: Ref | None = None

    @property
    def url(self) -> str:
        """The page."""
        return f"http://127.0.0.1:{self.settings.port}/"

    async def start_gateway(self) -> None:
        self.gateway = await self.runtime.spawn(Gateway(self.agents, self.settings), name="gateway")
        self.settings = attrs.evolve(self.settings, port=(await self.status()).address.port)

    async def stop_gateway(self) -> None:
        assert self.gateway is not None
        await self.gateway.stop()

    async def status(self) -> GatewayStatus:
        assert self.gateway is not None
        return await self.gateway.ask(GetStatus(), timeout=5)


@asynccontextmanager
async def open_demo(
    brain: Brain | None = None,
    *,
    token: str | None = None,
    allowed_origins: tuple[str, ...] = (),
    key: str = "demo",
    detection: TurnDetection | None = None,
    providers: Sequence[str] = ("openai",),
    kind: type[OpenAISimulator] = OpenAISimulator,
    tools: Sequence[Tool] = DEMO_TOOLS,
) -> AsyncGenerator[Demo]:
    """A demo with local speech, or with another brain."""
    brain = SpeechBrain() if brain is None else brain
    simulator = kind(brain=brain, seed=1)
    settings = GatewaySettings(
        port=0, token=token, providers=tuple(providers), allowed_origins=allowed_origins, close_timeout=0.5
    )
    async with trio.open_nursery() as nursery:
        if isinstance(brain, SpeechBrain):
            await brain.prepare()
        await nursery.start(simulator.serve)
        model = OpenAIRealtimeModel(
            model_name="gpt-realtime", api_key=key, url=simulator.url, turn_detection=detection or ServerVAD()
        )
        async with open_runtime() as runtime:
            models = {name: attrs.evolve(model, model_name=f"gpt-realtime-{name}") for name in providers}
            demo = Demo(runtime, simulator, Agents(models, "Friday", "Be brief.", tools), settings)
            await demo.start_gateway()
            yield demo
        nursery.cancel_scope.cancel()


@attrs.define
class OpenRoom:
    """A gateway with one room, `lobby`, of agents that have a scripted simulator each."""

    url: str
    runtime: Runtime

    def page(self, name: str) -> str:
        """The page of somebody who comes in."""
        return f"{self.url}?room=lobby&as={quote(name)}"

    @property
    def room(self) -> Ref:
        """The room, once somebody is there."""
        ref = self.runtime.find("gateway.gateway-lobby")
        assert ref is not None
        return ref


@asynccontextmanager
async def open_room(
    brains: Mapping[str, Brain], *, policy: Callable[[], Policy] = Addressed, return_within: float = 30.0
) -> AsyncGenerator[OpenRoom]:
    """A room with these agents, by name."""
    simulators = {name: OpenAISimulator(brain=brain, seed=1) for name, brain in brains.items()}

    def make(name: str) -> ChatRoom:
        if name != "lobby":
            raise UnknownRoom(f"There is no room {name!r}: there is 'lobby'.")
        model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="demo")
        agents = [
            RealtimeAgent(name, "Be brief.", attrs.evolve(model, url=simulator.url), DEMO_TOOLS)
            for name, simulator in simulators.items()
        ]
        return ChatRoom(agents, policy=policy(), settings=RoomSettings(return_within=return_within))

    async with trio.open_nursery() as nursery:
        for simulator in simulators.values():
            await nursery.start(simulator.serve)
        settings = GatewaySettings(port=0, close_timeout=0.5, return_within=return_within)
        async with open_runtime() as runtime:
            gateway = await runtime.spawn(Gateway(room=make, settings=settings), name="gateway")
            status: GatewayStatus = await gateway.ask(GetStatus(), timeout=5)
            yield OpenRoom(f"http://127.0.0.1:{status.address.port}/", runtime)
        nursery.cancel_scope.cancel()


def write_speech(file: Path, *parts: str | float) -> Path:
    """A WAV of sentences in tests/data (by name) and pauses (seconds)."""
    pcm, rate = b"", 16000
    for part in parts:
        pcm += (
            read_wav(DATA / f"{part}.wav").resampled(rate).pcm if isinstance(part, str) else bytes(2 * int(rate * part))
        )
    write_wav(file, pcm, rate)
    return file
