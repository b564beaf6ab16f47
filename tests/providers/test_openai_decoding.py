"""What OpenAI's frames become. The frames in `openai_frames.json` are hand-made after its GA wire."""

from __future__ import annotations

import logging
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from realtime_actors.events import (
    AppendText,
    AppendToolResult,
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
    SessionExpired,
    SessionRefused,
    ToolUse,
)
from realtime_actors.providers import OpenAIRealtimeModel, WireProtocol
from realtime_actors.providers.openai_protocol import OpenAIProtocol

FRAMES: dict[str, list[dict[str, Any]]] = orjson.loads(Path(__file__).with_name("openai_frames.json").read_bytes())
KEY = "sk-proj-4242424242"


@pytest.fixture
def protocol() -> OpenAIProtocol:
    return OpenAIRealtimeModel(api_key=KEY).protocol()


def decode(protocol: WireProtocol, *messages: dict[str, Any]) -> list[ModelEvent | ModelNotice]:
    return [event for message in messages for event in protocol.decode(orjson.dumps(message).decode())]


def done(response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": response_id, "status": "completed", **fields}}


class TestSequences:
    def test_handshake(self, protocol: WireProtocol) -> None:
        assert decode(protocol, *FRAMES["handshake"]) == [ModelSessionCreated("sess_A1"), SessionConfigured()]

    def test_spoken_turn(self, protocol: WireProtocol) -> None:
        assert decode(protocol, *FRAMES["spoken_turn"]) == [
            ModelInputStarted("item_u1", 1556),
            ModelInputDone("item_u1", 4224),
            ModelResponseCreated("resp_R1"),
            ModelInputTranscriptionDelta("item_u1", "Good"),
            ModelResponseAudioTranscriptDelta("resp_R1", "item_a1", "Hi"),
            ModelResponseAudioDelta("resp_R1", "item_a1", bytes(3)),
            ModelInputTranscriptionDone("Good morning.", "item_u1", input_tokens=26, output_tokens=9),
            ModelResponseAudioDone("resp_R1", "item_a1"),
            ModelResponseAudioTranscriptDone("resp_R1", "item_a1", "Hi there."),
            ModelResponseDone("resp_R1", 95, 24, {"status": "completed"}),
        ]

    def test_text_turn(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("item_u2", "Say hi"))
        assert decode(protocol, *FRAMES["text_turn"]) == [
            ItemAdded("item_u2"),
            ModelResponseCreated("resp_R2"),
            ModelResponseAudioTranscriptDelta("resp_R2", "item_a2", "Hi"),
            ModelResponseAudioTranscriptDone("resp_R2", "item_a2", "Hi"),
        ]

    def test_tool_call(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("item_o1", "call_9", "get_time", "12:00"))
        assert decode(protocol, *FRAMES["tool_call"]) == [
            ModelResponseCreated("resp_R3"),
            ModelResponseToolUseDelta("resp_R3", "item_f1", ToolUse("call_9", "get_time", raw_input='{"zone"')),
            ModelResponseToolUseDelta("resp_R3", "item_f1", ToolUse("call_9", "get_time", raw_input='{"zone":"UTC"}')),
            ModelResponseToolUseDone(
                "resp_R3", "item_f1", ToolUse("call_9", "get_time", {"zone": "UTC"}, '{"zone":"UTC"}')
            ),
            ModelResponseDone("resp_R3", 50, 10, {"status": "completed"}),
            ItemAdded("item_o1"),
            ModelResponseCreated("resp_R4"),
        ]

    def test_interruption(self, protocol: WireProtocol) -> None:
        assert decode(protocol, *FRAMES["interruption"]) == [
            ModelInputStarted("item_u3", 9120),
            ModelResponseAudioDone("resp_R5", "item_a5"),
            ModelResponseAudioTranscriptDone("resp_R5", "item_a5", "Once upon a"),
            ModelResponseDone("resp_R5", 60, 30, {"status": "cancelled", "reason": "turn_detected"}),
            ModelResponseDone("resp_R6", 12, 0, {"status": "cancelled", "reason": "client_cancelled"}),
        ]

    def test_binary_frames_are_read_as_well(self, protocol: WireProtocol) -> None:
        assert protocol.decode(b'{"type":"session.updated"}') == [SessionConfigured()]

    def test_overlapping_responses_keep_their_ids(self, protocol: WireProtocol) -> None:
        def delta(response: str, item: str) -> dict[str, Any]:
            return {
                "type": "response.output_audio.delta",
                "response_id": response,
                "item_id": item,
                "delta": "AAA=",
            }

        events = decode(
            protocol,
            {"type": "response.created", "response": {"id": "resp_1"}},
            {"type": "response.created", "response": {"id": "resp_2"}},
            delta("resp_1", "a1"),
            delta("resp_2", "a2"),
            done("resp_1", status="cancelled"),
            delta("resp_2", "a3"),
        )
        audio = [event for event in events if isinstance(event, ModelResponseAudioDelta)]
        assert [(event.response_id, event.item_id) for event in audio] == [
            ("resp_1", "a1"),
            ("resp_2", "a2"),
            ("resp_2", "a3"),
        ]

    def test_audio_is_not_opened_and_its_format_is_shared(self, protocol: WireProtocol) -> None:
        message = {
            "type": "response.output_audio.delta",
            "response_id": "r",
            "item_id": "i",
            "delta": "broken!",
        }
        first, second = decode(protocol, message, message)
        assert isinstance(first, ModelResponseAudioDelta)
        assert isinstance(second, ModelResponseAudioDelta)
        assert first.payload.base64 == "broken!"
        assert first.format is second.format
        assert first.format.rate == 24000


class TestItems:
    def test_only_our_items_are_acknowledged_and_once(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("mine", "Hi"))
        added = {"type": "conversation.item.added", "item": {"id": "mine", "type": "message"}}
        other = {"type": "conversation.item.added", "item": {"id": "theirs", "type": "message"}}
        finished = {**added, "type": "conversation.item.done"}
        assert decode(protocol, other, added, finished, added) == [ItemAdded("mine")]

    @pytest.mark.parametrize("kind", ["created", "done"])
    def test_other_ways_to_acknowledge(self, protocol: WireProtocol, kind: str) -> None:
        protocol.encode(AppendText("mine", "Hi"))
        assert decode(protocol, {"type": f"conversation.item.{kind}", "item": {"id": "mine"}}) == [ItemAdded("mine")]

    def test_a_refused_item_is_not_acknowledged_later(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("mine", "Hi"))
        refused = {"type": "error", "error": {"type": "e", "message": "m", "event_id": "mine"}}
        added = {"type": "conversation.item.added", "item": {"id": "mine"}}
        assert decode(protocol, refused, added) == [RequestFailed("mine", "e", "", "m")]

    def test_never_acknowledged_items_are_given_up_with_a_warning(
        self, protocol: WireProtocol, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(1025):
            protocol.encode(AppendText(f"item_{number}", "Hi"))
        assert "item_0" in caplog.text
        assert decode(protocol, {"type": "conversation.item.added", "item": {"id": "item_0"}}) == []
        assert decode(protocol, {"type": "conversation.item.added", "item": {"id": "item_1"}}) != []


class TestResponses:
    @pytest.mark.parametrize(
        "usage",
        [{"usage": None}, {}, {"usage": {}}, {"usage": {"input_tokens": None, "output_tokens": True}}],
    )
    def test_without_usage_tokens_are_0(self, protocol: WireProtocol, usage: dict[str, Any]) -> None:
        [end] = decode(protocol, done(**usage))
        assert end == ModelResponseDone("resp_1", 0, 0, {"status": "completed"})
        assert isinstance(end, ModelResponseDone)
        assert end.output_tokens is not True

    @pytest.mark.parametrize(
        ("fields", "metadata"),
        [
            ({"status": None}, {"status": "completed"}),
            ({"status": "completed", "status_details": None}, {"status": "completed"}),
            ({"status": "completed", "status_details": "unimplemented"}, {"status": "completed"}),
            (
                {
                    "status": "incomplete",
                    "status_details": {"type": "incomplete", "reason": "max_output_tokens"},
                },
                {"status": "incomplete", "reason": "max_output_tokens"},
            ),
            (
                {"status": "incomplete", "status_details": {"reason": "content_filter"}},
                {"status": "incomplete", "reason": "content_filter"},
            ),
            ({"status": "exploded"}, {"status": "incomplete", "reason": "exploded"}),
        ],
    )
    def test_how_it_ended(self, protocol: WireProtocol, fields: dict[str, Any], metadata: dict[str, str]) -> None:
        assert decode(protocol, done(**fields)) == [ModelResponseDone("resp_1", metadata=metadata)]

    def test_a_failed_response_is_an_error_and_then_an_end(self, protocol: WireProtocol) -> None:
        details = {
            "type": "failed",
            "error": {"type": "server_error", "code": "insufficient_quota", "message": "Pay."},
        }
        error, end, refused = decode(protocol, done(status="failed", status_details=details))
        assert error == ModelError("response_failed", "insufficient_quota", "response resp_1 failed: Pay.")
        assert refused == SessionRefused("insufficient_quota", "response resp_1 failed: Pay.")  # as all that follow
        assert end == ModelResponseDone(
            "resp_1",
            metadata={
                "status": "failed",
                "error_code": "insufficient_quota",
                "error_message": "response resp_1 failed: Pay.",
            },
        )

    @pytest.mark.parametrize("details", [None, {}, {"error": None}, {"error": {"code": None}}, "no"])
    def test_a_failure_without_words(self, protocol: WireProtocol, details: Any) -> None:
        error, end = decode(protocol, done(status="failed", status_details=details))
        assert isinstance(error, ModelError)
        assert "gives no reason" in error.message
        assert isinstance(end, ModelResponseDone)
        assert end.metadata["error_code"] == ""

    def test_what_was_said_may_be_empty_or_unknown(self, protocol: WireProtocol) -> None:
        ids = {"response_id": "r", "item_id": "i"}
        kind = "response.output_audio_transcript.done"
        assert decode(protocol, {"type": kind, **ids, "transcript": ""}, {"type": kind, **ids}) == [
            ModelResponseAudioTranscriptDone("r", "i", ""),
            ModelResponseAudioTranscriptDone("r", "i", None),
        ]


class TestInput:
    KIND = "conversation.item.input_audio_transcription."

    def test_silence_is_an_empty_transcript(self, protocol: WireProtocol) -> None:
        message = {
            "type": self.KIND + "completed",
            "item_id": "u",
            "transcript": "",
            "usage": {"type": "duration", "seconds": 0},
        }
        assert decode(protocol, message) == [ModelInputTranscriptionDone("", "u")]

    @pytest.mark.parametrize("usage", [None, [], {"type": "tokens"}])
    def test_no_usage_means_tokens_are_unknown(self, protocol: WireProtocol, usage: Any) -> None:
        message = {"type": self.KIND + "completed", "item_id": "u", "transcript": "Hi", "usage": usage}
        assert decode(protocol, message) == [ModelInputTranscriptionDone("Hi", "u", None, None)]

    def test_a_piece_of_a_transcript_may_be_missing(self, protocol: WireProtocol) -> None:
        assert decode(protocol, {"type": self.KIND + "delta", "item_id": "u"}) == []

    def test_a_failed_transcription_is_an_error(self, protocol: WireProtocol) -> None:
        message = {
            "type": self.KIND + "failed",
            "item_id": "u",
            "content_index": 0,
            "error": {"type": "server_error", "code": "DeploymentNotFound", "message": "No such model."},
        }
        assert decode(protocol, message) == [
            ModelError("input_transcription_failed", "DeploymentNotFound", "no transcript of item u: No such model.")
        ]

    def test_speech_counts_even_when_its_fields_do_not(self, protocol: WireProtocol) -> None:
        assert decode(
            protocol,
            {"type": "input_audio_buffer.speech_started", "item_id": None, "audio_start_ms": "now"},
            {"type": "input_audio_buffer.speech_stopped"},
        ) == [ModelInputStarted("", 0), ModelInputDone("", 0)]


def call_frames(number: int = 1, response_id: str = "resp_1") -> dict[str, dict[str, Any]]:
    """The frames of a call, each with all that the wire gives."""
    call = {"call_id": f"call_{number}", "name": "add", "arguments": f'{{"a":{number}}}'}
    item = {"id": f"item_{number}", "type": "function_call", "status": "completed", **call}
    ids = {"response_id": response_id, "item_id": f"item_{number}", "output_index": number}
    arguments = "response.function_call_arguments."
    return {
        "added": {
            "type": "response.output_item.added",
            "response_id": response_id,
            "item": {**item, "status": "in_progress", "arguments": ""},
        },
        "delta": {"type": arguments + "delta", **ids, "call_id": call["call_id"], "delta": call["arguments"]},
        "done": {"type": arguments + "done", **ids, **call},
        "item": {"type": "response.output_item.done", "response_id": response_id, "item": item},
        "response": done(response_id, output=[item]),
    }


def calls(events: list[ModelEvent | ModelNotice]) -> list[ModelResponseToolUseDone]:
    return [event for event in events if isinstance(event, ModelResponseToolUseDone)]


def reported(number: int = 1, response_id: str = "resp_1") -> ModelResponseToolUseDone:
    raw = f'{{"a":{number}}}'
    use = ToolUse(f"call_{number}", "add", {"a": number}, raw)
    return ModelResponseToolUseDone(response_id, f"item_{number}", use)


STEPS = ("added", "delta", "done", "item", "response")


class TestCalls:
    @pytest.mark.parametrize("steps", [steps for length in range(1, 6) for steps in combinations(STEPS, length)])
    def test_a_call_is_reported_once_whatever_frames_are_missing(
        self, protocol: WireProtocol, steps: tuple[str, ...]
    ) -> None:
        frames = call_frames()
        events = decode(protocol, *(frames[step] for step in steps))
        whole = {"done", "item", "response"} & set(steps)
        assert calls(events) == ([reported()] if whole else [])
        assert not [event for event in events if isinstance(event, ModelError)]

    @pytest.mark.parametrize("steps", [("done", "item"), ("done", "response"), ("delta", "done", "item")])
    def test_an_older_done_without_a_name_waits_for_the_item(
        self, protocol: WireProtocol, steps: tuple[str, ...]
    ) -> None:
        frames = call_frames()
        del frames["done"]["name"]
        del frames["done"]["call_id"]
        *before, last = (frames[step] for step in steps)
        assert calls(decode(protocol, *before)) == []
        assert calls(decode(protocol, last)) == [reported()]

    def test_a_done_without_arguments_takes_those_of_the_deltas_or_of_the_item(self, protocol: WireProtocol) -> None:
        first, second = call_frames(1), call_frames(2)
        del first["done"]["arguments"]
        del second["done"]["arguments"]
        assert calls(decode(protocol, first["delta"], first["done"])) == [reported(1)]
        assert calls(decode(protocol, second["added"], second["done"])) == []
        assert calls(decode(protocol, second["item"])) == [reported(2)]

    def test_an_item_without_arguments_is_a_call_without_arguments(self, protocol: WireProtocol) -> None:
        frame = call_frames()["item"]
        frame["item"]["arguments"] = None
        [call] = calls(decode(protocol, frame))
        assert call.tool_use == ToolUse("call_1", "add", {}, "")

    def test_a_completed_response_ends_a_call_that_has_no_end_of_its_own(self, protocol: WireProtocol) -> None:
        frames = call_frames()
        assert calls(decode(protocol, frames["added"], frames["delta"], done())) == [reported()]

    def test_a_late_frame_does_not_report_again(self, protocol: WireProtocol) -> None:
        frames = call_frames()
        events = decode(protocol, *(frames[step] for step in (*STEPS, "item", "done", "response")))
        assert calls(events) == [reported()]

    def test_what_was_reported_is_not_remembered_for_ever(self, protocol: WireProtocol) -> None:
        for number in range(600):
            decode(protocol, call_frames(number, f"resp_{number}")["response"])
        assert calls(decode(protocol, call_frames(599)["item"])) == []
        assert calls(decode(protocol, call_frames(0)["item"])) == [reported(0)]

    def test_parallel_calls_are_each_reported(self, protocol: WireProtocol) -> None:
        first, second, third = (call_frames(number) for number in (1, 2, 3))
        interleaved = [frames[step] for step in STEPS[:-1] for frames in (first, second, third)]
        end = done(output=[frames["item"]["item"] for frames in (first, second, third)])
        assert calls(decode(protocol, *interleaved, end)) == [reported(1), reported(2), reported(3)]

    def test_calls_of_overlapping_responses_keep_their_response(self, protocol: WireProtocol) -> None:
        first, second = call_frames(1, "resp_1"), call_frames(2, "resp_2")
        events = decode(protocol, first["added"], second["added"], second["delta"], first["delta"], second["response"])
        assert calls(events) == [reported(2, "resp_2")]
        assert calls(decode(protocol, first["done"])) == [reported(1, "resp_1")]

    @pytest.mark.parametrize("raw", ["", "{", '{"a":', "[1]", "null", "5", '"a"', '{"a":1} x', "{'a': 1}", "[" * 5000])
    def test_arguments_that_are_no_object_are_given_as_they_came(self, protocol: WireProtocol, raw: str) -> None:
        frames = call_frames()
        frames["done"]["arguments"] = raw
        [call] = calls(decode(protocol, frames["done"]))
        assert call.tool_use == ToolUse("call_1", "add", {}, raw)

    def test_stray_space_in_arguments_is_no_matter(self, protocol: WireProtocol) -> None:
        frames = call_frames()
        frames["done"]["arguments"] = '\n {"a": 1 }\n'
        [call] = calls(decode(protocol, frames["done"]))
        assert call.tool_use.input == {"a": 1}

    @pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
    def test_half_a_call_is_not_reported(self, protocol: WireProtocol, status: str) -> None:
        frames = call_frames()
        half = {**frames["item"]["item"], "status": "incomplete", "arguments": '{"a"'}
        events = decode(
            protocol,
            frames["added"],
            frames["delta"],
            {**frames["item"], "item": half},
            done(status=status, output=[half]),
        )
        assert calls(events) == []

    @pytest.mark.parametrize(("status", "count"), [("completed", 1), ("cancelled", 0)])
    def test_a_call_of_unknown_status_is_as_whole_as_its_response(
        self, protocol: WireProtocol, status: str, count: int
    ) -> None:
        item = call_frames()["item"]["item"]
        del item["status"]
        assert len(calls(decode(protocol, done(status=status, output=[item])))) == count

    def test_a_call_without_a_name_is_an_error_at_the_end_of_its_response(self, protocol: WireProtocol) -> None:
        frames = call_frames()
        del frames["done"]["name"]
        error, end = decode(protocol, frames["done"], done())
        assert isinstance(error, ModelError)
        assert error.error_type == "protocol_error"
        assert isinstance(end, ModelResponseDone)

    def test_a_spoken_item_before_a_call_is_no_call(self, protocol: WireProtocol) -> None:
        spoken = {"id": "item_0", "type": "message", "status": "completed"}
        call = call_frames()["item"]["item"]
        assert calls(decode(protocol, done(output=[spoken, call, None, 5, {"type": "function_call"}]))) == [reported()]

    def test_endless_arguments_are_an_error_and_remembered_no_further(self, protocol: WireProtocol) -> None:
        frames = call_frames()
        frames["delta"]["delta"] = "x" * 100_000
        events = decode(protocol, *[frames["delta"]] * 4)
        assert [type(event) for event in events] == [
            ModelResponseToolUseDelta,
            ModelResponseToolUseDelta,
            ModelError,
            ModelError,
        ]
        assert calls(decode(protocol, frames["done"])) == [reported()]

    def test_calls_that_never_end_are_given_up_with_a_warning(
        self, protocol: WireProtocol, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(65):
            decode(protocol, call_frames(number)["added"])
        assert "item_0" in caplog.text


class TestErrors:
    def test_null_fields(self, protocol: WireProtocol) -> None:
        error = {"type": "invalid_request_error", "code": None, "message": "Only audio.", "param": None}
        assert decode(protocol, {"type": "error", "error": {**error, "event_id": None}}) == [
            ModelError("invalid_request_error", "", "Only audio.")
        ]

    def test_an_error_names_the_field(self, protocol: WireProtocol) -> None:
        error = {"type": "e", "code": "invalid_value", "message": "Not a voice.", "param": "session.audio.output"}
        assert decode(protocol, {"type": "error", "error": error}) == [
            ModelError("e", "invalid_value", "Not a voice. (session.audio.output)")
        ]

    @pytest.mark.parametrize(
        ("code", "conflict"),
        [
            ("response_cancel_not_active", "nothing_active"),
            ("conversation_already_has_active_response", "already_active"),
            ("input_audio_buffer_commit_empty", None),
        ],
    )
    def test_an_error_that_answers_a_request_names_it_and_tells_races_apart(
        self, protocol: WireProtocol, code: str, conflict: Literal["already_active", "nothing_active"] | None
    ) -> None:
        error = {**FRAMES["errors"][0]["error"], "code": code, "message": "No."}
        assert decode(protocol, {"type": "error", "error": error}) == [
            RequestFailed("c7", "invalid_request_error", code, "No.", conflict)
        ]

    def test_a_conflict_with_a_reply_of_the_server_s_own(self, protocol: WireProtocol) -> None:
        """Speech ended while a reply was being generated, and the server could not begin another by itself."""
        code = "conversation_already_has_active_response"
        error = {"type": "e", "code": code, "message": "m", "event_id": None}
        assert decode(protocol, {"type": "error", "error": error}) == [
            RequestFailed("", "e", code, "m", "already_active")
        ]

    @pytest.mark.parametrize("request_id", [None, "r1"])
    @pytest.mark.parametrize(
        "code", ["invalid_api_key", "model_not_found", "insufficient_quota", "beta_api_shape_disabled"]
    )
    def test_what_is_refused_for_good_is_so_whatever_was_asked(
        self, protocol: WireProtocol, code: str, request_id: str | None
    ) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": "No.", "event_id": request_id}
        assert decode(protocol, {"type": "error", "error": error}) == [
            ModelError("invalid_request_error", code, "No."),
            SessionRefused(code, "No."),
        ]

    def test_an_expired_session_is_expected(self, protocol: WireProtocol) -> None:
        error = {"type": "invalid_request_error", "code": "session_expired", "message": "60 minutes."}
        assert decode(protocol, {"type": "error", "error": error}) == [SessionExpired("60 minutes.")]

    @pytest.mark.parametrize("error", [{}, {"error": None}, {"error": "x"}, {"error": {"message": 5}}])
    def test_an_error_without_words_is_an_error(self, protocol: WireProtocol, error: dict[str, Any]) -> None:
        assert decode(protocol, {"type": "error", **error}) == [ModelError("error", "", "the provider gives no reason")]

    def test_the_key_is_not_repeated(self, protocol: WireProtocol) -> None:
        for fields in ({"code": "invalid_api_key"}, {"event_id": "r"}, {}):
            error = {"message": f"Incorrect: {KEY}", **fields}
            events = decode(protocol, {"type": "error", "error": error})
            assert "Incorrect" in repr(events)
            assert KEY not in repr(events)


class TestMalformed:
    @pytest.mark.parametrize(
        ("frame", "why"),
        [
            ("", "not JSON"),
            ("hello", "not JSON"),
            (b"\xff\x00", "not JSON"),
            ('{"type":', "not JSON"),
            ('{"type":NaN}', "not JSON"),
            ("[" * 100_000, "not JSON"),
            ('"\udce9"', "not JSON"),
            ("[]", "list"),
            ("null", "NoneType"),
            ("5", "int"),
            ("{}", "'type'"),
            ('{"type":null}', "'type'"),
            ('{"type":["error"]}', "'type'"),
            ('{"type":"response.created"}', "'response'"),
            ('{"type":"response.created","response":{}}', "'id'"),
            ('{"type":"response.done","response":[]}', "'response'"),
            ('{"type":"response.output_audio.delta","response_id":"r","item_id":"i"}', "'delta'"),
            ('{"type":"response.output_audio.delta","response_id":1,"item_id":"i","delta":""}', "'response_id'"),
            ('{"type":"conversation.item.added","item":null}', "'item'"),
            ('{"type":"response.output_item.done","item":{"type":"function_call"}}', "'response_id'"),
        ],
    )
    def test_it_is_an_error_that_says_why_and_ends_nothing(
        self, protocol: WireProtocol, frame: str | bytes, why: str
    ) -> None:
        [error] = protocol.decode(frame)
        assert isinstance(error, ModelError)
        assert error.error_type == "protocol_error"
        assert why in error.message
        assert len(error.message) <= 500
        assert decode(protocol, {"type": "session.updated"}) == [SessionConfigured()]

    def test_unknown_types_say_nothing_and_are_counted_and_logged_once(
        self, protocol: OpenAIProtocol, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            for number in range(200):
                message = {"type": f"response.mystery_{number % 100}.delta", "delta": 5}
                assert decode(protocol, message) == []
        assert len(caplog.records) == 64
        assert caplog.text.count("response.mystery_0.delta") == 1
        assert protocol.unknown["response.mystery_0.delta"] == 2
        assert protocol.unknown["other"] == 72
        assert len(protocol.unknown) == 65
