"""The pure session of OpenAI's simulator: client events and generated steps in, server events out."""

import base64
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime_actors.audio import SpeechStarted, SpeechStopped
from realtime_actors.simulators.effects import Cancel, Effect, Generate, Send, Transcribe, TranscriptOrder
from realtime_actors.simulators.openai.response import Response
from realtime_actors.simulators.openai.session import Session
from realtime_actors.simulators.steps import (
    AddArguments,
    AddText,
    BareArguments,
    CloseItem,
    Finish,
    ForgetUsage,
    OpenCall,
    OpenMessage,
    Step,
)

Json = dict[str, Any]
SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
SECOND = bytes(48000)


class ScriptedDetector:
    """A detector that hears speech in bytes of 1 and silence in bytes of 0, at once."""

    def __init__(self, detection: Json, rate: int) -> None:
        self._rate = rate
        self._bytes = 0
        self._speaking = False

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        start, self._bytes = self._bytes * 500 // self._rate, self._bytes + len(pcm)
        voiced = any(pcm)
        if voiced == self._speaking:
            return []
        self._speaking = voiced
        return [SpeechStarted(start) if voiced else SpeechStopped(start)]

    def reset(self) -> None:
        self._speaking = False


class Wire:
    """A session under test: gathers what it does, and checks every event against the SDK's types."""

    def __init__(self, model: str = "gpt-realtime", transcripts: TranscriptOrder = "before", seed: int = 1) -> None:
        self.session = Session(
            model,
            expires_at=1_790_000_000,
            random=Random(seed),  # noqa: S311  # no secret
            transcripts=transcripts,
            detector=ScriptedDetector,
        )
        self.effects: list[Effect] = []
        self.started = self.take(self.session.start())

    def take(self, effects: list[Effect]) -> list[Json]:
        self.effects += effects
        events = [effect.event for effect in effects if isinstance(effect, Send)]
        events = [json.loads(json.dumps(event)) for event in events]
        for event in events:
            assert isinstance(event["event_id"], str)
            SERVER_EVENTS.validate_python(event)
        return events

    def send(self, kind: str, **fields: Any) -> list[Json]:
        return self.take(self.session.receive({"type": kind, **fields}))

    def update(self, **fields: Any) -> Json:
        return self.one("session.update", session={"type": "realtime", **fields})

    def one(self, kind: str, **fields: Any) -> Json:
        events = self.send(kind, **fields)
        assert len(events) == 1, events
        return events[0]

    def error(self, kind: str, **fields: Any) -> Json:
        event = self.one(kind, **fields)
        assert event["type"] == "error"
        return event["error"]

    def append(self, audio: bytes) -> list[Json]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def say(self, text: str, **item: Any) -> str:
        content = [{"type": "input_text", "text": text}]
        added, done = self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content, **item}
        )
        assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
        return added["item"]["id"]

    def respond(self, **params: Any) -> Response:
        self.send("response.create", response=params)
        return self.responding

    @property
    def responding(self) -> Response:
        response = [effect.response for effect in self.effects if isinstance(effect, Generate)][-1]
        assert isinstance(response, Response)
        return response

    def step(self, *steps: Step) -> list[Json]:
        response = self.responding
        return [event for step in steps for event in self.take(self.session.generate(response.id, step))]


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


# -- session -----------------------------------------------------------------------------------------------------------


