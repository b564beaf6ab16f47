"""What we send to OpenAI, judged by the client event types of its official SDK."""

from __future__ import annotations

from typing import Any

import orjson
import pybase64
import pytest
from sdk_types import CLIENT_EVENT, unknown_fields

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    ModelCommand,
    ToolSpec,
)
from realtime_actors.providers import Manual, OpenAIRealtimeModel, SemanticVAD, ServerVAD

WEATHER = ToolSpec(
    "get_weather",
    "Weather in a city, now.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CONFIGURE = Configure("req_1", "Be brief.", (WEATHER,))


def model(**fields: Any) -> OpenAIRealtimeModel:
    return OpenAIRealtimeModel(api_key="sk-test", **fields)


def sent(command: ModelCommand, **fields: Any) -> dict[str, Any]:
    [frame] = model(**fields).protocol().encode(command)
    assert isinstance(frame, str)  # OpenAI wants text frames
    return orjson.loads(frame)


MODELS: list[dict[str, Any]] = [
    {},
    {"turn_detection": Manual(), "enable_input_audio_transcription": False, "voice": None},
    {"turn_detection": ServerVAD(0.4, 200, 350, create_response=False, interrupt_response=False)},
    {"turn_detection": SemanticVAD("low", interrupt_response=False), "transcription_language": "de"},
    {"output_modality": "text", "max_output_tokens": 200, "tool_choice": "required"},
    {"speed": 1.2, "noise_reduction": "far_field", "voice": "voice_1234", "transcription_model": "whisper-1"},
    {"extra": {"truncation": "disabled", "audio": {"input": {"turn_detection": {"idle_timeout_ms": 8000}}}}},
    {"extra": {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x.example"}]}},
]
COMMANDS: list[ModelCommand] = [
    AppendAudio(b"\x01\x02" * 480),
    CommitAudio("req_2"),
    AppendText("item_1", 'Hello "you" \\ \u2028 \x00 é 🎤'),
    AppendImage("item_2", b"\x89PNG\r\n", "image/png"),
    AppendToolResult("item_3", "call_1", "get_weather", "12 °C"),
    CreateResponse("req_3"),
    CancelResponse("req_4", "resp_1"),
]


@pytest.mark.parametrize(
    ("command", "fields"), [*((CONFIGURE, fields) for fields in MODELS), *((command, {}) for command in COMMANDS)]
)
def test_the_official_types_know_every_field(command: ModelCommand, fields: dict[str, Any]) -> None:
    message = sent(command, **fields)
    event = CLIENT_EVENT.validate_python(message, strict=True)
    assert list(unknown_fields(event)) == []
    assert event.model_dump(exclude_unset=True, by_alias=True) == message


def test_the_official_types_find_what_is_wrong() -> None:
    """The check above can fail."""
    message = sent(CONFIGURE, extra={"audio": {"input": {"volume": 5}}, "shape": "round"})
    event = CLIENT_EVENT.validate_python(message, strict=True)
    assert set(unknown_fields(event)) == {"session.shape", "session.audio.input.volume"}


def test_a_configuration_is_whole_and_carries_its_id() -> None:
    message = sent(CONFIGURE, tool_choice="auto")
    assert message["type"] == "session.update"
    assert message["event_id"] == "req_1"
    assert message["session"] == model(tool_choice="auto").session(CONFIGURE)
    assert message["session"]["tools"] == [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Weather in a city, now.",
            "parameters": WEATHER.parameters,
        }
    ]


def test_audio_is_base64_in_an_append() -> None:
    audio = bytes(range(256)) * 20
    message = sent(AppendAudio(audio))
    assert message == {"type": "input_audio_buffer.append", "audio": pybase64.b64encode_as_string(audio)}


def test_no_audio_needs_no_frame() -> None:
    assert model().protocol().encode(AppendAudio(b"")) == []


def test_items_have_our_id_and_are_named_by_it_in_errors() -> None:
    text, image, result = (sent(command) for command in COMMANDS[2:5])
    assert [(m["event_id"], m["item"]["id"]) for m in (text, image, result)] == [
        ("item_1", "item_1"),
        ("item_2", "item_2"),
        ("item_3", "item_3"),
    ]
    assert text["item"]["content"] == [{"type": "input_text", "text": 'Hello "you" \\ \u2028 \x00 é 🎤'}]
    [part] = image["item"]["content"]
    assert part == {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0K"}
    assert result["item"]["call_id"] == "call_1"
    assert result["item"]["output"] == "12 °C"


def test_a_cancel_names_the_response() -> None:
    assert sent(CancelResponse("req_4", "resp_1")) == {
        "type": "response.cancel",
        "event_id": "req_4",
        "response_id": "resp_1",
    }


def test_text_that_utf8_cannot_carry_is_sent_with_marks() -> None:
    """A tool that names a file with undecodable bytes ends nothing."""
    assert sent(AppendToolResult("i", "c", "ls", "caf\udce9.txt"))["item"]["output"] == "caf?.txt"


def test_a_schema_that_is_not_json_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        sent(Configure("r", "", (ToolSpec("t", "", {"default": object()}),)))
