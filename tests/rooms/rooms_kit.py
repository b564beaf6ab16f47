"""A room of agents, each with a provider's simulator behind it, on the virtual clock."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pybase64
import trio

from realtime_actors.actors import Ref, Runtime
from realtime_actors.agents import RealtimeAgent
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentResponseCreated,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientTextAppend,
    RoomLine,
    RoomState,
)
from realtime_actors.rooms import ChatRoom, FromPerson, GetRoom, Hears, RoomAgent, join_room, people_topic
from realtime_actors.simulators import Reply, Say, ScriptedBrain, buzz
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import (
    Failures,
    Fault,
    FaultyTransport,
    Invariants,
    MemoryTransport,
    Probe,
    RecordingTransport,
    open_test_runtime,
)
from tests.simulated_providers import SIMULATED

__all__ = ["SPEECH", "Seated", "Voice", "of", "replies_of", "seated", "words_of"]

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
    agent_type: type[RealtimeAgent] = RealtimeAgent
    brain_type: type[ScriptedBrain] = ScriptedBrain
    brain: ScriptedBrain = attrs.field(init=False)
    simulator: Simulator = attrs.field(init=False)
    wire: RecordingTransport = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        replies = [each if isinstance(each, Reply) else Reply([Say(each)]) for each in self.says]
        self.brain = self.brain_type(replies=replies, transcripts=self.transcripts, ms_per_character=20)
        options: dict[str, Any] = {"speed": 4, "seed": 1, "transcripts": "before", **self.options}
        self.simulator = SIMULATED[self.provider].simulator(brain=self.brain, **options)
        self.wire = RecordingTransport(MemoryTransport(self.simulator.respond))

    def agent(self) -> RoomAgent:
        transport = FaultyTransport(self.wire, self.faults) if self.faults else self.wire
        model = SIMULATED[self.provider].model
        agent = self.agent_type(self.name, "Be brief.", model, transport=transport, **self.agent_options)
        return RoomAgent(agent, self.hears)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """All frames that its model was sent, on all connections."""
        return [json.loads(frame) for connection in self.wire.connections for frame in connection.sent]

    @property
    def heard(self) -> list[bytes]:
        """The turns that its model heard, the last one if it is open too: PCM16 at its model's rate."""
        turns = [b""]
        for frame in self.sent:
            audio = frame.get("audio") or frame.get("realtimeInput", {}).get("audio", {}).get("data")
            if audio:
                turns[-1] += pybase64.b64decode(audio)
            elif frame.get("type") == "input_audio_buffer.commit" or "activityEnd" in frame.get("realtimeInput", {}):
                turns.append(b"")
        return list(filter(None, turns))

    @property
    def read(self) -> list[str]:
        """The texts that its model was sent."""
        found: list[str] = []
        for frame in self.sent:
            if frame.get("type") == "conversation.item.create" and frame["item"].get("role") == "user":
                found += [part["text"] for part in frame["item"]["content"] if "text" in part]
            for turn in frame.get("clientContent", {}).get("turns", ()):
                found += [part["text"] for part in turn["parts"] if "text" in part]
            if "text" in frame.get("realtimeInput", {}):
                found.append(frame["realtimeInput"]["text"])
        return found


@attrs.define(eq=False)
class _Watcher:
    """Checks all that the room says, as it is said."""

    pattern: str
    invariants: Invariants = attrs.field(factory=Invariants)
    problem: Exception | None = None

    def offer(self, message: Any, group: Any) -> None:
        try:
            self.invariants.see(message)
        except Exception as error:  # noqa: BLE001 - the bus would only log it
            self.problem = self.problem or error

    def discard(self, group: Any) -> None:
        pass


@attrs.define
class Seated:
    """A room, what it says to all, and what it says to each."""

    runtime: Runtime
    room: Ref
    probe: Probe
    own: dict[str, Probe] = attrs.field(factory=dict[str, Probe])

    async def join(self, person: str, **options: Any) -> RoomState:
        if person not in self.own:
            probe = self.own[person] = await Probe.spawn(self.runtime, within=60, capacity=10_000)
            probe.subscribe(f"{people_topic(self.room.name, person)}.>")
        return await join_room(self.room, person, **options)

    def tell(self, person: str, event: ClientEvent) -> None:
        self.room.tell(FromPerson(person, event))

    def write(self, person: str, text: str) -> None:
        self.tell(person, ClientTextAppend("", text))

    def send(self, person: str, pcm: bytes, rate: int = 24000) -> None:
        """Some audio, at once."""
        self.tell(person, ClientAudioAppend("", pcm, AudioFormat(rate=rate)))

    async def speak(
        self, person: str, pcm: bytes = SPEECH, rate: int = 24000, pause_ms: int = 700, chunk_ms: int = 20
    ) -> None:
        """At the pace of speech, with a silence after it."""
        for chunk in iter_chunks(pcm + bytes(2 * rate * pause_ms // 1000), rate, chunk_ms):
            self.send(person, chunk, rate)
            await trio.sleep(chunk_ms / 1000)

    async def line(self, text: str, **where: Any) -> list[Any]:
        """Events up to and with the line that has this text in it."""
        return await self.probe.until(RoomLine, where=lambda line: text in line.text, **where)

    def agent(self, agent_id: str) -> Ref:
        """An agent itself, which is in the room."""
        ref = self.runtime.find(f"{self.room.name}.{agent_id}")
        assert ref is not None
        return ref

    async def state(self) -> RoomState:
        return await self.room.ask(GetRoom(), timeout=5)


@asynccontextmanager
async def seated(*voices: Voice, failures: Failures | None = None, **options: Any) -> AsyncGenerator[Seated]:
    """A room that is ready; what it has said is checked at the end, and that nothing has been left open."""
    async with open_test_runtime(failures=failures) as runtime:
        probe = await Probe.spawn(runtime, within=60, capacity=10_000)
        probe.subscribe("rooms.lobby.>")
        watcher = _Watcher("rooms.lobby.>")
        runtime.bus.add(watcher)
        room = await runtime.spawn(ChatRoom([voice.agent() for voice in voices], **options), name="lobby")
        yield Seated(runtime, room, probe)
        await room.stop()
        if watcher.problem is not None:
            raise watcher.problem
        watcher.invariants.finish()
        assert [actor.path for actor in runtime.tree().actors if actor.path.startswith("lobby")] == []


def of(kind: type[Any], events: Sequence[Any]) -> list[Any]:
    """Those of one type."""
    return [event for event in events if isinstance(event, kind)]


def words_of(events: Sequence[Any]) -> list[str]:
    """The lines among these events, with who said them."""
    return [f"{line.speaker_name}: {line.text}" for line in of(RoomLine, events)]


def replies_of(events: Sequence[Any]) -> list[str]:
    """Who replied, in order."""
    return [event.agent_name for event in of(AgentResponseCreated, events)]