def test_greets_with_the_whole_session() -> None:
    """session.created comes unasked, with every setting and its default."""
    wire = Wire()
    assert types(wire.started) == ["session.created"]
    session = wire.started[0]["session"]
    assert session["model"] == "gpt-realtime"
    assert session["expires_at"] == 1_790_000_000
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    assert session["audio"]["output"]["voice"] == "alloy"
    newer = Wire("gpt-realtime-2.1").started[0]["session"]
    assert newer["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
    assert newer["audio"]["output"]["voice"] == "marin"


def test_update_keeps_what_it_does_not_name() -> None:
    """Absent keys keep their value, null switches off, turn detection is replaced with its defaults."""
    wire = Wire()
    wire.update(instructions="Be brief.", audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}})
    session = wire.update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 400}}})[
        "session"
    ]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 400,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    session = wire.update(instructions="", audio={"input": {"turn_detection": None}})["session"]
    assert session["instructions"] == wire.started[0]["session"]["instructions"]
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"model": "gpt-realtime-2"}, "invalid_value", "session.model"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"instructions": 3}, "invalid_type", "session.instructions"),
        ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
        ({"max_output_tokens": 4097}, "integer_above_max_value", "session.max_output_tokens"),
        ({"max_output_tokens": True}, "invalid_type", "session.max_output_tokens"),
        ({"tools": [{"name": "f"}]}, "missing_required_parameter", "session.tools[0].type"),
        ({"tool_choice": "never"}, "invalid_value", "session.tool_choice"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (
            {"audio": {"input": {"transcription": {"model": "whisper-1", "delay": "none"}}}},
            "invalid_value",
            "session.audio.input.transcription.delay",
        ),
        (
            {"audio": {"input": {"transcription": {"language": "en"}}}},
            "missing_required_parameter",
            "session.audio.input.transcription.model",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        ),
        ({"audio": {"output": {"voice": "bob"}}}, "invalid_value", "session.audio.output.voice"),
        ({"audio": {"output": {"speed": 2}}}, "decimal_above_max_value", "session.audio.output.speed"),
    ],
)
def test_refuses_a_bad_update_whole(changes: Json, code: str, param: str) -> None:
    """A bad field gives an error with code, param and the client's event id, and nothing of the update applies."""
    wire = Wire()
    good: Json = {"type": "realtime", "instructions": "new", "tools": []}
    error = wire.error("session.update", event_id="c1", session={**good, **changes})
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "c1")
    unchanged = wire.update()["session"]
    assert unchanged == wire.started[0]["session"]


def test_locks_the_voice_once_it_was_heard() -> None:
    """The voice may change until the model has produced audio."""
    wire = Wire()
    wire.update(audio={"output": {"voice": "cedar"}})
    wire.respond()
    wire.step(OpenMessage(), AddText("Hi", SECOND), Finish())
    changed = {"type": "realtime", "audio": {"output": {"voice": "marin"}}}
    assert wire.error("session.update", session=changed)["code"] == "cannot_update_voice"
    assert wire.update(audio={"output": {"voice": "cedar"}})["session"]["audio"]["output"]["voice"] == "cedar"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([], "invalid_event"),
        ({}, "missing_required_parameter"),
        ({"type": "response.make"}, "invalid_value"),
        ({"type": 7}, "invalid_type"),
        ({"type": "response.create", "extra": 1}, "unknown_parameter"),
        ({"type": "session.update"}, "missing_required_parameter"),
        ({"type": "input_audio_buffer.append", "audio": "%%%"}, "invalid_value"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_value"),
        ({"type": "output_audio_buffer.clear"}, "invalid_value"),
    ],
)
def test_answers_bad_events_with_an_error(message: object, code: str) -> None:
    """What is no event, or not a known one, gives an error; the session goes on."""
    wire = Wire()
    (event,) = wire.take(wire.session.receive(message))
    assert event["error"]["code"] == code
    assert wire.update()["type"] == "session.updated"


# -- items -------------------------------------------------------------------------------------------------------------


def test_keeps_items_in_the_order_asked_for() -> None:
    """An item goes to the end, to the root, or behind another; its place is told as previous_item_id."""
    wire = Wire()
    first = wire.say("one")
    item: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    added, _ = wire.send("conversation.item.create", item={**item, "id": "mine"}, previous_item_id="root")
    assert (added["item"]["id"], added["previous_item_id"]) == ("mine", None)
    added, _ = wire.send("conversation.item.create", item=item, previous_item_id="mine")
    assert added["previous_item_id"] == "mine"
    added, _ = wire.send("conversation.item.create", item=item)
    assert added["previous_item_id"] == first
    assert wire.error("conversation.item.create", item=item, previous_item_id="none")["param"] == "previous_item_id"
    assert wire.error("conversation.item.create", item={**item, "id": "mine"})["param"] == "item.id"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "message", "role": "robot", "content": []}, "item.role"),
        ({"type": "message", "role": "user"}, "item.content"),
        (
            {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]},
            "item.content[0].type",
        ),
        ({"type": "message", "role": "user", "content": [{"type": "input_text"}]}, "item.content[0].text"),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "http://x/y.png"}]},
            "item.content[0].image_url",
        ),
        ({"type": "function_call_output", "call_id": "c", "output": ["a"]}, "item.output"),
        ({"type": "function_call_output", "call_id": "c", "output": "a"}, "item.call_id"),
    ],
)
def test_refuses_bad_items(item: Json, param: str) -> None:
    """An item that may not be created gives an error that points at the field, and is not added."""
    wire = Wire()
    assert wire.error("conversation.item.create", item=item)["param"] == param
    assert not wire.session._conversation.items  # pyright: ignore[reportPrivateUsage]


