"""One event of each type, with values of our own, as the JSON that AgentScope 1.0.21 makes of it.

Checked against that package: its classes, made of these fields, dump exactly this.
"""

from typing import Any

AGENT = {"agent_id": "a-1", "agent_name": "Friday"}
PCM = {"type": "audio/pcm", "rate": 24000}
WRITING: dict[str, Any] = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}, "raw_input": '{"ci'}
USE: dict[str, Any] = {
    "type": "tool_use",
    "id": "call_1",
    "name": "weather",
    "input": {"city": "Oslo"},
    "raw_input": '{"city": "Oslo"}',
}
RESULT = {"type": "tool_result", "id": "call_1", "name": "weather", "output": [{"type": "text", "text": "Snow"}]}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}

CLIENT: list[dict[str, Any]] = [
    {"type": "client_session_create", "config": {"instructions": "Be kind.", "turns": 3, "nested": {"a": [1, None]}}},
    {"type": "client_session_end", "session_id": "s1"},
    {"type": "client_response_create", "session_id": "s1"},
    {"type": "client_response_cancel", "session_id": "s1"},
    {"type": "client_image_append", "session_id": "s1", "image": "iVBORw0KGgo=", "format": {"type": "image/png"}},
    {"type": "client_text_append", "session_id": "s1", "text": "Grüezi"},
    {
        "type": "client_audio_append",
        "session_id": "s1",
        "audio": "AQACAA==",
        "format": {"type": "audio/pcm", "rate": 16000},
    },
    {"type": "client_audio_commit", "session_id": "s1"},
    {"type": "client_tool_result", "session_id": "s1", "id": "call_1", "name": "weather", "output": "Snow"},
    {
        "type": "client_tool_result",
        "session_id": "s1",
        "id": "call_1",
        "name": "look",
        "output": [{"type": "text", "text": "Seen"}, PICTURE],
    },
]

MODEL: list[dict[str, Any]] = [
    {"type": "model_session_created", "session_id": "sess_1"},
    {"type": "model_session_ended", "session_id": "sess_1", "reason": "closed"},
    {"type": "model_response_created", "response_id": "r1"},
    {"type": "model_response_done", "response_id": "r1", "input_tokens": 7, "output_tokens": 0, "metadata": {}},
    {
        "type": "model_response_done",
        "response_id": "r1",
        "input_tokens": 7,
        "output_tokens": 11,
        "metadata": {"status": "completed"},
    },
    {"type": "model_response_audio_delta", "response_id": "r1", "item_id": "i1", "delta": "AQACAA==", "format": PCM},
    {"type": "model_response_audio_done", "response_id": "r1", "item_id": "i1"},
    {"type": "model_response_audio_transcript_delta", "response_id": "r1", "item_id": "i1", "delta": "Hel"},
    {"type": "model_response_audio_transcript_done", "response_id": "r1", "item_id": "i1"},
    {"type": "model_response_tool_use_delta", "response_id": "r1", "item_id": "i1", "tool_use": WRITING},
    {"type": "model_response_tool_use_done", "response_id": "r1", "item_id": "i1", "tool_use": USE},
    {"type": "model_input_transcription_delta", "item_id": "i2", "delta": "What"},
    {
        "type": "model_input_transcription_done",
        "item_id": "i2",
        "transcript": "What?",
        "input_tokens": None,
        "output_tokens": None,
    },
    {
        "type": "model_input_transcription_done",
        "item_id": "i2",
        "transcript": "What?",
        "input_tokens": 5,
        "output_tokens": 2,
    },
    {"type": "model_input_started", "item_id": "i2", "audio_start_ms": 320},
    {"type": "model_input_done", "item_id": "i2", "audio_end_ms": 1480},
    {"type": "model_error", "error_type": "server_error", "code": "", "message": "It broke."},
]

SERVER: list[dict[str, Any]] = [
    {"type": "server_session_created", "session_id": "s1"},
    {"type": "server_session_updated", "session_id": "s1"},
    {"type": "server_session_ended", "session_id": "s1"},
    {"type": "agent_ready", **AGENT},
    {"type": "agent_ended", **AGENT},
    {"type": "agent_response_tool_result", "tool_result": RESULT, **AGENT},
    *(
        {**event, "type": event["type"].replace("model_", "agent_"), **AGENT}
        for event in MODEL
        if not event["type"].startswith("model_session")
    ),
]
"""All but the first six are a model's with the agent added."""


def class_name(event: dict[str, Any]) -> str:
    """The class that AgentScope has for it."""
    return "".join(word.capitalize() for word in event["type"].split("_")) + "Event"


def given(event: dict[str, Any]) -> dict[str, Any]:
    """What one gives to make it: what is left out is by default what the JSON says."""
    return {name: value for name, value in event.items() if name != "type" and value is not None and value != {}}
