"""An agent with xAI's model, against the simulator: in memory on the virtual clock, and once on sockets."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from agent_talk import PAUSE, SPEECH, audio_of, get_weather, of, statuses, talking

from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDelta,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    ServerSessionUpdated,
)
from realtime_actors.providers import Manual, ProviderRefused, ServerVAD, XAIRealtimeModel
from realtime_actors.simulators import Call, Endless, Part, Reply, Say, ScriptedBrain, XAISimulator
from realtime_actors.testing import Failures

VAD = XAIRealtimeModel(
    api_key="xai-test", url="ws://memory/v1/realtime", turn_detection=ServerVAD(silence_duration_ms=300)
)
PUSH_TO_TALK = attrs.evolve(VAD, turn_detection=Manual())
COMMIT = ClientAudioCommit("s1"), ClientResponseCreate("s1")


def simulator(*replies: Reply | list[Part], transcripts: tuple[str, ...] = (), **options: Any) -> XAISimulator:
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options.setdefault("speed", 0)
    return XAISimulator(brain=brain, seed=1, **options)


def audio(text: str) -> bytes:
    return ScriptedBrain().audio(text, 24000)


STORY = Reply([Endless("Once upon a time. ")], when="story")


async def test_a_text_turn(autojump_clock: trio.abc.Clock) -> None:
    async with talking(simulator([Say("Hello. How are you?")]), VAD) as talk:
        talk.say("Hi")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert audio_of(events) == audio("Hello. How are you?")
        assert of(AgentResponseAudioTranscriptDone, events)[0].transcript == "Hello. How are you?"
        assert events[-1].input_tokens > 0


async def test_a_spoken_turn_with_its_transcript(autojump_clock: trio.abc.Clock) -> None:
    async with talking(simulator([Say("Hello.")], transcripts=("Anybody there, please?",)), VAD) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert audio_of(events) == audio("Hello.")
        [done] = of(AgentInputTranscriptionDone, events)
        assert done.transcript == "Anybody there, please?"
        assert of(AgentInputTranscriptionDelta, events)
        assert talk.sent("response.create") == []


async def test_two_calls_at_once(autojump_clock: trio.abc.Clock) -> None:
    calls: list[Part] = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "Rome"}')]
    replies = Reply([Say("Let me see."), *calls], when="weather"), Reply([Say("Sunny.")], after="get_weather")
    async with talking(simulator(*replies), VAD, tools=[get_weather]) as talk:
        talk.say("How is the weather?")
        events = await talk.reply() + await talk.reply()
        results = of(AgentResponseToolResult, events)
        assert [each.tool_result.output for each in results] == ["Sunny in Oslo.", "Sunny in Rome."]
        assert statuses(events) == ["completed"] * 2
        assert audio_of(events) == audio("Let me see.") + audio("Sunny.")
        assert len(talk.sent("response.create")) == 2


@pytest.mark.parametrize("tells", [False, True])
async def test_speech_interrupts_whether_or_not_the_end_is_told(autojump_clock: trio.abc.Clock, tells: bool) -> None:
    server = simulator(STORY, [Say("Yes?")], transcripts=("Stop",), speed=1, tells_interruptions=tells)
    async with talking(server, VAD) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply() + await talk.reply()
        assert statuses(events) == ["cancelled", "completed"]
        assert audio_of(events[events.index(of(AgentResponseDone, events)[0]) :]) == audio("Yes?")


async def test_a_cancel(autojump_clock: trio.abc.Clock) -> None:
    async with talking(simulator(STORY, [Say("Fine.")], speed=1), VAD) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.tell(ClientResponseCancel("s1"))
        [done] = of(AgentResponseDone, await talk.reply())
        assert done.metadata == {"status": "cancelled", "reason": "client_cancelled"}
        talk.say("How are you?")
        assert audio_of(await talk.reply()) == audio("Fine.")


class TestPushToTalk:
    async def test_a_turn_is_answered_once(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(simulator([Say("Hello.")], [Say("Again.")], transcripts=("Hi",)), PUSH_TO_TALK) as talk:
            await talk.speak()
            talk.tell(*COMMIT)
            assert audio_of(await talk.reply()) == audio("Hello.")
            assert len(talk.sent("response.create", "input_audio_buffer.commit")) == 1
            await talk.probe.expect_nothing(within=5)

    async def test_silence_is_said_to_be_silence_and_the_talk_goes_on(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(simulator([Say("Hello.")], transcripts=("Hi",)), PUSH_TO_TALK) as talk:
            await talk.speak(PAUSE)
            talk.tell(*COMMIT)
            error = (await talk.probe.until(AgentError))[-1]
            assert error.code == "no_response"
            assert "hears no speech" in error.message
            await talk.speak()
            talk.tell(*COMMIT)
            assert audio_of(await talk.reply()) == audio("Hello.")

    async def test_speech_ends_a_reply_and_is_answered(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(simulator(STORY, [Say("Yes?")], transcripts=("Stop",), speed=1), PUSH_TO_TALK) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            await talk.speak()
            talk.tell(*COMMIT)
            events = await talk.reply() + await talk.reply()
            assert statuses(events) == ["cancelled", "completed"]

    async def test_another_reply_to_the_same(self, autojump_clock: trio.abc.Clock) -> None:
        """A bare request would be dropped; it is asked for in another way."""
        async with talking(simulator([Say("Hello.")], [Say("Again.")], transcripts=("Hi",)), PUSH_TO_TALK) as talk:
            await talk.speak()
            talk.tell(*COMMIT)
            await talk.reply()
            talk.tell(ClientResponseCreate("s1"))
            assert audio_of(await talk.reply()) == audio("Again.")


@pytest.mark.parametrize("resumes", [True, False])
async def test_a_dropped_socket_is_replaced(autojump_clock: trio.abc.Clock, resumes: bool) -> None:
    server = simulator(STORY, [Say("Hello.")], speed=1)
    async with talking(server, attrs.evolve(VAD, session_resumption=resumes)) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.drop()
        *events, updated = await talk.probe.until(ServerSessionUpdated)
        assert of(AgentResponseDone, events)[0].metadata["reason"] == "connection_lost"
        assert updated.metadata["state_restored"] == "full"
        talk.say("Hi")
        assert audio_of(await talk.reply()) == audio("Hello.")
        brain = server.brain
        assert isinstance(brain, ScriptedBrain)
        assert [turn.text for turn in brain.heard].count("A story!") == 1


async def test_a_conversation_that_is_forgotten_begins_anew(autojump_clock: trio.abc.Clock) -> None:
    server = simulator([Say("Hello.")], conversations=0)
    async with talking(server, VAD) as talk:
        talk.drop()
        updated = (await talk.probe.until(ServerSessionUpdated))[-1]
        assert updated.metadata["state_restored"] == "full"
        talk.say("Hi")
        assert audio_of(await talk.reply()) == audio("Hello.")


async def test_a_picture_is_refused_before_it_is_sent(autojump_clock: trio.abc.Clock) -> None:
    async with talking(simulator(), VAD) as talk:
        talk.tell(ClientImageAppend("s1", b"\x89PNG", {"type": "image/png"}))
        assert (await talk.probe.until(AgentError))[-1].code == "unsupported"
        assert talk.sent("conversation.item.create") == []


async def test_a_bad_key_ends_the_agent(autojump_clock: trio.abc.Clock) -> None:
    model = attrs.evolve(VAD, api_key="bad")
    with pytest.raises(ProviderRefused) as caught:
        async with talking(simulator(), model, failures=Failures(ProviderRefused)):
            pass
    assert caught.value.kind == "authentication"


async def test_on_sockets() -> None:
    with trio.fail_after(20):
        async with talking(simulator([Say("Hello.")], transcripts=("Hi",)), VAD, sockets=True) as talk:
            talk.say("Hi")
            assert audio_of(await talk.reply()) == audio("Hello.")