def test_takes_images() -> None:
    """A PNG data URI is taken as the user's content, and costs image tokens."""
    wire = Wire()
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
    text = {"type": "input_text", "text": "What is this?"}
    wire.send("conversation.item.create", item={"type": "message", "role": "user", "content": [image, text]})
    response = wire.respond()
    assert response.turns()[-1].text == "What is this?"
    usage = wire.step(Finish())[0]["response"]["usage"]
    assert usage["input_token_details"]["image_tokens"] > 0


def test_retrieves_and_deletes_items() -> None:
    """Retrieve gives the item with its audio; delete takes it out; both refuse unknown ids with their codes."""
    wire = Wire()
    wire.update(audio={"input": {"turn_detection": None}})
    wire.append(b"\1\2" * 4800)
    item_id = wire.send("input_audio_buffer.commit")[0]["item_id"]
    item = wire.one("conversation.item.retrieve", item_id=item_id)["item"]
    assert base64.b64decode(item["content"][0]["audio"]) == b"\1\2" * 4800
    assert wire.one("conversation.item.delete", item_id=item_id)["item_id"] == item_id
    error = wire.error("conversation.item.delete", item_id=item_id)
    assert error["code"] == "item_delete_invalid_item_id"
    error = wire.error("conversation.item.retrieve", item_id=item_id)
    assert error["code"] == "item_retrieve_invalid_item_id"


def test_forgets_the_oldest_items_beyond_its_bounds() -> None:
    """A conversation does not grow without bound: the oldest items fall out."""
    wire = Wire()
    wire.update(audio={"input": {"turn_detection": None}})
    first = wire.say("first")
    for _ in range(9):
        wire.append(bytes(8_000_000))
        wire.send("input_audio_buffer.commit")
    assert wire.error("conversation.item.retrieve", item_id=first)["code"] == "item_retrieve_invalid_item_id"


# -- truncate ----------------------------------------------------------------------------------------------------------


def test_truncates_what_was_generated_and_no_more() -> None:
    """A truncation within the audio is confirmed and deletes the transcript; one past it is refused."""
    wire = Wire()
    user = wire.say("Go on")
    wire.respond()
    events = wire.step(OpenMessage(), AddText("Once upon a time", SECOND), Finish())
    item_id = events[0]["item"]["id"]
    truncate: Json = {"item_id": item_id, "content_index": 0}
    assert "already shorter" in wire.error("conversation.item.truncate", **truncate, audio_end_ms=1001)["message"]
    told = wire.one("conversation.item.truncate", **truncate, audio_end_ms=500)
    assert (told["type"], told["audio_end_ms"]) == ("conversation.item.truncated", 500)
    item = wire.one("conversation.item.retrieve", item_id=item_id)["item"]
    assert not item["content"][0].get("transcript")
    assert wire.error("conversation.item.truncate", **truncate, audio_end_ms=501)["code"] == "invalid_value"
    assert wire.respond().turns()[-1].text == "Once upo"  # what the user heard
    error = wire.error("conversation.item.truncate", item_id=user, content_index=0, audio_end_ms=0)
    assert (error["code"], error["message"]) == (None, "Only model output audio messages can be truncated")
    error = wire.error("conversation.item.truncate", item_id="no", content_index=0, audio_end_ms=0)
    assert error["code"] == "item_truncate_invalid_item_id"


# -- responses ---------------------------------------------------------------------------------------------------------


def test_speaks_in_the_order_of_the_wire() -> None:
    """A spoken message: item, part, transcript, audio, and the endings; done last, then the rate limits."""
    wire = Wire()
    wire.say("Hello")
    (created,) = wire.send("response.create")
    assert created["type"] == "response.created"
    assert created["response"]["status"] == "in_progress"
    events = wire.step(OpenMessage(), AddText("Hi", bytes(960)), AddText(" there.", bytes(960)), CloseItem(), Finish())
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = events[-2]["response"]
    assert done["status"] == "completed"
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hi there."}]
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_token_details"]["text_tokens"] > 0


def test_writes_when_the_modality_is_text() -> None:
    """A text response has text parts and no audio."""
    wire = Wire()
    wire.respond(output_modalities=["text"])
    events = wire.step(OpenMessage(), AddText("Hi", bytes(960)), Finish())
    assert "response.output_text.delta" in types(events)
    assert not [kind for kind in types(events) if "audio" in kind]
    assert events[-2]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Hi"}]


