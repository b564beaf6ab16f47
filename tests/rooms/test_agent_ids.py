"""By what a room's agents are named in its events."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from rooms_kit import Voice

from realtime_actors.actors import Runtime
from realtime_actors.events import RoomState
from realtime_actors.rooms import AlreadyInRoom, ChatRoom, GetRoom, RoomAgent
from realtime_actors.testing import open_test_runtime


async def _ids(runtime: Runtime, *agents: RoomAgent) -> list[str]:
    room = await runtime.spawn(ChatRoom(agents))
    state: RoomState = await room.ask(GetRoom(), timeout=5)
    await room.stop()
    return [participant.id.removeprefix(f"{room.name}-") for participant in state.participants]


async def test_names_that_differ_in_any_script_are_of_different_agents(autojump_clock: Any) -> None:
    """Ids are made of the letters that topics may have."""
    names = ("Ann Lee", "ann-lee", "于谦", "郭德纲")
    async with open_test_runtime() as runtime:
        ids = await _ids(runtime, *(Voice(name).agent() for name in names))
        assert ids == ["ann-lee", "ann-lee-2", "agent", "agent-2"]


async def test_an_id_may_be_given_and_is_used_once(autojump_clock: Any) -> None:
    """As the topics of an agent are its own."""
    ann, ben = (attrs.evolve(Voice(name).agent(), agent_id="x1") for name in ("Ann", "Ben"))
    async with open_test_runtime() as runtime:
        assert await _ids(runtime, ann) == ["x1"]
        with pytest.raises(AlreadyInRoom, match="'x1'"):
            await runtime.spawn(ChatRoom([ann, ben]))
