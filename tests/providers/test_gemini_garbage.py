"""Whatever comes from Gemini's socket, decoding it raises nothing and gives events that can be sent on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wrong_frames import REMOVED, Mutator, check, json_values, places, replace

from realtime_actors.events import (
    AppendText,
    Configure,
    CreateResponse,
    ModelError,
    ModelEvent,
    ModelNotice,
    ModelResponseCreated,
    ModelResponseDone,
    ToolCallsCancelled,
)
from realtime_actors.providers import GeminiRealtimeModel
from realtime_actors.providers.gemini_protocol import GeminiProtocol

SEQUENCES: dict[str, list[tuple[str, dict[str, Any]]]] = orjson.loads(
    Path(__file__).with_name("gemini_frames.json").read_bytes()
)
FRAMES = [message for sequence in SEQUENCES.values() for side, message in sequence if side == "S"]
MODEL = GeminiRealtimeModel(api_key="AIzaSy4242424242")

strings_of_the_wire = st.sampled_from(
    ["", "ACTIVITY_START", "audio/pcm;rate=24000", "50s", "call_1", "MALFORMED_FUNCTION_CALL", "h-17", "{}"]
)


def protocol_of() -> GeminiProtocol:
    protocol = GeminiProtocol(MODEL, "t")
    protocol.encode(Configure("req_1", ""))
    protocol.encode(AppendText("item_1", "Hi"))
    protocol.encode(CreateResponse("create_1"))
    return protocol


def judge(events: list[ModelEvent | ModelNotice]) -> None:
    check([event for event in events if not isinstance(event, ToolCallsCancelled)])
    for event in events:
        if isinstance(event, ToolCallsCancelled):
            assert all(isinstance(call_id, str) for call_id in event.call_ids)


# How long an example takes says nothing on a machine that is shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def broken_frames(draw: st.DrawFn) -> Any:
    """A real frame in which some values are others, or missing."""
    message = orjson.loads(orjson.dumps(draw(st.sampled_from(FRAMES))))
    for _ in range(draw(st.integers(0, 3))):
        if found := places(message):
            replace(message, draw(st.sampled_from(found)), draw(st.just(REMOVED) | strings_of_the_wire | json_values))
    return message


@PATIENT
@given(st.lists(broken_frames(), max_size=30))
def test_real_frames_with_wrong_values(messages: list[Any]) -> None:
    """Whatever they are, replies have one beginning, one end, and nothing outside of these."""
    protocol, alive, over = protocol_of(), set[str](), set[str]()
    for message in messages:
        events = protocol.decode(orjson.dumps(message))
        judge(events)
        for event in events:
            response_id = attrs.asdict(event, recurse=False).get("response_id")
            if isinstance(event, ModelResponseCreated):
                assert event.response_id not in alive | over
                alive.add(event.response_id)
            elif response_id is not None:
                assert response_id in alive
                if isinstance(event, ModelResponseDone):
                    alive.remove(event.response_id)
                    over.add(event.response_id)


@PATIENT
@given(st.binary() | st.text() | json_values.filter(lambda value: not isinstance(value, dict)).map(orjson.dumps))
def test_arbitrary_frames(frame: bytes | str) -> None:
    if frame in (b"{}", "{}"):
        return
    [error] = MODEL.protocol().decode(frame)
    assert isinstance(error, ModelError)
    judge([error])


@PATIENT
@given(st.sampled_from(sorted(GeminiProtocol.readers)), json_values)
def test_real_keys_with_arbitrary_values(key: str, value: Any) -> None:
    judge(protocol_of().decode(orjson.dumps({key: value})))


@PATIENT
@given(st.lists(st.binary() | st.text(), max_size=len(FRAMES)))
def test_garbage_between_frames_changes_nothing(garbage: list[bytes | str]) -> None:
    clean, disturbed = protocol_of(), protocol_of()
    for number, message in enumerate(FRAMES):
        if number < len(garbage) and garbage[number] not in (b"{}", "{}"):
            disturbed.decode(garbage[number])
        frame = orjson.dumps(message)
        assert disturbed.decode(frame) == clean.decode(frame)


@pytest.mark.parametrize("seed", range(10))
def test_mutated_frames(seed: int) -> None:
    """Ten thousand for each seed, through ten sockets."""
    mutator = Mutator([frame for frame in FRAMES if frame], seed)
    for _ in range(10):
        protocol = protocol_of()
        for _ in range(1000):
            judge(protocol.decode(mutator.frame()))