def test_calls_several_tools_and_takes_their_results() -> None:
    """Parallel calls have output_index 0, 1, ...; results are added without starting a response."""
    wire = Wire()
    wire.update(tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}}])
    wire.say("Do it")
    assert wire.respond().tools == ["f"]
    events = wire.step(
        OpenCall("f"), AddArguments('{"a"'), AddArguments(":1}"), CloseItem(), OpenCall("f"), CloseItem(), Finish()
    )
    done = [event for event in events if event["type"] == "response.function_call_arguments.done"]
    assert [event["output_index"] for event in done] == [0, 1]
    assert [event["arguments"] for event in done] == ['{"a":1}', ""]
    assert events[-2]["response"]["output"][0]["arguments"] == '{"a":1}'
    output = {"type": "function_call_output", "call_id": done[0]["call_id"], "output": "ok"}
    added, _ = wire.send("conversation.item.create", item=output)
    assert "status" not in added["item"]
    turns = wire.respond().turns()
    assert (turns[-1].role, turns[-1].name, turns[-1].text) == ("tool", "f", "ok")


def test_has_one_response_at_a_time() -> None:
    """A second response.create is refused and names the active one; outside the conversation it is allowed."""
    wire = Wire()
    response = wire.respond()
    error = wire.error("response.create", event_id="c9")
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "c9")
    assert response.id in error["message"]
    (created,) = wire.send(
        "response.create", response={"conversation": "none", "metadata": {"k": "v"}, "output_modalities": ["text"]}
    )
    assert created["response"]["conversation_id"] is None
    assert created["response"]["metadata"] == {"k": "v"}
    events = wire.step(OpenMessage(), AddText("aside"), Finish())
    assert not [kind for kind in types(events) if kind.startswith("conversation.")]
    wire.take(wire.session.generate(response.id, Finish()))
    assert wire.one("response.create")["type"] == "response.created"


def test_answers_given_input_alone() -> None:
    """With `input`, a response sees those items and references instead of the conversation."""
    wire = Wire()
    first = wire.say("one")
    wire.say("two")
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify"}]}
    reference = {"type": "item_reference", "id": first}
    response = wire.respond(conversation="none", instructions="Short.", input=[reference, message])
    assert [turn.text for turn in response.turns()] == ["Short.", "one", "classify"]
    error = wire.error("response.create", response={"input": [{"type": "item_reference", "id": "no"}]})
    assert error["param"] == "response.input[0]"


def test_cancel_closes_what_is_open() -> None:
    """A cancelled response gets its open parts' endings, then response.done; its later steps do nothing."""
    wire = Wire()
    response = wire.respond()
    wire.step(OpenMessage(), AddText("Once upon", SECOND))
    events = wire.send("response.cancel", response_id=response.id)
    assert types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = events[-2]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert wire.effects[-1] == Cancel(response.id)
    assert wire.step(AddText("more", SECOND), Finish()) == []
    assert wire.error("response.cancel")["code"] == "response_cancel_not_active"


def test_cancel_before_anything_costs_nothing() -> None:
    """A response cancelled before it said anything has no output and no usage to pay."""
    wire = Wire()
    wire.say("Hello")
    wire.respond()
    done = wire.send("response.cancel")[0]["response"]
    assert done["output"] == []
    assert done["usage"]["total_tokens"] == 0


def test_stops_at_max_output_tokens() -> None:
    """A response that reaches its limit ends as incomplete."""
    wire = Wire()
    wire.respond(max_output_tokens=5)
    events = wire.step(OpenMessage(), AddText("word"), AddText("", SECOND), AddText("never"))
    done = events[-2]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert "never" not in json.dumps(events)


def test_fails_as_told() -> None:
    """A failed response says so in status and status_details; usage can be withheld."""
    wire = Wire()
    wire.respond()
    error = {"type": "server_error", "code": None, "message": "no"}
    done = wire.step(ForgetUsage(), Finish("failed", error=error))[0]["response"]
    assert (done["status"], done["status_details"]["error"], done["usage"]) == ("failed", error, None)


# -- speech ------------------------------------------------------------------------------------------------------------

SPEECH = b"\1\1" * 24000


