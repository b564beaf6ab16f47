"""What clients of the wires say, line by line, and what the simulators answer. The lines are hand-made."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from realtime_actors.simulators.effects import Effect, Generate, Send, WireSession
from realtime_actors.simulators.openai.beta import BetaDialect
from realtime_actors.simulators.openai.dialect import DialectSession
from realtime_actors.simulators.openai.session import Session as OpenAISession
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.simulators.steps import AddText, CloseItem, Finish, OpenMessage
from realtime_actors.simulators.xai.items import History
from realtime_actors.simulators.xai.session import Session as XAISession

Json = dict[str, Any]
LINES: dict[str, list[Json]] = orjson.loads(Path(__file__).with_name("client_lines.json").read_bytes())


def sent(effects: list[Effect]) -> list[Json]:
    return [effect.event for effect in effects if isinstance(effect, Send)]


def answer(session: WireSession, line: Json) -> list[str]:
    """The types of what is sent back, with the codes of errors."""
    events = sent(session.receive(line))
    return [event["error"]["code"] if event["type"] == "error" else event["type"] for event in events]


def item(item_id: str, **fields: Any) -> Json:
    return {"type": "conversation.item.create", "item": {"id": item_id, **fields}}


def openai_session() -> OpenAISession:
    """One in which there are the items that the lines speak of."""
    random = Random(1)  # noqa: S311 - no secret
    session = OpenAISession("gpt-realtime", expires_at=1_790_000_000, random=random)
    session.start()
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    call = {"type": "function_call", "call_id": "call_9", "name": "get_time", "arguments": "{}"}
    for line in (item("item_u1", **said), item("item_f1", **call)):
        assert "error" not in answer(session, line)
    return session


ADDED = ["conversation.item.added", "conversation.item.done"]
OPENAI: list[list[str]] = [
    ["session.updated"],
    ["invalid_value"],  # AAAA is no whole number of samples
    ["input_audio_buffer_commit_empty"],
    ["input_audio_buffer.cleared"],
    ADDED,
    ADDED,
    ["conversation.item.retrieved"],
    ["item_truncate_invalid_item_id"],  # no client can make an assistant's audio
    ["item_delete_invalid_item_id"],
    ["response.created"],
    ["response.created"],
    ["response_cancel_not_active"],
    ["invalid_value"],  # WebRTC and SIP only
    ADDED,
    ADDED,
    ["item_truncate_invalid_item_id"],
    ["response_cancel_not_active"],
    ADDED,
]


@pytest.mark.parametrize(("line", "expected"), list(zip(LINES["openai"], OPENAI, strict=True)))
def test_openai(line: Json, expected: list[str]) -> None:
    assert answer(openai_session(), line) == expected


def test_openai_truncates_and_cancels_what_there_is() -> None:
    """The lines about a response and its item, with the ids that these have here."""
    session = openai_session()
    [generate] = [e for e in session.receive({"type": "response.create"}) if isinstance(e, Generate)]
    response_id = generate.response.id
    for step in (OpenMessage(), AddText("Once upon a time", bytes(96000))):
        session.generate(response_id, step)
    cancel = next(line for line in LINES["openai"] if line["type"] == "response.cancel" and "response_id" in line)
    events = sent(session.receive({**cancel, "response_id": response_id}))
    [done] = [event["response"] for event in events if event["type"] == "response.done"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    truncate = next(line for line in LINES["openai"] if line["type"] == "conversation.item.truncate")
    [truncated] = sent(session.receive({**truncate, "item_id": done["output"][0]["id"]}))
    assert truncated["type"] == "conversation.item.truncated"
    assert truncated["audio_end_ms"] == truncate["audio_end_ms"]


def preview_session() -> DialectSession:
    session = openai_session()
    random = Random(1)  # noqa: S311 - no secret
    return DialectSession(session, BetaDialect(Stamp(random), session.conversation_id))


PREVIEW: dict[int, list[str]] = {
    0: ["unknown_parameter"],  # the session is flat
    4: ["conversation.item.created"],
    5: ["conversation.item.created"],
    9: ["response.created", "rate_limits.updated"],
    10: ["unknown_parameter"],  # output_modalities
    11: ["response_cancel_not_active"],
    13: ["conversation.item.created"],
    14: ["conversation.item.created"],
}


@pytest.mark.parametrize("number", sorted(PREVIEW))
def test_azure_s_preview(number: int) -> None:
    assert answer(preview_session(), LINES["openai"][number]) == PREVIEW[number]


def xai_session() -> XAISession:
    random = Random(1)  # noqa: S311 - no secret
    session = XAISession("grok-voice-latest", History("conv_1"), random=random)
    session.start()
    call = {"type": "function_call", "call_id": "call-af8e-0", "name": "get_weather", "arguments": "{}"}
    assert answer(session, item("f1", **call)) == ["conversation.item.added"]
    return session


XAI: list[list[str]] = [
    ["session.updated"],
    ["response.created"],  # fixed words are a turn by themselves
    ["invalid_value"],  # AAAA is no whole number of samples
    [],  # a commit of nothing is passed over
    ["conversation.item.added"],
    ["response.created"],
]


@pytest.mark.parametrize(("line", "expected"), list(zip(LINES["xai"], XAI, strict=True)))
def test_xai(line: Json, expected: list[str]) -> None:
    assert answer(xai_session(), line) == expected


def test_xai_echoes_the_session_as_recorded() -> None:
    [updated] = sent(xai_session().receive(LINES["xai"][0]))
    session = updated["session"]
    assert session["turn_detection"] == LINES["xai"][0]["session"]["turn_detection"]
    assert session["audio"]["input"]["transcription"] == {"model": "grok-transcribe"}
    assert (session["temperature"], session["input_audio_format"]) == (-1.0, "not specified")
    assert session["tools"][0]["function"]["name"] == "get_weather"


def test_a_turn_of_fixed_words_ends_by_itself() -> None:
    session = xai_session()
    [generate] = [e for e in session.receive(LINES["xai"][1]) if isinstance(e, Generate)]
    steps = (OpenMessage(), AddText("This call is recorded.", bytes(960)), CloseItem(), Finish())
    events = [event for step in steps for event in sent(session.generate(generate.response.id, step))]
    assert events[-1]["response"]["status"] == "completed"
