"""What Gemini's frames become. The frames in `gemini_frames.json` are hand-made after its Live API."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs
import orjson
import pytest

from realtime_actors.events import (
    PCM_24K,
    AppendAudio,
    AppendText,
    AppendToolResult,
    AudioFormat,
    CancelResponse,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelError,
    ModelEvent,
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
    ModelNotice,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    RequestFailed,
    SessionConfigured,
    SessionEnding,
    SessionResumable,
    ToolCallsCancelled,
    ToolUse,
)
from realtime_actors.providers import GeminiRealtimeModel, Manual, ServerVAD
from realtime_actors.providers.gemini_protocol import GeminiProtocol

FRAMES: dict[str, list[tuple[str, dict[str, Any]]]] = orjson.loads(
    Path(__file__).with_name("gemini_frames.json").read_bytes()
)
KEY = "AIzaSyVerySecretIndeed"
AUDIO = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"}}
CALL = {"id": "c1", "name": "get_time", "args": {"zone": "UTC"}}
USAGE = {"promptTokenCount": 10, "responseTokenCount": 5}

Said = list[ModelEvent | ModelNotice]


def protocol_of(**fields: Any) -> GeminiProtocol:
    protocol = GeminiProtocol(GeminiRealtimeModel(api_key=KEY, **fields), "t")
    protocol.encode(Configure("req_0", "Be brief."))
    return protocol


@pytest.fixture
def protocol() -> GeminiProtocol:
    return protocol_of()


def decode(protocol: GeminiProtocol, *messages: dict[str, Any]) -> Said:
    """The server's frames are binary."""
    return [event for message in messages for event in protocol.decode(orjson.dumps(message))]


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def says(text: str) -> dict[str, Any]:
    return content(outputTranscription={"text": text})


def hears(text: str, **fields: Any) -> dict[str, Any]:
    return content(inputTranscription={"text": text, **fields})


SPEECH = content(modelTurn={"parts": [AUDIO]})
COMPLETE = {**content(turnComplete=True), "usageMetadata": USAGE}
INTERRUPTED = content(interrupted=True)


def server(name: str) -> list[dict[str, Any]]:
    return [message for side, message in FRAMES[name] if side == "S"]


def kinds(events: Said) -> list[str]:
    return [type(event).__name__.removeprefix("Model") for event in events]


def of(kind: type[Any], events: Said) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def ask(protocol: GeminiProtocol, text: str = "Hi", item_id: str = "item_u1") -> list[dict[str, Any]]:
    assert protocol.encode(AppendText(item_id, text)) == []
    return [orjson.loads(frame) for frame in protocol.encode(CreateResponse(f"create_{item_id}"))]


def taken_for_granted(protocol: GeminiProtocol, command: Any) -> Said:
    """What is said at once of a command that was sent."""
    assert protocol.patience(command) == 0.0
    said = protocol.unanswered(command)
    assert protocol.patience(command) is None  # once
    return said


