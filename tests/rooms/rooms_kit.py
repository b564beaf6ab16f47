"""A room of agents, each with a provider's simulator behind it, on the virtual clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from realtime_actors.actors import Ref, Runtime
from realtime_actors.agents import RealtimeAgent
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientTextAppend,
    RoomLine,
    RoomState,
)
from realtime_actors.providers import (
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    RealtimeModel,
)
from realtime_actors.rooms import ChatRoom, FromPerson, Hears, RoomAgent, join_room, people_topic
from realtime_actors.simulators import (
    DashScopeSimulator,
    GeminiSimulator,
    OpenAISimulator,
    Reply,
    Say,
    ScriptedBrain,
    buzz,
)
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import Failures, Fault, FaultyTransport, MemoryTransport, Probe, open_test_runtime

__all__ = ["MODELS", "SPEECH", "Seated", "Voice", "of", "replies_of", "seated", "words_of"]

MODELS: Mapping[str, RealtimeModel] = {
    "openai": OpenAIRealtimeModel(api_key="any", url="ws://memory/v1/realtime"),
    "gemini": GeminiRealtimeModel(api_key="any", url=f"ws://memory{GeminiSimulator.path}"),
    "dashscope": DashScopeRealtimeModel(
        api_key="any", url=f"ws://memory{DashScopeSimulator.path}", model_name="qwen3.5-omni-flash-realtime"
    ),
}
_SIMULATORS: Mapping[str, type[Simulator]] = {
    "openai": OpenAISimulator,
    "gemini": GeminiSimulator,
    "dashscope": DashScopeSimulator,
}
SPEECH = buzz(800, 24000)


@attrs.define
class Voice:
    """An agent to be: its provider, and what its model says, reply by reply."""

    name: str
    says: Sequence[Any] = ()
    provider: str = "openai"
    hears: Hears = "audio"
    transcripts: Sequence[str] = ()
    """What its model writes down of what it hears."""
    faults: Sequence[Fault] = ()
    options: dict[str, Any] = attrs.field(factory=dict[str, Any])
    """The simulator's."""
    agent_options: dict[str, Any] = attrs.field(factory=dict[str, Any])
    brain: ScriptedBrain = attrs.field(init=False)
    simulator: Simulator = attrs.field(init=False)
    network: MemoryTransport = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        replies = [each if isinstance(each, Reply) else Reply([Say(each)]) for each in self.says]
        self.brain = ScriptedBrain(replies=replies, transcripts=self.transcripts, ms_per_character=20)
        options: dict[str, Any] = {"speed": 4, "seed": 1, "transcripts": "before", **self.options}
        self.simulator = _SIMULATORS[self.provider](brain=self.brain, **options)
        self.network = MemoryTransport(self.simulator.respond)

    def agent(self) -> RoomAgent:
        transport = FaultyTransport(self.network, self.faults) if self.faults else self.network
        return RoomAgent(
            RealtimeAgent(self.name, "Be brief.", MODELS[self.provider], transport=transport, **self.agent_options),
            self.hears,
        )


@attrs.define
class Seated:
    """A room, what it says to all, and what it says to each."""

    runtime: Runtime
    room: Ref
    probe: Probe
    own: dict[str, Probe] = attrs.field(factory=dict[str, Probe])

    async def join(self, person: str, **options: Any) -> RoomState:
        probe = self.own[person] = await Probe.spawn(self.runtime, within=60, capacity=10_000)
        probe.subscribe(f"{people_topic(self.room.name, person)}.>")
        return await join_room(self.room, person, **options)

    def tell(self, person: str, event: ClientEvent) -> None:
        self.room.tell(FromPerson(person, event))

    def write(self, person: str, text: str) -> None:
        self.tell(person, ClientTextAppend("", text))

    async def speak(self, person: str, pcm: bytes = SPEECH, rate: int = 24000, pause_ms: int = 700) -> None:
        """At the pace of speech, with a silence after it."""
        for chunk in iter_chunks(pcm + bytes(2 * rate * pause_ms // 1000), rate, 20):
            self.tell(person, ClientAudioAppend("", chunk, AudioFormat(rate=rate)))
            await trio.sleep(0.02)

    async def line(self, text: str) -> list[Any]:
        """Events up to and with the line that has this text in it."""
        return await self.probe.until(RoomLine, where=lambda line: text in line.text)


@asynccontextmanager
async def seated(*voices: Voice, failures: Failures | None = None, **options: Any) -> AsyncGenerator[Seated]:
    """A room that is ready."""
    async with open_test_runtime(failures=failures) as runtime:
        probe = await Probe.spawn(runtime, within=60, capacity=10_000)
        probe.subscribe("rooms.lobby.>")
        room = await runtime.spawn(ChatRoom([voice.agent() for voice in voices], **options), name="lobby")
        yield Seated(runtime, room, probe)


def of(kind: type[Any], events: Sequence[Any]) -> list[Any]:
    """Those of one type."""
    return [event for event in events if isinstance(event, kind)]


def words_of(events: Sequence[Any]) -> list[str]:
    """The lines among these events, with who said them."""
    return [f"{line.speaker_name}: {line.text}" for line in of(RoomLine, events)]


def replies_of(events: Sequence[Any]) -> list[str]:
    """Who replied, in order."""
    from realtime_actors.events import AgentResponseCreated

    return [event.agent_name for event in of(AgentResponseCreated, events)]
