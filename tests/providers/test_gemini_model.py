"""What Gemini's configuration accepts, says and hides; how its refusals are told from its failures."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.providers import GeminiRealtimeModel, InvalidModel, Manual, SemanticVAD, ServerVAD

KEY = "AIzaSyVerySecretIndeed"
HOST = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage"


def model(**fields: Any) -> GeminiRealtimeModel:
    fields = {"api_key": KEY, **fields}
    return GeminiRealtimeModel(**fields)


def test_the_defaults_lead_to_google() -> None:
    assert model().endpoint() == f"{HOST}.v1beta.GenerativeService.BidiGenerateContent"
    assert list(model().headers()) == [("x-goog-api-key", KEY)]
    assert (model().input_rate, model().output_rate) == (16000, 24000)
    assert model(api_version="v1alpha").endpoint() == f"{HOST}.v1alpha.GenerativeService.BidiGenerateContent"


def test_an_ephemeral_token_has_an_endpoint_of_its_own() -> None:
    token = model(api_key="auth_tokens/secret-1")
    assert token.endpoint() == f"{HOST}.v1alpha.GenerativeService.BidiGenerateContentConstrained"
    assert list(token.headers()) == [("Authorization", "Token auth_tokens/secret-1")]


def test_another_url_is_the_whole_of_it() -> None:
    assert model(url="ws://127.0.0.1:8080/live").endpoint() == "ws://127.0.0.1:8080/live"


def test_the_key_is_in_no_url_and_no_repr() -> None:
    assert KEY not in model().endpoint()
    assert KEY not in repr(model())
    assert KEY not in repr(model().protocol())


def test_what_it_can_do() -> None:
    capabilities = model().capabilities
    assert capabilities.text
    assert capabilities.images
    assert capabilities.tools
    assert capabilities.manual_turns
    assert not capabilities.cancel
    assert not capabilities.truncate
    assert model().interrupts
    assert not model(turn_detection=Manual()).interrupts
    assert not model(turn_detection=ServerVAD(interrupt_response=False)).interrupts


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_version", "v2"),
        ("language", ""),
        ("output_modality", "video"),
        ("temperature", 3),
        ("max_output_tokens", 0),
        ("text_input", "both"),
        ("context_window_compression", 1),
        ("session_resumption", None),
        ("turn_detection", SemanticVAD()),
        ("turn_detection", ServerVAD(create_response=False)),
        ("turn_detection", ServerVAD(prefix_padding_ms=300)),
    ],
)
def test_wrong_values_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidModel) as caught:
        model(**{field: value})
    words = str(caught.value)
    assert field in words or type(value).__name__ in words or "semantic turn detection" in words
    assert KEY not in words


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1007, "API key not valid. Please pass a valid API key.", "authentication"),
        (1008, "Method doesn't allow unregistered callers (callers without established identity).", "authentication"),
        (1011, "Token has been used too many times", "authentication"),
        (1011, "You exceeded your current quota, please check your plan and billing details.", "quota"),
        (1008, "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent", "model"),
        (1007, "Request contains an invalid argument.", "protocol"),
    ],
)
def test_what_is_refused_for_good(code: int, reason: str, kind: str) -> None:
    refusal = model().closing(code, reason)
    assert refusal is not None
    assert (refusal.kind, refusal.code) == (kind, f"close code {code}")
    assert reason[:40] in refusal.message
    if kind == "authentication":
        assert "GEMINI_API_KEY" in refusal.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, ""),
        (1000, ""),
        (1011, "Deadline expired before operation could complete."),
        (1013, ""),
        (1008, "Requested entity was not found."),  # a result that met the server's giving up of its call
    ],
)
def test_what_is_worth_another_attempt(code: int | None, reason: str) -> None:
    assert model().closing(code, reason) is None


def test_refusals_of_the_handshake() -> None:
    body = b'{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID"}}'
    refusal = model().refusal(400, body)
    assert refusal is not None
    assert (refusal.kind, refusal.code) == ("authentication", "HTTP 400")
    assert "not valid" in refusal.message
    not_found = model().refusal(404, b"<html>")
    assert not_found is not None
    assert not_found.kind == "model"
    assert model().refusal(503, b"[]") is None
