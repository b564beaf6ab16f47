"""Eight agents and eight people for ten minutes of virtual time: `python -m benchmarks.room_ten_minutes [minutes]`.

The agents' models are simulators of three providers, in memory. People speak, write and interrupt; each hears the
others. What each simulator's wire said is compared with what the room's stream says, delta by delta; at the end it is
counted what there is more of than there was after the first part.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Hashable
from typing import Any

import attrs
import orjson
import pybase64
import trio
from trio.testing import MockClock

from realtime_actors.actors import Ref, Runtime, open_runtime
from realtime_actors.agents import Memory, RealtimeAgent
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientTextAppend,
    RoomAudioDelta,
)
from realtime_actors.providers import DashScopeRealtimeModel, GeminiRealtimeModel, OpenAIRealtimeModel
from realtime_actors.rooms import ChatRoom, FloorLimits, FromPerson, RoomSettings, join_room
from realtime_actors.simulators import DashScopeSimulator, GeminiSimulator, OpenAISimulator, Say, ScriptedBrain, buzz
from realtime_actors.testing import MemoryTransport, WrappedTransport, WrappedWebSocket
from realtime_actors.transports import WebSocket

AGENTS = PEOPLE = 8
_RATES = (24000, 16000, 48000)
_PROVIDERS: Any = (
    (OpenAISimulator, OpenAIRealtimeModel, {}),
    (GeminiSimulator, GeminiRealtimeModel, {}),
    (DashScopeSimulator, DashScopeRealtimeModel, {"model_name": "qwen3.5-omni-flash-realtime"}),
)


@attrs.frozen
class Report:
    """What was seen."""

    turns: int
    """Replies that were completed."""
    interrupted: int
    deltas: int
    """Pieces of audio of agents, each published once."""
    heard: int
    """Pieces of audio of people, as other people hear them."""
    cpu_s: float
    more: dict[str, int]
    """Of which objects of the package there are more at the end than after the first part, and how many."""
    tasks: int
    """How many tasks there are more."""


@attrs.define(eq=False)
class Compared:
    """One agent's deltas on its provider's wire, which those of the room's stream are compared with."""

    sent: deque[bytes] = attrs.field(factory=deque[bytes])
    may_lack: bool = False
    """Whether the reply before was interrupted: the rest of it is not published."""
    is_new: bool = True

    def published(self, delta: bytes) -> None:
        """A delta is on the room's stream: it is the next one that was sent."""
        while self.sent and (self.sent[0] != delta) and self.is_new and self.may_lack:
            self.sent.popleft()
        if not self.sent or self.sent.popleft() != delta:
            raise AssertionError("a delta was lost, repeated, or is out of order")
        self.is_new = False

    def ended(self, status: str) -> None:
        """A reply has ended."""
        if status == "completed" and self.sent:
            raise AssertionError(f"{len(self.sent)} deltas of a completed reply were not published")
        self.may_lack, self.is_new = status != "completed", True


@attrs.define(eq=False)
class Listener:
    """Reads the room's stream, and what is for each person."""

    pattern: str
    agents: dict[str, Compared] = attrs.field(factory=dict[str, Compared])
    counts: Counter[str] = attrs.field(factory=Counter[str])
    error: AssertionError | None = None

    def offer(self, message: Any, group: Hashable) -> None:
        """Called by the bus."""
        try:
            if isinstance(message, AgentResponseAudioDelta):
                self.counts["deltas"] += 1
                self.agents[message.agent_id].published(message.delta)
            elif isinstance(message, AgentResponseDone):
                self.counts[message.metadata["status"]] += 1
                self.agents[message.agent_id].ended(message.metadata["status"])
            elif isinstance(message, RoomAudioDelta):
                self.counts["heard"] += 1
        except AssertionError as error:
            self.error = self.error or error

    def discard(self, group: Hashable) -> None:
        """Nothing is kept."""


class _Watched(WrappedTransport):
    """Notes the audio that a provider sends."""

    def __init__(self, inner: MemoryTransport, compared: Compared) -> None:
        super().__init__(inner)
        self._compared = compared

    def wrap(self, websocket: WebSocket) -> WebSocket:
        return _WatchedWebSocket(websocket, self._compared)


class _WatchedWebSocket(WrappedWebSocket):
    def __init__(self, inner: WebSocket, compared: Compared) -> None:
        super().__init__(inner)
        self._compared = compared

    async def receive(self) -> str | bytes:
        frame = await super().receive()
        text = frame if isinstance(frame, str) else frame.decode()
        if "audio.delta" in text:
            self._compared.sent.append(pybase64.b64decode(orjson.loads(text)["delta"]))
        elif "inlineData" in text:
            for part in orjson.loads(text)["serverContent"]["modelTurn"]["parts"]:
                if "inlineData" in part:
                    self._compared.sent.append(pybase64.b64decode(part["inlineData"]["data"]))
        return frame