def test_hears_a_turn_and_answers_it() -> None:
    """Speech in the audio makes the events of a turn, with one item id and positions in ms of audio."""
    wire = Wire()
    assert wire.append(SECOND) == []
    (started,) = wire.append(SPEECH)
    assert started["audio_start_ms"] == 1000
    events = wire.append(SECOND)
    assert types(events) == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert events[0]["audio_end_ms"] == 2000
    assert {event["item_id"] for event in (started, *events[:2])} == {events[2]["item"]["id"]}
    (transcribe,) = [effect for effect in wire.effects if isinstance(effect, Transcribe)]
    assert (transcribe.pcm, transcribe.rate) == (SPEECH, 24000)
    assert wire.session.unheard(wire.responding) == [started["item_id"]]
    assert wire.take(wire.session.transcribed(started["item_id"], "hello")) == []  # nobody asked for it
    assert wire.session.unheard(wire.responding) == []
    assert wire.responding.turns()[-1].text == "hello"


def test_barge_in_cancels_the_response() -> None:
    """Speech over a response cancels it with reason turn_detected, right after speech_started."""
    wire = Wire()
    wire.respond()
    wire.step(OpenMessage(), AddText("Once", SECOND))
    events = wire.append(SPEECH)
    assert events[0]["type"] == "input_audio_buffer.speech_started"
    done = next(event for event in events if event["type"] == "response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


def test_the_flags_of_turn_detection_hold() -> None:
    """Without interrupt_response the response goes on; without create_response none is made."""
    wire = Wire()
    detection = {"type": "server_vad", "interrupt_response": False}
    wire.update(audio={"input": {"turn_detection": detection}})
    response = wire.respond()
    assert types(wire.append(SPEECH)) == ["input_audio_buffer.speech_started"]
    events = wire.append(SECOND)
    assert events[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert response.active
    wire.step(Finish())
    wire.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "create_response": False}}})
    wire.append(SPEECH)
    assert types(wire.append(SECOND))[-1] == "conversation.item.done"


def test_manual_turns() -> None:
    """Without turn detection audio waits for a commit of at least 100 ms; clear forgets it."""
    wire = Wire()
    wire.update(audio={"input": {"turn_detection": None}})
    assert wire.append(SPEECH[:4798]) == []
    assert wire.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    wire.append(SPEECH[:2])
    assert types(wire.send("input_audio_buffer.commit")) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    wire.append(SPEECH)
    assert wire.one("input_audio_buffer.clear")["type"] == "input_audio_buffer.cleared"
    assert wire.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


def test_hears_telephone_audio() -> None:
    """G.711 is decoded for the ears and encoded for the voice, at 8 kHz."""
    wire = Wire()
    law = {"type": "audio/pcmu"}
    wire.update(audio={"input": {"format": law, "turn_detection": None}, "output": {"format": law}})
    wire.append(b"\xff\x00" * 4000)
    wire.send("input_audio_buffer.commit")
    (transcribe,) = [effect for effect in wire.effects if isinstance(effect, Transcribe)]
    assert (transcribe.pcm[:4], transcribe.rate) == (b"\x00\x00\x84\x82", 8000)
    wire.respond()
    delta = wire.step(OpenMessage(), AddText("", b"\x00\x00\x84\x82"))[-1]["delta"]
    assert base64.b64decode(delta) == b"\xff\x00"


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-transcribe"])
@pytest.mark.parametrize("order", ["before", "during", "after"])
def test_tells_transcripts_some_time(order: TranscriptOrder, model: str) -> None:
    """An input transcript may come before, during or after the response, but it comes."""
    wire = Wire(transcripts=order)
    wire.update(audio={"input": {"transcription": {"model": model}}})
    wire.append(SPEECH)
    item_id = wire.append(SECOND)[1]["item_id"]
    told = {"before": wire.take(wire.session.transcribed(item_id, "good morning"))}
    wire.step(OpenMessage())
    told["during"] = wire.step(AddText("Hi"))
    told["after"] = wire.step(Finish())
    completed = "conversation.item.input_audio_transcription.completed"
    assert [when for when, events in told.items() if completed in types(events)] == [order]
    words = [e["delta"] for e in told[order] if e["type"].endswith("transcription.delta")]
    assert "".join(words) == "good morning"
    item = wire.one("conversation.item.retrieve", item_id=item_id)["item"]
    assert item["content"][0]["transcript"] == "good morning"


