"""Every server frame of the hand-made fixtures, on the wire that it is of; and Gemini's sequences that go both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from realtime_actors.events import (
    PCM_24K,
    AppendToolResult,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelError,
    ModelEvent,
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
    SessionConfigured,
    SessionEnding,
    SessionResumable,
    ToolCallsCancelled,
    ToolUse,
)
from realtime_actors.providers import (
    AzureOpenAIRealtimeModel,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    RealtimeModel,
    WireProtocol,
    XAIRealtimeModel,
)
from realtime_actors.providers.gemini_protocol import GeminiProtocol

Json = dict[str, Any]
MODELS: dict[str, RealtimeModel] = {
    "openai": OpenAIRealtimeModel(api_key="k"),
    "azure": AzureOpenAIRealtimeModel(api_key="k", resource="contoso"),
    "xai": XAIRealtimeModel(api_key="k"),
    "dashscope": DashScopeRealtimeModel(api_key="k"),
    "gemini": GeminiRealtimeModel(api_key="k"),
}


def fixture(name: str) -> dict[str, list[Any]]:
    return orjson.loads(Path(__file__).with_name(f"{name}_frames.json").read_bytes())


def from_server(section: list[Any]) -> list[Json]:
    """The fixtures of some wires hold both sides, as `[side, frame]`."""
    return [
        each[1] if isinstance(each, list) else each for each in section if not isinstance(each, list) or "S" in each
    ]


SECTIONS = [
    pytest.param(name, from_server(lines), id=f"{name}-{section}")
    for name in MODELS
    for section, lines in fixture(name).items()
]


def decode(protocol: WireProtocol, *messages: Json) -> list[ModelEvent | ModelNotice]:
    return [event for message in messages for event in protocol.decode(orjson.dumps(message))]


@pytest.mark.parametrize(("name", "frames"), SECTIONS)
def test_every_frame_is_known_and_makes_sense(name: str, frames: list[Json]) -> None:
    protocol: Any = MODELS[name].protocol()
    events = decode(protocol, *frames)
    assert [event for event in events if isinstance(event, ModelError) and event.error_type == "protocol_error"] == []
    assert dict(protocol.unknown) == {}


GEMINI: dict[str, list[tuple[str, Json]]] = fixture("gemini")
SEARCH = ToolUse("function-call-5", "search", {"q": "x"}, '{"q":"x"}')


@pytest.fixture
def gemini() -> GeminiProtocol:
    protocol = GeminiProtocol(GeminiRealtimeModel(api_key="k"), "t")
    protocol.encode(Configure("req_0", "Be brief."))
    return protocol


def test_gemini_is_interrupted_by_the_result_of_a_call_that_it_did_not_wait_for(gemini: GeminiProtocol) -> None:
    frames = from_server(GEMINI["non_blocking_call"])
    assert decode(gemini, *frames[:4]) == [
        ModelResponseCreated("resp_t_1"),
        ModelResponseToolUseDelta("resp_t_1", "item_t_3", SEARCH),
        ModelResponseToolUseDone("resp_t_1", "item_t_3", SEARCH),
        ModelResponseDone("resp_t_1", 0, 0, {"status": "completed"}),
        ModelResponseCreated("resp_t_4"),
        ModelResponseAudioTranscriptDelta("resp_t_4", "item_t_5", "I am searching."),
        ModelResponseAudioDelta("resp_t_4", "item_t_5", "AAAA", PCM_24K),
        ModelResponseAudioDone("resp_t_4", "item_t_5"),
    ]
    assert gemini.encode(AppendToolResult("item_1", SEARCH.id, SEARCH.name, "found")) == []
    [frame] = gemini.encode(CreateResponse("create_1"))
    documented: Json = GEMINI["non_blocking_call"][4][1]
    [result] = documented["toolResponse"]["functionResponses"]
    del result["scheduling"]  # when to use the result is left to the model
    assert orjson.loads(frame) == documented
    assert decode(gemini, *frames[4:]) == [
        ModelResponseAudioTranscriptDone("resp_t_4", "item_t_5", "I am searching."),
        ModelResponseDone("resp_t_4", 1453, 89, {"status": "cancelled", "reason": "turn_detected"}),
        ItemAdded("item_1"),
        ModelResponseCreated("resp_t_6"),
        ModelResponseAudioTranscriptDelta("resp_t_6", "item_t_7", "Found it."),
    ]


def test_gemini_gives_calls_up(gemini: GeminiProtocol) -> None:
    decode(gemini, from_server(GEMINI["non_blocking_call"])[0])
    assert decode(gemini, *from_server(GEMINI["cancellation"])) == [ToolCallsCancelled((SEARCH.id,))]


def test_gemini_goes_away_and_the_next_socket_goes_on(gemini: GeminiProtocol) -> None:
    *last, complete = from_server(GEMINI["resumption"])
    assert decode(gemini, *last) == [
        SessionResumable("h-17"),
        SessionEnding(50.0, "the server ends the connection in 50 s"),
    ]
    following = GeminiProtocol(GeminiRealtimeModel(api_key="k"), "n")
    [frame] = following.encode(Configure("req_0", "Be brief.", handle="h-17"))
    documented: Json = GEMINI["resumption"][3][1]
    assert orjson.loads(frame)["setup"]["sessionResumption"] == documented["setup"]["sessionResumption"]
    assert decode(following, complete) == [ModelSessionCreated("sess_n_1"), SessionConfigured()]
