"""An agent with Gemini's model, against the simulator: in memory on the virtual clock, and once on sockets."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest
import trio
from agent_talk import PAUSE, SPEECH, Talk, audio_of, get_weather, of, statuses, talking

from realtime_actors.agents import tool
from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ServerSessionUpdated,
)
from realtime_actors.providers import GeminiRealtimeModel, Manual, ProviderRefused, ServerVAD
from realtime_actors.simulators import Call, Endless, GeminiSimulator, Part, Reply, Say, ScriptedBrain
from realtime_actors.testing import Failures

VAD = GeminiRealtimeModel(
    api_key="AIza-test",
    url="ws://memory" + GeminiSimulator.path,
    turn_detection=ServerVAD(silence_duration_ms=300),
)
OLD = attrs.evolve(VAD, model_name="gemini-2.5-flash-native-audio-preview-12-2025")
GENERATIONS = pytest.mark.parametrize("model", [VAD, OLD], ids=["3.8", "2.5"])
COMMIT = ClientAudioCommit("s1"), ClientResponseCreate("s1")
STORY = Reply([Endless("Once upon a time. ")], when="story")
BLUE: list[Part] = [Say("It was blue.")]
WEATHER: list[Part] = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "Rome"}')]


def simulator(*replies: Reply | list[Part], transcripts: tuple[str, ...] = (), **options: Any) -> GeminiSimulator:
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options = {"speed": 0, "seed": 1, **options}
    return GeminiSimulator(brain=brain, **options)


def audio(text: str) -> bytes:
    return ScriptedBrain().audio(text, 24000)


def heard(server: GeminiSimulator) -> list[str]:
    assert isinstance(server.brain, ScriptedBrain)
    return [turn.text for turn in server.brain.heard]


def sent(talk: Talk, socket: int = -1) -> list[dict[str, Any]]:
    """What went over one socket, speech aside."""
    frames = [orjson.loads(frame) for frame in talk.transport.connections[socket].sent]
    return [frame for frame in frames if "audio" not in frame.get("realtimeInput", {})]


@GENERATIONS
async def test_a_text_turn(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    server = simulator([Say("Hello. How are you?")])
    async with talking(server, model) as talk:
        talk.say("Hi")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert audio_of(events) == audio("Hello. How are you?")
        assert of(AgentResponseAudioTranscriptDone, events)[0].transcript == "Hello. How are you?"
        assert events[-1].input_tokens > 0
        assert heard(server) == ["Be brief.", "Hi"]


@GENERATIONS
async def test_a_spoken_turn_with_its_transcript(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    async with talking(simulator([Say("Hello.")], transcripts=("Anybody there, please?",)), model) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert audio_of(events) == audio("Hello.")
        [done] = of(AgentInputTranscriptionDone, events)
        assert done.transcript == "Anybody there, please?"
        [started], [ended] = of(AgentInputStarted, events), of(AgentInputDone, events)
        assert started.item_id == ended.item_id == done.item_id
        assert len(sent(talk)) == 1  # the setup


@GENERATIONS
async def test_two_calls_at_once(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    replies = Reply([Say("Let me see."), *WEATHER], when="weather"), Reply([Say("Sunny.")], after="get_weather")
    async with talking(simulator(*replies), model, tools=[get_weather]) as talk:
        talk.say("How is the weather?")
        events = await talk.reply() + await talk.reply()
        results = of(AgentResponseToolResult, events)
        assert sorted(each.tool_result.output for each in results) == ["Sunny in Oslo.", "Sunny in Rome."]
        assert statuses(events) == ["completed"] * 2
        assert audio_of(events) == audio("Let me see.") + audio("Sunny.")
        [answer] = [frame["toolResponse"] for frame in sent(talk) if "toolResponse" in frame]
        assert len(answer["functionResponses"]) == 2
        await talk.probe.expect_nothing(within=5)


@GENERATIONS
async def test_speech_interrupts(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    async with talking(simulator(STORY, [Say("Yes?")], transcripts=("Stop",), speed=1), model) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply() + await talk.reply()
        assert statuses(events) == ["cancelled", "completed"]
        assert audio_of(events[events.index(of(AgentResponseDone, events)[0]) :]) == audio("Yes?")


@GENERATIONS
async def test_a_cancel_and_what_is_said_next(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    """The server knows nothing of it: what is said next is what interrupts it."""
    async with talking(simulator(STORY, [Say("Fine.")], speed=1), model) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.tell(ClientResponseCancel("s1"))
        [done] = of(AgentResponseDone, await talk.reply())
        assert done.metadata == {"status": "cancelled", "reason": "client_cancelled"}
        await talk.probe.expect_nothing(within=3)
        talk.say("How are you?")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert audio_of(events) == audio("Fine.")
        assert of(AgentInputStarted, events) == []


@GENERATIONS
async def test_a_cancel_while_a_call_is_carried_out(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    """What was cancelled is not answered by itself; the model gets the results with what is said next."""

    @tool(name="get_weather")
    async def slow(city: str) -> str:
        await trio.sleep(60)
        return city

    server = simulator([*WEATHER], Reply([Say("Sunny.")], after="get_weather"), [Say("Fine.")])
    async with talking(server, model, tools=[slow]) as talk:
        talk.say("How is the weather?")
        await talk.probe.until(AgentResponseDone)
        talk.tell(ClientResponseCancel("s1"))
        await talk.probe.until(AgentResponseToolResult)
        await talk.probe.until(AgentResponseToolResult)
        await talk.probe.expect_nothing(within=5)
        talk.say("How are you?")
        events = await talk.reply()
        assert audio_of(events) == audio("Fine.")
        assert of(AgentInputStarted, events) == []
        await talk.probe.expect_nothing(within=5)
        assert "How are you?" in heard(server)


class TestPushToTalk:
    @GENERATIONS
    async def test_a_turn_is_answered_once(self, autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
        manual = attrs.evolve(model, turn_detection=Manual())
        async with talking(simulator([Say("Hello.")], [Say("Again.")], transcripts=("Hi",)), manual) as talk:
            for text in ("Hello.", "Again."):
                await talk.speak()
                talk.tell(*COMMIT)
                assert audio_of(await talk.reply()) == audio(text)
            await talk.probe.expect_nothing(within=5)
            kinds = [next(iter(frame.get("realtimeInput", frame))) for frame in sent(talk)]
            assert kinds == ["setup", *["activityStart", "activityEnd"] * 2]

    async def test_speech_ends_a_reply_and_is_answered(self, autojump_clock: trio.abc.Clock) -> None:
        manual = attrs.evolve(VAD, turn_detection=Manual())
        async with talking(simulator(STORY, [Say("Yes?")], transcripts=("Stop",), speed=1), manual) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            await talk.speak()
            talk.tell(*COMMIT)
            events = await talk.reply() + await talk.reply()
            assert statuses(events) == ["cancelled", "completed"]


@GENERATIONS
async def test_a_picture(autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel) -> None:
    server = simulator([Say("A pear.")])
    async with talking(server, model) as talk:
        talk.tell(ClientImageAppend("s1", b"\xff\xd8\xff", {"type": "image/jpeg"}))
        talk.say("What is it?")
        events = await talk.reply()
        assert audio_of(events) == audio("A pear.")
        assert events[-1].input_tokens > 258


async def test_new_instructions(autojump_clock: trio.abc.Clock) -> None:
    server = simulator([Say("Oui.")])
    async with talking(server, VAD) as talk:
        talk.tell(ClientSessionCreate({"instructions": "Speak French."}))
        await talk.probe.until(ServerSessionUpdated)
        talk.say("Yes?")
        await talk.reply()
        assert heard(server)[0] == "Speak French."


async def test_new_instructions_where_a_session_takes_none_begin_a_new_one(autojump_clock: trio.abc.Clock) -> None:
    server = simulator([Say("Yes.")])
    async with talking(server, OLD) as talk:
        talk.tell(ClientSessionCreate({"instructions": "Speak French."}))
        await talk.probe.until(ServerSessionUpdated)
        assert server.statistics().connections == 2
        talk.say("Yes?")
        assert statuses(await talk.reply()) == ["completed"]


async def test_nothing_to_reply_to_is_said_to_be_nothing(autojump_clock: trio.abc.Clock) -> None:
    async with talking(simulator([Say("Hello.")]), VAD) as talk:
        talk.tell(ClientResponseCreate("s1"))
        assert (await talk.probe.until(AgentError))[-1].code == "unsupported"
        talk.say("Hi")
        assert statuses(await talk.reply()) == ["completed"]


class TestSessions:
    @pytest.mark.parametrize("resumes", [True, False])
    async def test_a_dropped_socket_is_replaced(self, autojump_clock: trio.abc.Clock, resumes: bool) -> None:
        server = simulator([Say("Hello.")], [Say("Again.")])
        model = attrs.evolve(OLD, session_resumption=resumes)
        async with talking(server, model) as talk:
            talk.say("Hi")
            await talk.reply()
            await trio.sleep(1)
            talk.drop()
            updated = (await talk.probe.until(ServerSessionUpdated))[-1]
            assert updated.metadata["state_restored"] == "full"
            talk.say("And?")
            assert audio_of(await talk.reply()) == audio("Again.")
            assert heard(server) == ["Be brief.", "Hi", "Hello.", "And?"]

    async def test_it_moves_on_in_time(self, autojump_clock: trio.abc.Clock) -> None:
        """Between two turns, and before the server ends the connection."""
        server = simulator([Say("Hello. " * 20)], [Say("Again.")], lifetime=60, notice=20)
        async with talking(server, VAD) as talk:
            await trio.sleep(38)
            talk.say("Hi")  # the reply to which plays when the end is announced
            events = await talk.reply()
            assert statuses(events) == ["completed"]
            updated = (await talk.probe.until(ServerSessionUpdated))[-1]
            assert trio.current_time() < 60
            assert updated.metadata["state_restored"] == "full"
            talk.say("And?")
            assert audio_of(await talk.reply()) == audio("Again.")
            assert "Hi" in heard(server)

    async def test_a_handle_that_is_not_taken_is_given_up(self, autojump_clock: trio.abc.Clock) -> None:
        server = simulator([Say("Hello.")], [Say("Again.")])
        async with talking(server, VAD) as talk:
            talk.say("Hi")
            await talk.reply()
            await trio.sleep(1)
            server.forget()
            talk.drop()
            updated = (await talk.probe.until(ServerSessionUpdated))[-1]
            assert updated.metadata["state_restored"] == "full"
            talk.say("And?")
            assert audio_of(await talk.reply()) == audio("Again.")
            assert heard(server) == ["Be brief.", "Hi", "Hello.", "And?"]

    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ({"api_key": "bad"}, "authentication"),
            ({"model_name": "gemini-9"}, "model"),
            ({"extra": {"x": 1}}, "protocol"),
        ],
    )
    async def test_what_is_refused_ends_the_agent(
        self, autojump_clock: trio.abc.Clock, fields: dict[str, Any], kind: str
    ) -> None:
        with pytest.raises(ProviderRefused) as caught:
            async with talking(simulator(), attrs.evolve(VAD, **fields), failures=Failures(ProviderRefused)):
                pass
        assert caught.value.kind == kind


@GENERATIONS
async def test_on_sockets(model: GeminiRealtimeModel) -> None:
    replies = Reply([*WEATHER], when="weather"), Reply([Say("Sunny.")], after="get_weather"), Reply([Say("Hello.")])
    server = simulator(*replies, transcripts=("Hi",), speed=20, playback=0.05)
    with trio.fail_after(20):
        async with talking(server, model, tools=[get_weather], sockets=True) as talk:
            talk.say("How is the weather?")
            assert audio_of(await talk.reply() + await talk.reply()) == audio("Sunny.")
            await talk.speak(SPEECH + PAUSE)
            assert audio_of(await talk.reply()) == audio("Hello.")


@GENERATIONS
async def test_a_text_that_a_handle_does_not_know_is_told_to_the_session_that_goes_on_from_it(
    autojump_clock: trio.abc.Clock, model: GeminiRealtimeModel
) -> None:
    """The handle that comes at the end of the turn before is older than the text, and says nothing of it."""
    server = simulator([Say("Once upon a time there was a king.")], STORY, BLUE, BLUE, speed=1)
    async with talking(server, model) as talk:
        talk.say("Begin.")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.say("My colour is blue. Now a story!")
        await talk.reply()
        await talk.probe.until(AgentResponseAudioDelta)
        talk.drop()
        await talk.probe.until(ServerSessionUpdated)
        for _ in range(2):  # what was told in the instructions of one session is no part of the next one
            talk.say("Which colour?")
            assert audio_of(await talk.reply()) == audio("It was blue.")
            assert " ".join(heard(server)).count("My colour is blue.") == 1
            talk.drop()
            await talk.probe.until(ServerSessionUpdated)