class TestSequences:
    def test_handshake(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, *server("handshake"))
        assert said == [
            ModelSessionCreated("sess_t_1"),
            SessionConfigured(),
            SessionResumable("53ebe315-1e7e-40b4-964f-000000000001"),
        ]
        assert "53ebe315" not in repr(said)

    def test_a_session_id_is_kept(self, protocol: GeminiProtocol) -> None:
        assert decode(protocol, {"setupComplete": {"sessionId": "s-9"}})[0] == ModelSessionCreated("s-9")

    def test_a_spoken_turn_whose_model_tells_of_speech(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, *server("spoken_turn_38"))
        assert said == [
            ModelInputStarted("item_t_1", 1880),
            ModelInputTranscriptionDelta("item_t_1", "Good morning."),
            ModelInputDone("item_t_1", 5000),
            ModelResponseCreated("resp_t_2"),
            ModelResponseAudioTranscriptDelta("resp_t_2", "item_t_3", "Good "),
            ModelResponseAudioDelta("resp_t_2", "item_t_3", "AAAA", PCM_24K),
            ModelResponseAudioDelta("resp_t_2", "item_t_3", "AAAA", PCM_24K),
            ModelResponseAudioTranscriptDelta("resp_t_2", "item_t_3", "morning!"),
            ModelResponseAudioDelta("resp_t_2", "item_t_3", "AAAA", PCM_24K),
            ModelResponseAudioDone("resp_t_2", "item_t_3"),
            ModelInputTranscriptionDone("Good morning.", "item_t_1"),
            ModelResponseAudioTranscriptDone("resp_t_2", "item_t_3", "Good morning!"),
            ModelResponseDone("resp_t_2", 626, 63, {"status": "completed", "thoughts_tokens": "40"}),
        ]

    def test_a_spoken_turn_of_which_only_the_words_tell(self, protocol: GeminiProtocol) -> None:
        protocol.encode(AppendAudio(bytes(32000)))  # a second
        said = decode(protocol, *server("spoken_turn_25"))
        assert said == [
            ModelInputStarted("item_t_1", 1000),
            ModelInputTranscriptionDelta("item_t_1", " Good"),
            ModelInputTranscriptionDelta("item_t_1", " morning."),
            ModelInputDone("item_t_1", 1000),
            ModelResponseCreated("resp_t_2"),
            ModelResponseAudioTranscriptDelta("resp_t_2", "item_t_3", "Good"),
            ModelResponseAudioDelta("resp_t_2", "item_t_3", "AAAA", PCM_24K),
            ModelResponseAudioDone("resp_t_2", "item_t_3"),
            ModelInputTranscriptionDone("Good morning.", "item_t_1"),
            ModelResponseAudioTranscriptDone("resp_t_2", "item_t_3", "Good"),
            ModelResponseDone("resp_t_2", 1352, 44, {"status": "completed", "thoughts_tokens": "18"}),
        ]

    def test_a_call_and_what_follows_its_result(self, protocol: GeminiProtocol) -> None:
        called, *rest = server("blocking_call")
        use = ToolUse("function-call-1207", "get_time", {"zone": "UTC"}, '{"zone":"UTC"}')
        assert decode(protocol, called) == [
            ModelResponseCreated("resp_t_1"),
            ModelResponseToolUseDelta("resp_t_1", "item_t_3", use),
            ModelResponseToolUseDone("resp_t_1", "item_t_3", use),
            ModelResponseDone("resp_t_1", 0, 0, {"status": "completed"}),
        ]
        assert protocol.encode(AppendToolResult("item_1", use.id, use.name, "12:00")) == []
        [frame] = protocol.encode(CreateResponse("create_1"))
        assert orjson.loads(frame) == FRAMES["blocking_call"][1][1]
        said = decode(protocol, *rest)
        assert said[:2] == [ItemAdded("item_1"), ModelResponseCreated("resp_t_4")]
        assert said[-1] == ModelResponseDone("resp_t_4", 400, 30, {"status": "completed"})

    def test_a_model_that_talks_on_while_a_call_is_carried_out(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, *server("non_blocking_call")[:4])
        assert kinds(said) == [
            *("ResponseCreated", "ResponseToolUseDelta", "ResponseToolUseDone", "ResponseDone"),
            *("ResponseCreated", "ResponseAudioTranscriptDelta", "ResponseAudioDelta", "ResponseAudioDone"),
        ]

    def test_barge_in(self, protocol: GeminiProtocol) -> None:
        decode(protocol, SPEECH)
        protocol.encode(AppendAudio(bytes(16000)))
        assert decode(protocol, *server("barge_in")) == [
            ModelInputStarted("item_t_3", 500),
            ModelResponseAudioDone("resp_t_1", "item_t_2"),
            ModelResponseDone("resp_t_1", 1201, 109, {"status": "cancelled", "reason": "turn_detected"}),
            ModelInputTranscriptionDelta("item_t_3", " Wait"),
        ]

    def test_background_reasoning(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, *server("interaction_status"))
        assert [event.metadata["status"] for event in of(ModelResponseDone, said)] == ["completed"] * 3

    def test_what_is_not_said_aloud(self, protocol: GeminiProtocol) -> None:
        parts = [{"text": "I plan.", "thought": True}, {"text": "leaked"}, {"executableCode": {"code": "1"}}]
        assert decode(protocol, {}, content(), content(modelTurn={"parts": parts})) == []
        assert dict(protocol.unknown) == {}


