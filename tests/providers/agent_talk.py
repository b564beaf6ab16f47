"""An agent with a provider's model against the provider's simulator, in memory or on sockets."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import trio

from realtime_actors.actors import Ref
from realtime_actors.agents import RealtimeAgent, Tool, tool
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientTextAppend,
)
from realtime_actors.providers import RealtimeModel
from realtime_actors.simulators import buzz
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import (
    Failures,
    Fault,
    FaultyTransport,
    Probe,
    RecordingTransport,
    open_test_runtime,
)
from realtime_actors.transports import Address, MemoryTransport, Transport, default_transport

__all__ = ["PAUSE", "SPEECH", "Talk", "audio_of", "audio_sent", "get_weather", "of", "statuses", "talking"]

Json = dict[str, Any]
SPEECH = buzz(800, 48000)
PAUSE = bytes(2 * 48000)


@tool
async def get_weather(city: str) -> str:
    """Weather in a city."""
    return f"Sunny in {city}."


@attrs.define
class Talk:
    """An agent, what it says, and what goes over its wire."""

    agent: Ref
    probe: Probe
    transport: RecordingTransport

    def tell(self, *events: ClientEvent) -> None:
        for event in events:
            self.agent.tell(event)

    def say(self, text: str) -> None:
        self.tell(ClientTextAppend("s1", text))

    async def speak(self, pcm: bytes = SPEECH) -> None:
        """At the pace of speech."""
        for chunk in iter_chunks(pcm, 48000, 20):
            self.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=48000)))
            await trio.sleep(0.02)

    async def reply(self) -> list[Any]:
        """Events up to and with the end of a reply."""
        return await self.probe.until(AgentResponseDone)

    def sent(self, *kinds: str, socket: int = -1) -> list[Json]:
        """What the agent sent over one socket, of these types."""
        frames: list[Json] = [orjson.loads(frame) for frame in self.transport.connections[socket].sent]
        return [frame for frame in frames if frame["type"] in kinds]

    def drop(self) -> int:
        """Break the connections, as a network does; says how many there were."""
        network = self.transport.inner
        network = network.inner if isinstance(network, FaultyTransport) else network
        assert isinstance(network, MemoryTransport)
        dropped = network.drop_connections()
        assert dropped >= 1
        return dropped


@asynccontextmanager
async def talking(
    simulator: Simulator,
    model: RealtimeModel,
    *,
    tools: Sequence[Tool] = (),
    sockets: bool | Transport = False,
    failures: Failures | None = None,
    faults: Sequence[Fault] = (),
    **options: Any,
) -> AsyncGenerator[Talk]:
    """An agent that is ready. `model` is told to be at `ws://memory/...`, wherever the simulator is.

    It is in memory, or on real `sockets`: those of the default transport, or of the one given. `faults` befall its
    network, `options` are the agent's.
    """
    async with (
        _serving(simulator, model, sockets, faults) as (reached, transport),
        open_test_runtime(failures=failures) as runtime,
    ):
        probe = await Probe.spawn(runtime, within=60, capacity=10_000)
        probe.subscribe("agents.friday.>")
        prototype = RealtimeAgent("Friday", "Be brief.", reached, tools, transport=transport, **options)
        agent = await runtime.spawn(prototype, name="friday")
        yield Talk(agent, probe, transport)


@asynccontextmanager
async def _serving(
    simulator: Simulator, model: RealtimeModel, sockets: bool | Transport, faults: Sequence[Fault]
) -> AsyncGenerator[tuple[RealtimeModel, RecordingTransport]]:
    if sockets is False:
        network = MemoryTransport(simulator.respond)
        yield model, RecordingTransport(FaultyTransport(network, faults) if faults else network)
        return
    async with trio.open_nursery() as nursery:
        address: Address = await nursery.start(simulator.serve)
        url = (model.url or "").replace("memory", f"{address.host}:{address.port}")
        yield attrs.evolve(model, url=url), RecordingTransport(default_transport() if sockets is True else sockets)
        nursery.cancel_scope.cancel()


def audio_sent(frames: Iterable[str | bytes]) -> bytes:
    """The user's audio among the frames that were sent, on whichever wire."""
    audio = b""
    for frame in frames:
        message: Json = orjson.loads(frame)
        text = message.get("audio") or message.get("realtimeInput", {}).get("audio", {}).get("data")
        audio += base64.b64decode(text or "")
    return audio


def of(kind: type[Any], events: list[Any]) -> list[Any]:
    """Those of one type."""
    return [event for event in events if isinstance(event, kind)]


def statuses(events: list[Any]) -> list[str]:
    """How the replies among these events ended."""
    return [event.metadata["status"] for event in of(AgentResponseDone, events)]


def audio_of(events: list[Any]) -> bytes:
    """The audio among these events."""
    return b"".join(event.delta for event in of(AgentResponseAudioDelta, events))
