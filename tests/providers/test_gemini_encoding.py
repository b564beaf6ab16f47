"""What we send to Gemini, judged by the types of its official SDK."""

from __future__ import annotations

from typing import Any

import orjson
import pybase64
import pytest
from gemini_types import client_message

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CommitAudio,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelCommand,
    RequestFailed,
    SessionConfigured,
    ToolSpec,
)
from realtime_actors.providers import GeminiRealtimeModel, Manual, ServerVAD
from realtime_actors.providers.gemini_protocol import GeminiProtocol

WEATHER = ToolSpec(
    "get_weather",
    "Weather in a city, now.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CONFIGURE = Configure("req_1", "Be brief.", (WEATHER,))
CREATE = CreateResponse("create_1")
OLD = "gemini-2.5-flash-native-audio-preview-12-2025"
CALL = b'{"toolCall":{"functionCalls":[{"id":"c1","name":"get_weather","args":{}}]}}'
SPEECH = b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAAA"}}]}}}'


def model(**fields: Any) -> GeminiRealtimeModel:
    return GeminiRealtimeModel(api_key="AIza-test", **fields)


def setup(configure: Configure = CONFIGURE, **fields: Any) -> dict[str, Any]:
    [frame] = model(**fields).protocol().encode(configure)
    return client_message(frame)["setup"]


def configured(**fields: Any) -> GeminiProtocol:
    protocol = model(**fields).protocol()
    protocol.encode(CONFIGURE)
    return protocol


def sent(protocol: GeminiProtocol, *commands: ModelCommand) -> list[dict[str, Any]]:
    return [client_message(frame) for command in commands for frame in protocol.encode(command)]


class TestSetup:
    def test_the_defaults(self) -> None:
        assert setup() == {
            "model": "models/gemini-3.8-live",
            "generationConfig": {"responseModalities": ["AUDIO"]},
            "realtimeInputConfig": {
                "automaticActivityDetection": {"disabled": False},
                "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
            },
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "contextWindowCompression": {"slidingWindow": {}},
            "sessionResumption": {},
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "name": "get_weather",
                            "description": "Weather in a city, now.",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {"city": {"type": "STRING"}},
                                "required": ["city"],
                            },
                        }
                    ]
                }
            ],
        }

    def test_every_setting(self) -> None:
        message = setup(
            model_name="projects/p/locations/l/publishers/google/models/x",
            voice="Kore",
            language="de-DE",
            temperature=0.5,
            max_output_tokens=100,
            turn_detection=ServerVAD(0.7, silence_duration_ms=300, interrupt_response=False),
            enable_input_audio_transcription=False,
            context_window_compression=False,
            session_resumption=False,
            extra={
                "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}, "temperature": 0.1},
                "tools": [{"googleSearch": {}}],
            },
        )
        assert message.pop("tools")[1] == {"googleSearch": {}}
        assert message == {
            "model": "projects/p/locations/l/publishers/google/models/x",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {
                    "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
                    "languageCode": "de-DE",
                },
                "temperature": 0.1,
                "maxOutputTokens": 100,
                "thinkingConfig": {"thinkingBudget": 0},
            },
            "realtimeInputConfig": {
                "automaticActivityDetection": {
                    "disabled": False,
                    "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                    "silenceDurationMs": 300,
                },
                "activityHandling": "NO_INTERRUPTION",
            },
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "outputAudioTranscription": {},
        }

    def test_manual_turns(self) -> None:
        assert setup(turn_detection=Manual())["realtimeInputConfig"] == {
            "automaticActivityDetection": {"disabled": True}
        }

    def test_a_reply_in_text_has_no_transcript(self) -> None:
        message = setup(output_modality="text", turn_detection=ServerVAD(0.2))
        assert message["generationConfig"]["responseModalities"] == ["TEXT"]
        assert "outputAudioTranscription" not in message
        detection = message["realtimeInputConfig"]["automaticActivityDetection"]
        assert detection["startOfSpeechSensitivity"] == "START_SENSITIVITY_HIGH"

    def test_nothing_to_say_is_left_out(self) -> None:
        message = setup(Configure("req_1", ""))
        assert message.keys().isdisjoint({"systemInstruction", "tools"})

    def test_the_session_of_the_socket_before(self) -> None:
        assert setup(Configure("req_1", "Be brief.", handle="h-17"))["sessionResumption"] == {"handle": "h-17"}

    def test_a_model_that_waits_for_no_call(self) -> None:
        message = setup(model_name="gemini-3.8-live-extended-thinking")
        assert message["tools"][0]["functionDeclarations"][0]["behavior"] == "NON_BLOCKING"