class TestReplies:
    def test_many_parts_and_fields_in_one_message(self, protocol: GeminiProtocol) -> None:
        everything = {
            "usageMetadata": USAGE,
            **content(
                turnComplete=True,
                generationComplete=True,
                modelTurn={"parts": [AUDIO, {"text": "x", "thought": True}, AUDIO]},
                outputTranscription={"text": "Hi."},
                inputTranscription={"text": "Hello."},
            ),
        }
        assert kinds(decode(protocol, everything)) == [
            *("InputStarted", "InputTranscriptionDelta", "InputDone"),
            *("ResponseCreated", "ResponseAudioTranscriptDelta", "ResponseAudioDelta", "ResponseAudioDelta"),
            *("ResponseAudioDone", "InputTranscriptionDone", "ResponseAudioTranscriptDone", "ResponseDone"),
        ]

    def test_a_reply_in_text(self) -> None:
        protocol = protocol_of(output_modality="text", model_name="gemini-2.0-flash-live-001")
        text = [content(modelTurn={"parts": [{"text": word}]}) for word in ("Hel", "lo.")]
        said = decode(protocol, *text, COMPLETE)
        assert kinds(said) == [
            *("ResponseCreated", "ResponseAudioTranscriptDelta", "ResponseAudioTranscriptDelta"),
            *("ResponseAudioTranscriptDone", "ResponseDone"),
        ]
        assert of(ModelResponseAudioTranscriptDone, said)[0].transcript == "Hello."

    @pytest.mark.parametrize(
        ("media_type", "rate"), [("audio/pcm;rate=16000", 16000), ("audio/pcm", 24000), ("audio/L16; rate=8000", 8000)]
    )
    def test_other_rates(self, protocol: GeminiProtocol, media_type: str, rate: int) -> None:
        part = {"inlineData": {"mimeType": media_type, "data": "AAAA"}}
        [_, delta] = decode(protocol, content(modelTurn={"parts": [part]}))
        assert isinstance(delta, ModelResponseAudioDelta)
        assert delta.format == AudioFormat(rate=rate)

    def test_both_alphabets_of_base64(self, protocol: GeminiProtocol) -> None:
        part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "-_-_"}}
        decode(protocol, SPEECH)
        [delta] = decode(protocol, content(modelTurn={"parts": [part]}))
        assert isinstance(delta, ModelResponseAudioDelta)
        assert delta.payload.data == b"\xfb\xff\xbf"

    def test_media_that_is_no_audio_is_counted(self, protocol: GeminiProtocol) -> None:
        part = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
        assert (
            decode(protocol, content(modelTurn={"parts": [part, {"newKind": 1}]}), content(newField=1), {"new": {}})
            == []
        )
        assert dict(protocol.unknown) == {
            "media of the type video/mp4": 1,
            "part.newKind": 1,
            "serverContent.newField": 1,
            "new": 1,
        }

    @pytest.mark.parametrize(
        ("reason", "status"),
        [
            ("NEED_MORE_INPUT", "completed"),
            ("MALFORMED_FUNCTION_CALL", "failed"),
            ("RESPONSE_REJECTED", "failed"),
            ("GENERATED_AUDIO_SAFETY", "incomplete"),
        ],
    )
    def test_why_a_turn_has_ended(self, protocol: GeminiProtocol, reason: str, status: str) -> None:
        said = decode(protocol, SPEECH, content(turnComplete=True, turnCompleteReason=reason))
        done = said[-1]
        assert isinstance(done, ModelResponseDone)
        assert done.metadata["status"] == status
        assert done.metadata["reason"] == reason
        assert len(of(ModelError, said)) == (status == "failed")

    def test_a_model_that_says_nothing_to_what_was_asked_ends_its_reply(self, protocol: GeminiProtocol) -> None:
        ask(protocol)
        assert kinds(decode(protocol, COMPLETE)) == ["ItemAdded", "ResponseCreated", "ResponseDone"]
        assert decode(protocol, COMPLETE) == []  # one that nobody asked for

    def test_usage(self, protocol: GeminiProtocol) -> None:
        usage = {**USAGE, "toolUsePromptTokenCount": 3, "cachedContentTokenCount": 4, "thoughtsTokenCount": 2}
        said = decode(
            protocol,
            {"usageMetadata": {"promptTokenCount": 99}},
            SPEECH,
            {"usageMetadata": usage},
            content(turnComplete=True),
        )
        assert said[-1] == ModelResponseDone(
            "resp_t_1", 13, 5, {"status": "completed", "thoughts_tokens": "2", "cached_tokens": "4"}
        )
        assert decode(protocol, SPEECH, content(turnComplete=True))[-1] == ModelResponseDone(
            "resp_t_3", 0, 0, {"status": "completed"}
        )

    def test_usage_of_no_reply_is_not_the_next_one_s(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, {"usageMetadata": USAGE}, SPEECH, content(turnComplete=True))
        assert said[-1] == ModelResponseDone("resp_t_1", 0, 0, {"status": "completed"})

    def test_one_that_was_asked_for_and_is_interrupted_before_it_begins_ends_all_the_same(
        self, protocol: GeminiProtocol
    ) -> None:
        """Whoever asked would wait for it for ever."""
        ask(protocol)
        said = decode(protocol, INTERRUPTED, COMPLETE)
        assert kinds(said) == ["InputStarted", "ItemAdded", "ResponseCreated", "ResponseDone"]
        done = said[-1]
        assert isinstance(done, ModelResponseDone)
        assert done.metadata == {"status": "cancelled", "reason": "turn_detected"}
        assert kinds(decode(protocol, SPEECH)) == ["InputDone", "ResponseCreated", "ResponseAudioDelta"]

    def test_our_own_interruption_of_a_model_that_was_about_to_reply_to_speech(self, protocol: GeminiProtocol) -> None:
        """What is asked for is not taken for what was interrupted."""
        activity = [{"voiceActivity": {"type": f"ACTIVITY_{each}", "audioOffset": "1s"}} for each in ("START", "END")]
        decode(protocol, *activity)
        ask(protocol)
        assert decode(protocol, INTERRUPTED, COMPLETE) == []
        assert kinds(decode(protocol, SPEECH)) == ["ItemAdded", "ResponseCreated", "ResponseAudioDelta"]

    def test_interrupted_playback(self, protocol: GeminiProtocol) -> None:
        """The server interrupts what it assumes to be playing, after it has generated all of it."""
        said = decode(protocol, SPEECH, content(generationComplete=True), INTERRUPTED, SPEECH, COMPLETE, SPEECH)
        assert kinds(said) == [
            *("ResponseCreated", "ResponseAudioDelta", "ResponseAudioDone"),
            *("InputStarted", "ResponseDone", "InputDone", "ResponseCreated", "ResponseAudioDelta"),
        ]
        assert of(ModelResponseDone, said)[0].metadata["status"] == "cancelled"

    def test_interrupted_and_complete_in_one_message(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, SPEECH, content(interrupted=True, turnComplete=True), SPEECH)
        assert kinds(said)[2:] == [
            *("InputStarted", "ResponseAudioDone", "ResponseDone", "InputDone", "ResponseCreated", "ResponseAudioDelta")
        ]

    def test_our_own_interruption_is_not_taken_for_speech(self, protocol: GeminiProtocol) -> None:
        decode(protocol, SPEECH)
        ask(protocol)
        assert kinds(decode(protocol, INTERRUPTED, COMPLETE)) == ["ResponseAudioDone", "ResponseDone"]
        assert kinds(decode(protocol, SPEECH, INTERRUPTED)) == [
            *("ItemAdded", "ResponseCreated", "ResponseAudioDelta", "InputStarted", "ResponseAudioDone")
        ]

    def test_an_interruption_of_a_manual_turn_is_not_taken_for_speech(self) -> None:
        protocol = protocol_of(turn_detection=Manual())
        assert kinds(decode(protocol, SPEECH, INTERRUPTED, COMPLETE))[2:] == ["ResponseAudioDone", "ResponseDone"]

    def test_a_manual_turn_that_comes_before_the_reply_to_a_text_ends_that_reply(self) -> None:
        """It was taken for an interruption of what was before, and the text's reply awaited for ever."""
        protocol = protocol_of(turn_detection=Manual())
        ask(protocol)
        protocol.encode(AppendAudio(bytes(320)))
        said = decode(protocol, INTERRUPTED, COMPLETE)
        assert kinds(said) == ["ItemAdded", "ResponseCreated", "ResponseDone"]


