"""What a person writes where nobody can read it."""

from __future__ import annotations

from typing import Any

from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import AgentError, ClientTextAppend, RoomState
from realtime_actors.providers import DashScopeRealtimeModel
from realtime_actors.rooms import ChatRoom, FromPerson, GetRoom, join_room
from realtime_actors.simulators import DashScopeSimulator, ScriptedBrain
from realtime_actors.testing import MemoryTransport, Probe, open_test_runtime


async def test_agents_that_take_no_text_are_not_asked_to_answer_it(autojump_clock: Any) -> None:
    """They know nothing of it. The person is told so."""
    simulator = DashScopeSimulator(brain=ScriptedBrain(), speed=4, seed=1)
    model = DashScopeRealtimeModel(api_key="any", url=f"ws://memory{DashScopeSimulator.path}")
    assert not model.capabilities.text
    agent = RealtimeAgent("Alice", "Be brief.", model, transport=MemoryTransport(simulator.respond))
    async with open_test_runtime() as runtime:
        own = await Probe.spawn(runtime, within=60)
        own.subscribe("people.lobby.ann.>")
        room = await runtime.spawn(ChatRoom([agent]), name="lobby")
        await join_room(room, "ann")
        room.tell(FromPerson("ann", ClientTextAppend("", "Hello!")))
        error = (await own.until(AgentError))[-1]
        assert (error.code, error.message) == ("unsupported", "no agent in the room takes text: speak to them instead")
        state: RoomState = await room.ask(GetRoom(), timeout=5)
        assert (state.holders, [line.text for line in state.lines]) == ([], ["Hello!"])
