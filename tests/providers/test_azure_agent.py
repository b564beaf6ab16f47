"""An agent with a model on Azure, by both of its wires, against the simulator: in memory, and once on sockets."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from agent_talk import PAUSE, SPEECH, audio_of, get_weather, of, statuses, talking

from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientAudioCommit,
    ClientResponseCancel,
    ClientResponseCreate,
    ServerSessionUpdated,
)
from realtime_actors.providers import AzureOpenAIRealtimeModel, Manual, ProviderRefused, ServerVAD
from realtime_actors.simulators import AzureOpenAISimulator, Call, Endless, Part, Reply, Say, ScriptedBrain
from realtime_actors.testing import Failures

GA = AzureOpenAIRealtimeModel(
    model_name="my-deployment",
    api_key="azure-test",
    url="ws://memory/openai/v1/realtime",
    turn_detection=ServerVAD(silence_duration_ms=300),
)
PREVIEW = attrs.evolve(GA, url="ws://memory/openai/realtime", api_version="2025-04-01-preview", temperature=0.8)
STORY = Reply([Endless("Once upon a time. ")], when="story")

both = pytest.mark.parametrize("model", [GA, PREVIEW], ids=["ga", "preview"])


def simulator(*replies: Reply | list[Part], transcripts: tuple[str, ...] = (), **options: Any) -> AzureOpenAISimulator:
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options.setdefault("speed", 0)
    return AzureOpenAISimulator(brain=brain, seed=1, transcripts="before", **options)


def audio(text: str) -> bytes:
    return ScriptedBrain().audio(text, 24000)


@both
async def test_a_text_turn(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator([Say("Hello.")]), model) as talk:
        talk.say("Hi")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert audio_of(events) == audio("Hello.")
        assert of(AgentResponseAudioTranscriptDone, events)[0].transcript == "Hello."


@both
async def test_a_reply_in_text(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator([Say("Hello.")]), attrs.evolve(model, output_modality="text")) as talk:
        talk.say("Hi")
        events = await talk.reply()
        assert audio_of(events) == b""
        assert of(AgentResponseAudioTranscriptDone, events)[0].transcript == "Hello."


@both
async def test_a_spoken_turn(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator([Say("Hello.")], transcripts=("Anybody there?",)), model) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert audio_of(events) == audio("Hello.")
        assert of(AgentInputTranscriptionDone, events)[0].transcript == "Anybody there?"


@both
async def test_a_turn_without_turn_detection(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator([Say("Hello.")]), attrs.evolve(model, turn_detection=Manual())) as talk:
        await talk.speak()
        talk.tell(ClientAudioCommit("s1"), ClientResponseCreate("s1"))
        assert audio_of(await talk.reply()) == audio("Hello.")


@both
async def test_two_calls_at_once(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    calls: list[Part] = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "Rome"}')]
    replies = Reply(calls, when="weather"), Reply([Say("Sunny.")], after="get_weather")
    async with talking(simulator(*replies), model, tools=[get_weather]) as talk:
        talk.say("How is the weather?")
        events = await talk.reply() + await talk.reply()
        results = of(AgentResponseToolResult, events)
        assert [each.tool_result.output for each in results] == ["Sunny in Oslo.", "Sunny in Rome."]
        assert audio_of(events) == audio("Sunny.")


@both
async def test_speech_interrupts(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator(STORY, [Say("Yes?")], transcripts=("Stop",), speed=1), model) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply() + await talk.reply()
        assert statuses(events) == ["cancelled", "completed"]


@both
async def test_a_cancel(autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel) -> None:
    async with talking(simulator(STORY, [Say("Fine.")], speed=1), model) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.tell(ClientResponseCancel("s1"))
        assert of(AgentResponseDone, await talk.reply())[0].metadata["reason"] == "client_cancelled"
        talk.say("How are you?")
        assert audio_of(await talk.reply()) == audio("Fine.")


@both
async def test_a_dropped_socket_is_replaced_and_the_token_fetched_anew(
    autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel
) -> None:
    fetched: list[str] = []

    def token() -> str:
        fetched.append(f"token-{len(fetched)}")
        return fetched[-1]

    model = attrs.evolve(model, api_key="", entra_token=token)
    async with talking(simulator(STORY, [Say("Hello.")], speed=1), model) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.drop()
        await talk.probe.until(ServerSessionUpdated)
        talk.say("Hi")
        assert audio_of(await talk.reply()) == audio("Hello.")
    assert fetched == ["token-0", "token-1"]


async def test_a_transcription_that_is_not_deployed_is_an_error_and_no_more(autojump_clock: trio.abc.Clock) -> None:
    model = attrs.evolve(GA, transcription_model="missing-whisper")
    async with talking(simulator([Say("Hello.")], transcripts=("Hi",)), model) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert of(AgentError, events)[0].code == "DeploymentNotFound"
        assert statuses(events) == ["completed"]


@both
@pytest.mark.parametrize(
    ("fields", "kind"), [({"api_key": "bad"}, "authentication"), ({"model_name": "missing"}, "model")]
)
async def test_what_is_refused_for_good(
    autojump_clock: trio.abc.Clock, model: AzureOpenAIRealtimeModel, fields: dict[str, Any], kind: str
) -> None:
    with pytest.raises(ProviderRefused) as caught:
        async with talking(simulator(), attrs.evolve(model, **fields), failures=Failures(ProviderRefused)):
            pass
    assert caught.value.kind == kind


@both
async def test_on_sockets(model: AzureOpenAIRealtimeModel) -> None:
    with trio.fail_after(20):
        async with talking(simulator([Say("Hello.")]), model, sockets=True) as talk:
            talk.say("Hi")
            assert audio_of(await talk.reply()) == audio("Hello.")