class TestHandles:
    HANDLE: ClassVar = {"sessionResumptionUpdate": {"newHandle": "h-2", "resumable": True}}

    def test_what_was_asked_is_part_of_a_session_that_is_kept_after_its_reply_has_begun(
        self, protocol: GeminiProtocol
    ) -> None:
        ask(protocol)
        assert decode(protocol, SPEECH, COMPLETE, self.HANDLE)[-1] == SessionResumable("h-2")

    def test_what_was_sent_while_the_model_began_to_reply_to_speech_may_be_missing_until_the_next_reply(
        self, protocol: GeminiProtocol
    ) -> None:
        """The text may be on its way for seconds, and the reply is one to the speech."""
        activity = [{"voiceActivity": {"type": f"ACTIVITY_{each}", "audioOffset": "1s"}} for each in ("START", "END")]
        decode(protocol, *activity)
        ask(protocol)
        said = decode(protocol, SPEECH, COMPLETE, self.HANDLE)
        assert said[-1] == SessionResumable("h-2", unsure=("item_u1",))
        assert decode(protocol, SPEECH, COMPLETE, self.HANDLE)[-1] == SessionResumable("h-2")

    def test_another_call_of_the_turn_before_is_no_reply_to_what_was_sent_meanwhile(
        self, protocol: GeminiProtocol
    ) -> None:
        decode(protocol, SPEECH, {"toolCall": {"functionCalls": [CALL]}})
        ask(protocol)
        said = decode(protocol, {"toolCall": {"functionCalls": [{**CALL, "id": "c2"}]}}, self.HANDLE)
        assert said[-1] == SessionResumable("h-2", unsure=("item_u1",))

    def test_the_words_of_speech_may_come_after_the_reply_to_it_has_begun(self, protocol: GeminiProtocol) -> None:
        ask(protocol)
        said = decode(protocol, SPEECH, content(inputTranscription={"text": "Hello?"}), COMPLETE, self.HANDLE)
        assert said[-1] == SessionResumable("h-2", unsure=("item_u1",))