class TestReconfiguration:
    def test_what_has_changed_and_nothing_else(self) -> None:
        protocol = configured()
        assert sent(protocol, Configure("req_2", "Speak French.", (WEATHER,))) == [
            {"contextUpdate": {"systemInstruction": {"parts": [{"text": "Speak French."}]}}}
        ]
        assert protocol.unanswered(Configure("req_2", "")) == [SessionConfigured()]
        assert sent(protocol, Configure("req_3", "Speak French.")) == [{"contextUpdate": {"tools": {"tools": []}}}]
        assert sent(protocol, Configure("req_4", "Speak French.")) == []
        assert protocol.unanswered(Configure("req_4", "")) == [SessionConfigured()]

    def test_a_model_that_cannot_be_changed_says_so(self) -> None:
        protocol, command = configured(model_name=OLD), Configure("req_2", "Speak French.")
        assert sent(protocol, command) == []
        assert protocol.patience(command) == 0
        [failed] = protocol.unanswered(command)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.code) == ("req_2", "unsupported")
        assert OLD in failed.message


class TestSaying:
    def test_audio(self) -> None:
        pcm = bytes(range(64))
        assert sent(configured(), AppendAudio(pcm), AppendAudio(b"")) == [
            {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": pybase64.b64encode(pcm).decode()}}}
        ]

    def test_text_waits_until_a_reply_is_asked_for(self) -> None:
        protocol = configured()
        assert sent(protocol, AppendText("i1", "One."), AppendText("i2", "Two.")) == []
        assert sent(protocol, CREATE) == [{"realtimeInput": {"text": "One.\nTwo."}}]
        assert protocol.decode(SPEECH)[:2] == [ItemAdded("i1"), ItemAdded("i2")]

    def test_text_as_content(self) -> None:
        protocol = configured(model_name=OLD)
        assert sent(protocol, AppendText("i1", "One."), AppendText("i2", "Two."), CREATE) == [
            {
                "clientContent": {
                    "turns": [{"role": "user", "parts": [{"text": "One."}, {"text": "Two."}]}],
                    "turnComplete": True,
                }
            }
        ]
        assert protocol.decode(SPEECH)[:2] == [ItemAdded("i1"), ItemAdded("i2")]

    @pytest.mark.parametrize(
        ("name", "choice", "expected"),
        [
            ("gemini-3.1-flash-live-preview", None, "realtimeInput"),
            ("models/gemini-3.8-live", None, "realtimeInput"),
            ("gemini-3.8-live", "content", "clientContent"),
            (OLD, None, "clientContent"),
            (OLD, "realtime", "realtimeInput"),
        ],
    )
    def test_how_text_goes(self, name: str, choice: Any, expected: str) -> None:
        [frame] = sent(configured(model_name=name, text_input=choice), AppendText("i1", "Hi"), CREATE)
        assert list(frame) == [expected]

    def test_to_say_nothing_and_ask_for_a_reply(self) -> None:
        assert sent(configured(model_name=OLD), CREATE) == [{"clientContent": {"turnComplete": True}}]

    def test_a_model_that_does_not_reply_to_nothing_says_so(self) -> None:
        protocol = configured()
        assert sent(protocol, CREATE) == []
        [failed] = protocol.unanswered(CREATE)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.code, failed.conflict) == ("create_1", "unsupported", None)

    def test_the_results_of_calls_wait_too(self) -> None:
        protocol = configured()
        protocol.decode(CALL)
        assert sent(protocol, AppendToolResult("i1", "c1", "get_weather", "Sunny.")) == []
        assert sent(protocol, AppendText("i2", "Well?"), CREATE) == [
            {
                "toolResponse": {
                    "functionResponses": [{"id": "c1", "name": "get_weather", "response": {"output": "Sunny."}}]
                }
            },
            {"realtimeInput": {"text": "Well?"}},
        ]
        assert protocol.decode(SPEECH)[:2] == [ItemAdded("i1"), ItemAdded("i2")]

    def test_too_much_that_waits_is_refused(self) -> None:
        protocol = configured()
        for number in range(300):
            protocol.encode(AppendText(f"i{number}", "x"))
        [failed] = protocol.unanswered(AppendText("i299", "x"))
        assert isinstance(failed, RequestFailed)
        assert failed.code == "overloaded"


