"""Azure's two wires: where they are, how to be let in, and how they differ from OpenAI's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from sdk_types import BETA_CLIENT_EVENT, CLIENT_EVENT, unknown_fields
from wrong_frames import Mutator, check

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
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
    ModelInputStarted,
    ModelNotice,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    SessionConfigured,
    ToolSpec,
    ToolUse,
)
from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    InvalidModel,
    Manual,
    OpenAIRealtimeModel,
    SemanticVAD,
    ServerVAD,
    WireProtocol,
)

Json = dict[str, Any]
HERE = Path(__file__)
GA: dict[str, list[Json]] = orjson.loads(HERE.with_name("openai_frames.json").read_bytes())
AZURE: dict[str, list[Json]] = orjson.loads(HERE.with_name("azure_frames.json").read_bytes())
KEY = "azure-4242424242"
VERSION = "2025-04-01-preview"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhIn0.c2lnbmF0dXJl"
TOOL = ToolSpec("get_weather", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}})
CONFIGURE = Configure("conf", "Be brief.", (TOOL,))


def model(**fields: Any) -> AzureOpenAIRealtimeModel:
    fields = {"model_name": "my-realtime", "resource": "contoso", "api_key": KEY, **fields}
    return AzureOpenAIRealtimeModel(**fields)


def decode(protocol: WireProtocol, *messages: Json) -> list[ModelEvent | ModelNotice]:
    return [event for message in messages for event in protocol.decode(orjson.dumps(message).decode())]


class TestWhereItIs:
    @pytest.mark.parametrize(
        ("fields", "endpoint"),
        [
            ({}, "wss://contoso.openai.azure.com/openai/v1/realtime?model=my-realtime"),
            (
                {"resource": "https://contoso.cognitiveservices.azure.com/"},
                "wss://contoso.cognitiveservices.azure.com/openai/v1/realtime?model=my-realtime",
            ),
            (
                {"resource": "https://contoso.openai.azure.com/openai/v1/"},
                "wss://contoso.openai.azure.com/openai/v1/realtime?model=my-realtime",
            ),
            (
                {"api_version": VERSION},
                f"wss://contoso.openai.azure.com/openai/realtime?api-version={VERSION}&deployment=my-realtime",
            ),
            (
                {"resource": None, "url": "ws://127.0.0.1:8080/openai/v1/realtime"},
                "ws://127.0.0.1:8080/openai/v1/realtime?model=my-realtime",
            ),
            (
                {"resource": None, "url": f"ws://127.0.0.1:8080/openai/realtime?api-version={VERSION}"},
                f"ws://127.0.0.1:8080/openai/realtime?api-version={VERSION}&deployment=my-realtime",
            ),
            (
                {"url": "ws://127.0.0.1:8080/openai/realtime", "api_version": VERSION},
                f"ws://127.0.0.1:8080/openai/realtime?api-version={VERSION}&deployment=my-realtime",
            ),
        ],
    )
    def test_the_url_has_two_forms(self, fields: dict[str, Any], endpoint: str) -> None:
        configured = model(**fields)
        assert configured.endpoint() == endpoint
        assert configured.is_preview == ("api-version" in endpoint)

    def test_a_key_has_a_header_of_its_own(self) -> None:
        assert list(model().headers()) == [("api-key", KEY)]

    def test_a_token_may_be_fetched_for_every_socket(self) -> None:
        tokens = iter(["one", "two"])
        configured = model(api_key="", entra_token=lambda: next(tokens))
        assert [list(configured.headers()) for _ in range(2)] == [
            [("Authorization", "Bearer one")],
            [("Authorization", "Bearer two")],
        ]
        assert list(model(api_key="", entra_token=TOKEN).headers()) == [("Authorization", f"Bearer {TOKEN}")]

    def test_a_token_that_no_header_can_carry_is_refused_unseen(self) -> None:
        with pytest.raises(InvalidModel, match="entra_token") as caught:
            model(api_key="", entra_token=lambda: "secret\r\nX-Evil: 1").headers()
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("fields", [{}, {"api_key": "", "entra_token": TOKEN}])
    def test_neither_key_nor_token_is_shown(self, fields: dict[str, Any]) -> None:
        configured = model(**fields)
        assert KEY not in repr(configured)
        assert TOKEN not in repr(configured)
        assert KEY not in model().quoted(f"wrong: {KEY}")
        assert TOKEN not in model(api_key="", entra_token=lambda: TOKEN).quoted(f"wrong: {TOKEN}")

    @pytest.mark.parametrize(
        ("field", "fields"),
        [
            ("resource", {"resource": None}),
            ("resource", {"resource": "http://contoso.openai.azure.com"}),
            ("resource", {"resource": "contoso/../evil"}),
            ("resource", {"resource": ""}),
            ("api_key", {"api_key": ""}),
            ("api_key", {"entra_token": TOKEN}),
            ("entra_token", {"api_key": "", "entra_token": ""}),
            ("entra_token", {"api_key": "", "entra_token": 5}),
            ("api_version", {"api_version": ""}),
            ("temperature", {"temperature": 0.8}),
            ("temperature", {"temperature": 2.0, "api_version": VERSION}),
        ],
    )
    def test_wrong_values_are_named(self, field: str, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidModel, match=field):
            model(**fields)


class TestGA:
    def test_it_is_openai_s_wire(self) -> None:
        settings: dict[str, Any] = {"voice": "marin", "transcription_model": "whisper-1", "tool_choice": "auto"}
        theirs = OpenAIRealtimeModel(api_key=KEY, **settings)
        assert model(**settings).session(CONFIGURE) == theirs.session(CONFIGURE)
        for sequence in GA.values():
            assert decode(model().protocol(), *sequence) == decode(theirs.protocol(), *sequence)

    def test_what_it_says_twice_is_read_once(self) -> None:
        [part, failed] = AZURE["ga"]
        protocol = model().protocol()
        assert decode(protocol, part) == []
        assert decode(protocol, failed) == [
            ModelError(
                "input_transcription_failed",
                "DeploymentNotFound",
                "no transcript of item item_2: Input transcription failed for item 'item_2'.",
            )
        ]

    @pytest.mark.parametrize(("status", "kind"), [(401, "authentication"), (404, "model"), (429, None)])
    def test_refused_handshakes(self, status: int, kind: str | None) -> None:
        refusal = model().refusal(status, b'{"error":{"code":"DeploymentNotFound","message":"No."}}' * (status == 404))
        assert (refusal.kind if refusal is not None else None) == kind


# The beta wire's names of what `openai_frames.json` has in the GA wire's.
OLDER = {
    "response.output_audio.": "response.audio.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_text.": "response.text.",
}
PREVIEW: list[Json] = []
for _frame in (frame for sequence in GA.values() for frame in sequence):
    _kind = _frame["type"]
    for _name, _older in OLDER.items():
        _kind = _kind.replace(_name, _older)
    if _kind == "conversation.item.added":
        _kind = "conversation.item.created"
    if _kind != "conversation.item.done":
        PREVIEW.append({**_frame, "type": _kind})


class TestPreview:
    def test_older_names_mean_the_same(self) -> None:
        protocol = model(api_version=VERSION).protocol()
        protocol.encode(AppendText("ours", "Hi"))
        ids = {"response_id": "r1", "item_id": "a1", "output_index": 0, "content_index": 0}
        call = {"response_id": "r1", "item_id": "f1", "output_index": 1, "call_id": "call_1"}
        item = {"id": "f1", "type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": ""}
        assert decode(
            protocol,
            {"type": "session.created", "session": {}},
            {"type": "conversation.created", "conversation": {"id": "conv_1"}},
            {"type": "session.updated", "session": {}},
            {"type": "conversation.item.created", "item": {"id": "ours", "type": "message"}},
            {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 5},
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "rate_limits.updated", "rate_limits": []},
            {"type": "response.audio_transcript.delta", **ids, "delta": "Hi"},
            {"type": "response.audio.delta", **ids, "delta": "AAAA"},
            {"type": "response.audio.done", **ids},
            {"type": "response.audio_transcript.done", **ids, "transcript": "Hi."},
            {"type": "response.text.delta", **ids, "delta": "Hi"},
            {"type": "response.text.done", **ids, "text": "Hi."},
            {"type": "response.output_item.added", "response_id": "r1", "item": item},
            {"type": "response.function_call_arguments.delta", **call, "delta": "{}"},
            {"type": "response.function_call_arguments.done", **call, "arguments": "{}"},
            {"type": "response.done", "response": {"id": "r1", "status": "completed", "usage": {"input_tokens": 3}}},
        )[1:] == [
            SessionConfigured(),
            ItemAdded("ours"),
            ModelInputStarted("u1", 5),
            ModelResponseCreated("r1"),
            ModelResponseAudioTranscriptDelta("r1", "a1", "Hi"),
            ModelResponseAudioDelta("r1", "a1", bytes(3)),
            ModelResponseAudioDone("r1", "a1"),
            ModelResponseAudioTranscriptDone("r1", "a1", "Hi."),
            ModelResponseAudioTranscriptDelta("r1", "a1", "Hi"),
            ModelResponseAudioTranscriptDone("r1", "a1", "Hi."),
            ModelResponseToolUseDelta("r1", "f1", ToolUse("call_1", "get_weather", raw_input="{}")),
            ModelResponseToolUseDone("r1", "f1", ToolUse("call_1", "get_weather", {}, "{}")),
            ModelResponseDone("r1", 3, 0, {"status": "completed"}),
        ]
        assert model(api_version=VERSION).protocol().unknown == {}

    def test_the_session_is_flat(self) -> None:
        configured = model(
            api_version=VERSION,
            voice="alloy",
            turn_detection=ServerVAD(silence_duration_ms=400),
            transcription_language="de",
            max_output_tokens=200,
            temperature=0.8,
            extra={"tracing": "auto"},
        )
        assert configured.beta_session(CONFIGURE) == {
            "instructions": "Be brief.",
            "modalities": ["text", "audio"],
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1", "language": "de"},
            "turn_detection": {
                "type": "server_vad",
                "silence_duration_ms": 400,
                "create_response": True,
                "interrupt_response": True,
            },
            "temperature": 0.8,
            "max_response_output_tokens": 200,
            "tracing": "auto",
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "Weather",
                    "parameters": TOOL.parameters,
                }
            ],
        }


MODELS: list[dict[str, Any]] = [
    {},
    {"turn_detection": Manual(), "enable_input_audio_transcription": False, "voice": "alloy"},
    {"turn_detection": SemanticVAD("low"), "noise_reduction": "near_field", "output_modality": "text"},
    {"max_output_tokens": 300, "speed": 1.1, "tool_choice": "required", "transcription_language": "de"},
]
COMMANDS: list[ModelCommand] = [
    AppendAudio(b"\x01\x02" * 480),
    CommitAudio("req_2"),
    AppendText("item_1", "Hello"),
    AppendImage("item_2", b"\x89PNG\r\n", "image/png"),
    AppendToolResult("item_3", "call_1", "get_weather", "12 °C"),
    CreateResponse("req_3"),
    CancelResponse("req_4", "resp_1"),
]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(
    ("command", "fields"), [*((CONFIGURE, fields) for fields in MODELS), *((command, {}) for command in COMMANDS)]
)
def test_the_official_types_know_every_field(command: ModelCommand, fields: dict[str, Any], preview: bool) -> None:
    configured = model(api_version=VERSION if preview else None, **fields)
    if isinstance(command, AppendImage) and not configured.capabilities.images:
        return  # it is not asked to
    [frame] = configured.protocol().encode(command)
    event = (BETA_CLIENT_EVENT if preview else CLIENT_EVENT).validate_json(frame, strict=True)
    assert set(unknown_fields(event)) == set()


@pytest.mark.parametrize("seed", range(20))
def test_mutated_frames_of_the_preview(seed: int) -> None:
    """A hundred thousand in all, the same every time."""
    protocol = model(api_version=VERSION).protocol()
    mutator = Mutator(PREVIEW, seed)
    for _ in range(5000):
        check(protocol.decode(mutator.frame()))
    assert protocol.decode('{"type":"session.updated"}') == [SessionConfigured()]