class TestCancel:
    def test_the_rest_of_the_turn_is_passed_over(self, protocol: GeminiProtocol) -> None:
        decode(protocol, SPEECH, says("Once upon"))
        command = CancelResponse("cancel_1", "resp_t_1")
        assert protocol.encode(command) == []  # there is no word for it
        assert taken_for_granted(protocol, command) == [
            ModelResponseAudioDone("resp_t_1", "item_t_2"),
            ModelResponseAudioTranscriptDone("resp_t_1", "item_t_2", "Once upon"),
            ModelResponseDone("resp_t_1", 0, 0, {"status": "cancelled", "reason": "client_cancelled"}),
        ]
        assert decode(protocol, SPEECH, says(" a time"), content(generationComplete=True)) == []
        [frame] = ask(protocol)
        assert frame == {"realtimeInput": {"text": "Hi"}}
        assert decode(protocol, INTERRUPTED, COMPLETE) == []
        assert kinds(decode(protocol, says("Hello"))) == [
            *("ItemAdded", "ResponseCreated", "ResponseAudioTranscriptDelta")
        ]

    def test_a_reply_that_has_ended(self, protocol: GeminiProtocol) -> None:
        decode(protocol, SPEECH, COMPLETE)
        command = CancelResponse("cancel_1", "resp_t_1")
        protocol.encode(command)
        [failed] = taken_for_granted(protocol, command)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.conflict) == ("cancel_1", "nothing_active")

    def test_its_calls_are_answered_with_what_is_said_next(self, protocol: GeminiProtocol) -> None:
        decode(protocol, SPEECH)
        protocol.encode(CancelResponse("cancel_1", "resp_t_1"))
        assert decode(protocol, {"toolCall": {"functionCalls": [CALL]}}) == []
        answered, said = ask(protocol)
        [response] = answered["toolResponse"]["functionResponses"]
        assert (response["id"], response["name"]) == ("c1", "get_time")
        assert "cancelled" in response["response"]["error"]
        assert said == {"realtimeInput": {"text": "Hi"}}


