"""xAI's wire: its frames as events, our commands as frames, and the ends that it does not tell.

The frames in `xai_frames.json` are hand-made after recordings of 2026.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from sdk_types import CLIENT_EVENT, unknown_fields
from wrong_frames import Mutator, check

from realtime_actors.events import (
    AppendAudio,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelCommand,
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
    SessionRefused,
    SessionResumable,
    ToolSpec,
    ToolUse,
)
from realtime_actors.providers import InvalidModel, Manual, SemanticVAD, ServerVAD, XAIRealtimeModel
from realtime_actors.providers.xai_protocol import XAIProtocol

Json = dict[str, Any]
FRAMES: dict[str, list[Json]] = orjson.loads(Path(__file__).with_name("xai_frames.json").read_bytes())
KEY = "xai-4242424242"
SPEECH = AppendAudio(b"\x01\x02" * 480)
CANCELLED = {"status": "cancelled", "reason": "turn_detected"}


def model(**fields: Any) -> XAIRealtimeModel:
    return XAIRealtimeModel(api_key=KEY, **fields)


@pytest.fixture
def protocol() -> XAIProtocol:
    return model().protocol()


@pytest.fixture
def manual() -> XAIProtocol:
    return model(turn_detection=Manual()).protocol()


def decode(protocol: XAIProtocol, *messages: Json) -> list[ModelEvent | ModelNotice]:
    return [event for message in messages for event in protocol.decode(orjson.dumps(message).decode())]


def sent(protocol: XAIProtocol, *commands: ModelCommand) -> list[Json]:
    return [orjson.loads(frame) for command in commands for frame in protocol.encode(command)]


def kinds(messages: list[Json]) -> list[str]:
    return [message["type"] for message in messages]


def began(response_id: str = "r1") -> Json:
    return {"type": "response.created", "response": {"id": response_id, "status": "in_progress", "usage": {}}}


def ended(response_id: str = "r1", **fields: Any) -> Json:
    return {"type": "response.done", "response": {"id": response_id, "status": "completed", **fields}}


def part(response_id: str = "r1", item_id: str = "a1") -> Json:
    ids = {"response_id": response_id, "item_id": item_id}
    return {"type": "response.content_part.added", **ids, "part": {"type": "audio", "transcript": ""}}


def delta(response_id: str = "r1", item_id: str = "a1") -> Json:
    return {"type": "response.output_audio.delta", "response_id": response_id, "item_id": item_id, "delta": "AAAA"}


def words(kind: str, transcript: str, **fields: Any) -> Json:
    name = f"conversation.item.input_audio_transcription.{kind}"
    return {"type": name, "item_id": "u1", "content_index": 0, "transcript": transcript, **fields}


SPEAKS = {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 5}
SILENT = {"type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 9}


class TestSequences:
    def test_handshake(self, protocol: XAIProtocol) -> None:
        assert decode(protocol, *FRAMES["handshake"]) == [
            ModelSessionCreated("274d45b6e5e84b8ab8da2235d5e6aa6d"),
            SessionResumable("32be8fff-85d4-49cf-8297-000000000001", live=True),
            SessionConfigured(),
        ]
        assert protocol.unknown == {}

    def test_spoken_turn(self, protocol: XAIProtocol) -> None:
        assert decode(protocol, *FRAMES["spoken_turn"]) == [
            ModelInputStarted("u1", 1520),
            ModelInputTranscriptionDelta("u1", "Good?"),
            ModelInputDone("u1", 4100),
            ModelInputTranscriptionDone("Good morning.", "u1"),
            ModelResponseCreated("r1"),
            ModelResponseAudioDelta("r1", "a1", bytes(3)),
            ModelResponseAudioTranscriptDelta("r1", "a1", "Good morning!"),
            ModelResponseAudioTranscriptDone("r1", "a1", "Good morning!"),
            ModelResponseAudioDone("r1", "a1"),
            ModelResponseDone("r1", 202, 129, {"status": "completed"}),
        ]
        assert protocol.unknown == {}

    def test_push_to_talk(self, manual: XAIProtocol) -> None:
        assert decode(manual, *FRAMES["push_to_talk"]) == [
            ModelInputStarted("u2", 321),
            ModelInputDone("u2", 410),
            ModelInputTranscriptionDone("Hello.", "u2"),
            ModelResponseCreated("r2"),
        ]

    def test_tool_call(self, protocol: XAIProtocol) -> None:
        sent(protocol, AppendToolResult("ours", "call-af8e-0", "get_weather", "4 degrees"))
        call = ToolUse("call-af8e-0", "get_weather", raw_input='{"city":"Oslo"}')
        assert decode(protocol, *FRAMES["tool_call"]) == [
            ModelResponseToolUseDelta("r3", "f1", call),
            ModelResponseToolUseDone("r3", "f1", ToolUse(call.id, call.name, {"city": "Oslo"}, call.raw_input)),
            ItemAdded("ours"),  # whatever id the server gives it
        ]

    def test_what_is_replayed_is_not_ours(self, protocol: XAIProtocol) -> None:
        sent(protocol, AppendText("ours", "Hello"))
        item = {"id": "new", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        replayed = {"type": "conversation.item.added", "item": {**item, "replayed": True}}
        spoken = {"type": "conversation.item.added", "item": {**item, "content": [{"type": "input_audio"}]}}
        assert decode(protocol, *FRAMES["replay"], replayed, spoken) == []
        assert decode(protocol, {"type": "conversation.item.added", "item": item}) == [ItemAdded("ours")]


class TestTheUsersWords:
    def test_snapshots_become_pieces_and_one_end(self, protocol: XAIProtocol) -> None:
        assert decode(
            protocol,
            words("updated", "Good"),
            words("updated", "Good"),
            words("updated", "Good morn"),
            words("completed", "Good morning", status="in_progress"),
            words("completed", "Good morning.", status="completed"),
            words("completed", "Good", status="in_progress"),
            words("updated", "Good morning. And"),
            words("completed", "Good morning.", status="completed"),
        ) == [
            ModelInputTranscriptionDelta("u1", "Good"),
            ModelInputTranscriptionDelta("u1", " morn"),
            ModelInputTranscriptionDelta("u1", "ing"),
            ModelInputTranscriptionDone("Good morning.", "u1"),
        ]

    def test_what_was_told_is_not_told_otherwise_before_the_end(self, protocol: XAIProtocol) -> None:
        assert decode(
            protocol,
            words("updated", "Could"),
            words("updated", "Good"),
            words("updated", "Could you"),
            words("completed", "Good you.", status="completed"),
        ) == [
            ModelInputTranscriptionDelta("u1", "Could"),
            ModelInputTranscriptionDelta("u1", " you"),
            ModelInputTranscriptionDone("Good you.", "u1"),
        ]

    def test_who_wants_no_transcript_gets_none(self) -> None:
        silent = model(enable_input_audio_transcription=False).protocol()
        assert decode(silent, words("updated", "Hi"), words("completed", "Hi", status="completed")) == []


class TestEnds:
    def test_a_reply_that_is_interrupted_ends_when_the_user_has_spoken(self, protocol: XAIProtocol) -> None:
        started = decode(protocol, began(), part(), delta(), SPEAKS)
        assert started[-1] == ModelInputStarted("u1", 5)
        assert decode(protocol, delta(), SILENT) == [
            ModelResponseAudioDelta("r1", "a1", bytes(3)),
            ModelResponseAudioDone("r1", "a1"),
            ModelResponseAudioTranscriptDone("r1", "a1"),
            ModelResponseDone("r1", 0, 0, CANCELLED),
            ModelInputDone("u1", 9),
        ]
        assert decode(protocol, delta(), ended()) == []

    def test_an_end_that_is_told_is_told_once(self, protocol: XAIProtocol) -> None:
        decode(protocol, began(), SPEAKS)
        usage = {"input_tokens": 5, "output_tokens": 7}
        assert decode(protocol, ended(status="cancelled", usage=usage), SILENT) == [
            ModelResponseDone("r1", 5, 7, {"status": "cancelled"}),
            ModelInputDone("u1", 9),
        ]
        assert decode(protocol, ended()) == []

    def test_a_reply_that_is_not_interrupted_goes_on(self) -> None:
        protocol = model(turn_detection=ServerVAD(interrupt_response=False)).protocol()
        decode(protocol, began(), SPEAKS, SILENT)
        assert decode(protocol, delta(), ended())[-1] == ModelResponseDone("r1", 0, 0, {"status": "completed"})

    def test_push_to_talk_ends_a_reply_at_once(self, manual: XAIProtocol) -> None:
        assert decode(manual, began(), SPEAKS) == [
            ModelResponseCreated("r1"),
            ModelResponseDone("r1", 0, 0, CANCELLED),
            ModelInputStarted("u1", 5),
        ]

    def test_a_new_reply_ends_the_one_before(self, protocol: XAIProtocol) -> None:
        assert decode(protocol, began("r1"), began("r2"), began("r2")) == [
            ModelResponseCreated("r1"),
            ModelResponseDone("r1", 0, 0, CANCELLED),
            ModelResponseCreated("r2"),
        ]

    def test_a_cancelled_reply_ends_even_if_nobody_says_so(self, protocol: XAIProtocol) -> None:
        decode(protocol, began())
        cancel = CancelResponse("c1", "r1")
        assert kinds(sent(protocol, cancel)) == ["response.cancel"]
        assert protocol.patience(cancel) is not None
        done = ModelResponseDone("r1", 0, 0, {"status": "cancelled", "reason": "client_cancelled"})
        assert protocol.unanswered(cancel) == [done]
        assert protocol.unanswered(cancel) == []
        assert sent(protocol, CancelResponse("c2", "r1")) == []  # it would stop the next one


class TestAskingForAReply:
    def test_a_commit_waits_for_the_request_and_stands_for_it(self, manual: XAIProtocol) -> None:
        sent(manual, SPEECH)
        assert sent(manual, CommitAudio("c1")) == []
        [commit] = sent(manual, CreateResponse("r1"))
        assert commit == {"type": "input_audio_buffer.commit", "event_id": "r1"}
        assert CLIENT_EVENT.validate_python(commit, strict=True)

    def test_a_text_is_answered_by_request(self, manual: XAIProtocol) -> None:
        sent(manual, SPEECH)
        messages = sent(manual, AppendText("i", "Hi"), CreateResponse("r"))
        assert kinds(messages) == ["conversation.item.create", "response.create"]

    def test_a_request_with_nothing_new_clears_the_buffer(self, protocol: XAIProtocol, manual: XAIProtocol) -> None:
        for each in (protocol, manual):
            assert kinds(sent(each, CreateResponse("r"))) == ["response.create"]  # nothing was answered yet
            decode(each, began(), ended())
            assert kinds(sent(each, CreateResponse("r"))) == ["input_audio_buffer.clear", "response.create"]
            sent(each, AppendToolResult("i", "c", "t", "5"))
            assert kinds(sent(each, CreateResponse("r"))) == ["response.create"]

    def test_speech_is_new(self, protocol: XAIProtocol) -> None:
        decode(protocol, began(), ended(), SPEAKS)
        assert kinds(sent(protocol, SPEECH, CreateResponse("r"))[1:]) == ["response.create"]

    def test_a_request_that_is_passed_over_fails_in_the_end(self, manual: XAIProtocol) -> None:
        request = CreateResponse("r")
        sent(manual, SPEECH, request)
        assert manual.patience(request) is not None
        [failed] = manual.unanswered(request)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.code, failed.conflict) == ("r", "no_response", None)
        sent(manual, request)
        decode(manual, began())
        assert manual.unanswered(request) == []

    def test_an_item_that_is_not_acknowledged_has_arrived(self, protocol: XAIProtocol) -> None:
        text = AppendText("i", "Hi")
        sent(protocol, text)
        assert protocol.unanswered(text) == [ItemAdded("i")]
        assert protocol.unanswered(text) == []


class TestErrors:
    def error(self, code: str | None, **fields: Any) -> Json:
        return {"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": "No.", **fields}}

    def test_without_an_id_it_is_about_what_waits(self, protocol: XAIProtocol) -> None:
        active = "conversation_already_has_active_response"
        sent(protocol, CreateResponse("r"))
        assert decode(protocol, self.error(active)) == [
            RequestFailed("r", "invalid_request_error", active, "No.", "already_active")
        ]
        decode(protocol, began())
        sent(protocol, CancelResponse("c", "r1"))
        assert decode(protocol, self.error("response_cancel_not_active")) == [
            ModelResponseDone("r1", 0, 0, {"status": "cancelled", "reason": "client_cancelled"}),
            RequestFailed("c", "invalid_request_error", "response_cancel_not_active", "No.", "nothing_active"),
        ]

    def test_a_refused_configuration_is_named(self, protocol: XAIProtocol) -> None:
        sent(protocol, Configure("conf", "Be brief."))
        assert decode(protocol, self.error("invalid_value")) == [
            RequestFailed("conf", "invalid_request_error", "invalid_value", "No.")
        ]
        assert decode(protocol, self.error("invalid_value")) == [
            ModelError("invalid_request_error", "invalid_value", "No.")
        ]

    def test_a_bad_key_is_final(self, protocol: XAIProtocol) -> None:
        assert SessionRefused("invalid_api_key", "No.") in decode(protocol, self.error("invalid_api_key"))


class TestConfiguration:
    TOOL = ToolSpec("get_weather", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}})
    CONFIGURE = Configure("conf", "Be brief.", (TOOL,))

    # xAI's documentation of 2026 has these where OpenAI's types do not.
    UNDOCUMENTED_BY_OPENAI = frozenset(
        {
            "session.voice",
            "session.turn_detection",
            "session.resumption",
            "session.audio.input.transcription.language_hint",
        }
    )

    def test_where_it_leads(self) -> None:
        assert model().endpoint() == "wss://api.x.ai/v1/realtime?model=grok-voice-latest"
        assert list(model().headers()) == [("Authorization", f"Bearer {KEY}")]
        assert not model().capabilities.images

    def test_a_conversation_is_resumed_by_the_url(self) -> None:
        assert model().resuming("conv 1").endswith("?model=grok-voice-latest&conversation_id=conv+1")
        forgetful = model(session_resumption=False)
        assert not forgetful.capabilities.resumption
        assert decode(forgetful.protocol(), FRAMES["handshake"][1]) == []

    def test_a_configuration_is_as_documented(self) -> None:
        configured = model(
            voice="eve",
            turn_detection=ServerVAD(threshold=0.85, silence_duration_ms=500, prefix_padding_ms=333),
            transcription_language="de",
            extra={"reasoning": {"effort": "none"}, "tools": [{"type": "web_search"}]},
        )
        [message] = sent(configured.protocol(), self.CONFIGURE)
        assert message["event_id"] == "conf"
        assert message["session"] == {
            "instructions": "Be brief.",
            "voice": "eve",
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.85,
                "prefix_padding_ms": 333,
                "silence_duration_ms": 500,
                "interrupt_response": True,
            },
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "grok-transcribe", "language_hint": "de"},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}},
            },
            "resumption": {"enabled": True},
            "reasoning": {"effort": "none"},
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "Weather",
                    "parameters": self.TOOL.parameters,
                },
                {"type": "web_search"},
            ],
        }

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"voice": "eve", "transcription_language": "es-ES", "speed": 1.2, "max_output_tokens": 300},
            {"turn_detection": Manual(), "enable_input_audio_transcription": False, "tool_choice": "none"},
        ],
    )
    def test_the_official_types_know_what_is_openai_s(self, fields: dict[str, Any]) -> None:
        [message] = sent(model(**fields).protocol(), self.CONFIGURE)
        message["session"]["type"] = "realtime"  # which xAI does not use
        transcription = message["session"]["audio"]["input"].get("transcription", {})
        assert transcription.get("model", "grok-transcribe") == "grok-transcribe"
        event = CLIENT_EVENT.validate_python(message, strict=True)
        assert set(unknown_fields(event)) <= self.UNDOCUMENTED_BY_OPENAI

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("turn_detection", SemanticVAD()),
            ("turn_detection", ServerVAD(create_response=False)),
            ("threshold", ServerVAD(threshold=0.95)),
            ("silence_duration_ms", ServerVAD(silence_duration_ms=10001)),
            ("transcription_language", ""),
            ("speed", 0.5),
            ("max_output_tokens", 0),
            ("tool_choice", "maybe"),
        ],
    )
    def test_what_xai_cannot_do_is_refused_in_words(self, field: str, value: Any) -> None:
        argument = "turn_detection" if isinstance(value, ServerVAD | SemanticVAD) else field
        with pytest.raises(InvalidModel, match=field):
            model(**{argument: value})


@pytest.mark.parametrize("seed", range(20))
def test_mutated_frames(seed: int) -> None:
    """A hundred thousand in all, the same every time; each response has one end at most, and nothing after it."""
    protocol = model().protocol()
    mutator = Mutator([frame for sequence in FRAMES.values() for frame in sequence], seed)
    over: set[str] = set()
    for _ in range(5000):
        events = protocol.decode(mutator.frame())
        check(events)
        for event in events:
            assert getattr(event, "response_id", None) not in over
            if isinstance(event, ModelResponseDone):
                over.add(event.response_id)
        if len(over) > 200:  # more than that are not remembered
            protocol = model().protocol()
            over.clear()
    assert protocol.decode('{"type":"session.updated"}') == [SessionConfigured()]
