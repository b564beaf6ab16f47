"""Whatever people do, in whatever order: one agent speaks at most, voices silence agents, and all that begins ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms_kit import SPEECH, Seated, Voice, seated
from test_room_faults import Fall, Frail
from trio.testing import MockClock

from realtime_actors.events import (
    AgentResponseCreated,
    ClientAudioCommit,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientRoomMute,
    RoomFloorChanged,
    RoomLevels,
    RoomLine,
)
from realtime_actors.rooms import (
    Addressed,
    AlreadyInRoom,
    FloorLimits,
    HandFloor,
    HandUp,
    Leave,
    Moderated,
    Policy,
    RaisedHands,
    RoomSettings,
    RoundRobin,
    leave_room,
)
from realtime_actors.simulators import Drop, Fail, Midway, Reply, Say, Stall, buzz
from realtime_actors.testing import Failures

AGENTS = ("lobby-alice", "lobby-bob")
POLICIES: Sequence[Callable[[], Policy]] = (
    RoundRobin,
    Addressed,
    lambda: RaisedHands(RoundRobin()),
    lambda: Moderated(lambda situation: situation.candidates),
)
REPLIES = (
    "Yes.",
    "This is what I say, and it takes some time to say all of it.",
    Reply([Fail()]),
    Reply([Stall(30)]),
    Reply([Midway("I will not come to the end of this, I am afraid.", 300, Drop())]),
    Reply([Say("Bob, what do you think?")]),
    Reply([Say("And you, Alice?")]),
)
ACTIONS = (
    "speak",
    "cough",
    "begin to speak",
    "write",
    "commit",
    "create",
    "cancel",
    "leave",
    "lose connection",
    "join",
    "mute",
    "garbage",
    "another rate",
    "hand over",
    "raise hand",
    "crash",
)
steps = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.sampled_from(["ann", "ben"]),
        st.sampled_from(AGENTS),
        st.sampled_from([0, 0.1, 1, 5]),
    ),
    min_size=1,
    max_size=12,
)


@attrs.define(eq=False)
class Rules:
    """What holds at any time, of what the room says of itself."""

    pattern: str = "rooms.lobby.>"
    speaking: list[str] = attrs.field(factory=list[str])
    lines: set[str] = attrs.field(factory=set[str])
    broken: list[str] = attrs.field(factory=list[str])

    def offer(self, message: Any, group: Any) -> None:
        match message:
            case RoomFloorChanged(holders, speaking, _):
                self.speaking = speaking
                self.see(len(holders) <= 1, f"several have the floor: {message}")
                self.see(not (holders and speaking), f"an agent has the floor while a person speaks: {message}")
            case RoomLevels(levels):
                heard = [agent for agent in AGENTS if agent in levels]
                self.see(len(heard) <= 1, f"several agents are heard: {message}")
                self.see(not (heard and self.speaking), f"{self.speaking} speak, and {heard} is heard")
            case RoomLine():
                self.see(message.id not in self.lines, f"a line comes twice: {message}")
                self.lines.add(message.id)
            case _:
                pass

    def see(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.broken.append(otherwise)

    def discard(self, group: Any) -> None:
        pass


async def act(room: Seated, action: str, person: str, agent: str) -> None:  # noqa: PLR0912 - one for each action
    match action:
        case "speak":
            await room.speak(person)
        case "cough":
            await room.speak(person, buzz(100, 24000))
        case "begin to speak":
            await room.speak(person, SPEECH, pause_ms=0)
        case "write":
            room.write(person, "Bob and Alice, what is it?")
        case "commit":
            room.tell(person, ClientAudioCommit(""))
        case "create":
            room.tell(person, ClientResponseCreate(""))
        case "cancel":
            room.tell(person, ClientResponseCancel(""))
        case "leave":
            leave_room(room.room, person)
        case "lose connection":
            room.room.tell(Leave(person, may_return=True))
        case "join":
            with suppress(AlreadyInRoom):
                await room.join(person, hear_rate=24000)
        case "mute":
            room.tell(person, ClientRoomMute("", "ann", muted=True))
        case "garbage":
            room.send(person, b"odd")
        case "another rate":
            await room.speak(person, buzz(300, 16000), 16000, pause_ms=0)
        case "hand over":
            room.room.tell(HandFloor(agent))
        case "raise hand":
            room.room.tell(HandUp(agent))
        case _:
            ref = room.agent(agent)
            if any(each.id == agent and each.status == "here" for each in (await room.state()).participants):
                ref.tell(Fall())
                await trio.sleep(0.01)


async def play(policy: Policy, replies: list[Any], todo: list[tuple[str, str, str, float]]) -> None:
    alice = Voice("Alice", replies, agent_type=Frail, transcripts=["Bob, is it so?", "", "Alice?"])
    bob = Voice("Bob", replies[::-1], "gemini", agent_type=Frail)
    failures = Failures(ZeroDivisionError)
    room_settings = RoomSettings(return_within=3, restarts=100)
    async with seated(
        alice, bob, policy=policy, limits=FloorLimits(agent_turns=2, grant=5), settings=room_settings, failures=failures
    ) as room:
        rules = Rules()
        room.runtime.bus.add(rules)
        await room.join("ann", name="Ann", hear_rate=24000)
        for action, person, agent, seconds in todo:
            await act(room, action, person, agent)
            await trio.sleep(seconds)
            assert rules.broken == []
        await trio.sleep(90)
        assert rules.broken == []
        state = await room.state()
        assert (state.holders, state.speaking) == ([], [])
        assert {each.status for each in state.participants} == {"here"}

        # And it goes on.
        if not any(each.id == "ann" for each in state.participants):
            await room.join("ann")
        room.probe.take_all()
        room.write("ann", "Alice and Bob, are you there?")
        room.room.tell(HandFloor("lobby-bob"))
        await room.probe.until(AgentResponseCreated)


@settings(max_examples=25)
@given(st.sampled_from(POLICIES), st.lists(st.sampled_from(REPLIES), max_size=6), steps)
def test_whatever_happens_the_rules_hold(
    policy: Callable[[], Policy], replies: list[Any], todo: list[tuple[str, str, str, float]]
) -> None:
    trio.run(play, policy(), replies, todo, clock=MockClock(autojump_threshold=0))