class TestTools:
    def test_several_calls_at_once(self, protocol: GeminiProtocol) -> None:
        calls = [CALL, {"id": "c2", "name": "get_weather"}]
        said = decode(protocol, SPEECH, says("Wait."), {"toolCall": {"functionCalls": calls}, "usageMetadata": USAGE})
        uses = of(ModelResponseToolUseDone, said)
        assert [(use.tool_use.id, use.tool_use.raw_input) for use in uses] == [("c1", '{"zone":"UTC"}'), ("c2", "{}")]
        assert {use.response_id for use in uses} == {"resp_t_1"}
        assert len({use.item_id for use in uses}) == 2
        assert said[-1] == ModelResponseDone("resp_t_1", 10, 5, {"status": "completed"})
        # What was said is complete before the calls are.
        assert kinds(said)[3:5] == ["ResponseAudioDone", "ResponseAudioTranscriptDone"]
        assert kinds(said).count("ResponseAudioTranscriptDone") == 1
        for number, use in enumerate(uses):
            assert protocol.encode(AppendToolResult(f"item_{number}", use.tool_use.id, use.tool_use.name, "x")) == []
        [frame] = protocol.encode(CreateResponse("create_1"))
        responses = orjson.loads(frame)["toolResponse"]["functionResponses"]
        assert [response["id"] for response in responses] == ["c1", "c2"]
        assert kinds(decode(protocol, SPEECH)) == [*("ItemAdded", "ItemAdded", "ResponseCreated", "ResponseAudioDelta")]

    @pytest.mark.parametrize("broken", [{"name": "x"}, {"id": "c9"}, {"id": 3, "name": "x"}, None])
    def test_a_call_that_cannot_be_answered_is_an_error(self, protocol: GeminiProtocol, broken: Any) -> None:
        said = decode(protocol, {"toolCall": {"functionCalls": [broken]}})
        assert [error.error_type for error in of(ModelError, said)] == ["protocol_error"]
        assert kinds(decode(protocol, {"toolCall": {"functionCalls": [broken, CALL]}}))[-1] == "ResponseDone"

    def test_that_come_twice_are_made_once(self, protocol: GeminiProtocol) -> None:
        call = {"toolCall": {"functionCalls": [CALL]}}
        assert kinds(decode(protocol, call)).count("ResponseToolUseDone") == 1
        assert decode(protocol, call) == []

    def test_given_up_while_the_model_waits_for_them_end_the_turn(self, protocol: GeminiProtocol) -> None:
        """Without this the next reply was taken for the rest of the one that speech had interrupted, and was lost."""
        decode(protocol, {"toolCall": {"functionCalls": [CALL]}}, says("One moment."))
        said = decode(protocol, {"toolCallCancellation": {"ids": ["c1"]}})
        assert said[0] == ToolCallsCancelled(("c1",))
        assert isinstance(said[-1], ModelResponseDone)
        assert said[-1].metadata == {"status": "cancelled", "reason": "turn_detected"}
        assert kinds(decode(protocol, says("Yes?")))[0] == "ResponseCreated"

    def test_given_up_after_a_cancel_end_what_was_to_be_passed_over(self, protocol: GeminiProtocol) -> None:
        decode(protocol, {"toolCall": {"functionCalls": [CALL]}}, says("One moment."))
        protocol.encode(CancelResponse("cancel_1", "resp_t_4"))
        assert decode(protocol, says("Still there?")) == []
        decode(protocol, {"toolCallCancellation": {"ids": ["c1"]}})
        assert kinds(decode(protocol, says("Yes?")))[0] == "ResponseCreated"

    def test_cancelled_before_their_results_are_there(self, protocol: GeminiProtocol) -> None:
        decode(protocol, {"toolCall": {"functionCalls": [CALL]}})
        said = decode(protocol, {"toolCallCancellation": {"ids": ["c1", 7, "c8"]}})
        assert said == [ToolCallsCancelled(("c1", "c8"))]
        result = AppendToolResult("item_1", "c1", "get_time", "12:00")
        assert protocol.encode(result) == []
        assert taken_for_granted(protocol, result) == [ItemAdded("item_1")]
        self.assert_nothing_is_asked(protocol)

    def test_cancelled_while_their_results_wait(self, protocol: GeminiProtocol) -> None:
        decode(protocol, {"toolCall": {"functionCalls": [CALL]}})
        protocol.encode(AppendToolResult("item_1", "c1", "get_time", "12:00"))
        said = decode(protocol, {"toolCallCancellation": {"ids": ["c1"]}})
        assert said == [ToolCallsCancelled(("c1",)), ItemAdded("item_1")]
        self.assert_nothing_is_asked(protocol)

    def assert_nothing_is_asked(self, protocol: GeminiProtocol) -> None:
        command = CreateResponse("create_1")
        assert protocol.encode(command) == []
        [failed] = taken_for_granted(protocol, command)
        assert isinstance(failed, RequestFailed)
        assert failed.conflict == "nothing_active"

    def test_a_result_that_nobody_waits_for_is_refused(self, protocol: GeminiProtocol) -> None:
        result = AppendToolResult("item_1", "c1", "get_time", "12:00")
        assert protocol.encode(result) == []
        [failed] = taken_for_granted(protocol, result)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.code, failed.conflict) == ("item_1", "unknown_call", None)

    def test_a_call_has_one_result(self, protocol: GeminiProtocol) -> None:
        decode(protocol, {"toolCall": {"functionCalls": [CALL]}})
        first, second = (AppendToolResult(f"item_{number}", "c1", "get_time", "12:00") for number in (1, 2))
        protocol.encode(first)
        protocol.encode(second)
        assert protocol.patience(first) is None
        assert isinstance(taken_for_granted(protocol, second)[0], RequestFailed)