def test_tells_failed_transcriptions() -> None:
    """Audio that cannot be transcribed gives the failed event."""
    wire = Wire()
    wire.update(audio={"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}})
    wire.append(SPEECH)
    item_id = wire.send("input_audio_buffer.commit")[0]["item_id"]
    (failed,) = wire.take(wire.session.transcription_failed(item_id, "noise"))
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["error"]["message"] == "noise"


# -- properties --------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
]
FIELDS = ["session", "audio", "item", "item_id", "content_index", "audio_end_ms", "response", "response_id", "event_id"]


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4)),
        max_size=6,
    )
)
def test_survives_garbage(events: list[tuple[str, Json]]) -> None:
    """No client event raises; whatever comes back is valid on the wire."""
    wire = Wire()
    for kind, fields in events:
        assert wire.send(kind, **fields) or kind == "input_audio_buffer.append"


PLACES: list[tuple[str | int, ...]] = [
    ("type",),
    ("instructions",),
    ("audio",),
    ("audio", "input"),
    ("audio", "input", "format"),
    ("audio", "input", "format", "rate"),
    ("audio", "input", "turn_detection"),
    ("audio", "input", "turn_detection", "threshold"),
    ("audio", "input", "transcription", "keywords"),
    ("audio", "output", "voice"),
    ("audio", "output", "speed"),
    ("tools",),
    ("tools", 0),
    ("tools", 0, "name"),
    ("tools", 0, "parameters"),
    ("tool_choice",),
    ("truncation", "token_limits"),
    ("tracing",),
    ("prompt",),
    ("include",),
    ("reasoning", "effort"),
    ("invented",),
]


@given(st.sampled_from(PLACES), json_values)
def test_an_update_is_taken_or_refused_whole(place: tuple[str | int, ...], value: object) -> None:
    """With anything at all in one of its places, an update is taken as a whole, or changes nothing."""
    wire = Wire()
    update: Json = {
        "type": "realtime",
        "instructions": "x",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "turn_detection": {"type": "server_vad"},
                "transcription": {"model": "whisper-1"},
            },
            "output": {"voice": "ash", "speed": 1.0},
        },
        "tools": [{"type": "function", "name": "f"}],
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        "reasoning": {"effort": "low"},
    }
    target: Any = update
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    (event,) = wire.send("session.update", session=update)
    before = wire.started[0]["session"]
    after = wire.update()["session"]
    assert (after == before) if event["type"] == "error" else (after == event["session"])


class Conversationalist:
    """Draws what clients and brains may do next, and holds the wire to its rules."""

    STEPS: tuple[Step, ...] = (
        OpenMessage(),
        AddText("word ", bytes(960)),
        AddText("", bytes(4800)),
        CloseItem(),
        OpenCall("f"),
        AddArguments("{}"),
        BareArguments("f", "{}"),
        Finish(),
        Finish("incomplete", reason="content_filter"),
    )

    def __init__(self) -> None:
        self.wire = Wire(transcripts="random")
        self.wire.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
        self.active: str | None = None
        self.ended: set[str] = set()
        self.open_items: dict[str, str] = {}
        self.untold: set[str] = set()

    def act(self, action: int) -> None:
        wire = self.wire
        generating = [effect.response for effect in wire.effects if isinstance(effect, Generate)]
        if action < len(self.STEPS):
            if generating:
                self.check(wire.take(wire.session.generate(generating[-1].id, self.STEPS[action])))
            return
        match action - len(self.STEPS):
            case 0:
                self.check(wire.send("response.create"))
            case 1:
                self.check(wire.send("response.cancel"))
            case 2:
                self.check(wire.append(SPEECH))
            case 3:
                self.check(wire.append(SECOND))
            case _:
                for item_id in list(self.untold):
                    self.untold.remove(item_id)
                    self.check(wire.take(wire.session.transcribed(item_id, "hi")))

    def check(self, events: list[Json]) -> None:
        for event in events:
            kind: str = event["type"]
            if kind == "input_audio_buffer.committed":
                self.untold.add(event["item_id"])
            elif kind == "response.created":
                assert self.active is None
                self.active = event["response"]["id"]
            elif kind == "response.done":
                assert event["response"]["id"] == self.active
                assert not self.open_items
                self.ended.add(event["response"]["id"])
                self.active = None
            elif kind == "response.output_item.added":
                self.open_items[event["item"]["id"]] = event["response_id"]
            elif kind == "response.output_item.done":
                del self.open_items[event["item"]["id"]]
            if "response_id" in event:
                assert event["response_id"] == self.active


@given(st.lists(st.integers(0, len(Conversationalist.STEPS) + 4), max_size=30))
def test_responses_keep_their_rules(actions: list[int]) -> None:
    """One active response; nothing of it after its end; every item that was opened is closed before that."""
    conversation = Conversationalist()
    for action in actions:
        conversation.act(action)
