"""An agent that finds the user's turns itself, with every provider's simulator."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pybase64
import pytest
import trio
from agent_talk import PAUSE, SPEECH, Talk, of, statuses, talking
from five_providers import FIVE, MODELS, simulator_of
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import (
    GetHearingStatistics,
    HearingStatistics,
    InvalidTurnDetection,
    LocalVAD,
    RealtimeAgent,
)
from realtime_actors.audio import Resampler
from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientAudioCommit,
    ClientResponseCancel,
    CommitAudio,
)
from realtime_actors.providers import Capabilities
from realtime_actors.simulators import Endless, Reply, Say, ScriptedBrain, Stall, buzz
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import Expect, Invariants, ScriptedModel, open_test_runtime

VAD = LocalVAD(silence_ms=400)
MHM = buzz(250, 48000)
ENDLESS = [Endless()]
FINE = [Say("Fine.")]


def check(events: list[Any]) -> None:
    invariants = Invariants()
    for event in events:
        invariants.see(event)
    assert of(AgentError, events) == []


def brain_of(simulator: Simulator) -> ScriptedBrain:
    brain: Any = getattr(simulator, "brain")  # noqa: B009 - every one of them has one
    assert isinstance(brain, ScriptedBrain)
    return brain


def sent_audio(talk: Talk) -> bytes:
    """All audio that went to the provider."""
    pieces: list[bytes] = []
    for text in talk.transport.connections[-1].sent:
        frame = orjson.loads(text)
        data = frame.get("audio") if frame.get("type") == "input_audio_buffer.append" else None
        if "realtimeInput" in frame:
            data = frame["realtimeInput"].get("audio", {}).get("data")
        if data:
            pieces.append(pybase64.b64decode(data))
    return b"".join(pieces)


def is_completed(done: AgentResponseDone) -> bool:
    return done.metadata["status"] == "completed"


async def counted(talk: Talk) -> HearingStatistics:
    counts = await talk.agent.ask(GetHearingStatistics(), timeout=1)
    assert isinstance(counts, HearingStatistics)
    return counts


@FIVE
async def test_a_spoken_question_is_answered(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, FINE, transcripts=["How are you?"])
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(PAUSE + SPEECH + PAUSE)
        events = await talk.reply()
        await trio.sleep(5)
        events += talk.probe.take_all()
    (started,), (done,) = of(AgentInputStarted, events), of(AgentInputDone, events)
    assert started.item_id == done.item_id
    assert abs(started.audio_start_ms - 700) <= 60
    assert 2180 <= done.audio_end_ms <= 2280
    (words,) = of(AgentInputTranscriptionDone, events)
    assert (words.transcript, words.item_id) == ("How are you?", started.item_id)
    assert statuses(events) == ["completed"]
    check(events)


@FIVE
async def test_silence_is_not_sent(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider)
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(PAUSE * 3)
        assert sent_audio(talk) == b""


@FIVE
async def test_no_syllable_is_lost(provider: str, autojump_clock: MockClock) -> None:
    """The first sound of the user is sent, and what was there just before it."""
    simulator, model = simulator_of(provider, FINE)
    said = PAUSE + SPEECH + PAUSE
    async with talking(simulator, model, turn_detection=attrs.evolve(VAD, min_speech_ms=300)) as talk:
        await talk.speak(said)
        await talk.reply()
        sent = sent_audio(talk)
    resampler = Resampler(48000, model.input_rate)
    stream = resampler.process(said) + resampler.flush()
    per_second = 2 * model.input_rate
    position = stream.index(sent)  # a piece of it, to the byte
    assert 0.6 * per_second <= position <= 0.75 * per_second
    assert position + len(sent) >= 2.15 * per_second


@FIVE
async def test_two_turns_are_two_items_with_their_own_words(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, FINE, FINE, transcripts=["One.", "Two."])
    async with talking(simulator, model, turn_detection=VAD) as talk:
        events: list[Any] = []
        for _ in range(2):
            await talk.speak(SPEECH + PAUSE)
            events += await talk.reply()
            await trio.sleep(2)
        events += talk.probe.take_all()
    items = [event.item_id for event in of(AgentInputStarted, events)]
    words = {event.item_id: event.transcript for event in of(AgentInputTranscriptionDone, events)}
    assert [words.get(item_id) for item_id in items] == ["One.", "Two."]
    check(events)


@FIVE
async def test_speech_interrupts_a_reply_and_is_answered(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: interrupted speech leaks into the next turn."""
    simulator, model = simulator_of(provider, ENDLESS, FINE, transcripts=["Talk.", "Stop!"], speed=1)
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.probe.until(AgentResponseAudioDelta)
        first = events[-1].response_id
        await talk.speak(PAUSE)
        await talk.speak(SPEECH + PAUSE)
        events += await talk.probe.until(AgentResponseDone)
        (done,) = of(AgentResponseDone, events)
        assert (done.response_id, done.metadata) == (first, {"status": "cancelled", "reason": "turn_detected"})
        rest = await talk.reply()
        await trio.sleep(2)
        rest += talk.probe.take_all()
        assert {event.response_id for event in of(AgentResponseAudioDelta, rest)}.isdisjoint({first})
        assert statuses(rest) == ["completed"]
        assert [turn.text for turn in brain_of(simulator).heard if turn.role == "user"][-1] == "Stop!"
        assert (await counted(talk)).interruptions == 1
        check([*events, *rest])


