"""A simulator of a provider, and an agent's way to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import OpenAISimulator, Reply, Say, ScriptedBrain
from realtime_actors.simulators.brain import Part
from realtime_actors.transports import MemoryTransport, Transport, default_transport

__all__ = ["SimulatedOpenAI", "simulate_openai"]


@attrs.frozen
class SimulatedOpenAI:
    """A simulator of OpenAI's wire, and what an agent that is to talk to it is given: `model` and `transport`."""

    model: OpenAIRealtimeModel
    transport: Transport
    brain: ScriptedBrain
    simulator: OpenAISimulator

    def replies(self, *replies: str | Sequence[Part] | Reply) -> None:
        """What it answers from now on, one after the other: a text is said."""
        self.brain.replies = [*self.brain.replies, *map(_reply, replies)]


@asynccontextmanager
async def simulate_openai(
    *replies: str | Sequence[Part] | Reply,
    in_memory: bool = True,
    transcripts: Sequence[str] = (),
    speed: float = 0,
    seed: int | None = 1,
    **options: Any,
) -> AsyncGenerator[SimulatedOpenAI]:
    """A simulator that gives these replies, in order; `transcripts` are what it hears the user say.

    It works in memory, for the virtual clock, or else on a loopback socket. `speed`, `seed` and `options` are those of
    `OpenAISimulator`: it speaks as fast as it is read, and does the same every time.
    """
    brain = ScriptedBrain(replies=list(map(_reply, replies)), transcripts=transcripts)
    simulator = OpenAISimulator(brain=brain, speed=speed, seed=seed, transcripts="before", **options)
    if in_memory:
        model = OpenAIRealtimeModel(api_key="sk-test", url="ws://memory/v1/realtime")
        yield SimulatedOpenAI(model, MemoryTransport(simulator.respond), brain, simulator)
        return
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        model = OpenAIRealtimeModel(api_key="sk-test", url=simulator.url)
        yield SimulatedOpenAI(model, default_transport(), brain, simulator)
        nursery.cancel_scope.cancel()


def _reply(reply: str | Sequence[Part] | Reply) -> Reply:
    if isinstance(reply, Reply):
        return reply
    return Reply([Say(reply)] if isinstance(reply, str) else reply)
