"""Who speaks, by each policy, in a room of agents of different providers; and that they stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from rooms_kit import Seated, Voice, of, replies_of, seated, words_of

from realtime_actors.agents import tool
from realtime_actors.events import (
    AgentError,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    ClientToolApproval,
    ClientToolResult,
    RoomFloorChanged,
    RoomLine,
)
from realtime_actors.rooms import (
    Addressed,
    Everyone,
    FloorLimits,
    HandFloor,
    HandUp,
    Moderated,
    RaisedHands,
    RoomSettings,
    Situation,
)
from realtime_actors.simulators import Call, Reply, Say, Stall

PROVIDERS = ("openai", "gemini", "dashscope")


def three(says: Sequence[str] = (), **options: Any) -> list[Voice]:
    """Alice, Bob and Cy, of three providers."""
    return [
        Voice(name, [f"{name} {what}" for what in says], provider, **options)
        for name, provider in zip(("Alice", "Bob", "Cy"), PROVIDERS, strict=True)
    ]


async def quiet(room: Seated) -> list[Any]:
    """All that is said until nobody has the floor for a while."""
    quiet_for = 0
    for _ in range(120):
        await trio.sleep(0.5)
        quiet_for = 0 if (await room.state()).holders else quiet_for + 1
        if quiet_for == 6:
            break
    assert quiet_for == 6
    return room.probe.take_all()


@pytest.mark.parametrize("turns", [0, 1, 4])
async def test_agents_stop_among_themselves_after_so_many_turns(autojump_clock: Any, turns: int) -> None:
    async with seated(*three(["one", "two", "three"]), limits=FloorLimits(agent_turns=turns)) as room:
        await room.join("ann", name="Ann")
        for _ in range(2):
            room.write("ann", "Go on.")
            events = await quiet(room)
            assert len(of(AgentResponseCreated, events)) == 1 + turns
        await room.speak("ann")  # and a turn that is spoken gives them as many
        assert len(of(AgentResponseCreated, await quiet(room))) == 1 + turns


async def test_agents_stop_among_themselves_when_people_are_silent_for_long(autojump_clock: Any) -> None:
    voices = three(["has something to say that takes a while, " * 3] * 9)
    async with seated(*voices, limits=FloorLimits(agent_turns=1000, silence=20)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Go on.")
        began = trio.current_time()
        events = await quiet(room)
        assert 20 < trio.current_time() - began < 35
        assert 5 < len(replies_of(events)) < 15


async def test_everyone_answers_at_the_same_time(autojump_clock: Any) -> None:
    async with seated(*three(["says so."]), policy=Everyone(), limits=FloorLimits(agent_turns=3)) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await quiet(room)
        assert sorted(replies_of(events)[:3]) == ["Alice", "Bob", "Cy"]
        # The third has begun before the first has ended.
        kinds = [type(each) for each in events if isinstance(each, AgentResponseCreated | AgentResponseDone)]
        assert kinds[:3] == [AgentResponseCreated] * 3
        assert len(replies_of(events)) == 6


async def test_a_function_moderates(autojump_clock: Any) -> None:
    seen: list[tuple[str, ...]] = []

    async def moderator(situation: Situation) -> Sequence[str]:
        await trio.sleep(0.5)
        seen.append(tuple(said.text for said in situation.conversation))
        return ["lobby-cy", "lobby-bob"] if situation.is_from_person else ["nobody"]

    async with seated(*three(["says so."]), policy=Moderated(), moderator=moderator) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        events = await quiet(room)
        assert replies_of(events) == ["Cy", "Bob"]
        assert seen == [("Who knows it?",), ("Who knows it?", "Cy says so.", "Bob says so.")]


@pytest.mark.parametrize("slow", [False, True])
async def test_a_moderator_that_fails_lets_nobody_speak_and_the_room_goes_on(autojump_clock: Any, slow: bool) -> None:
    asked = 0

    async def moderator(situation: Situation) -> Sequence[str]:
        nonlocal asked
        asked += 1
        if asked > 1:
            return ["lobby-alice"]
        if slow:
            await trio.sleep(60)
        raise ZeroDivisionError

    async with seated(*three(["says so."]), policy=Moderated(), moderator=moderator) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        await trio.sleep(15)
        assert replies_of(room.probe.take_all()) == []
        room.write("ann", "Well?")
        assert "Alice" in replies_of(await room.line("Alice says so"))


async def test_an_agent_moderates_and_takes_no_part(autojump_clock: Any) -> None:
    mod = Voice("Mod", ["I give the floor to Bob.", "NOBODY"])
    async with seated(*three(["says so."]), policy=Moderated(), moderator=mod.agent().agent) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        events = await quiet(room)
        assert words_of(events) == ["Ann: Who knows it?", "Bob: Bob says so."]
        assert replies_of(events) == ["Bob"]
        assert "Alice, Bob, Cy" in mod.read[0]
        assert "Ann: Who knows it?\nBob: Bob says so." in mod.read[1]
        assert [each.name for each in (await room.state()).participants] == ["Alice", "Bob", "Cy", "Ann"]
        assert mod.heard == []


async def test_a_moderator_that_does_not_answer_is_not_waited_for(autojump_clock: Any) -> None:
    mod = Voice("Mod", [Reply([Stall(30), Say("Bob")]), "Cy"])
    async with seated(*three(["says so."]), policy=Moderated(), moderator=mod.agent().agent) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        await trio.sleep(12)
        assert replies_of(room.probe.take_all()) == []
        room.write("ann", "Well?")
        assert replies_of(await room.line("says so")) == ["Cy"]


async def test_without_a_moderator_a_moderated_room_is_silent(autojump_clock: Any) -> None:
    async with seated(*three(["says so."]), policy=Moderated()) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        assert replies_of(await quiet(room)) == []


async def test_whoever_raises_a_hand_has_the_floor_in_turn(autojump_clock: Any) -> None:
    async with seated(*three(["says so."]), policy=RaisedHands()) as room:
        await room.join("ann", name="Ann")
        for agent in ("cy", "bob", "alice"):
            room.room.tell(HandUp(f"lobby-{agent}"))
        room.room.tell(HandUp("lobby-bob", up=False))
        room.write("ann", "Who knows it?")
        events = await quiet(room)
        assert replies_of(events) == ["Cy", "Alice"]
        assert RoomFloorChanged(["lobby-cy"], [], ["lobby-alice"]) in events


async def test_the_floor_is_handed_over_by_a_message(autojump_clock: Any) -> None:
    async with seated(*three(["says so."]), policy=Addressed(), limits=FloorLimits(agent_turns=2)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Alice?")
        await room.probe.until(AgentResponseCreated)
        room.room.tell(HandFloor("CY"))
        room.room.tell(HandFloor("lobby-bob"))  # the last one counts
        assert replies_of(await quiet(room)) == ["Bob"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_agent_hands_the_floor_to_another_one(autojump_clock: Any, provider: str) -> None:
    replies = [
        Reply([Call("hand_over", '{"to": "bob"}')], when="Alice"),
        Reply([Say("Bob knows that.")], after="hand_over"),
    ]
    alice, bob, cy = Voice("Alice", replies, provider), Voice("Bob", ["Yes, I do."]), Voice("Cy")
    settings = RoomSettings(handoffs=True)
    async with seated(alice, bob, cy, policy=Addressed(), settings=settings, limits=FloorLimits(agent_turns=1)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Alice, who knows it?")
        events = await quiet(room)
        assert words_of(events) == ["Ann: Alice, who knows it?", "Alice: Bob knows that.", "Bob: Yes, I do."]
        assert len(of(AgentResponseToolUseDone, events)) == 1


async def test_an_agent_cannot_hand_over_to_who_is_not_there(autojump_clock: Any) -> None:
    replies = [
        Reply([Call("hand_over", '{"to": "Zoe"}')], when="who knows"),
        Reply([Say("Nobody knows.")], after="hand_over"),
    ]
    async with seated(Voice("Alice", replies), settings=RoomSettings(handoffs=True)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who knows it?")
        events = await room.line("Nobody knows")
        assert "There is no Zoe here. There are: Alice." in str(events)


# -- tools


@tool(needs_approval=True)
async def unlock(door: str) -> str:
    """Unlock a door."""
    return f"{door} is unlocked"


async def test_a_person_allows_a_call_of_whichever_agent(autojump_clock: Any) -> None:
    replies = [Reply([Call("unlock", '{"door": "front"}')], when="open"), Reply([Say("It is open.")], after="unlock")]
    alice, bob = Voice("Alice"), Voice("Bob", replies, "dashscope", agent_options={"tools": [unlock]})
    async with seated(alice, bob, policy=Addressed(), limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Bob, open the door.")
        asked = (await room.probe.until(AgentToolApprovalRequested))[-1]
        for nothing in (ClientToolApproval("", "no_call", True), ClientToolResult("", "no_call", "x", "y")):
            room.tell("ann", nothing)
            error = (await room.own["ann"].until(AgentError))[-1]
            assert error.code == "unknown_call"
        room.tell("ann", ClientToolApproval("", asked.tool_use.id, True))
        events = await room.line("It is open")
        assert [line.speaker_name for line in of(RoomLine, events)] == ["Bob"]
