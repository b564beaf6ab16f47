"""A simulator of OpenAI's wire in a thread of its own, as a provider is: elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Generator

import attrs
import pytest
import trio

from realtime_actors.simulators import Reply, ScriptedBrain
from realtime_actors.simulators.openai import OpenAISimulator


@attrs.define
class Provider:
    """The simulator: `brain.replies` and `speed` are to be set before it is asked."""

    brain: ScriptedBrain
    simulator: OpenAISimulator

    @property
    def url(self) -> str:
        """Where it is, with the model that AgentScope would name."""
        return f"{self.simulator.url}?model=gpt-realtime"

    def replies(self, *replies: Reply) -> None:
        """What it answers, in order."""
        self.brain.replies = replies


@pytest.fixture
def provider() -> Generator[Provider]:
    """Speaks as fast as it is read, and replies as its brain is told to."""
    brain = ScriptedBrain(transcripts=["What is the weather in Oslo?"])
    simulator = OpenAISimulator(brain=brain, speed=0, transcripts="before", seed=1)
    serving = threading.Event()
    stopping: list[trio.lowlevel.TrioToken | trio.CancelScope] = []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(simulator.serve)
            stopping.extend((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            serving.set()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert serving.wait(10)
    yield Provider(brain, simulator)
    token, scope = stopping
    assert isinstance(token, trio.lowlevel.TrioToken)
    assert isinstance(scope, trio.CancelScope)
    token.run_sync_soon(scope.cancel)
    thread.join(10)
    assert not thread.is_alive()