class TestHearing:
    def test_words_that_come_late_belong_to_the_turn_before(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, hears("Good"), SPEECH, hears(" morning."), COMPLETE)
        assert of(ModelInputTranscriptionDone, said) == [ModelInputTranscriptionDone("Good morning.", "item_t_1")]
        assert len(of(ModelInputStarted, said)) == 1

    def test_words_during_a_reply_do_not_interrupt_it(self, protocol: GeminiProtocol) -> None:
        said = decode(protocol, SPEECH, hears("Hm"), SPEECH, INTERRUPTED, COMPLETE, hears("stop."), SPEECH, COMPLETE)
        assert kinds(said) == [
            *("ResponseCreated", "ResponseAudioDelta", "InputTranscriptionDelta", "ResponseAudioDelta"),
            *("InputStarted", "ResponseAudioDone", "ResponseDone", "InputTranscriptionDelta"),
            *("InputDone", "ResponseCreated", "ResponseAudioDelta"),
            *("InputTranscriptionDone", "ResponseAudioDone", "ResponseDone"),
        ]
        assert of(ModelInputTranscriptionDone, said)[0].transcript == "Hmstop."

    def test_the_words_are_complete_when_it_is_said(self, protocol: GeminiProtocol) -> None:
        activity = {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.5s"}}
        ended = {"voiceActivity": {"voiceActivityType": "ACTIVITY_END"}}
        said = decode(protocol, activity, ended, hears("Yes.", finished=True), hears("No."))
        assert kinds(said) == [
            *("InputStarted", "InputDone", "InputTranscriptionDelta", "InputTranscriptionDone"),
            "InputTranscriptionDelta",
        ]
        assert len({event.item_id for event in of(ModelInputTranscriptionDelta, said)}) == 2

    def test_signals_of_enterprise_models(self, protocol: GeminiProtocol) -> None:
        start, end = (
            {"voiceActivityDetectionSignal": {"vadSignalType": f"VAD_SIGNAL_TYPE_{x}"}} for x in ("SOS", "EOS")
        )
        assert kinds(decode(protocol, start, start, end, end)) == ["InputStarted", "InputDone"]

    def test_new_speech_ends_the_words_of_the_last(self, protocol: GeminiProtocol) -> None:
        start, end = ({"voiceActivity": {"type": f"ACTIVITY_{x}"}} for x in ("START", "END"))
        said = decode(protocol, start, hears("One."), end, start, hears("Two."), end, SPEECH, COMPLETE)
        assert [event.transcript for event in of(ModelInputTranscriptionDone, said)] == ["One.", "Two."]

    def test_without_interruption_speech_is_told_all_the_same(self) -> None:
        protocol = protocol_of(turn_detection=ServerVAD(interrupt_response=False))
        start = {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "3s"}}
        assert decode(protocol, SPEECH, start)[-1] == ModelInputStarted("item_t_3", 3000)


