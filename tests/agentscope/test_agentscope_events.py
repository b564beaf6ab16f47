"""The events have AgentScope's names, fields and JSON."""

import json
from typing import Any

import agentscope_samples as samples
import pytest

from realtime_actors.agentscope import (
    ClientEvents,
    ClientEventType,
    InvalidEvent,
    ModelEvents,
    ModelEventType,
    ServerEvents,
    ServerEventType,
)
from realtime_actors.agentscope.translation import model_event, native_client_event, server_event
from realtime_actors.events import AgentResponseToolProgress, decode_client, decode_server, encode_json

FAMILIES = [
    *((ClientEvents, event) for event in samples.CLIENT),
    *((ModelEvents, event) for event in samples.MODEL),
    *((ServerEvents, event) for event in samples.SERVER),
]


@pytest.mark.parametrize(("family", "sample"), FAMILIES)
def test_an_event_dumps_as_agentscope_s(family: Any, sample: dict[str, Any]) -> None:
    """In both ways; and `json.dumps`, as FastAPI's `send_json` uses it, takes what `model_dump` gives."""
    kind = getattr(family, samples.class_name(sample))
    event = kind(**samples.given(sample))
    assert isinstance(event, family.EventBase)
    assert event.type == sample["type"]
    assert json.loads(json.dumps(event.model_dump())) == sample
    assert json.loads(event.model_dump_json()) == sample
    assert event == kind.model_validate(sample)


def test_there_is_a_sample_of_every_type() -> None:
    """So that none of them is forgotten above."""
    assert {event["type"] for event in samples.CLIENT} == set(ClientEventType)
    assert {event["type"] for event in samples.MODEL} == set(ModelEventType)
    assert {event["type"] for event in samples.SERVER} == set(ServerEventType)


@pytest.mark.parametrize("sample", samples.CLIENT, ids=lambda sample: sample["type"])
def test_a_client_event_is_read_from_json(sample: dict[str, Any]) -> None:
    """Members that no event has are passed over, as there."""
    event = ClientEvents.from_json({**sample, "added": 1})
    assert type(event) is ClientEvents.MAPPING[sample["type"]]
    assert event.model_dump() == sample


@pytest.mark.parametrize("sample", samples.CLIENT, ids=lambda sample: sample["type"])
def test_a_client_event_says_the_same_to_the_native_agent(sample: dict[str, Any]) -> None:
    """All but those that are for the application."""
    native = native_client_event(ClientEvents.from_json(sample))
    if sample["type"].startswith("client_session"):
        assert native is None
    else:
        assert native == decode_client(json.dumps(sample))


@pytest.mark.parametrize("sample", samples.SERVER, ids=lambda sample: sample["type"])
def test_a_native_server_event_becomes_one_of_agentscope_s(sample: dict[str, Any]) -> None:
    """With all it had: what is added to AgentScope's fields stays, and none is missing."""
    native = decode_server(json.dumps(sample))
    translated = server_event(native)
    assert translated is not None
    assert translated.model_dump() == {**sample, **json.loads(encode_json(native))}


@pytest.mark.parametrize("sample", samples.MODEL, ids=lambda sample: sample["type"])
def test_a_model_s_event_becomes_an_agent_s(sample: dict[str, Any]) -> None:
    """By `from_model_event`, as AgentScope's agents do it; a session of a model's has no counterpart."""
    event = getattr(ModelEvents, samples.class_name(sample))(**samples.given(sample))
    if sample["type"].startswith("model_session"):
        with pytest.raises(InvalidEvent, match="no counterpart"):
            ServerEvents.from_model_event(event, "a-1", "Friday")
        return
    agents = ServerEvents.from_model_event(event, "a-1", "Friday")
    assert agents.model_dump() in samples.SERVER
    # And the other way round, for a model that is used without an agent.
    back = model_event(decode_server(agents.model_dump_json()), "")
    assert back is not None
    assert back.model_dump() == {**back.model_dump(), **sample}


def test_what_agentscope_does_not_know_is_passed_over() -> None:
    """Its applications never see an event that has no class there."""
    event = AgentResponseToolProgress("c1", "look", "halfway", 0.5, "a-1", "Friday")
    assert server_event(event) is None
    assert model_event(event, "") is None


def test_what_an_agent_tells_of_is_the_same_as_its_own_output() -> None:
    """A tool's result is always blocks, as there, where ours may be a text."""
    text = {**samples.RESULT, "output": "Snow"}
    event = server_event(
        decode_server(json.dumps({"type": "agent_response_tool_result", "tool_result": text, **samples.AGENT}))
    )
    assert isinstance(event, ServerEvents.AgentResponseToolResultEvent)
    assert event.tool_result == samples.RESULT


def test_frontends_own_ways_are_read() -> None:
    """The format of AgentScope's own page and tutorial, and an image in `data`."""
    audio = ClientEvents.from_json(
        {
            "type": "client_audio_append",
            "session_id": "s",
            "audio": "AAA=",
            "format": {"encoding": "pcm16", "sample_rate": 16000},
        }
    )
    assert isinstance(audio, ClientEvents.ClientAudioAppendEvent)
    assert (audio.format.type, audio.format.rate) == ("audio/pcm", 16000)
    image = ClientEvents.from_json({"type": "client_image_append", "session_id": "s", "data": "iVBO", "format": {}})
    assert isinstance(image, ClientEvents.ClientImageAppendEvent)
    assert image.image == "iVBO"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "object with a `type`"),
        ({}, "object with a `type`"),
        ({"type": "agent_ready"}, "no client event"),
        ({"type": ["client_session_end"]}, "no client event"),
        ({"type": "client_text_append", "session_id": "s"}, "`text`"),
        ({"type": "client_text_append", "session_id": "s", "text": 3}, "text"),
        ({"type": "client_audio_append", "session_id": "s", "audio": "", "format": {"rate": "16000"}}, "rate"),
        ({"type": "client_audio_append", "session_id": "s", "audio": "", "format": "pcm"}, "format"),
        ({"type": "client_tool_result", "session_id": "s", "id": "c", "name": "n", "output": None}, "output"),
    ],
)
def test_a_wrong_client_event_is_a_value_error_that_says_what_is_wrong(data: Any, words: str) -> None:
    """A ValueError, which is what AgentScope's applications catch."""
    with pytest.raises(ValueError, match=words) as caught:
        ClientEvents.from_json(data)
    assert isinstance(caught.value, InvalidEvent)


def test_blocks_that_are_none_are_found_before_they_are_sent() -> None:
    """Their shape is checked on the way to the agent."""
    event = ClientEvents.ClientToolResultEvent(session_id="s", id="c", name="n", output=[{"type": "smell"}])
    with pytest.raises(InvalidEvent, match="content block"):
        native_client_event(event)
