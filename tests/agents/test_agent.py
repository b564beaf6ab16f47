"""The agent against a simulator of OpenAI's wire: client events up, server events down."""

from __future__ import annotations

import base64
from typing import Any

import attrs
import numpy as np
import pytest
import trio
from agents_kit import (
    KEY,
    MODEL,
    PUSH_TO_TALK,
    VAD,
    audio_of,
    of,
    speech,
    statuses,
    talking,
)
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import ActorStopped
from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDelta,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioDone,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    Configure,
    ServerSessionUpdated,
    encode_json,
    encode_msgpack,
)
from realtime_actors.providers import OpenAIRealtimeModel, ProviderRefused, ProviderUnavailable, SemanticVAD, ServerVAD
from realtime_actors.simulators.brain import (
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midway,
    NoUsage,
    Overlap,
    Raw,
    Say,
    Stall,
    Twice,
)
from realtime_actors.testing import Failures


@attrs.frozen(kw_only=True)
class Picky(OpenAIRealtimeModel):
    """Some instructions make it send what the provider refuses."""

    def session(self, configure: Configure) -> dict[str, Any]:
        session = super().session(configure)
        return {**session, "nonsense": 1} if configure.instructions == "Be bad." else session


HELLO = [Say("Hello there, how are you today?")]


