"""Whatever comes from DashScope's socket, decoding it raises nothing and gives events that can be sent on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wrong_frames import Mutator, check, json_values

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
    ModelError,
    ModelResponseCreated,
    ModelResponseDone,
    SessionConfigured,
)
from realtime_actors.providers import DashScopeRealtimeModel

PAGE: dict[str, list[tuple[str, dict[str, Any]]]] = orjson.loads(
    Path(__file__).with_name("dashscope_frames.json").read_bytes()
)
FRAMES = [frame for section in PAGE.values() for who, frame in section if who == "S"]
IDS = ["resp_1", "resp_2", "resp_3", "resp_4"]
COMMANDS: list[ModelCommand] = [
    AppendAudio(bytes(2)),
    AppendImage("i", b"\xff\xd8\xff", "image/jpeg"),
    AppendText("t", "Hi"),
    AppendToolResult("o", "call_7", "f", "x"),
    CommitAudio("m"),
    Configure("g", "Be brief."),
    CreateResponse("r"),
    *(CancelResponse("x", response_id) for response_id in IDS),
]
MODEL = DashScopeRealtimeModel(api_key="sk-4242424242")

steps = st.lists(
    st.sampled_from(FRAMES)
    | st.sampled_from(COMMANDS)
    | st.sampled_from(IDS).map(lambda name: {"type": "response.created", "response": {"id": name}})
    | st.sampled_from(IDS).map(lambda name: {"type": "response.done", "response": {"id": name}}),
    max_size=40,
)


@given(steps)
def test_every_response_ends_once(script: list[Any]) -> None:
    """In whatever order things come: it is created at most once, ends at most once, and not before."""
    protocol = MODEL.protocol()
    created: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for step in script:
        if isinstance(step, dict):
            events = protocol.decode(orjson.dumps(step))
        else:
            protocol.encode(step)
            events = protocol.unanswered(step)
        check(events)
        for event in events:
            if isinstance(event, ModelResponseCreated):
                assert not ended[event.response_id]
                created[event.response_id] += 1
            elif isinstance(event, ModelResponseDone):
                ended[event.response_id] += 1
    assert all(count == 1 for count in [*created.values(), *ended.values()])


@given(st.binary() | st.text() | json_values.map(orjson.dumps))
def test_arbitrary_frames(frame: bytes | str) -> None:
    [error] = MODEL.protocol().decode(frame)
    assert isinstance(error, ModelError)
    check([error])


@given(st.dictionaries(st.text(max_size=5), json_values), st.sampled_from(FRAMES))
def test_real_types_with_arbitrary_fields(fields: dict[str, Any], frame: dict[str, Any]) -> None:
    check(MODEL.protocol().decode(orjson.dumps({**fields, "type": frame["type"]})))


@pytest.mark.parametrize("seed", range(20))
def test_mutated_frames(seed: int) -> None:
    """A hundred thousand in all, the same every time, with commands on their way."""
    protocol = MODEL.protocol()
    mutator = Mutator(FRAMES, seed)
    for number in range(5000):
        if number % 10 == 0:
            protocol.encode(COMMANDS[number // 10 % len(COMMANDS)])
        check(protocol.decode(mutator.frame()))
    assert protocol.decode('{"type":"session.updated"}') == [SessionConfigured()]