HANDLE: dict[str, Any] = {"sessionResumptionUpdate": {"newHandle": "h-17", "resumable": True}}


class TestSession:
    @pytest.mark.parametrize(
        ("left", "seconds"), [("50s", 50), ("1.500s", 1.5), ("0s", 0), ("soon", 10), (None, 10), (5, 10)]
    )
    def test_the_end_of_the_connection_is_told_ahead(
        self, protocol: GeminiProtocol, left: object, seconds: float
    ) -> None:
        words = f"the server ends the connection in {seconds:g} s"
        assert decode(protocol, {"goAway": {"timeLeft": left}}) == [SessionEnding(seconds, words)]

    def test_a_session_is_settled_when_its_handle_is_newer_than_the_turn(self, protocol: GeminiProtocol) -> None:
        decode(protocol, HANDLE)
        assert protocol.settled
        decode(protocol, SPEECH, {"sessionResumptionUpdate": {"resumable": False}}, COMPLETE)
        assert not protocol.settled
        decode(protocol, HANDLE)
        assert protocol.settled

    def test_without_handles_the_end_of_the_turn_is_enough(self) -> None:
        protocol = protocol_of(session_resumption=False)
        decode(protocol, SPEECH, COMPLETE)
        assert protocol.settled

    @pytest.mark.parametrize("busy", ["called", "speaking"])
    def test_in_the_middle_it_is_not_settled(self, protocol: GeminiProtocol, busy: str) -> None:
        if busy == "called":
            decode(protocol, {"toolCall": {"functionCalls": [CALL]}})
        else:
            decode(protocol, {"voiceActivity": {"type": "ACTIVITY_START"}})
        decode(protocol, HANDLE)
        assert not protocol.settled
        given_up: dict[str, Any] = {"toolCallCancellation": {"ids": ["c1"]}} if busy == "called" else {}
        decode(protocol, SPEECH, COMPLETE, HANDLE, given_up)
        assert protocol.settled

    def test_a_handle_that_is_none(self, protocol: GeminiProtocol) -> None:
        for update in ({"resumable": True}, {"newHandle": "", "resumable": True}, {"newHandle": "h"}, {"newHandle": 5}):
            assert decode(protocol, {"sessionResumptionUpdate": update}) == []

    @pytest.mark.parametrize(
        "error",
        [
            {"error": {"code": 429, "message": f"Slow down, {KEY}.", "status": "RESOURCE_EXHAUSTED"}},
            {"code": 429, "message": f"Slow down, {KEY}.", "status": "RESOURCE_EXHAUSTED"},
        ],
    )
    def test_errors_in_a_message(self, protocol: GeminiProtocol, error: dict[str, Any]) -> None:
        assert decode(protocol, error) == [ModelError("RESOURCE_EXHAUSTED", "429", "Slow down, (the key).")]

    def test_ids_are_of_one_socket_only(self) -> None:
        model = GeminiRealtimeModel(api_key=KEY)
        first, second = (decode(model.protocol(), SPEECH)[0] for _ in range(2))
        assert isinstance(first, ModelResponseCreated)
        assert isinstance(second, ModelResponseCreated)
        assert first.response_id != second.response_id
        assert KEY not in repr(attrs.asdict(first))
