"""People come first: whoever speaks is silent when a person does, and what was heard of it is known to all."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from rooms_kit import SPEECH, Seated, Voice, of, replies_of, seated, words_of

from realtime_actors.agents import GetHistory
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentSpeech,
    ClientAudioCommit,
    ClientResponseCancel,
    RoomFloorChanged,
    RoomLine,
)
from realtime_actors.rooms import Everyone, FloorLimits, leave_room
from realtime_actors.simulators import Endless, Reply, Say, Stall, buzz

LONG = "I will tell you a very long story, in which there is one thing after the other, and no end to be seen of it."
PROVIDERS = ("openai", "gemini", "dashscope")


def of_response(events: list[Any], response_id: str) -> list[Any]:
    return [event for event in events if getattr(event, "response_id", "") == response_id]


async def remembered(room: Seated, agent: str) -> list[AgentSpeech]:
    """What an agent itself knows to have said."""
    return of(AgentSpeech, (await room.agent(f"lobby-{agent}").ask(GetHistory(), timeout=5)).items)


@pytest.mark.parametrize("speed", [1, 4, 50])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_person_interrupts_whoever_speaks(autojump_clock: Any, provider: str, speed: float) -> None:
    alice = Voice("Alice", [LONG, "Yes?"], provider, options={"speed": speed})
    alice.brain.ms_per_character = 60
    bob = Voice("Bob", ["Bob."], transcripts=["b"] * 9)
    async with seated(alice, bob) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.8)
        await room.speak("ann", pause_ms=0)
        events = room.probe.take_all()
        (line,) = of(RoomLine, events)
        assert (line.speaker_name, line.interrupted) == ("Alice", True)
        assert line.text
        assert LONG.startswith(line.text)
        # So much of its words as of its sound: 60 ms a character, to the last whole word, until speech was known to be
        # some; and the agent remembers the same.
        assert 0.8 - 0.3 < len(line.text) * 0.06 < 0.8 + 0.6
        assert [speech.transcript for speech in await remembered(room, "alice")] == [line.text]
        # Its end is the last that is said of it.
        (done,) = of(AgentResponseDone, events)
        if done.metadata["status"] == "cancelled":
            assert of_response(events, done.response_id)[-1] is done
        later = room.probe
        await room.speak("ann", b"", pause_ms=900)  # she has finished
        events = await room.line("Bob.")
        assert replies_of(events) == ["Bob"]
        assert of_response(events + later.take_all(), done.response_id) == []


async def test_what_nobody_has_read_of_an_interrupted_reply_is_taken_back(autojump_clock: Any) -> None:
    alice = Voice("Alice", [LONG], options={"speed": 4})
    async with seated(alice) as room, room.runtime.bus.subscribe("rooms.lobby.>", capacity=10_000) as slow:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.3)
        await room.speak("ann")
        await trio.sleep(1)
        unread = [slow.receive_nowait() for _ in range(slow.statistics().waiting)]
        (first, *_) = of(AgentResponseCreated, unread)
        assert of_response(unread, first.response_id)[0] is first
        left = of_response(unread, first.response_id)
        assert of(AgentResponseAudioDelta, left) == of(AgentResponseAudioTranscriptDelta, left) == []


async def test_a_person_interrupts_who_has_the_floor_and_has_not_begun(autojump_clock: Any) -> None:
    alice = Voice("Alice", [Reply([Stall(3), Say("This nobody hears.")]), "Now I have heard you."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Alice?")
        await room.probe.until(RoomFloorChanged, holders=["lobby-alice"])
        await trio.sleep(0.5)
        await room.speak("ann")
        events = await room.line("Now I have heard you")
        assert words_of(events) == ["Alice: Now I have heard you."]
        assert of(RoomFloorChanged, events)[0] == RoomFloorChanged([], ["ann"], [])
        statuses = [done.metadata["status"] for done in of(AgentResponseDone, events)]
        assert statuses == ["cancelled", "completed"]


async def test_a_cough_interrupts_nobody(autojump_clock: Any) -> None:
    alice = Voice("Alice", [LONG])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.5)
        await room.speak("ann", buzz(150, 24000))
        events = await room.line("no end to be seen of it")
        assert [line.interrupted for line in of(RoomLine, events)] == [False]
        assert alice.heard == []


async def test_a_cough_after_a_turn_asks_for_nothing(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Hello.", "I was asked."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", buzz(60, 24000))
        await trio.sleep(5)
        assert replies_of(room.probe.take_all()) == []


async def test_two_people_speak_at_once_and_are_answered_when_both_have_finished(autojump_clock: Any) -> None:
    alice = Voice("Alice", [LONG, "To both of you."], transcripts=["I am Ann.", "And I am Ben."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.speak, "ann", SPEECH)
            await trio.sleep(0.4)
            nursery.start_soon(room.speak, "ben", buzz(1500, 24000, pitch=180))
        events = await room.line("To both of you")
        assert replies_of(events) == ["Alice"]
        assert words_of(events)[1:] == ["Ann: I am Ann.", "Ben: And I am Ben.", "Alice: To both of you."]
        assert [each.speaking for each in of(RoomFloorChanged, events)][:3] == [["ann"], ["ann", "ben"], ["ben"]]
        # Both are in what it hears, named.
        assert alice.read[-2:] == ["(Ann and Ben speaking:)", "(Ben speaking:)"]


async def test_what_is_written_while_an_agent_speaks_is_answered_after_it(autojump_clock: Any) -> None:
    alice = Voice("Alice", [LONG, "And this is for Ben."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.3)
        room.write("ben", "And what about me?")
        assert words_of(await room.line("for Ben")) == [
            "Ben: And what about me?",
            f"Alice: {LONG}",
            "Alice: And this is for Ben.",
        ]


async def test_a_frontend_cancels_what_is_said(autojump_clock: Any) -> None:
    alice, bob = (
        Voice(name, [Reply([Endless("and so on ")]), "Well."], options={"speed": 1}) for name in ("Alice", "Bob")
    )
    async with seated(alice, bob, policy=Everyone(), limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "All together!")
        await trio.sleep(2)
        assert (await room.state()).holders == ["lobby-alice", "lobby-bob"]
        room.probe.take_all()
        room.tell("ann", ClientResponseCancel(""))
        await trio.sleep(0.5)
        events = room.probe.take_all()
        assert [done.metadata["status"] for done in of(AgentResponseDone, events)] == ["cancelled"] * 2
        assert {(line.speaker_name, line.interrupted) for line in of(RoomLine, events)} == {
            ("Alice", True),
            ("Bob", True),
        }
        assert (await room.state()).holders == []
        room.tell("ann", ClientResponseCancel(""))  # there is nothing to cancel, and what comes next is said
        room.write("ann", "Once more.")
        assert len(replies_of(await room.line("Well."))) == 2


async def test_whoever_leaves_in_the_middle_of_a_word_is_not_waited_for(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Hello Ben."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        await room.speak("ann", pause_ms=0)
        assert (await room.state()).speaking == ["ann"]
        room.tell("ben", ClientAudioCommit(""))  # of no effect: he has said nothing
        leave_room(room.room, "ann")
        assert (await room.state()).speaking == []
        room.write("ben", "Is she gone?")
        assert replies_of(await room.line("Hello Ben")) == ["Alice"]


async def test_a_microphone_that_falls_silent_in_the_middle_of_a_turn_has_ended_it(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["I have heard you."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", pause_ms=0)  # and then nothing comes, not even silence
        await room.line("I have heard you")
        assert alice.heard[0].startswith(SPEECH)
