"""A frame of speech is read in a short way, which finds in it just what the long way finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import orjson
import pytest
from wrong_frames import Mutator

from realtime_actors.events import Configure, InvalidAudio, ModelError, ModelResponseAudioDelta
from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    RealtimeModel,
    XAIRealtimeModel,
)
from realtime_actors.providers.gemini_protocol import GeminiProtocol
from realtime_actors.providers.json_wire import JSONProtocol

Frame = dict[str, Any]


class Wire:
    """One provider's wire, and frames of a reply on it."""

    def __init__(self, model: RealtimeModel, delta: str) -> None:
        self.model = model
        speech = {"type": delta, "event_id": "e1", "response_id": "r1", "item_id": "i1", "output_index": 0}
        self.speech: Frame = {**speech, "content_index": 0, "delta": "AAAA"}
        self.others: Sequence[Frame] = (
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "response.done", "response": {"id": "r1", "status": "completed"}},
            {**self.speech, "type": delta.replace("audio", "audio_transcript")},
            {**self.speech, "response_id": "r2", "note": [1.5, {"x": [delta, "\\", "\x00", '"']}]},
        )

    def protocol(self) -> JSONProtocol:
        protocol = self.model.protocol()
        assert isinstance(protocol, JSONProtocol)
        protocol.encode(Configure("configure", "Be brief."))
        return protocol

    def frame(self, data: bytes) -> str | bytes:
        """As it comes from the socket: text, unless it cannot be."""
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def the_long_way(self, message: Frame) -> str | bytes:
        """The same with something that means nothing, but is not read in the short way."""
        return self.frame(orjson.dumps({"x-note": "é", **message}))


class GeminiWire(Wire):
    """Gemini's, which comes in binary frames."""

    def __init__(self) -> None:
        media = {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"}
        turn = {"parts": [{"inlineData": media}]}
        self.speech = {"serverContent": {"modelTurn": turn}}
        self.others = (
            {"serverContent": {"modelTurn": {**turn, "role": "model"}}},
            {"serverContent": {"modelTurn": {"parts": [{"inlineData": media}, {"inlineData": media}]}}},
            {
                "serverContent": {
                    "modelTurn": {"parts": [{"inlineData": {**media, "mimeType": "audio/pcm;rate=16000"}}]}
                }
            },
            {"serverContent": {"modelTurn": {"parts": [{"inlineData": {**media, "data": "_-8="}}]}}},
            {"serverContent": {"modelTurn": turn, "outputTranscription": {"text": "Hi"}}},
            {"serverContent": {"turnComplete": True}},
            {"serverContent": {"interrupted": True}},
        )

    def protocol(self) -> JSONProtocol:
        protocol = GeminiProtocol(GeminiRealtimeModel(api_key="AIzaSy4242424242"), "t")
        protocol.encode(Configure("configure", "Be brief."))
        protocol.decode('{"setupComplete": {}}')
        protocol.decode(orjson.dumps(self.speech))
        return protocol

    def frame(self, data: bytes) -> str | bytes:
        return data

    def the_long_way(self, message: Frame) -> str | bytes:
        match message:
            case {"serverContent": {"modelTurn": {}}}:
                content = cast(Frame, message["serverContent"])
                turn = cast(Frame, content["modelTurn"])
                message = {**message, "serverContent": {**content, "modelTurn": {"x-note": 1, **turn}}}
            case _:
                pass
        return orjson.dumps(message)


WIRES: dict[str, Callable[[], Wire]] = {
    "openai": lambda: Wire(OpenAIRealtimeModel(api_key="sk-proj-4242424242"), "response.output_audio.delta"),
    "azure preview": lambda: Wire(
        AzureOpenAIRealtimeModel(api_key="4242424242", resource="example", api_version="2025-04-01-preview"),
        "response.audio.delta",
    ),
    "dashscope": lambda: Wire(DashScopeRealtimeModel(api_key="sk-4242424242"), "response.audio.delta"),
    "xai": lambda: Wire(XAIRealtimeModel(api_key="xai-4242424242"), "response.output_audio.delta"),
    "gemini": GeminiWire,
}


@pytest.fixture(params=sorted(WIRES))
def wire(request: pytest.FixtureRequest) -> Wire:
    return WIRES[request.param]()


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_say_the_same_of_mutated_frames(wire: Wire, seed: int) -> None:
    """What is no JSON object, or has wrong values, is the same error."""
    mutator = Mutator([wire.speech, wire.speech, wire.speech, *wire.others], seed)
    heard = 0
    short, long = wire.protocol(), wire.protocol()
    for number in range(3000):
        if number % 50 == 0:  # by then the reply may have ended for good
            short, long = wire.protocol(), wire.protocol()
        data = orjson.dumps(wire.speech) if number % 5 == 0 else mutator.frame()
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            message = None
        said = short.decode(wire.frame(data))
        if isinstance(message, dict):
            assert said == long.decode(wire.the_long_way(cast(Frame, message))), data
        else:
            (error,) = said
            assert isinstance(error, ModelError)
            assert error.error_type == "protocol_error"
        heard += any(isinstance(event, ModelResponseAudioDelta) for event in said)
    assert heard > 300


@pytest.mark.parametrize(
    "more",
    [
        b'"x":' + b"[" * 5000 + b"]" * 5000,
        b'"x":"\xff"',
        b'"x":"\\ud800"',
        b'"x":01',
        b'"x":"\x01"',
        b'"x":NaN',
        b'"x" 1',
    ],
    ids=["depth", "utf-8", "surrogate", "number", "control", "nan", "colon"],
)
def test_what_is_no_json_is_an_error_in_a_field_that_nobody_reads_too(wire: Wire, more: bytes) -> None:
    frame = orjson.dumps(wire.speech)
    for place in (number for number, byte in enumerate(frame, 1) if byte == ord("{")):
        (error,) = wire.protocol().decode(wire.frame(frame[:place] + more + b"," + frame[place:]))
        assert isinstance(error, ModelError)
        assert error.error_type == "protocol_error"


def test_of_a_field_that_comes_twice_the_last_one_counts(wire: Wire) -> None:
    audio = b'"delta":"AAAA"' if b'"delta"' in orjson.dumps(wire.speech) else b'"data":"AAAA"'
    twice = orjson.dumps(wire.speech).replace(audio, audio + b"," + audio.replace(b"AAAA", b"BBBB"))
    (event,) = wire.protocol().decode(wire.frame(twice))
    assert isinstance(event, ModelResponseAudioDelta)
    assert event.payload.base64 == "BBBB"


def test_a_text_that_is_no_unicode_is_an_error(wire: Wire) -> None:
    (error,) = wire.protocol().decode(orjson.dumps(wire.speech).decode().replace("AAAA", "AA\ud800A"))
    assert isinstance(error, ModelError)


def test_broken_base64_is_found_when_the_audio_is_read(wire: Wire) -> None:
    (event,) = wire.protocol().decode(wire.frame(orjson.dumps(wire.speech).replace(b"AAAA", b"AAA!")))
    assert isinstance(event, ModelResponseAudioDelta)
    with pytest.raises(InvalidAudio):
        _ = event.delta
