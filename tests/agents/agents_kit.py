"""An agent that talks to the simulator of OpenAI's wire, in memory (for the virtual clock) or on real sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import orjson
import trio

from realtime_actors.actors import Ref, Runtime, Subscription
from realtime_actors.agents import LocalVAD, RealtimeAgent, Tool
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    AgentResponseToolResult,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientTextAppend,
    Event,
)
from realtime_actors.providers import Manual, OpenAIRealtimeModel, RealtimeModel, ServerVAD
from realtime_actors.simulators.brain import Part
from realtime_actors.simulators.openai import OpenAISimulator
from realtime_actors.simulators.scripted import Reply, ScriptedBrain, buzz
from realtime_actors.testing import Failures, RecordingTransport, open_test_runtime, simulate_openai
from realtime_actors.transports import MemoryTransport

E = TypeVar("E", bound=Event)
Json = dict[str, Any]
KEY = "sk-proj-very-secret"
MODEL = OpenAIRealtimeModel(api_key=KEY, url="ws://memory/v1/realtime")
PUSH_TO_TALK = attrs.evolve(MODEL, turn_detection=Manual())
VAD = attrs.evolve(MODEL, turn_detection=ServerVAD(silence_duration_ms=300))


@attrs.define
class Talk:
    """An agent, what it says, and what goes over its wire."""

    runtime: Runtime
    agent: Ref
    events: Subscription
    transport: RecordingTransport
    brain: ScriptedBrain
    simulator: OpenAISimulator
    seen: list[Any] = attrs.field(init=False, factory=list[Any])

    def tell(self, *events: ClientEvent) -> None:
        for event in events:
            self.agent.tell(event)

    def say(self, text: str) -> None:
        self.tell(ClientTextAppend("s1", text))

    async def receive(self) -> Any:
        event = await self.events.receive()
        self.seen.append(event)
        return event

    def waiting(self) -> list[Any]:
        """Events that have come and were not read."""
        events = [self.events.receive_nowait() for _ in range(self.events.statistics().waiting)]
        self.seen += events
        return events

    async def until(self, kind: type[E], count: int = 1, **fields: object) -> list[Any]:
        """Events up to and with the n-th of this kind that has these fields."""
        events: list[Any] = []
        while count:
            with trio.fail_after(600):
                event = await self.receive()
            events.append(event)
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items()):
                count -= 1
        return events

    async def reply(self, count: int = 1) -> list[Any]:
        """Events up to and with the end of a reply."""
        return await self.until(AgentResponseDone, count)

    async def until_results(self, count: int) -> list[Any]:
        """Events up to and with the n-th result of a call."""
        return await self.until(AgentResponseToolResult, count)

    async def speak(self, pcm: bytes, rate: int, *, chunk_ms: float = 20, paced: bool = True) -> None:
        for chunk in iter_chunks(pcm, rate, chunk_ms):
            self.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=rate)))
            if paced:
                await trio.sleep(chunk_ms / 1000)

    def drop(self) -> None:
        """Break the connection, as a network does."""
        assert self.network.drop_connections() == 1

    @property
    def network(self) -> MemoryTransport:
        assert isinstance(self.transport.inner, MemoryTransport)
        return self.transport.inner

    def sent(self, *kinds: str, socket: int = -1) -> list[Json]:
        """What the agent sent to the provider over one socket, of these types."""
        frames: list[Json] = [orjson.loads(frame) for frame in self.transport.connections[socket].sent]
        return [frame for frame in frames if not kinds or frame["type"] in kinds]


def statuses(events: list[Any]) -> list[str]:
    """How the replies among these events ended."""
    return [event.metadata["status"] for event in of(AgentResponseDone, events)]


def of(kind: type[E], events: list[Any]) -> list[E]:
    """Those of one type."""
    return [event for event in events if isinstance(event, kind)]


def outputs(events: list[Any]) -> list[Any]:
    """The results of calls among these events."""
    return [event.tool_result.output for event in of(AgentResponseToolResult, events)]


def audio_of(events: list[Any]) -> bytes:
    """The audio among these events."""
    return b"".join(event.delta for event in of(AgentResponseAudioDelta, events))


def speech(ms: float, rate: int) -> bytes:
    """Something that a voice activity detector takes for speech, with the silence that ends a turn."""
    return buzz(ms, rate) + bytes(rate * 2)


@asynccontextmanager
async def talking(
    *replies: Sequence[Part] | Reply,
    model: RealtimeModel = MODEL,
    tools: Sequence[Tool] = (),
    transcripts: Sequence[str] = (),
    speed: float = 0,
    sockets: bool = False,
    capacity: int = 100_000,
    pattern: str = "agents.friday.>",
    failures: Failures | None = None,
    turn_detection: LocalVAD | None = None,
    **options: Any,
) -> AsyncGenerator[Talk]:
    """An agent whose model says these replies in order; it is ready, and its first event is read."""
    async with (
        simulate_openai(*replies, in_memory=not sockets, transcripts=transcripts, speed=speed, **options) as openai,
        open_test_runtime(failures=failures) as runtime,
        runtime.bus.subscribe(pattern, capacity=capacity) as events,
    ):
        transport = RecordingTransport(openai.transport)
        prototype = RealtimeAgent(
            name="Friday",
            instructions="Be brief.",
            model=attrs.evolve(model, url=openai.model.url),
            tools=tools,
            session_id="s1",
            turn_detection=turn_detection,
            transport=transport,
        )
        agent = await runtime.spawn(prototype, name="friday")
        yield Talk(runtime, agent, events, transport, openai.brain, openai.simulator)
