"""What a model's configuration accepts, says and hides; how a provider's refusals are told from its failures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.actors.errors import RealtimeError
from realtime_actors.events import Configure, ToolSpec
from realtime_actors.providers import (
    InvalidModel,
    Manual,
    OpenAIRealtimeModel,
    ProviderError,
    ProviderRefused,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
)

KEY = "sk-proj-4242424242"


def model(**fields: Any) -> OpenAIRealtimeModel:
    fields = {"api_key": KEY, **fields}
    return OpenAIRealtimeModel(**fields)


class TestConfiguration:
    def test_the_defaults_lead_to_openai(self) -> None:
        assert model().endpoint() == "wss://api.openai.com/v1/realtime?model=gpt-realtime"
        assert list(model().headers()) == [("Authorization", f"Bearer {KEY}")]
        assert (model().input_rate, model().output_rate) == (24000, 24000)
        capabilities = attrs.asdict(model().capabilities)
        assert [name for name, can in capabilities.items() if can is False] == ["resumption"]

    def test_organization_and_project_are_headers(self) -> None:
        headers = dict(model(organization="org-1", project="proj_2").headers())
        assert headers["OpenAI-Organization"] == "org-1"
        assert headers["OpenAI-Project"] == "proj_2"

    @pytest.mark.parametrize(
        ("url", "endpoint"),
        [
            ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080?model=gpt-realtime"),
            ("ws://[::1]:8080/v1/realtime", "ws://[::1]:8080/v1/realtime?model=gpt-realtime"),
            ("wss://proxy.example/x?team=a%20b", "wss://proxy.example/x?team=a+b&model=gpt-realtime"),
            ("wss://proxy.example/x?model=mine", "wss://proxy.example/x?model=mine"),
        ],
    )
    def test_another_url_gets_the_model_unless_it_names_one(self, url: str, endpoint: str) -> None:
        assert model(url=url).endpoint() == endpoint

    def test_a_model_name_is_escaped_in_the_url(self) -> None:
        assert model(model_name="a&b=c/é").endpoint().endswith("?model=a%26b%3Dc%2F%C3%A9")

    @pytest.mark.parametrize(
        ("detection", "interrupts"),
        [
            (ServerVAD(), True),
            (SemanticVAD(), True),
            (ServerVAD(interrupt_response=False), False),
            (SemanticVAD(interrupt_response=False), False),
            (Manual(), False),
        ],
    )
    def test_turn_detection_says_who_interrupts(self, detection: TurnDetection, interrupts: bool) -> None:
        assert model(turn_detection=detection).interrupts is interrupts

    def test_the_key_is_in_no_repr(self) -> None:
        configured = model(extra={"tools": [{"type": "mcp", "authorization": KEY}]})
        assert KEY not in repr(configured)
        assert KEY not in repr(configured.protocol())
        assert KEY not in repr(model(url=f"wss://proxy.example/v1?key={KEY}"))

    def test_it_can_be_hashed_and_compared_and_changed_into_another(self) -> None:
        assert model(extra={"a": 1}) == model(extra={"a": 1})
        assert len({model(extra={"a": 1}), model(extra={"a": 1})}) == 1
        assert attrs.evolve(model(), voice="cedar").voice == "cedar"

    def test_extra_is_what_it_was_when_the_model_was_made(self) -> None:
        extra = {"audio": {"output": {"speed": 1}}}
        configured = model(extra=extra)
        extra["audio"]["output"]["speed"] = 2
        assert configured.extra == {"audio": {"output": {"speed": 1}}}

    def test_each_protocol_is_new(self) -> None:
        configured = model()
        assert configured.protocol() is not configured.protocol()


WRONG: list[tuple[str, Any]] = [
    *[("model_name", value) for value in ("", "  ", None, 5, b"gpt")],
    *[("api_key", value) for value in ("", None, 5, "sk-1\n", "sk 1", "sk-é", "sk-1\r\nX-Evil: 1")],
    *[("voice", value) for value in ("", 5, b"marin", ["marin"])],
    *[("enable_input_audio_transcription", value) for value in (None, 1, "yes")],
    *[("turn_detection", value) for value in (None, "server_vad", {"type": "server_vad"}, ServerVAD)],
    *[("url", value) for value in ("", "http://x", "x", "ws://", "ws://:80", "ws://h:99999", "ws://h:x", 5)],
    *[("url", value) for value in ("ws://h/a b", "ws://h/\n", "ws://h/#f", "ws://[::1", "wss://user:secret@h/")],
    *[("extra", value) for value in (None, ["x"], "x", {"a": object()}, {1: 2}, {"a": {"b": {3}}})],
    *[("organization", value) for value in ("", "org 1", 5)],
    *[("project", value) for value in ("", "a\nb")],
    *[("transcription_model", value) for value in ("", None)],
    *[("transcription_language", value) for value in ("", 5)],
    *[("output_modality", value) for value in ("video", None, ["audio"])],
    *[("max_output_tokens", value) for value in (0, -1, 4097, 1.5, True, "inf")],
    *[("speed", value) for value in (0, 0.2, 1.6, -1, math.nan, True, "1")],
    *[("noise_reduction", value) for value in ("loud", 1, ["near_field"])],
    *[("tool_choice", value) for value in ("maybe", 1)],
]


class TestWrongValues:
    @pytest.mark.parametrize(("field", "value"), WRONG)
    def test_a_wrong_value_is_named_when_the_model_is_made(self, field: str, value: Any) -> None:
        with pytest.raises(InvalidModel, match=field) as caught:
            model(**{field: value})
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            (ServerVAD, {"threshold": -0.1}),
            (ServerVAD, {"threshold": 1.1}),
            (ServerVAD, {"threshold": math.nan}),
            (ServerVAD, {"threshold": "0.5"}),
            (ServerVAD, {"prefix_padding_ms": -1}),
            (ServerVAD, {"silence_duration_ms": -1}),
            (ServerVAD, {"silence_duration_ms": 0.5}),
            (ServerVAD, {"silence_duration_ms": True}),
            (ServerVAD, {"create_response": None}),
            (ServerVAD, {"interrupt_response": 1}),
            (SemanticVAD, {"eagerness": "eager"}),
            (SemanticVAD, {"eagerness": 1}),
            (SemanticVAD, {"create_response": "no"}),
        ],
    )
    def test_turn_detection_with_wrong_values(
        self, kind: type[ServerVAD | SemanticVAD], fields: Mapping[str, Any]
    ) -> None:
        with pytest.raises(InvalidModel, match=f"{kind.__name__}.{next(iter(fields))}"):
            kind(**fields)

    def test_a_wrong_key_is_not_repeated_and_where_to_get_one_is_said(self) -> None:
        with pytest.raises(InvalidModel) as caught:
            model(api_key="sk-very secret")
        assert "very" not in str(caught.value)
        with pytest.raises(InvalidModel, match="OPENAI_API_KEY"):
            model(api_key="")

    def test_the_error_is_a_value_error_and_ours(self) -> None:
        assert issubclass(InvalidModel, ValueError)
        assert issubclass(InvalidModel, ProviderError)
        assert issubclass(ProviderError, RealtimeError)

    def test_the_base_class_is_no_model(self) -> None:
        with pytest.raises(TypeError, match="abstract"):
            RealtimeModel(model_name="x", api_key="y")  # pyright: ignore[reportAbstractUsage] # this is the test


json_values = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "code", "message", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def error_body(code: str | None, message: str = "No.") -> bytes:
    return orjson.dumps({"error": {"type": "invalid_request_error", "code": code, "message": message}})


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (401, b"", "authentication"),
            (403, b"forbidden", "authentication"),
            (404, b"", "model"),
            (402, b"", "quota"),
            (429, b"", None),
            (429, error_body("rate_limit_exceeded"), None),
            (429, error_body("insufficient_quota"), "quota"),
            (400, error_body("model_not_found"), "model"),
            (400, error_body("beta_api_shape_disabled"), "protocol"),
            (400, b"", "configuration"),
            (200, b"<html>", "configuration"),
            (301, b"", "configuration"),
            (426, b"", "configuration"),
            (408, b"", None),
            (500, b"", None),
            (502, b"<html>bad gateway</html>", None),
            (503, error_body(None), None),
            (401, b"\xff\xfe", "authentication"),
            (401, b"[]", "authentication"),
            (401, b'{"error":null}', "authentication"),
            (401, b'{"error":"no"}', "authentication"),
            (401, b'{"error":{"code":5,"message":{}}}', "authentication"),
        ],
    )
    def test_a_refused_handshake(self, status: int, body: bytes, kind: str | None) -> None:
        refusal = model().refusal(status, body)
        assert (refusal and refusal.kind) == kind

    def test_the_message_says_what_to_do_and_never_the_key(self) -> None:
        refusal = model().refusal(401, error_body("invalid_api_key", f"Incorrect API key: {KEY}."))
        assert isinstance(refusal, ProviderRefused)
        assert refusal.code == "invalid_api_key"
        assert "OPENAI_API_KEY" in str(refusal)
        assert "Incorrect API key" in str(refusal)
        assert KEY not in str(refusal) + repr(refusal)

    def test_a_long_answer_is_shortened(self) -> None:
        refusal = model().refusal(403, error_body("x", "no\n" * 100_000))
        assert refusal is not None
        assert len(str(refusal)) < 1000
        assert "\n" not in str(refusal)

    def test_a_key_at_the_edge_of_what_is_quoted_is_not_cut_into(self) -> None:
        for body in (b"x" * 490 + KEY.encode(), error_body(None, "x" * 490 + KEY)):
            refusal = model().refusal(401, body)
            assert refusal is not None
            assert "sk-" not in str(refusal)

    @given(st.integers(100, 599), st.binary() | json_values.map(orjson.dumps), st.text())
    def test_any_answer_can_be_judged(self, status: int, body: bytes, reason: str) -> None:
        for judged in (model().refusal(status, body), model().closing(status * 10, reason)):
            assert judged is None or str(judged)

    @pytest.mark.parametrize(
        ("code", "reason", "kind"),
        [
            (None, "", None),
            (1000, "", None),
            (1001, "Your session hit the maximum duration of 60 minutes.", None),
            (1005, "", None),
            (1006, "", None),
            (1011, "internal", None),
            (1012, "", None),
            (1013, "", None),
            (1015, "", None),
            (3000, "invalid_request_error.invalid_api_key", "authentication"),
            (4000, "", "protocol"),
            (4000, "invalid_request_error.beta_api_shape_disabled", "protocol"),
            (1000, "insufficient_quota", "quota"),
            (1002, "", "protocol"),
            (1008, "policy", "protocol"),
            (1009, "", "protocol"),
            (4999, "", None),
        ],
    )
    def test_a_closed_socket(self, code: int | None, reason: str, kind: str | None) -> None:
        refusal = model().closing(code, reason)
        assert (refusal and refusal.kind) == kind

    @pytest.mark.parametrize(
        ("code", "kind"), [*OpenAIRealtimeModel.fatal_codes.items(), ("invalid_value", "configuration")]
    )
    def test_a_code_says_its_kind(self, code: str, kind: str) -> None:
        refusal = model().refused(code, "Because.")
        assert refusal.kind == kind
        assert refusal.code == code
        assert "Because." in str(refusal)


class TestSession:
    def test_what_is_not_set_is_left_to_openai(self) -> None:
        assert model().session(Configure("r1", "Be brief.")) == {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {
                        "type": "server_vad",
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
            },
            "tools": [],
        }

    def test_off_is_said_with_null(self) -> None:
        session = model(enable_input_audio_transcription=False, turn_detection=Manual(), voice=None).session(
            Configure("r1", "")
        )
        assert session["audio"]["input"]["transcription"] is None
        assert session["audio"]["input"]["turn_detection"] is None
        assert "voice" not in session["audio"]["output"]

    def test_a_custom_voice_goes_by_its_id(self) -> None:
        session = model(voice="voice_1234").session(Configure("r1", ""))
        assert session["audio"]["output"]["voice"] == {"id": "voice_1234"}

    def test_extra_is_merged_into_what_is_there(self) -> None:
        extra = {
            "audio": {"input": {"turn_detection": {"idle_timeout_ms": 8000, "threshold": 0.9}}},
            "tools": [{"type": "mcp", "server_label": "x"}],
            "truncation": "disabled",
            "instructions": None,
        }
        tool = ToolSpec("now", "The time.", {"type": "object"})
        session = model(extra=extra, turn_detection=ServerVAD(threshold=0.5)).session(Configure("r1", "Hi", (tool,)))
        assert session["audio"]["input"]["turn_detection"] == {
            "type": "server_vad",
            "threshold": 0.9,
            "idle_timeout_ms": 8000,
            "create_response": True,
            "interrupt_response": True,
        }
        assert session["audio"]["output"]["voice"] == "marin"
        assert [tool["type"] for tool in session["tools"]] == ["function", "mcp"]
        assert session["truncation"] == "disabled"
        assert session["instructions"] is None
