"""The configuration of DashScope's models: addresses, settings, capabilities, refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from realtime_actors.events import Configure, ToolSpec
from realtime_actors.providers import DashScopeRealtimeModel, InvalidModel, Manual, SemanticVAD, ServerVAD

KEY = "sk-4242424242"
WEATHER = ToolSpec("get_weather", "Weather in a city.", {"type": "object", "properties": {}})


def model(**fields: Any) -> DashScopeRealtimeModel:
    return DashScopeRealtimeModel(api_key=KEY, **fields)


def session(*tools: ToolSpec, **fields: Any) -> dict[str, Any]:
    """What is sent to set up a session."""
    [frame] = model(**fields).protocol().encode(Configure("req_1", "Be brief.", tools))
    update = orjson.loads(frame)
    assert (update["type"], update["event_id"]) == ("session.update", "req_1")
    return update["session"]


class TestAddress:
    def test_each_region_has_its_own(self) -> None:
        path = "/api-ws/v1/realtime?model=qwen3-omni-flash-realtime"
        assert model().endpoint() == f"wss://dashscope.aliyuncs.com{path}"
        assert model(region="ap-southeast-1").endpoint() == f"wss://dashscope-intl.aliyuncs.com{path}"

    def test_a_workspace_has_its_own_host(self) -> None:
        mine = model(workspace="ws-42", region="ap-southeast-1", model_name="qwen3.5-omni-plus-realtime")
        host = "ws-42.ap-southeast-1.maas.aliyuncs.com"
        assert mine.endpoint() == f"wss://{host}/api-ws/v1/realtime?model=qwen3.5-omni-plus-realtime"
        assert ("X-DashScope-WorkSpace", "ws-42") in mine.headers()

    def test_a_url_counts_more(self) -> None:
        assert model(url="ws://127.0.0.1:9/x?model=y").endpoint() == "ws://127.0.0.1:9/x?model=y"

    def test_the_key_is_in_a_header_only(self) -> None:
        assert list(model().headers()) == [("Authorization", f"Bearer {KEY}")]
        assert KEY not in repr(model())


class TestSession:
    def test_defaults(self) -> None:
        assert session() == {
            "modalities": ["text", "audio"],
            "instructions": "Be brief.",
            "input_audio_format": "pcm",
            "output_audio_format": "pcm",
            "input_audio_transcription": {"model": None},
            "turn_detection": {"type": "server_vad"},
        }

    def test_settings(self) -> None:
        fields = session(
            voice="Cherry",
            enable_input_audio_transcription=False,
            output_modality="text",
            temperature=0.5,
            max_output_tokens=100,
            turn_detection=ServerVAD(0.2, 300, 800, create_response=False, interrupt_response=False),
            extra={"smooth_output": True, "turn_detection": {"threshold": -0.5}},
        )
        detection = {
            "type": "server_vad",
            "threshold": -0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 800,
            "create_response": False,
            "interrupt_response": False,
        }
        assert fields["modalities"] == ["text"]
        assert fields["input_audio_transcription"] is None
        assert fields["turn_detection"] == detection
        assert (fields["voice"], fields["temperature"], fields["max_tokens"]) == ("Cherry", 0.5, 100)
        assert fields["smooth_output"] is True

    def test_turn_detection(self) -> None:
        assert session(turn_detection=Manual())["turn_detection"] is None
        semantic = session(model_name="qwen3.5-omni-flash-realtime", turn_detection=SemanticVAD())
        assert semantic["turn_detection"] == {"type": "semantic_vad"}

    def test_tools_are_nested(self) -> None:
        [tool, other] = session(WEATHER, extra={"tools": [{"type": "mcp"}]})["tools"]
        parameters: dict[str, Any] = {"type": "object", "properties": {}}
        function = {"name": "get_weather", "description": "Weather in a city.", "parameters": parameters}
        assert tool == {"type": "function", "function": function}
        assert other == {"type": "mcp"}


@pytest.mark.parametrize(
    ("name", "newer"),
    [
        ("qwen-omni-turbo-realtime", False),
        ("qwen3-omni-flash-realtime", False),
        ("qwen3-omni-flash-realtime-2025-12-01", False),
        ("qwen3.5-omni-flash-realtime", True),
        ("qwen3.5-omni-plus-realtime", True),
        ("qwen3.8-omni-flash-realtime", True),
    ],
)
def test_what_a_model_can_do_follows_from_its_name(name: str, newer: bool) -> None:
    capabilities = model(model_name=name).capabilities
    assert (capabilities.text, capabilities.tools) == (newer, newer)
    assert (capabilities.images, capabilities.cancel, capabilities.manual_turns) == (True, True, True)
    assert capabilities.truncate is False
    assert (capabilities.image_types, capabilities.largest_image) == ({"image/jpeg"}, 196608)
    assert (model().input_rate, model().output_rate) == (16000, 24000)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api_key": ""}, "DASHSCOPE_API_KEY"),
        ({"region": "mars"}, "cn-beijing or ap-southeast-1"),
        ({"region": None}, "region"),
        ({"workspace": "a.b/c"}, "workspace"),
        ({"output_modality": "smell"}, "audio or text"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"model_name": "qwen-omni-turbo-realtime", "temperature": 1}, "leave them out"),
        ({"transcription_model": ""}, "transcription_model"),
        ({"turn_detection": ServerVAD(silence_duration_ms=100)}, "from 200 to 6000"),
        ({"turn_detection": SemanticVAD()}, "no semantic turn detection"),
        ({"model_name": "qwen3.5-omni-flash-realtime", "turn_detection": SemanticVAD("low")}, "no eagerness"),
    ],
)
def test_what_the_model_does_not_have_is_refused_when_it_is_made(fields: dict[str, Any], words: str) -> None:
    everything: dict[str, Any] = {"api_key": KEY, **fields}
    with pytest.raises(InvalidModel, match=words):
        DashScopeRealtimeModel(**everything)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1000, "", None),
        (1011, "Internal error", None),
        (1007, "<50002> InternalError.Algo.ModelServingError: try later", None),
        (1007, "<400> InternalError.Algo.InvalidParameter: wrong voice", "configuration"),
        (1007, "The free tier of the model has been exhausted.", "quota"),
        (1007, "AllocationQuota.FreeTierOnly", "quota"),
        (1007, "Arrearage", "quota"),
        (1008, "", "protocol"),
        (None, "Model.AccessDenied", "model"),
    ],
)
def test_which_closes_are_for_good(code: int | None, reason: str, kind: str | None) -> None:
    refusal = model().closing(code, reason)
    assert (refusal.kind if refusal else None) == kind


def test_a_refused_handshake() -> None:
    body = b'{"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}'
    refusal = model().refusal(401, body)
    assert refusal is not None
    assert (refusal.kind, refusal.code) == ("authentication", "InvalidApiKey")
    assert "DASHSCOPE_API_KEY" in refusal.message
    arrears = model().refusal(400, b'{"code": "Arrearage", "message": "Access denied."}')
    assert arrears is not None
    assert arrears.kind == "quota"


def test_the_document_s_configuration_is_one() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "providers" / "dashscope.md"
    namespace: dict[str, Any] = {}
    for snippet in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(snippet, page.name, "exec"), namespace)  # noqa: S102 - it is our own
    assert namespace["model"].endpoint().startswith("wss://dashscope-intl.aliyuncs.com/")
    trio.run(namespace["serve"], 0.05)
