"""43 events are on the wire what AgentScope 1.0.21 says: its tags, its fields. The others are ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from wire_samples import CLIENT, MODEL, SERVER

from realtime_actors.events import (
    DecodeError,
    Event,
    decode_client,
    decode_model,
    decode_server,
    encode_json,
    encode_msgpack,
)

FORMAT = {"type": "audio/pcm", "rate": 24000}
TOOL_USE = {"type": "tool_use", "id": "c1", "name": "get_time", "input": {"city": "Bonn"}, "raw_input": "{}"}
TOOL_RESULT = {
    "type": "tool_result",
    "id": "c1",
    "name": "get_time",
    "output": [
        {"type": "text", "text": "noon"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/clock.png"}},
        {"type": "audio", "source": {"type": "base64", "media_type": "audio/wav", "data": "UklGRg=="}},
        {"type": "video", "source": {"type": "base64", "media_type": "video/mp4", "data": ""}},
    ],
}

PARTICIPANT = {"id": "ann", "name": "Ann", "kind": "person", "status": "away"}
LINE = {
    "type": "room_line",
    "id": "line_1",
    "speaker_id": "ann",
    "speaker_name": "Ann",
    "kind": "person",
    "text": "Hello",
    "interrupted": False,
}

SAMPLES: dict[str, Any] = {
    "session_id": "s1",
    "response_id": "r1",
    "item_id": "i1",
    "agent_id": "friday",
    "agent_name": "Friday",
    "reason": "over",
    "text": "Hello",
    "transcript": "What time is it?",
    "delta": "AAA=",
    "audio": "AAA=",
    "image": "iVBORw==",
    "format": FORMAT,
    "config": {"instructions": "Be brief."},
    "metadata": {"status": "completed"},
    "tool_use": TOOL_USE,
    "tool_result": TOOL_RESULT,
    "input_tokens": 3,
    "output_tokens": 5,
    "audio_start_ms": 120,
    "audio_end_ms": 940,
    "error_type": "server_error",
    "code": "busy",
    "message": "Try again.",
    "id": "c1",
    "name": "get_time",
    "output": "noon",
    "approved": False,
    "played_ms": 440,
    "playing": False,
    "heard_ms": 440,
    "fraction": 0.25,
    "timeout": 60.0,
    "source": "speech",
    "status": "completed",
    "times": {"first_audio": 320.5},
    "tools": {"get_time": 12.5},
    "muted": False,
    "participant_id": "ann",
    "participant": PARTICIPANT,
    "participants": [PARTICIPANT],
    "room_id": "lobby",
    "lines": [LINE],
    "holders": ["friday"],
    "speaking": ["ann"],
    "hands": [],
    "levels": {"ann": -21.5},
    "speaker_id": "ann",
    "speaker_name": "Ann",
    "kind": "person",
    "interrupted": True,
}

AGENT = "agent_id agent_name"
DELTA = "response_id item_id delta"
USAGE = "response_id input_tokens output_tokens metadata"

AGENTSCOPE = {
    "client_session_create": "config",
    "client_session_end": "session_id",
    "client_response_create": "session_id",
    "client_response_cancel": "session_id",
    "client_text_append": "session_id text",
    "client_audio_append": "session_id audio format",
    "client_audio_commit": "session_id",
    "client_image_append": "session_id image format",
    "client_tool_result": "session_id id name output",
    "server_session_created": "session_id",
    "server_session_updated": "session_id",
    "server_session_ended": "session_id",
    "agent_ready": AGENT,
    "agent_ended": AGENT,
    "agent_response_created": f"response_id {AGENT}",
    "agent_response_done": f"{USAGE} {AGENT}",
    "agent_response_audio_delta": f"{DELTA} format {AGENT}",
    "agent_response_audio_done": f"response_id item_id {AGENT}",
    "agent_response_audio_transcript_delta": f"{DELTA} {AGENT}",
    "agent_response_audio_transcript_done": f"response_id item_id {AGENT}",
    "agent_response_tool_use_delta": f"response_id item_id tool_use {AGENT}",
    "agent_response_tool_use_done": f"response_id item_id tool_use {AGENT}",
    "agent_response_tool_result": f"tool_result {AGENT}",
    "agent_input_transcription_delta": f"item_id delta {AGENT}",
    "agent_input_transcription_done": f"transcript item_id input_tokens output_tokens {AGENT}",
    "agent_input_started": f"item_id audio_start_ms {AGENT}",
    "agent_input_done": f"item_id audio_end_ms {AGENT}",
    "agent_error": f"error_type code message {AGENT}",
    "model_session_created": "session_id",
    "model_session_ended": "session_id reason",
    "model_response_created": "response_id",
    "model_response_done": USAGE,
    "model_response_audio_delta": f"{DELTA} format",
    "model_response_audio_done": "response_id item_id",
    "model_response_audio_transcript_delta": DELTA,
    "model_response_audio_transcript_done": "response_id item_id",
    "model_response_tool_use_delta": "response_id item_id tool_use",
    "model_response_tool_use_done": "response_id item_id tool_use",
    "model_input_transcription_delta": "item_id delta",
    "model_input_transcription_done": "transcript item_id input_tokens output_tokens",
    "model_input_started": "item_id audio_start_ms",
    "model_input_done": "item_id audio_end_ms",
    "model_error": "error_type code message",
}
"""Tag: the fields that AgentScope's models of it declare."""