PICTURE = AppendImage("i1", b"\xff\xd8\xff", "image/jpeg")
MEDIA = {"mimeType": "image/jpeg", "data": "/9j/"}


class TestPictures:
    def test_with_realtime_text_they_go_at_once(self) -> None:
        protocol = configured()
        assert sent(protocol, PICTURE) == [{"realtimeInput": {"video": MEDIA}}]
        assert protocol.unanswered(PICTURE) == [ItemAdded("i1")]

    def test_with_the_text_that_follows(self) -> None:
        protocol = configured(model_name=OLD)
        assert sent(protocol, PICTURE) == []
        assert protocol.patience(PICTURE) is None
        [frame] = sent(protocol, AppendText("i2", "What is it?"), CREATE)
        assert frame["clientContent"]["turns"][0]["parts"] == [{"inlineData": MEDIA}, {"text": "What is it?"}]

    def test_with_the_speech_that_follows(self) -> None:
        protocol = configured(model_name=OLD)
        frames = sent(protocol, AppendText("i2", "Later."), PICTURE, AppendAudio(bytes(64)), AppendAudio(bytes(64)))
        assert [list(frame["realtimeInput"]) for frame in frames] == [["video"], ["audio"], ["audio"]]
        assert protocol.decode(SPEECH)[0] == ItemAdded("i1")
        assert sent(protocol, CREATE)[0]["clientContent"]["turns"][0]["parts"] == [{"text": "Later."}]


START: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}
END: dict[str, Any] = {"realtimeInput": {"activityEnd": {}}}


class TestManualTurns:
    def kinds(self, frames: list[dict[str, Any]]) -> list[str]:
        return [next(iter(frame.get("realtimeInput", frame))) for frame in frames]

    def test_a_turn_ends_when_a_reply_to_it_is_asked_for(self) -> None:
        protocol = configured(turn_detection=Manual())
        audio, commit = AppendAudio(bytes(64)), CommitAudio("commit_1")
        assert self.kinds(sent(protocol, audio, audio, commit)) == ["activityStart", "audio", "audio"]
        assert self.kinds(sent(protocol, audio, commit)) == ["audio"]
        assert sent(protocol, CREATE) == [END]
        assert self.kinds(sent(protocol, audio)) == ["activityStart", "audio"]

    def test_nothing_was_said(self) -> None:
        protocol = configured(turn_detection=Manual(), model_name=OLD)
        assert sent(protocol, CommitAudio("commit_1"), CREATE) == [{"clientContent": {"turnComplete": True}}]

    def test_text_is_a_turn_of_its_own(self) -> None:
        protocol = configured(turn_detection=Manual())
        assert sent(protocol, AppendText("i1", "Hi"), CREATE) == [START, {"realtimeInput": {"text": "Hi"}}, END]

    def test_text_beside_speech(self) -> None:
        protocol = configured(turn_detection=Manual(), model_name=OLD)
        commands = (AppendAudio(bytes(64)), CommitAudio("commit_1"), AppendText("i1", "Hi"), CREATE)
        frames = sent(protocol, *commands)
        assert self.kinds(frames) == ["activityStart", "audio", "clientContent", "activityEnd"]
        assert frames[2]["clientContent"]["turnComplete"] is False

    def test_with_turn_detection_a_commit_ends_the_stream(self) -> None:
        assert sent(configured(), CommitAudio("commit_1")) == [{"realtimeInput": {"audioStreamEnd": True}}]


def test_a_schema_that_json_cannot_carry_is_refused() -> None:
    tool = ToolSpec("x", "x", {"type": "object", "properties": {"a": {"type": "string", "default": object()}}})
    with pytest.raises(TypeError):
        model().protocol().encode(Configure("req_1", "", (tool,)))


def test_undecodable_text_is_sent_all_the_same() -> None:
    protocol = configured()
    protocol.encode(AppendText("i1", "file-\udcff"))
    [frame] = protocol.encode(CREATE)
    assert orjson.loads(frame) == {"realtimeInput": {"text": "file-?"}}