@FIVE
async def test_the_reply_is_over_before_the_user_is_said_to_speak(provider: str, autojump_clock: MockClock) -> None:
    """In the order in which a provider's own turn detection has it."""
    simulator, model = simulator_of(provider, ENDLESS, FINE, speed=1)
    async with talking(simulator, model, turn_detection=VAD) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events += await talk.probe.until(AgentInputDone)
    told = [event.type for event in events if isinstance(event, AgentResponseDone | AgentInputStarted | AgentInputDone)]
    assert told == ["agent_response_done", "agent_input_started", "agent_input_done"]


@FIVE
async def test_an_interruption_before_the_first_frame_of_a_reply(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: who speaks again before the reply has begun is answered twice, or not at all."""
    simulator, model = simulator_of(
        provider, [Stall(2), Say("To the first half.")], FINE, transcripts=["I would like", "a coffee."]
    )
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(SPEECH + bytes(48000))  # half a second of silence: the turn is over, nothing is heard yet
        await talk.speak(SPEECH + PAUSE)
        events = await talk.probe.until(AgentResponseDone, within=30)
        while events[-1].metadata["status"] != "completed":
            events += await talk.probe.until(AgentResponseDone, within=30)
        await trio.sleep(10)
        events += talk.probe.take_all()
    assert [status for status in statuses(events) if status != "cancelled"] == ["completed"]
    words = {event.item_id: event.transcript for event in of(AgentInputTranscriptionDone, events)}
    assert [words.get(event.item_id) for event in of(AgentInputStarted, events)] == ["I would like", "a coffee."]
    completed = of(AgentResponseDone, events)[-1].response_id
    assert {event.response_id for event in of(AgentResponseAudioDelta, events)} == {completed}
    check(events)


@FIVE
async def test_a_backchannel_leaves_the_reply_alone(provider: str, autojump_clock: MockClock) -> None:
    """ "Mhm" while the agent talks: it goes on, nothing is sent, and what was dropped is counted."""
    simulator, model = simulator_of(provider, [Say("word " * 30)], speed=1)
    async with talking(simulator, model, turn_detection=VAD) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(MHM + PAUSE)
        events += await talk.reply()
        assert sent_audio(talk) == b""
        counts = await counted(talk)
    assert statuses(events) == ["completed"]
    assert of(AgentInputStarted, events) == []
    assert (counts.backchannels, counts.interruptions, counts.turns) == (1, 0, 0)
    assert 600 <= counts.backchannel_ms <= 1000
    check(events)


@FIVE
async def test_a_backchannel_can_be_told_to_the_model_without_an_interruption(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, [Say("word " * 30)], FINE, speed=1)
    vad = attrs.evolve(VAD, backchannels="commit")
    async with talking(simulator, model, turn_detection=vad) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(MHM + PAUSE)
        events += await talk.reply()
        await trio.sleep(15)  # until it is heard to its end
        await talk.speak(PAUSE)
        events += talk.probe.take_all()
        assert statuses(events) == ["completed"]
        backchannel = sent_audio(talk)
        assert bool(backchannel) == model.capabilities.commits_at_once
        await talk.speak(SPEECH + PAUSE)
        events += await talk.reply()
        assert statuses(events) == ["completed", "completed"]
        assert len(sent_audio(talk)) - len(backchannel) > 2 * model.input_rate
        check(events)


@FIVE
async def test_a_short_answer_after_the_reply_is_a_turn(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, [Say("Tea?")], FINE, transcripts=["Yes."])
    async with talking(simulator, model, turn_detection=VAD) as talk:
        talk.say("Hello.")
        events = await talk.reply()
        await trio.sleep(3)  # it is heard to its end
        await talk.speak(MHM + PAUSE)
        events += await talk.reply()
        assert statuses(events) == ["completed", "completed"]
        check(events)


@FIVE
async def test_a_commit_ends_the_turn_at_once(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, FINE, transcripts=["How are you?"])
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(SPEECH)
        talk.tell(ClientAudioCommit("s1"))
        with trio.fail_after(3):
            events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert len(of(AgentInputDone, events)) == 1
        before = len(sent_audio(talk))
        talk.tell(ClientAudioCommit("s1"))  # nobody has said anything since
        await trio.sleep(10)
        events += talk.probe.take_all()
        assert len(sent_audio(talk)) == before
        check(events)


@FIVE
async def test_a_cancel_after_the_turn_is_silence(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, ENDLESS, FINE, speed=1)
    vad = attrs.evolve(VAD, resume_false_starts=True)
    async with talking(simulator, model, turn_detection=vad) as talk:
        await talk.speak(SPEECH + PAUSE)
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH)
        talk.tell(ClientAudioCommit("s1"))
        await wait_all_tasks_blocked()
        talk.tell(ClientResponseCancel("s1"))
        await trio.sleep(20)
        events = talk.probe.take_all()
        assert set(statuses(events)) == {"cancelled"}
        last = max(index for index, event in enumerate(events) if isinstance(event, AgentResponseDone))
        assert of(AgentResponseAudioDelta, events[last:]) == []


BLANK = ["openai", "azure", "dashscope", "xai"]
"""Those that tell of speech without words; Gemini says nothing."""


@pytest.mark.parametrize("provider", BLANK)
async def test_a_reply_that_was_interrupted_by_a_noise_is_gone_on_with(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(
        provider, Reply(ENDLESS, when="Talk"), Reply([Say("As I said.")], when="noise"), transcripts=[""], speed=1
    )
    vad = attrs.evolve(VAD, resume_false_starts=True)
    async with talking(simulator, model, turn_detection=vad) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events += await talk.probe.until(AgentResponseDone)
        while statuses(events)[-1] != "completed":
            events += await talk.reply()
        await trio.sleep(10)
        events += talk.probe.take_all()
        first, *_, resumed = [event.response_id for event in of(AgentResponseDone, events)]
        assert {event.response_id for event in of(AgentResponseAudioDelta, events)} == {first, resumed}
        assert "noise" in next(turn.text for turn in reversed(brain_of(simulator).heard) if turn.role == "user")
        assert (await counted(talk)).resumed == 1
        check(events)


@FIVE
async def test_a_reply_that_was_interrupted_by_too_little_is_gone_on_with(
    provider: str, autojump_clock: MockClock
) -> None:
    """It is interrupted at the first sound, and that was all."""
    simulator, model = simulator_of(
        provider, Reply(ENDLESS, when="Talk"), Reply([Say("As I said.")], when="noise"), speed=1
    )
    vad = attrs.evolve(VAD, interrupt_after_ms=60, min_speech_ms=600, resume_false_starts=True)
    async with talking(simulator, model, turn_detection=vad) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(MHM + PAUSE)
        events += await talk.probe.until(AgentResponseDone, where=is_completed)
        assert sent_audio(talk) == b""
        assert len(of(AgentInputStarted, events)) == len(of(AgentInputDone, events)) == 1
        assert statuses(events) == ["cancelled", "completed"]
        check(events)


@FIVE
async def test_without_the_setting_a_reply_to_a_noise_is_the_models_affair(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(
        provider, Reply(ENDLESS, when="Talk"), Reply([Say("Pardon?")]), transcripts=["", ""], speed=1
    )
    async with talking(simulator, model, turn_detection=VAD) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert (await counted(talk)).resumed == 0


@pytest.mark.parametrize("provider", BLANK)
async def test_speech_with_words_is_answered_though_false_starts_are_resumed(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, ENDLESS, FINE, transcripts=["Stop!"], speed=1)
    vad = attrs.evolve(VAD, resume_false_starts=True)
    async with talking(simulator, model, turn_detection=vad) as talk:
        talk.say("Talk.")
        events = await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        events += await talk.probe.until(AgentResponseDone, where=is_completed)
        await trio.sleep(5)
        assert len(of(AgentResponseDone, [*events, *talk.probe.take_all()])) == 2
        assert [turn.text for turn in brain_of(simulator).heard if turn.role == "user"][-1] == "Stop!"
        assert (await counted(talk)).resumed == 0


@FIVE
async def test_words_that_never_come_hold_no_reply_up_for_long(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, ENDLESS, FINE, transcripts=["Stop!"], speed=1)
    model = attrs.evolve(model, enable_input_audio_transcription=False)
    vad = attrs.evolve(VAD, resume_false_starts=True)
    async with talking(simulator, model, turn_detection=vad) as talk:
        talk.say("Talk.")
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.speak(SPEECH + PAUSE)
        await talk.probe.until(AgentResponseDone, where=is_completed)


@pytest.mark.parametrize("provider", ["openai", "gemini"])
async def test_on_real_sockets(provider: str) -> None:
    simulator, model = simulator_of(provider, FINE, transcripts=["How are you?"])
    async with talking(simulator, model, turn_detection=VAD, sockets=True) as talk:
        await talk.speak(SPEECH + PAUSE)
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        check(events)


@FIVE
def test_every_provider_works_with_it(provider: str) -> None:
    assert MODELS[provider].capabilities.manual_turns


async def test_a_model_that_insists_on_its_own_turn_detection_is_refused_in_words() -> None:
    can = Capabilities(text=True, images=True, tools=True, cancel=True, truncate=True, manual_turns=False)
    model = ScriptedModel([Expect(CommitAudio)], capabilities=can, model_name="stubborn")
    async with open_test_runtime() as runtime:
        with pytest.raises(InvalidTurnDetection) as caught:
            await runtime.spawn(RealtimeAgent("Friday", "Be brief.", model, turn_detection=VAD), name="friday")
    message = str(caught.value)
    assert message.startswith("stubborn does not work without its own turn detection")
    assert "OpenAI, Azure OpenAI, Gemini, DashScope and xAI" in message
