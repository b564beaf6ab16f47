"""What it takes to make an event of a frame that holds 20 ms of speech, against its JSON and base64 alone."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pybase64

from realtime_actors.events import Configure, ModelResponseAudioDelta
from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    XAIRealtimeModel,
)
from realtime_actors.providers.model import RealtimeModel

from .benchmark import Benchmark, Contestant, Target, Values

__all__ = ["benchmarks"]

_TARGET = 1.3
_SECONDS, _QUICK_SECONDS = 0.25, 0.05
_AT_ONCE = 500
_NO_KEY = "no-key"

_AUDIO = pybase64.b64encode_as_string((bytes(range(256)) * 4)[:960])  # 20 ms at 24 kHz


@attrs.frozen
class _Wire:
    """A provider's wire, and the frame of it that holds the audio."""

    name: str
    model: RealtimeModel
    frame: str | bytes
    audio: Callable[[Any], str]
    """Finds the audio in the frame's JSON."""
    before: tuple[str | bytes, ...] = ()
    """Frames that come before it."""


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [_decode(wire) for wire in _wires()]


def _decode(wire: _Wire) -> Benchmark:
    return Benchmark(
        group="decode",
        name="decode",
        case=wire.name,
        about="A frame with 20 ms of speech made into its event; its base64 is opened when the audio is read.",
        measures={"time": "µs"},
        baseline="orjson and pybase64",
        contestants=[
            _contestant("protocol", lambda: _decoder(wire), ours=True),
            _contestant("orjson and pybase64", lambda: _bare(wire)),
            _contestant("protocol, audio read", lambda: _decoder_and_reader(wire), ours=True),
            _contestant("orjson", lambda: lambda: orjson.loads(wire.frame)),
        ],
        targets=[Target("protocol", "time", ratio=_TARGET)],
    )


def _contestant(name: str, prepare: Callable[[], Callable[[], object]], *, ours: bool = False) -> Contestant:
    """A contestant whose round gives the CPU time (µs) of what is prepared."""

    def play(quick: bool) -> Values:
        operate = prepare()
        _timed(operate)  # which warms up, too
        gc.collect()
        count, elapsed = 0, 0.0
        while elapsed < (_QUICK_SECONDS if quick else _SECONDS):
            elapsed += _timed(operate)
            count += _AT_ONCE
        return {"time": elapsed / count * 1e6}

    return Contestant(name, play, ours)


def _timed(operate: Callable[[], object]) -> float:
    # CPU time: nothing here waits for anything but the CPU, and what other processes do is no part of it.
    start = time.process_time()
    for _ in range(_AT_ONCE):
        operate()
    return time.process_time() - start


def _decoder(wire: _Wire) -> Callable[[], object]:
    protocol = wire.model.protocol()
    protocol.encode(Configure("configure", "Be brief."))
    for frame in wire.before:
        protocol.decode(frame)
    (event,) = protocol.decode(wire.frame)
    assert isinstance(event, ModelResponseAudioDelta) and len(event.delta) == 960  # noqa: PT018
    decode, frame = protocol.decode, wire.frame
    return lambda: decode(frame)


def _decoder_and_reader(wire: _Wire) -> Callable[[], object]:
    decode: Any = _decoder(wire)
    return lambda: decode()[0].delta


def _bare(wire: _Wire) -> Callable[[], object]:
    loads, b64decode, audio, frame = orjson.loads, pybase64.b64decode, wire.audio, wire.frame
    assert len(b64decode(audio(loads(frame)), None, True)) == 960
    # With its arguments by their places it is twice as fast.
    return lambda: b64decode(audio(loads(frame)), None, True)


def _wires() -> list[_Wire]:
    """Keys, their order and the lengths of ids as they come from the providers."""
    ids = {
        "response_id": "resp_CiEV2vBXm1z9YJyQw0Y4T",
        "item_id": "item_CiEV2h4lD0s7a8bW5Vn1x",
        "output_index": 0,
        "content_index": 0,
        "delta": _AUDIO,
    }
    event_id = {"event_id": "event_CiEV3n0a6qN1VbUZlKq3D"}
    xai = {
        "item_id": "6b9e8f04-02f3-4e4b-a9d1-4a4c1a1c7d4e",
        "response_id": "0f8e7a52-8d5c-4a63-9a9e-3f1f6b1f0c11",
        "delta": _AUDIO,
        "content_index": 0,
        "output_index": 0,
        "rid": "3c5ab6f4-20c6-4c8b-9d0e-8d2f5ce4f7b2",
        "latency": "0.70",
        "audio_duration_ms": 20,
        "ts": 1790645008060,
        "previous_item_id": None,
    }
    media = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": _AUDIO}}
    gemini = orjson.dumps({"serverContent": {"modelTurn": {"parts": [media]}}}, option=orjson.OPT_INDENT_2)
    azure = AzureOpenAIRealtimeModel(api_key=_NO_KEY, resource="example", api_version="2025-04-01-preview")
    return [
        _json(OpenAIRealtimeModel(api_key=_NO_KEY), "OpenAI", "response.output_audio.delta", {**event_id, **ids}),
        _json(azure, "Azure preview", "response.audio.delta", {**event_id, **ids}),
        _json(DashScopeRealtimeModel(api_key=_NO_KEY), "DashScope", "response.audio.delta", {**event_id, **ids}),
        _json(XAIRealtimeModel(api_key=_NO_KEY), "xAI", "response.output_audio.delta", {**event_id, **xai}),
        _Wire(
            "Gemini",
            GeminiRealtimeModel(api_key=_NO_KEY),
            gemini,
            lambda message: message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"],
            (b'{"setupComplete": {}}', gemini),
        ),
    ]


def _json(model: RealtimeModel, name: str, kind: str, fields: dict[str, Any]) -> _Wire:
    return _Wire(name, model, orjson.dumps({"type": kind, **fields}).decode(), lambda message: message["delta"])