OURS = {
    "client_playout_update": "session_id response_id item_id played_ms playing",
    "client_tool_approval": "session_id id approved reason",
    "agent_response_tool_progress": f"id name text fraction {AGENT}",
    "agent_tool_approval_requested": f"tool_use timeout {AGENT}",
    "agent_playout_flush": f"response_id item_id heard_ms {AGENT}",
    "agent_turn_measured": f"response_id {AGENT} source status times tools input_tokens output_tokens",
    "client_room_mute": "session_id participant_id muted",
    "room_state": "room_id participant_id participants lines holders speaking hands",
    "room_line": "id speaker_id speaker_name kind text interrupted",
    "room_participant_joined": "participant",
    "room_participant_updated": "participant reason",
    "room_participant_left": "participant reason",
    "room_floor_changed": "holders speaking hands",
    "room_levels": "levels",
    "room_audio_delta": "delta format",
}
"""The same of the events that AgentScope does not have."""

FIELDS = {**AGENTSCOPE, **OURS}

OPTIONAL = {
    "client_session_create": "config",
    "client_audio_append": "format",
    "client_image_append": "format",
    "agent_response_audio_delta": f"format {AGENT}",
    "agent_input_transcription_done": "input_tokens output_tokens",
    "model_response_done": "input_tokens output_tokens metadata",
    "model_response_audio_delta": "format",
    "model_input_transcription_done": "input_tokens output_tokens",
    "client_tool_approval": "reason",
    "client_playout_update": "playing",
    "agent_turn_measured": "times tools input_tokens output_tokens",
    "client_room_mute": "muted",
    "room_state": "participants lines holders speaking hands",
    "room_line": "interrupted",
    "room_participant_updated": "reason",
    "room_audio_delta": "format",
}
"""Tag: those of them without which an event is read too."""

ADDED: dict[str, dict[str, Any]] = {
    "server_session_updated": {"metadata": {}},
    "server_session_ended": {"metadata": {}},
    "agent_response_audio_transcript_done": {"transcript": None},
    "model_response_audio_transcript_done": {"transcript": None},
}
"""Tag: the fields that are ours, as they are sent when nobody gave them."""

DECODERS: dict[str, Callable[[str | bytes], Event]] = {
    "client": decode_client,
    "server": decode_server,
    "agent": decode_server,
    "room": decode_server,
    "model": decode_model,
}


def decode(tag: str, values: dict[str, Any]) -> Event:
    return DECODERS[tag.partition("_")[0]](orjson.dumps(values).decode())


def sample(tag: str) -> dict[str, Any]:
    return {"type": tag} | {name: SAMPLES[name] for name in FIELDS[tag].split()}


def test_there_are_43_types_with_these_tags() -> None:
    assert {kind.type for kind in CLIENT + SERVER + MODEL} == set(FIELDS)
    assert len(FIELDS) == len(AGENTSCOPE) + len(OURS)
    assert len(AGENTSCOPE) == 43


@pytest.mark.parametrize("tag", FIELDS)
def test_an_event_of_agentscope_is_read_and_written_as_it_was(tag: str) -> None:
    event = decode(tag, sample(tag))
    assert event.type == tag
    assert orjson.loads(encode_json(event)) == sample(tag) | ADDED.get(tag, {})


@pytest.mark.parametrize("tag", FIELDS)
def test_msgpack_has_the_same_keys(tag: str) -> None:
    event = decode(tag, sample(tag))
    again = DECODERS[tag.partition("_")[0]](encode_msgpack(event))
    assert again == event
    assert encode_json(again) == encode_json(event)


@pytest.mark.parametrize(("tag", "name"), [(tag, name) for tag in FIELDS for name in FIELDS[tag].split()])
def test_a_missing_field_is_named_or_has_a_default(tag: str, name: str) -> None:
    values = sample(tag)
    del values[name]
    if name in OPTIONAL.get(tag, "").split():
        assert decode(tag, values).type == tag
    else:
        with pytest.raises(DecodeError, match=rf"^{tag}\.{name} is missing$"):
            decode(tag, values)


@pytest.mark.parametrize(("tag", "name"), [(tag, name) for tag in FIELDS for name in FIELDS[tag].split()])
def test_a_field_of_another_type_is_named(tag: str, name: str) -> None:
    for wrong in (True, 1.5, [1]):
        if type(wrong) is type(SAMPLES[name]):
            continue
        with pytest.raises(DecodeError, match=rf"^{tag}\.{name}\b.*: expected .*, got "):
            decode(tag, sample(tag) | {name: wrong})


@pytest.mark.parametrize("tag", FIELDS)
def test_unknown_keys_are_ignored(tag: str) -> None:
    assert decode(tag, sample(tag) | {"_frames": 1, "frames": {}, "payload": "x", "": [{}]}) == decode(tag, sample(tag))