class TestText:
    async def test_a_text_is_answered(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            assert events[0] == AgentReady("friday", "Friday")
            assert isinstance(events[1], AgentResponseCreated)
            words = "".join(event.delta for event in of(AgentResponseAudioTranscriptDelta, events))
            assert words == "Hello there, how are you today?"
            [written] = of(AgentResponseAudioTranscriptDone, events)
            assert written.transcript == words
            assert len(of(AgentResponseAudioDone, events)) == 1
            assert audio_of(events) == talk.brain.audio(words, 24000)
            assert statuses(events) == ["completed"]
            assert [(turn.role, turn.text) for turn in talk.brain.heard] == [
                ("system", "Be brief."),
                ("user", "Hello!"),
            ]

    async def test_ids_and_formats_are_kept_from_the_provider_to_the_frontend(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, HELLO) as talk:
            talk.say("one")
            first = await talk.reply()
            talk.say("two")
            second = await talk.reply()
            ids = [{e.response_id for e in events if hasattr(e, "response_id")} for events in (first, second)]
            assert [len(each) for each in ids] == [1, 1]
            assert ids[0] != ids[1]
            assert all(each.pop().startswith("resp_") for each in ids)
            deltas = of(AgentResponseAudioDelta, first)
            assert {delta.item_id for delta in deltas} == {of(AgentResponseAudioDone, first)[0].item_id}
            assert {(delta.format.type, delta.format.rate) for delta in deltas} == {("audio/pcm", 24000)}
            assert {(delta.agent_id, delta.agent_name) for delta in deltas} == {("friday", "Friday")}

    async def test_the_tokens_are_those_that_the_provider_counts(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, [Say("Well."), NoUsage()]) as talk:
            talk.say("Hello!")
            done = (await talk.reply())[-1]
            assert done.input_tokens > 0
            assert done.output_tokens > 0
            talk.say("How are you?")
            done = (await talk.reply())[-1]
            assert (done.input_tokens, done.output_tokens, done.metadata) == (0, 0, {"status": "completed"})

    async def test_texts_in_a_row_get_one_reply_each_and_never_two_at_once(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, HELLO, speed=1) as talk:
            talk.say("one")
            talk.say("two")
            talk.say("three")
            events = await talk.reply(2)
            assert statuses(events) == ["completed", "completed"]
            await wait_all_tasks_blocked()
            assert len(talk.sent("response.create")) == 2
            assert [turn.text for turn in talk.brain.heard if turn.role == "user"] == ["one", "two", "three"]
            assert of(AgentError, events) == []

    async def test_a_text_session_gives_words_and_no_audio(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=attrs.evolve(MODEL, output_modality="text")) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            assert audio_of(events) == b""
            assert of(AgentResponseAudioTranscriptDone, events)[0].transcript == "Hello there, how are you today?"

    async def test_every_event_has_its_topic(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, pattern="agents.friday.agent_response_done") as talk:
            talk.say("Hello!")
            assert isinstance(await talk.receive(), AgentResponseDone)

    async def test_a_text_on_real_sockets(self) -> None:
        with trio.fail_after(5):
            async with talking(HELLO, sockets=True) as talk:
                talk.say("Hello!")
                events = await talk.reply()
                assert audio_of(events) == talk.brain.audio("Hello there, how are you today?", 24000)


class TestSpeech:
    @pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
    async def test_speech_at_any_usual_rate_is_heard_and_answered(self, rate: int, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=VAD, transcripts=["hello there"]) as talk:
            await talk.speak(speech(1000, rate), rate)
            events = await talk.reply()
            [started], [stopped] = of(AgentInputStarted, events), of(AgentInputDone, events)
            assert started.item_id == stopped.item_id
            assert 700 < stopped.audio_end_ms - started.audio_start_ms < 2000
            [transcript] = of(AgentInputTranscriptionDone, events)
            assert transcript.transcript == "hello there"
            assert transcript.item_id == started.item_id
            assert transcript.input_tokens
            assert "".join(event.delta for event in of(AgentInputTranscriptionDelta, events)) == "hello there"
            assert statuses(events) == ["completed"]
            sent = b"".join(base64.b64decode(frame["audio"]) for frame in talk.sent("input_audio_buffer.append"))
            assert len(sent) / 48000 == pytest.approx(2.0, abs=0.03)

    async def test_the_resampled_stream_has_no_seams(self, autojump_clock: MockClock) -> None:
        """A tone at 44.1 kHz in pieces of odd lengths arrives as the same tone, and nothing else."""
        async with talking(model=PUSH_TO_TALK) as talk:
            tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)).astype("<i2").tobytes()
            for start in range(0, len(tone), 334):
                talk.tell(ClientAudioAppend("s1", tone[start : start + 334], AudioFormat(rate=44100)))
                await wait_all_tasks_blocked()
            talk.tell(ClientAudioCommit("s1"))
            await wait_all_tasks_blocked()
            sent = b"".join(base64.b64decode(frame["audio"]) for frame in talk.sent("input_audio_buffer.append"))
            samples = np.frombuffer(sent, dtype="<i2").astype(float)
            assert len(samples) == pytest.approx(24000, abs=10)
            spectrum = np.abs(np.fft.rfft(samples[:24000] * np.hanning(24000))) ** 2
            tone_power = spectrum[990:1011].sum()
            assert 10 * np.log10(tone_power / (spectrum.sum() - tone_power)) > 60

    async def test_the_rate_may_change_in_mid_stream(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=PUSH_TO_TALK) as talk:
            await talk.speak(speech(500, 16000), 16000)
            await talk.speak(speech(500, 48000), 48000)
            talk.tell(ClientAudioCommit("s1"))
            await wait_all_tasks_blocked()
            sent = b"".join(base64.b64decode(frame["audio"]) for frame in talk.sent("input_audio_buffer.append"))
            assert len(sent) / 48000 == pytest.approx(3.0, abs=0.01)

    async def test_push_to_talk_is_commit_and_then_create(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=PUSH_TO_TALK, transcripts=["hello"]) as talk:
            await talk.speak(speech(500, 16000), 16000)
            talk.tell(ClientAudioCommit("s1"), ClientResponseCreate("s1"))
            events = await talk.reply()
            assert of(AgentInputStarted, events) == []
            assert of(AgentInputTranscriptionDone, events)[0].transcript == "hello"
            assert statuses(events) == ["completed"]
            kinds = [frame["type"] for frame in talk.sent()[-2:]]
            assert kinds == ["input_audio_buffer.commit", "response.create"]

    async def test_a_commit_without_audio_is_an_error_in_words(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=PUSH_TO_TALK) as talk:
            talk.tell(ClientAudioCommit("s1"))
            error = (await talk.until(AgentError))[-1]
            assert error.code == "input_audio_buffer_commit_empty"
            assert "buffer too small" in error.message
            talk.say("Hello!")
            assert statuses(await talk.reply()) == ["completed"]

    @pytest.mark.parametrize(
        "detection",
        [
            ServerVAD(),
            ServerVAD(silence_duration_ms=1500),
            SemanticVAD(),
            SemanticVAD(eagerness="low"),
            SemanticVAD(eagerness="high"),
        ],
    )
    async def test_a_commit_under_turn_detection_ends_the_turn_with_silence(
        self, detection: ServerVAD | SemanticVAD, autojump_clock: MockClock
    ) -> None:
        async with talking(HELLO, model=attrs.evolve(MODEL, turn_detection=detection)) as talk:
            await talk.speak(speech(800, 16000)[: 16000 * 2 * 8 // 10], 16000)  # the user lets go of the button
            talk.tell(ClientAudioCommit("s1"))
            events = await talk.reply()
            assert len(of(AgentInputDone, events)) == 1
            assert statuses(events) == ["completed"]
            assert talk.sent("input_audio_buffer.commit") == []

    async def test_a_turn_that_the_provider_does_not_answer_itself_is_answered_on_request(
        self, autojump_clock: MockClock
    ) -> None:
        detection = ServerVAD(silence_duration_ms=300, create_response=False)
        async with talking(HELLO, model=attrs.evolve(MODEL, turn_detection=detection)) as talk:
            await talk.speak(speech(800, 16000), 16000)
            await talk.until(AgentInputDone)
            talk.tell(ClientResponseCreate("s1"))
            assert statuses(await talk.reply()) == ["completed"]

    async def test_a_text_is_answered_though_the_microphone_was_switched_off_in_the_middle_of_a_word(
        self, autojump_clock: MockClock
    ) -> None:
        async with talking(HELLO, model=VAD) as talk:
            await talk.speak(speech(800, 16000)[: 16000 * 2 * 8 // 10], 16000)
            await talk.until(AgentInputStarted)
            talk.say("Never mind, I will write.")
            assert statuses(await talk.reply()) == ["completed"]


class TestBargeIn:
    async def test_speech_over_the_reply_ends_it_and_is_answered(self, autojump_clock: MockClock) -> None:
        async with talking([Endless()], HELLO, model=VAD, speed=1) as talk:
            talk.say("Tell me a story.")
            await talk.until(AgentResponseAudioDelta, 3)
            await talk.speak(speech(800, 16000), 16000)
            events = await talk.reply(2)
            first, second = of(AgentResponseDone, events)
            assert first.metadata == {"status": "cancelled", "reason": "turn_detected"}
            assert second.metadata == {"status": "completed"}
            after = events[events.index(first) :]
            assert isinstance(after[1], AgentInputStarted)
            assert first.response_id not in [e.response_id for e in of(AgentResponseAudioDelta, after)]
            assert talk.sent("response.cancel") == []

    async def test_a_reply_that_may_not_be_interrupted_goes_on(self, autojump_clock: MockClock) -> None:
        detection = ServerVAD(silence_duration_ms=300, interrupt_response=False)
        model = attrs.evolve(MODEL, turn_detection=detection)
        async with talking([Say("A long story. " * 10)], HELLO, model=model, speed=1) as talk:
            talk.say("Tell me a story.")
            await talk.until(AgentResponseAudioDelta, 3)
            await talk.speak(speech(800, 16000), 16000)
            events = await talk.reply()
            assert len(of(AgentInputStarted, events)) == 1
            assert statuses(events) == ["completed"]

    async def test_after_an_interruption_a_frontend_that_reads_late_hears_nothing_stale(
        self, autojump_clock: MockClock
    ) -> None:
        """The reply was generated at once, and the frontend has read nothing of it when the user speaks."""
        async with talking([Say("A long story. " * 10)], HELLO, model=VAD) as talk:
            talk.say("Tell me a story.")
            await trio.sleep(1)
            await talk.speak(speech(800, 16000), 16000)
            events = await talk.reply(2)
            first, second = of(AgentResponseDone, events)
            assert {event.response_id for event in of(AgentResponseAudioDelta, events)} == {second.response_id}
            assert first.metadata == {"status": "completed"}


class TestWhatGoesWrong:
    async def test_a_failed_reply_is_told_as_failed_and_with_its_error(self, autojump_clock: MockClock) -> None:
        async with talking([Midway("Well then", 300, Fail("Out of order."))], HELLO) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            assert of(AgentResponseDone, events)[0].metadata["status"] == "failed"
            assert "Out of order." in of(AgentError, events)[0].message
            talk.say("Again?")
            assert statuses(await talk.reply()) == ["completed"]

    async def test_an_incomplete_reply_says_why(self, autojump_clock: MockClock) -> None:
        async with talking([Midway("Well then", 300, Incomplete("content_filter"))]) as talk:
            talk.say("Hello!")
            done = (await talk.reply())[-1]
            assert done.metadata == {"status": "incomplete", "reason": "content_filter"}

    async def test_an_error_without_a_code_is_told_and_the_reply_goes_on(self, autojump_clock: MockClock) -> None:
        async with talking([Midway("Well then, my friend", 300, ErrorEvent("Hiccup.", code=None))]) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            [error] = of(AgentError, events)
            assert (error.code, error.message) == ("", "Hiccup.")
            assert statuses(events) == ["completed"]

    async def test_two_replies_at_once_are_told_apart_by_their_ids(self, autojump_clock: MockClock) -> None:
        words = "I am the first, and I say a lot."
        async with talking([Midway(words, 300, Overlap("And I am the second."))], speed=1) as talk:
            talk.say("Hello!")
            events = await talk.reply(2)
            by_id = {
                done.response_id: audio_of([e for e in events if getattr(e, "response_id", "") == done.response_id])
                for done in of(AgentResponseDone, events)
            }
            assert len(by_id) == 2
            expected = {talk.brain.audio(words, 24000), talk.brain.audio("And I am the second.", 24000)}
            assert set(by_id.values()) == expected

    @pytest.mark.parametrize("frame", ["{not json", "[1]", '{"type": "response.done"}', b"\xff\x00"])
    async def test_a_frame_that_makes_no_sense_ends_nothing(
        self, frame: str | bytes, autojump_clock: MockClock
    ) -> None:
        async with talking([Midway("Well then, my friend", 300, Raw(frame))]) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            [error] = of(AgentError, events)
            assert error.error_type == "protocol_error"
            assert statuses(events) == ["completed"]
            assert audio_of(events) == talk.brain.audio("Well then, my friend", 24000)

    async def test_audio_that_the_provider_breaks_is_found_when_it_is_read(self, autojump_clock: MockClock) -> None:
        delta = '{"type":"response.output_audio.delta","response_id":"$response_id","item_id":"i","delta":"AAA"}'
        async with talking([Midway("Well then", 300, Raw(delta))]) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            assert statuses(events) == ["completed"]

    async def test_events_that_come_twice_make_one_reply(self, autojump_clock: MockClock) -> None:
        async with talking([Twice(Say("Hello."))]) as talk:
            talk.say("Hello!")
            events = await talk.reply()
            assert len(of(AgentResponseCreated, events)) == 1
            await wait_all_tasks_blocked()
            assert talk.events.statistics().waiting == 0

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (ClientAudioAppend("s1", b"\1\0\1"), "odd number"),
            (ClientAudioAppend("s1", "not base64!"), "base64"),
            (ClientAudioAppend("s1", b"\1\0", AudioFormat(rate=12345)), "12345 Hz"),
            (ClientAudioAppend("s1", b"\1\0", AudioFormat(type="audio/opus", rate=24000)), "audio/opus"),
            (ClientImageAppend("s1", "not base64!"), "base64"),
        ],
    )
    async def test_broken_media_is_an_error_in_words_and_the_agent_goes_on(
        self, event: ClientAudioAppend | ClientImageAppend, words: str, autojump_clock: MockClock
    ) -> None:
        async with talking(HELLO, model=VAD) as talk:
            await talk.speak(speech(100, 44100), 44100)
            talk.tell(event)
            error = (await talk.until(AgentError))[-1]
            assert words in error.message
            assert error.error_type == "invalid_request_error"
            await talk.speak(speech(800, 44100), 44100)
            assert statuses(await talk.reply()) == ["completed"]


class TestConversation:
    @pytest.mark.parametrize(
        ("image", "declared", "media_type"),
        [
            (b"\x89PNG\r\n\x1a\n", {}, "image/png"),
            (b"\xff\xd8\xff\xe0", {}, "image/jpeg"),
            (b"RIFF", {"type": "image/webp"}, "image/webp"),
            (b"GIF8", {"mime_type": "image/gif"}, "image/gif"),
            (b"\x89PNG\r\n\x1a\n", {"type": 5}, "image/png"),
        ],
    )
    async def test_an_image_is_added_and_asks_for_no_reply(
        self, image: bytes, declared: dict[str, object], media_type: str, autojump_clock: MockClock
    ) -> None:
        async with talking(HELLO) as talk:
            talk.tell(ClientImageAppend("s1", image, declared))
            await wait_all_tasks_blocked()
            [item] = talk.sent("conversation.item.create")
            url = f"data:{media_type};base64,{base64.b64encode(image).decode()}"
            assert item["item"]["content"] == [{"type": "input_image", "image_url": url}]
            assert talk.sent("response.create") == []
            talk.say("What is this?")
            assert statuses(await talk.reply()) == ["completed"]

    async def test_new_instructions_are_told_when_the_provider_has_accepted_them(
        self, autojump_clock: MockClock
    ) -> None:
        async with talking(HELLO) as talk:
            talk.tell(ClientSessionCreate({"instructions": "Be long.", "user_name": "Ann"}))
            events = await talk.until(ServerSessionUpdated)
            assert events == [AgentReady("friday", "Friday"), ServerSessionUpdated("s1")]
            assert [frame["session"]["instructions"] for frame in talk.sent("session.update")] == [
                "Be brief.",
                "Be long.",
            ]

    async def test_a_session_without_instructions_changes_nothing(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO) as talk:
            talk.tell(ClientSessionCreate({"instructions": 5}))
            await talk.until(ServerSessionUpdated)
            assert len(talk.sent("session.update")) == 1

    async def test_new_instructions_hold_for_the_sessions_that_follow(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO) as talk:
            talk.tell(ClientSessionCreate({"instructions": "Be long."}))
            await talk.until(ServerSessionUpdated)
            await trio.sleep(60)
            talk.drop()
            await talk.until(ServerSessionUpdated)
            [update] = talk.sent("session.update")
            assert update["session"]["instructions"] == "Be long."

    async def test_instructions_that_are_refused_are_an_error_and_forgotten(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=Picky(api_key=KEY, url=MODEL.url)) as talk:
            talk.tell(ClientSessionCreate({"instructions": "Be bad."}))
            events = await talk.until(AgentError)
            assert "nonsense" in events[-1].message
            assert of(ServerSessionUpdated, events) == []
            await trio.sleep(60)
            talk.drop()
            await talk.until(ServerSessionUpdated)
            [update] = talk.sent("session.update")
            assert update["session"]["instructions"] == "Be brief."

    async def test_the_end_of_the_session_ends_the_agent(self, autojump_clock: MockClock) -> None:
        async with talking([Endless()], speed=1) as talk:
            talk.say("Hello!")
            await talk.until(AgentResponseAudioDelta)
            talk.tell(ClientSessionEnd("s1"))
            events = await talk.until(AgentEnded)
            assert of(AgentResponseDone, events)[0].metadata == {"status": "cancelled", "reason": "agent_ended"}
            assert (await talk.agent.wait_stopped()).reason == "normal"
            assert talk.simulator.statistics().open_connections == 0

    async def test_every_event_can_be_sent_on_both_wires(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=VAD, transcripts=["hello"]) as talk:
            await talk.speak(speech(800, 16000), 16000)
            await talk.reply()
            talk.tell(ClientSessionEnd("s1"))
            await talk.until(AgentEnded)
            for event in talk.seen:
                encode_json(event)
                encode_msgpack(event)


class TestLostConnection:
    async def test_a_reply_that_is_cut_off_has_failed_and_the_agent_comes_back(self, autojump_clock: MockClock) -> None:
        async with talking([Endless()], HELLO, speed=1) as talk:
            talk.say("Tell me a story.")
            await talk.until(AgentResponseAudioDelta, 20)
            await trio.sleep(20)
            talk.drop()
            events = await talk.until(ServerSessionUpdated)
            [done] = of(AgentResponseDone, events)
            assert done.metadata == {"status": "failed", "reason": "connection_lost"}
            [error] = of(AgentError, events)
            assert (error.error_type, error.code) == ("connection_error", "connection_lost")
            after = events[events.index(done) :]
            assert of(AgentResponseAudioDelta, after) == []
            assert events[-1] == ServerSessionUpdated("s1", {"connection": "restored", "state_restored": "full"})
            talk.say("Are you there?")
            assert statuses(await talk.reply()) == ["completed"]
            assert talk.sent("session.update")[0]["session"]["instructions"] == "Be brief."
            assert [turn.text for turn in talk.brain.heard if turn.role == "user"] == [
                "Tell me a story.",
                "Are you there?",
            ]

    async def test_what_is_said_while_it_is_away_is_sent_once_under_its_own_id(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO) as talk:
            await trio.sleep(60)
            talk.network.reachable = False
            talk.drop()
            talk.say("before it is known")
            await trio.sleep(0.2)
            talk.say("while it is away")
            talk.network.reachable = True
            events = await talk.reply()
            assert statuses(events) == ["completed"]
            items = [frame["item"] for frame in talk.sent("conversation.item.create")]
            assert [item["content"][0]["text"] for item in items] == ["before it is known", "while it is away"]
            assert len({item["id"] for item in items}) == 2

    async def test_a_text_that_was_on_its_way_is_sent_again_under_the_same_id(self, autojump_clock: MockClock) -> None:
        """The provider's side falls silent, so that nothing is acknowledged, and then the socket breaks."""
        async with talking(HELLO) as talk:
            await trio.sleep(60)
            talk.say("Hello!")
            while not talk.sent("conversation.item.create"):
                await trio.lowlevel.checkpoint()
            talk.drop()
            events = await talk.reply()
            assert statuses(events) == ["completed"]
            [lost], [again] = (talk.sent("conversation.item.create", socket=number) for number in (0, 1))
            assert lost == again
            assert len(talk.sent("response.create", socket=1)) == 1

    async def test_an_acknowledged_text_is_told_once_and_is_not_asked_about_again(
        self, autojump_clock: MockClock
    ) -> None:
        async with talking([Stall()], HELLO) as talk:
            talk.say("Hello!")
            await talk.until(AgentResponseCreated)
            await trio.sleep(15)
            talk.drop()
            await talk.until(ServerSessionUpdated)
            await trio.sleep(1)
            assert len(talk.sent("conversation.item.create")) == 1
            assert talk.sent("response.create") == []

    async def test_speech_goes_on_with_the_new_session(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=VAD) as talk:
            await trio.sleep(60)
            talk.drop()
            await talk.speak(speech(800, 16000), 16000)
            assert statuses(await talk.reply()) == ["completed"]

    async def test_a_provider_that_drops_each_reply_is_given_up_after_five(self, autojump_clock: MockClock) -> None:
        async with talking(*[[Drop(1011)]] * 10, failures=Failures(ProviderUnavailable)) as talk:
            for _ in range(5):
                talk.say("Hello!")
                events = await talk.reply()
                assert of(AgentResponseDone, events)[0].metadata["reason"] == "connection_lost"
            events = await talk.until(AgentEnded)
            assert "5 attempts" in of(AgentError, events)[-1].message
            assert (await talk.agent.wait_stopped()).reason == "crashed"

    async def test_a_session_that_expires_is_followed_by_another(self, autojump_clock: MockClock) -> None:
        """It ends before anybody knew that it would."""
        model = attrs.evolve(MODEL, session_limit=None)
        async with talking(HELLO, model=model, lifetime=3600) as talk:
            await trio.sleep(3601)
            events = await talk.until(ServerSessionUpdated)
            assert [error.code for error in of(AgentError, events)] == ["session_expired"]
            assert "limit" in of(AgentError, events)[0].message
            talk.say("Still there?")
            assert statuses(await talk.reply()) == ["completed"]

    async def test_a_refusal_in_mid_conversation_ends_the_agent_with_its_reason(
        self, autojump_clock: MockClock
    ) -> None:
        quota = ErrorEvent("You exceeded your quota.", "insufficient_quota")
        async with talking([Midway("Well then", 300, quota)], failures=Failures(ProviderRefused)) as talk:
            talk.say("Hello!")
            events = await talk.until(AgentEnded)
            assert of(AgentResponseDone, events)[0].metadata["status"] == "failed"
            error = of(AgentError, events)[-1]
            assert (error.error_type, error.code) == ("provider_error", "insufficient_quota")
            assert "billing" in error.message
            assert KEY not in error.message
            assert (await talk.agent.wait_stopped()).reason == "crashed"
            with pytest.raises(ActorStopped):
                await talk.agent.ask(ClientTextAppend("s1", "Hello?"), timeout=1)


class TestOverload:
    async def test_more_than_can_wait_is_refused_in_words(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, HELLO) as talk:
            await trio.sleep(60)
            talk.network.reachable = False
            talk.drop()
            await trio.sleep(0.1)
            for number in range(300):
                talk.say(str(number))
                if number == 150:
                    await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            talk.network.reachable = True
            events = await talk.reply()
            errors = [error for error in of(AgentError, events) if error.code == "overloaded"]
            assert len(errors) == 300 - 256
            assert len(talk.sent("conversation.item.create")) == 256

    async def test_commits_that_find_no_room_are_refused_in_words(self, autojump_clock: MockClock) -> None:
        async with talking(HELLO, model=PUSH_TO_TALK) as talk:
            await trio.sleep(60)
            talk.network.reachable = False
            talk.drop()
            await trio.sleep(0.1)
            for _ in range(600):
                talk.tell(ClientAudioCommit("s1"))
            await wait_all_tasks_blocked()
            talk.tell(ClientResponseCreate("s1"))
            await wait_all_tasks_blocked()
            talk.network.reachable = True
            await trio.sleep(2)
            talk.say("Hello!")
            events = await talk.reply()
            assert "overloaded" in [error.code for error in of(AgentError, events)]
            assert statuses(events) == ["completed"]


async def test_the_prototype_shows_no_key() -> None:
    agent = RealtimeAgent("Friday", "Be brief.", MODEL)
    assert KEY not in repr(agent)