@attrs.define(kw_only=True)
class _Talker(ScriptedBrain):
    async def transcribe(self, pcm: bytes, rate: int) -> str:
        await trio.lowlevel.checkpoint()
        return f"So much was said: {len(pcm) * 500 // rate} ms"


async def _speak(room: Ref, person: str, rate: int, ms: int) -> None:
    audio = buzz(ms, rate, pitch=90 + 10 * len(person)) + bytes(rate * 2 * 700 // 1000)
    for chunk in iter_chunks(audio, rate, 20):
        room.tell(FromPerson(person, ClientAudioAppend("", chunk, AudioFormat(rate=rate))))
        await trio.sleep(0.02)


async def _people(room: Ref, until: float, chance: random.Random) -> None:
    while trio.current_time() < until:
        number = chance.randrange(PEOPLE)
        match chance.randrange(4):
            case 0:
                room.tell(FromPerson(f"person{number}", ClientTextAppend("", "Please tell us more of it.")))
                await trio.sleep(chance.uniform(2, 8))
            case 1:
                async with trio.open_nursery() as nursery:  # two at once
                    nursery.start_soon(_speak, room, f"person{number}", _RATES[number % 3], 900)
                    other = (number + 1) % PEOPLE
                    nursery.start_soon(_speak, room, f"person{other}", _RATES[other % 3], 1500)
                await trio.sleep(chance.uniform(2, 8))
            case _:
                await _speak(room, f"person{number}", _RATES[number % 3], 800)
                await trio.sleep(chance.uniform(0.5, 6))


def _objects() -> Counter[str]:
    gc.collect()
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    ours = (name for name in names if name.startswith("realtime_actors") and "simulators" not in name)
    return Counter(ours)


async def converse(minutes: float, seed: int = 1) -> Report:
    """Have them converse for so long. Raises `AssertionError` for a delta that is lost, repeated or out of order."""
    async with open_runtime(lane_held_after=None) as runtime:
        return await _converse(runtime, minutes * 60, random.Random(seed))  # noqa: S311 - no secret


async def _converse(runtime: Runtime, seconds: float, chance: random.Random) -> Report:
    listener = Listener("rooms.lobby.>")
    agents: list[RealtimeAgent] = []
    for number in range(AGENTS):
        simulator_type, model_type, options = _PROVIDERS[number % 3]
        brain = _Talker(default=[Say("This is what I have to say of it, and there is no more.")], ms_per_character=40)
        simulator = simulator_type(brain=brain, speed=4, seed=number)
        model = model_type(api_key="any", url=f"ws://memory{simulator.path}", **options)
        compared = listener.agents[f"lobby-agent{number}"] = Compared()
        transport = _Watched(MemoryTransport(simulator.respond), compared)
        agents.append(RealtimeAgent(f"Agent{number}", "", model, transport=transport, memory=Memory(max_items=10)))
    room = await runtime.spawn(
        ChatRoom(agents, limits=FloorLimits(agent_turns=3), settings=RoomSettings(lines=20)), name="lobby"
    )
    runtime.bus.add(listener)
    runtime.bus.add(Listener("people.lobby.>", counts=listener.counts))
    for number in range(PEOPLE):
        await join_room(room, f"person{number}", hear_rate=_RATES[number % 3])

    began, until = time.process_time(), trio.current_time() + seconds
    await _people(room, trio.current_time() + seconds / 4, chance)
    await trio.sleep(30)
    before, tasks = _objects(), trio.lowlevel.current_statistics().tasks_living
    await _people(room, until, chance)
    await trio.sleep(30)
    cpu_s = time.process_time() - began
    after = _objects()
    tasks = trio.lowlevel.current_statistics().tasks_living - tasks
    if listener.error is not None:
        raise listener.error
    counts = listener.counts
    more = {name: count - before[name] for name, count in after.items() if count > before[name]}
    return Report(
        counts["completed"], counts["cancelled"], counts["deltas"], counts["heard"], round(cpu_s, 1), more, tasks
    )


def main() -> None:
    """Print what was seen."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    report = trio.run(converse, minutes, clock=MockClock(autojump_threshold=0))
    for name, value in attrs.asdict(report).items():
        print(f"{name:12} {value}")  # noqa: T201


if __name__ == "__main__":
    main()
