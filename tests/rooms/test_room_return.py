"""Frontends come and go: whoever is back in time finds the conversation; the last one gone, the room ends in order."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from rooms_kit import SPEECH, Voice, of, replies_of, seated, words_of

from realtime_actors.actors import ActorStopped
from realtime_actors.events import (
    AgentEnded,
    AgentResponseAudioDelta,
    ClientRoomMute,
    ClientSessionEnd,
    RoomAudioDelta,
    RoomFloorChanged,
    RoomLine,
    RoomParticipantJoined,
    RoomParticipantLeft,
    RoomParticipantUpdated,
    RoomState,
)
from realtime_actors.rooms import AlreadyInRoom, Leave, RoomFull, RoomSettings, leave_room

LONG = "This is what I know of it, and I tell it to the end, whatever there may be between us."


async def test_whoever_is_back_in_time_finds_the_conversation(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Hello Ann.", LONG])
    async with seated(alice, settings=RoomSettings(return_within=10)) as room:
        await room.join("ann", name="Ann", hear_rate=24000)
        await room.join("ben", name="Ben")
        room.write("ann", "Hello.")
        await room.line("Hello Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        room.room.tell(Leave("ann", may_return=True))
        room.room.tell(Leave("ann", may_return=True))  # twice is once
        await room.speak("ben", b"", pause_ms=300)
        (update,) = of(RoomParticipantUpdated, room.probe.take_all())
        assert (update.participant.name, update.participant.status, update.reason) == ("Ann", "away", "connection_lost")
        room.own["ann"].take_all()
        await trio.sleep(0.5)

        state = await room.join("ann", hear_rate=24000)
        assert [(each.name, each.status) for each in state.participants] == [
            ("Alice", "here"),
            ("Ann", "here"),
            ("Ben", "here"),
        ]
        assert [line.text for line in state.lines] == ["Hello.", "Hello Ann.", "Tell us."]
        assert state.holders == ["lobby-alice"]
        events = await room.line(LONG)
        (update,) = of(RoomParticipantUpdated, events)
        assert (update.participant.status, update.reason) == ("here", "back")
        await trio.sleep(15)  # the time in which she could come back is over, and of no effect
        assert of(RoomParticipantLeft, room.probe.take_all()) == []
        own = room.own["ann"].take_all()
        assert [type(each) for each in own] == [RoomState]
        await room.speak("ben")
        assert of(RoomAudioDelta, room.own["ann"].take_all()) != []


async def test_whoever_does_not_come_back_has_left(autojump_clock: Any) -> None:
    async with seated(Voice("Alice"), settings=RoomSettings(return_within=10, most_people=1)) as room:
        await room.join("ann", name="Ann")
        for away_for in (9, 9):  # counted anew each time
            room.room.tell(Leave("ann", may_return=True))
            await trio.sleep(away_for)
            await room.join("ann")
        with pytest.raises(RoomFull):  # the place is kept meanwhile
            await room.join("ben")
        room.room.tell(Leave("ann", may_return=True))
        await trio.sleep(11)
        (left,) = of(RoomParticipantLeft, room.probe.take_all())
        assert (left.participant.name, left.reason) == ("Ann", "gone")
        await room.join("ben")
        with pytest.raises(AlreadyInRoom):
            await room.join("ben")


async def test_what_a_person_said_before_the_connection_was_lost_is_answered(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["I have heard you."], transcripts=["Are you there?"])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", pause_ms=0)
        room.room.tell(Leave("ann", may_return=True))
        assert words_of(await room.line("I have heard you")) == ["Ann: Are you there?", "Alice: I have heard you."]
        assert alice.heard[0].startswith(SPEECH)


async def test_the_last_words_of_whoever_leaves_are_written_down(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Good bye, Ann."], transcripts=["I have to go."], options={"transcripts": "after"})
    async with seated(alice) as room, trio.open_nursery() as nursery:
        await room.join("ann", name="Ann")
        nursery.start_soon(room.speak, "ann")
        await room.probe.until(RoomFloorChanged, holders=["lobby-alice"])
        leave_room(room.room, "ann")
        events = await room.line("Good bye")
        assert words_of(events) == ["Ann: I have to go.", "Alice: Good bye, Ann."]
        assert [type(each) for each in events if isinstance(each, RoomParticipantLeft | RoomLine)] == [
            RoomParticipantLeft,
            RoomLine,
            RoomLine,
        ]


async def test_a_person_that_is_away_hears_nothing(autojump_clock: Any) -> None:
    alice = Voice("Alice", [LONG] * 4)
    async with seated(alice) as room:
        await room.join("ann", name="Ann", hear_rate=24000)
        await room.join("ben", name="Ben")
        await room.join("cleo", hear_rate=24000)
        room.tell("ann", ClientRoomMute("", "ben", muted=True))
        room.room.tell(Leave("ann", may_return=True))
        room.own["ann"].take_all()
        await room.speak("cleo")
        assert room.own["ann"].take_all() == []
        await room.join("ann", hear_rate=24000)
        await room.speak("ben")  # who is muted as before
        assert of(RoomAudioDelta, room.own["ann"].take_all()) == []
        assert of(RoomAudioDelta, room.own["cleo"].take_all()) != []
        room.room.tell(Leave("ann", may_return=True))
        room.write("ann", "This was on its way when the connection was lost.")
        assert f"Alice: {LONG}" in words_of(await room.line(LONG))


@pytest.mark.parametrize("linger", [0, 5])
async def test_the_last_one_gone_the_room_lingers_and_ends(autojump_clock: Any, linger: float) -> None:
    alice, bob = Voice("Alice", [LONG]), Voice("Bob", provider="gemini")
    settings = RoomSettings(linger=linger, return_within=3)
    async with seated(alice, bob, settings=settings) as room:
        await trio.sleep(10)  # nobody has come yet
        for person in ("ann", "ben"):
            await room.join(person)
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        leave_room(room.room, "ann")
        room.tell("ben", ClientSessionEnd(""))
        if linger:
            await trio.sleep(linger - 1)
            await room.join("cleo")  # somebody has come meanwhile
            await trio.sleep(5)
            room.room.tell(Leave("cleo", may_return=True))
            await trio.sleep(4)
        began = trio.current_time()
        await room.room.wait_stopped()
        assert trio.current_time() - began <= max(linger - 1, 0.5) + 0.1
        events = room.probe.take_all()
        assert len(of(AgentEnded, events)) == 2
        assert [each.reason for each in of(RoomParticipantLeft, events)] == ["left", "left"] + ["gone"] * (linger > 0)
        assert [actor.path for actor in room.runtime.tree().actors if actor.path.startswith("lobby")] == []
        await trio.sleep(1)
        assert [each.simulator.statistics().open_connections for each in (alice, bob)] == [0, 0]
        with pytest.raises(ActorStopped):
            await room.join("dan")


async def test_who_comes_later_is_told_the_last_lines_only(autojump_clock: Any) -> None:
    async with seated(settings=RoomSettings(lines=5)) as room:
        await room.join("ann", name="Ann")
        for number in range(20):
            room.write("ann", f"This is line {number}.")
        room.write("ann", "x" * 200_000)
        state = await room.join("ben")
        assert [line.text for line in state.lines] == ["x" * 200_000]
        for number in range(3):
            room.write("ann", f"This is line {number}.")
        assert len((await room.state()).lines) == 3


async def test_frontends_that_come_and_go_leave_nothing_behind(autojump_clock: Any) -> None:
    async with seated(Voice("Alice", ["You are back."])) as room:
        for number in range(50):
            await room.join(f"person {number}", hear_rate=16000)
            leave_room(room.room, f"person {number}")
        await room.join("ann", name="Ann")
        for _ in range(50):
            room.room.tell(Leave("ann", may_return=True))
            await room.join("ann", hear_rate=48000)
        room.write("ann", "Hello?")
        events = await room.line("You are back")
        assert replies_of(events) == ["Alice"]
        assert len(of(RoomParticipantJoined, events)) == 52
        assert RoomFloorChanged([], [], []) not in of(RoomFloorChanged, events)[:1]
