"""What fails in a room: providers that are lost, stall or refuse; agents that crash. The room goes on."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from rooms_kit import Voice, of, replies_of, seated, words_of

from realtime_actors.actors import receives
from realtime_actors.agents import RealtimeAgent, tool
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    RoomLine,
    RoomParticipantLeft,
    RoomParticipantUpdated,
)
from realtime_actors.providers import ProviderRefused
from realtime_actors.rooms import FloorLimits, RoomSettings
from realtime_actors.simulators import Call, Drop, Fail, Midway, Reply, Say, ScriptedBrain, Stall, TranscriptionFailed
from realtime_actors.testing import Cut, Delay, Failures, Refuse

PROVIDERS = ("openai", "gemini", "dashscope")
LONG = "This is what I know of it, and I tell it to the end, whatever there may be between us."


@attrs.frozen
class Fall:
    """Crash."""


@attrs.define(eq=False)
class Frail(RealtimeAgent):
    """An agent with a bug."""

    @receives
    def fall(self, _: Fall) -> None:
        """Crash in the middle of whatever there is."""
        raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_agent_that_crashes_while_it_speaks_comes_back_and_knows_what_was_said(
    autojump_clock: Any, provider: str
) -> None:
    alice = Voice("Alice", [LONG, "I am back."], provider, agent_type=Frail, options={"speed": 1})
    bob = Voice("Bob", ["Then I say it.", "I too.", "I again."])
    async with seated(alice, bob, failures=Failures(ZeroDivisionError), limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseAudioDelta)
        await trio.sleep(0.6)
        room.agent("lobby-alice").tell(Fall())
        events = await room.line("Then I say it")
        updates = [(each.participant.status, each.reason) for each in of(RoomParticipantUpdated, events)]
        assert updates == [("restarting", "ended"), ("here", "")]
        (cut, _) = of(RoomLine, events)
        assert cut.interrupted
        assert LONG.startswith(cut.text)
        assert len(of(AgentEnded, events)) == len(of(AgentReady, events)) == 1
        await trio.sleep(1)
        room.write("ann", "Who is here?")
        events = await room.line("I am back")
        told = "\n".join(alice.read)
        # So far as it had been said when it came: after 0.2 s.
        assert "(What was said in the room before you came:)\nAnn: Tell us.\nAlice: " + cut.text in told
        assert "Ann: Who is here?" in told


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_agent_whose_provider_is_lost_while_it_speaks_goes_on_later(
    autojump_clock: Any, provider: str
) -> None:
    alice = Voice("Alice", [Reply([Midway(LONG, 800, Drop())]), "I am back."], provider, options={"speed": 1})
    bob = Voice("Bob", ["Then I say it."])
    async with seated(alice, bob, limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        events = await room.line("Then I say it")
        (done, _) = of(AgentResponseDone, events)
        assert done.metadata == {"status": "failed", "reason": "connection_lost"}
        assert [each.code for each in of(AgentError, events)] == ["connection_lost"]
        lines = of(RoomLine, events)
        assert [(line.speaker_name, line.interrupted) for line in lines] == [
            ("Ann", False),
            ("Alice", True),
            ("Bob", False),
        ]
        assert of(RoomParticipantUpdated, events) == []
        room.write("ann", "And you, Alice?")
        assert words_of(await room.line("I am back"))[-1] == "Alice: I am back."
        assert "Ann: And you, Alice?" in "\n".join(alice.read)


async def test_what_is_said_while_a_provider_is_lost_is_heard_when_it_is_back(autojump_clock: Any) -> None:
    alice = Voice(
        "Alice",
        ["I have heard all that."],
        transcripts=["So it is."],
        faults=[
            Cut(direction="sent", containing="input_audio_buffer.append", frame=10),
            Refuse(first=2, connections=2),
        ],
    )
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("I have heard all that")
        assert replies_of(events) == ["Alice"]
        assert [each.code for each in of(AgentError, events)] == ["connection_lost"]
        assert len(alice.wire.connections) == 2


async def test_an_agent_whose_provider_stalls_loses_the_floor(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Too late."], faults=[Delay(containing="response.create", direction="sent", seconds=15)])
    bob = Voice("Bob", ["Then I say it."])
    async with seated(alice, bob, limits=FloorLimits(agent_turns=0, grant=5)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        events = await room.line("Then I say it")
        assert replies_of(events) == ["Bob"]
        for _ in range(4):  # the socket is as slow as before, until it is given up
            await trio.sleep(30)
            room.write("ann", "And you, Alice?")
        events = await room.probe.until(RoomLine, speaker_name="Alice")
        assert "Alice: Too late." not in words_of(events)


@pytest.mark.parametrize("part", [Fail(), Stall()])
async def test_a_reply_that_fails_or_never_comes_passes_the_floor_on(autojump_clock: Any, part: Any) -> None:
    alice = Voice("Alice", [Reply([part]), "Now I can."])
    bob = Voice("Bob", ["Then I say it."], "dashscope")
    async with seated(alice, bob, limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        assert words_of(await room.line("Then I say it")) == ["Ann: Tell us.", "Bob: Then I say it."]


async def test_an_agent_that_fails_again_and_again_leaves(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["A."] * 9, agent_type=Frail)
    bob = Voice("Bob", ["I am left."])
    async with seated(alice, bob, failures=Failures(ZeroDivisionError), settings=RoomSettings(restarts=3)) as room:
        await room.join("ann", name="Ann")
        agent = room.agent("lobby-alice")
        events: list[Any] = []
        for _ in range(3):
            agent.tell(Fall())
            events += await room.probe.until(
                RoomParticipantUpdated, where=lambda each: each.participant.status == "here"
            )
        agent.tell(Fall())
        (*_, left) = await room.probe.until(RoomParticipantLeft)
        assert (left.participant.name, left.reason) == ("Alice", "failed")
        assert [each.participant.status for each in of(RoomParticipantUpdated, events)] == ["restarting", "here"] * 3
        assert [each.name for each in (await room.state()).participants] == ["Bob", "Ann"]
        room.write("ann", "Who is left?")
        assert replies_of(await room.line("I am left")) == ["Bob"]


async def test_an_agent_that_is_refused_when_it_starts_again_leaves(autojump_clock: Any) -> None:
    alice = Voice("Alice", agent_type=Frail, faults=[Refuse(first=2, connections=99, status=401)])
    bob = Voice("Bob", ["I am left."])
    async with seated(alice, bob, failures=Failures(ZeroDivisionError, ProviderRefused)) as room:
        await room.join("ann", name="Ann")
        room.agent("lobby-alice").tell(Fall())
        events = await room.probe.until(RoomParticipantLeft)
        assert events[-1].reason == "failed"
        assert [each.participant.status for each in of(RoomParticipantUpdated, events)] == ["restarting"]
        room.write("ann", "Who is left?")
        assert replies_of(await room.line("I am left")) == ["Bob"]


async def test_a_provider_that_refuses_for_good_in_the_middle_is_one_agent_s_end(autojump_clock: Any) -> None:
    alice = Voice("Alice", [Reply([Say("Well, "), Drop()])], faults=[Refuse(first=2, connections=99, status=401)])
    bob = Voice("Bob", ["I am left."])
    async with seated(alice, bob, failures=Failures(ProviderRefused)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        events = await room.line("I am left")
        events += await room.probe.until(RoomParticipantLeft)
        assert (events[-1].participant.name, events[-1].reason) == ("Alice", "failed")
        assert [each.name for each in (await room.state()).participants] == ["Bob", "Ann"]


@tool
async def divide(by: int) -> str:
    """Divide."""
    return str(1 // by)


async def test_a_tool_that_fails_is_the_model_s_to_explain(autojump_clock: Any) -> None:
    replies = [Reply([Call("divide", '{"by": 0}')], when="divide"), Reply([Say("It cannot be done.")], after="divide")]
    alice = Voice("Alice", replies, agent_options={"tools": [divide]})
    async with seated(alice, Voice("Bob"), limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Please divide.")
        events = await room.line("It cannot be done")
        assert replies_of(events) == ["Alice", "Alice"]  # the call, and what follows it: one turn
        assert of(RoomParticipantUpdated, events) == []


async def test_one_agent_s_fault_does_not_stop_another_one_s_speech(autojump_clock: Any) -> None:
    alice, bob = Voice("Alice", agent_type=Frail), Voice("Bob", [LONG], "gemini")
    async with seated(bob, alice, failures=Failures(ZeroDivisionError)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseCreated)
        await trio.sleep(0.5)
        room.agent("lobby-alice").tell(Fall())
        events = await room.line("whatever there may be")
        assert [line.interrupted for line in of(RoomLine, events)] == [False]
        assert len(of(RoomParticipantUpdated, events)) == 2


class Deaf(ScriptedBrain):
    """A brain that cannot write down the first turn."""

    async def transcribe(self, pcm: bytes, rate: int) -> str:
        """Fail, the first time."""
        text = await super().transcribe(pcm, rate)
        if not text:
            raise TranscriptionFailed("no words")
        return text


async def test_words_that_a_provider_cannot_write_down_shift_nobody_s(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["One.", "Two."], transcripts=["", "The second turn."], brain_type=Deaf)
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        await room.speak("ann")
        await room.line("One.")
        await room.speak("ben")
        assert words_of(await room.line("Two.")) == ["Ben: The second turn.", "Alice: Two."]


async def test_words_that_a_lost_session_owed_shift_nobody_s(autojump_clock: Any) -> None:
    cut = Cut(containing="input_audio_transcription.completed")
    alice = Voice("Alice", transcripts=["The first turn.", "The second turn."], faults=[cut])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        await room.speak("ann")
        await room.probe.until(AgentError, code="connection_lost")
        await trio.sleep(3)
        await room.speak("ben")
        assert words_of(await room.line("The second turn"))[-1] == "Ben: The second turn."
