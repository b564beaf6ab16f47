"""Whatever comes from the socket, decoding it raises nothing and gives events that can be sent on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wrong_frames import REMOVED, Mutator, check, json_values, places, replace

from realtime_actors.events import AppendText, ModelError, ModelResponseToolUseDone, SessionConfigured
from realtime_actors.providers import OpenAIRealtimeModel

SEQUENCES: dict[str, list[dict[str, Any]]] = orjson.loads(Path(__file__).with_name("openai_frames.json").read_bytes())
FRAMES = [message for sequence in SEQUENCES.values() for message in sequence]
MODEL = OpenAIRealtimeModel(api_key="sk-proj-4242424242")

# Values that mean something in one place are the likeliest to be wrong in another.
strings_of_the_wire = st.sampled_from(
    ["", "function_call", "message", "completed", "failed", "in_progress", "item_f1", "call_9", "resp_R3", "{}", "["]
)


@st.composite
def broken_frames(draw: st.DrawFn) -> Any:
    """A real frame in which some values are others, or missing."""
    message = orjson.loads(orjson.dumps(draw(st.sampled_from(FRAMES))))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(message) or [("type",)]))
        replace(message, path, draw(st.just(REMOVED) | strings_of_the_wire | json_values))
    return message


@given(st.lists(broken_frames(), max_size=30))
def test_real_frames_with_wrong_values(messages: list[dict[str, Any]]) -> None:
    protocol = MODEL.protocol()
    protocol.encode(AppendText("item_u2", "Say hi"))
    reported: Counter[str] = Counter()
    for message in messages:
        events = protocol.decode(orjson.dumps(message).decode())
        check(events)
        reported.update(event.tool_use.id for event in events if isinstance(event, ModelResponseToolUseDone))
    assert all(count == 1 for count in reported.values())


@given(st.binary() | st.text() | json_values.map(orjson.dumps))
def test_arbitrary_frames(frame: bytes | str) -> None:
    [error] = MODEL.protocol().decode(frame)
    assert isinstance(error, ModelError)
    check([error])


@given(st.dictionaries(st.text(max_size=5), json_values), st.sampled_from(FRAMES))
def test_real_types_with_arbitrary_fields(fields: dict[str, Any], frame: dict[str, Any]) -> None:
    check(MODEL.protocol().decode(orjson.dumps({**fields, "type": frame["type"]})))


@given(st.lists(st.binary() | st.text() | json_values.map(orjson.dumps), max_size=len(FRAMES)))
def test_garbage_between_frames_changes_nothing(garbage: list[bytes | str]) -> None:
    clean, disturbed = MODEL.protocol(), MODEL.protocol()
    for number, message in enumerate(FRAMES):
        if number < len(garbage):
            disturbed.decode(garbage[number])
        frame = orjson.dumps(message)
        assert disturbed.decode(frame) == clean.decode(frame)


@pytest.mark.parametrize("seed", range(20))
def test_mutated_frames(seed: int) -> None:
    """A hundred thousand in all, the same every time."""
    protocol = MODEL.protocol()
    mutator = Mutator(FRAMES, seed)
    for _ in range(5000):
        check(protocol.decode(mutator.frame()))
    assert protocol.decode('{"type":"session.updated"}') == [SessionConfigured()]
