"""The pure session of xAI's simulator: client events and generated steps in, server events out."""

import base64
from random import Random
from typing import Any

import pytest

from realtime_actors.audio import SpeechStarted, SpeechStopped
from realtime_actors.simulators.brain import Say
from realtime_actors.simulators.effects import After, Cancel, Close, Effect, Generate, Send, Transcribe
from realtime_actors.simulators.steps import AddArguments, AddText, CloseItem, Finish, OpenCall, OpenMessage, Step
from realtime_actors.simulators.xai.items import History
from realtime_actors.simulators.xai.session import Session

Json = dict[str, Any]
SILENCE = bytes(48000)
SPEECH = b"\x01" * 48000
VAD = {"type": "server_vad"}


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
    """A session under test: gathers what it does."""

    def __init__(self, history: History | None = None, **options: Any) -> None:
        self.history = history or History("conv_1")
        random = Random(1)  # noqa: S311 - no secret
        self.session = Session("grok-voice-latest", self.history, random=random, detector=ScriptedDetector, **options)
        self.effects: list[Effect] = []
        self.started = self.take(self.session.start())

    def take(self, effects: list[Effect]) -> list[Json]:
        self.effects += effects
        return [effect.event for effect in effects if isinstance(effect, Send)]

    def send(self, kind: str, **fields: Any) -> list[Json]:
        return self.take(self.session.receive({"type": kind, **fields}))

    def update(self, **session: Any) -> list[Json]:
        return self.send("session.update", session=session)

    def append(self, audio: bytes) -> list[Json]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def say(self, text: str) -> list[Json]:
        content = [{"type": "input_text", "text": text}]
        return self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def heard(self, text: str) -> list[Json]:
        """The brain has written down what was said last."""
        [*_, transcribe] = [effect for effect in self.effects if isinstance(effect, Transcribe)]
        return self.take(self.session.transcribed(transcribe.item_id, text))

    def step(self, *steps: Step) -> list[Json]:
        [*_, generate] = [effect for effect in self.effects if isinstance(effect, Generate)]
        return [event for step in steps for event in self.take(self.session.generate(generate.response.id, step))]


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def code(events: list[Json]) -> str:
    [event] = events
    assert event["type"] == "error"
    return event["error"]["code"]


@pytest.fixture
def wire() -> Wire:
    return Wire()


class TestHandshake:
    def test_three_events_and_turn_detection_off(self, wire: Wire) -> None:
        assert types(wire.started) == ["session.created", "conversation.created", "ping"]
        assert wire.started[0]["session"]["turn_detection"] == {"type": None}
        assert wire.started[1]["conversation"]["id"] == "conv_1"
        assert all("previous_item_id" in event for event in wire.started)

    def test_pings_go_on(self, wire: Wire) -> None:
        for _ in range(3):
            [*_, after] = [effect for effect in wire.effects if isinstance(effect, After)]
            assert after.seconds == 10.0
            assert types(wire.take(after.then())) == ["ping"]

    def test_an_update_is_told_with_chat_style_tools_and_its_type_not_first(self, wire: Wire) -> None:
        tool = {"type": "function", "name": "get_time", "description": "Now.", "parameters": {"type": "object"}}
        [updated] = wire.update(instructions="Be brief.", tools=[tool])
        assert next(iter(updated)) == "session"
        assert "turn_detection" not in updated["session"]
        function = {"name": "get_time", "description": "Now.", "parameters": {"type": "object"}}
        assert updated["session"]["tools"] == [{"type": "function", "function": function}]
        [updated] = wire.update(turn_detection=VAD)
        assert updated["session"]["turn_detection"]["threshold"] == 0.85
        assert updated["session"]["instructions"] == "Be brief."

    @pytest.mark.parametrize(
        "session",
        [
            {"turn_detection": {"type": "semantic_vad"}},
            {"turn_detection": {"type": "server_vad", "threshold": 0.95}},
            {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 12345}}}},
            {"audio": {"output": {"speed": 3}}},
            {"reasoning": {"effort": "medium"}},
            {"surprise": 1},
        ],
    )
    def test_a_bad_update_changes_nothing(self, wire: Wire, session: Json) -> None:
        assert types(wire.update(instructions="No.", **session)) == ["error"]
        assert wire.update()[0]["session"]["instructions"] == ""


class TestTurnDetection:
    def test_a_spoken_turn(self, wire: Wire) -> None:
        wire.update(turn_detection=VAD, audio={"input": {"transcription": {"model": "grok-transcribe"}}})
        assert types(wire.append(SILENCE)) == []
        started, added = wire.append(SPEECH)
        assert started["type"] == "input_audio_buffer.speech_started"
        assert (added["item"]["id"], added["item"]["status"]) == (started["item_id"], "in_progress")
        assert types(wire.append(SILENCE)) == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
        told = wire.heard("Good morning, friend.")
        kind = "conversation.item.input_audio_transcription"
        assert types(told) == [f"{kind}.updated"] * 3 + [f"{kind}.completed"] * 2 + ["response.created"]
        assert [event["transcript"].startswith("Good") for event in told[:5]] == [True] * 5
        assert [event["status"] for event in told[3:5]] == ["in_progress", "completed"]
        assert told[4]["transcript"] == "Good morning, friend."

    def test_create_response_false_is_ignored(self, wire: Wire) -> None:
        wire.update(turn_detection={**VAD, "create_response": False})
        wire.append(SPEECH)
        wire.append(SILENCE)
        assert types(wire.heard("Hi."))[-1] == "response.created"

    @pytest.mark.parametrize("tells", [False, True])
    def test_speech_interrupts_a_reply(self, tells: bool) -> None:
        wire = Wire(tells_interruptions=tells)
        wire.update(turn_detection=VAD)
        wire.say("A story!")
        wire.send("response.create")
        wire.step(OpenMessage(), AddText("Once", SPEECH))
        events = wire.append(SPEECH)
        assert ("response.done" in types(events)) is tells
        assert isinstance(wire.effects[-1], Cancel)
        assert wire.step(AddText("upon", SPEECH)) == []


class TestPushToTalk:
    def test_a_commit_starts_the_reply(self, wire: Wire) -> None:
        assert types(wire.append(SPEECH)) == ["input_audio_buffer.speech_started"]
        assert wire.append(SILENCE) == []
        assert wire.append(SPEECH) == []
        stopped, _ = wire.send("input_audio_buffer.commit")
        assert stopped["audio_end_ms"] == 3000
        [*_, transcribe] = [effect for effect in wire.effects if isinstance(effect, Transcribe)]
        assert len(transcribe.pcm) == 3 * 48000
        told = wire.heard("Hello there.")
        assert types(told)[0] == "conversation.item.added"
        assert types(told)[-1] == "response.created"
        twice = [event["item"]["status"] for event in told if event["type"] == "conversation.item.added"]
        assert twice == ["completed", "in_progress"]

    def test_a_commit_of_silence_is_ignored(self, wire: Wire) -> None:
        wire.append(SILENCE)
        assert wire.send("input_audio_buffer.commit") == []

    def test_a_request_commits_the_speech_that_there_is(self, wire: Wire) -> None:
        wire.append(SPEECH)
        assert "input_audio_buffer.committed" in types(wire.send("response.create"))

    def test_after_an_answered_turn_a_bare_request_is_dropped(self, wire: Wire) -> None:
        wire.append(SPEECH)
        wire.send("input_audio_buffer.commit")
        wire.heard("Hi.")
        wire.step(Finish())
        assert wire.send("response.create") == []
        wire.send("input_audio_buffer.clear")
        assert types(wire.send("response.create")) == ["response.created"]

    def test_speech_stops_a_reply_without_a_word(self, wire: Wire) -> None:
        wire.say("A story!")
        wire.send("response.create")
        wire.step(OpenMessage(), AddText("Once", SPEECH))
        assert types(wire.append(SPEECH)) == ["input_audio_buffer.speech_started"]
        assert isinstance(wire.effects[-1], Cancel)
        assert wire.step(CloseItem(), Finish()) == []

    def test_a_clear_right_after_a_commit_cancels_its_reply(self, wire: Wire) -> None:
        wire.append(SPEECH)
        wire.send("input_audio_buffer.commit")
        assert types(wire.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
        assert "response.created" not in types(wire.heard("Hi."))


class TestResponses:
    def test_audio_before_words_and_ends_in_another_order(self, wire: Wire) -> None:
        added = wire.say("Hi")
        assert types(added) == ["conversation.item.added"]
        wire.send("response.create")
        events = wire.step(
            OpenMessage(), AddText("Good "), AddText("day.", SPEECH), AddText(" Bye", SPEECH), CloseItem(), Finish()
        )
        assert types(events) == [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_audio.done",
            "response.output_item.done",
            "response.done",
        ]
        assert events[1]["previous_item_id"] == added[0]["item"]["id"]
        assert events[2]["previous_item_id"] == "0"
        assert events[3]["rid"] == events[4]["event_id"]
        assert [events[4]["delta"], events[6]["delta"]] == ["Good day.", " Bye"]
        assert "part" not in events[8]
        assert "content" not in events[10]["item"]
        assert events[11]["response"]["usage"] == {}
        assert events[11]["usage"]["billable_audio_seconds"] == 2

    def test_the_billed_audio_is_that_of_the_conversation(self, wire: Wire) -> None:
        billed: list[int] = []
        for _ in range(2):
            wire.say("Hi")
            wire.send("response.create")
            events = wire.step(OpenMessage(), AddText("Hi.", SPEECH), CloseItem(), Finish())
            billed.append(events[-1]["usage"]["billable_audio_seconds"])
        assert billed == [1, 2]

    def test_a_call_in_one_piece_and_its_result(self, wire: Wire) -> None:
        wire.say("What time is it?")
        wire.send("response.create")
        events = wire.step(OpenCall("get_time"), AddArguments('{"a"'), AddArguments(":1}"), CloseItem(), Finish())
        delta, done = events[2], events[3]
        assert (delta["delta"], "output_index" in delta) == ('{"a":1}', False)
        assert done["call_id"].endswith("-0")
        output = {"type": "function_call_output", "call_id": done["call_id"], "output": "noon"}
        assert types(wire.send("conversation.item.create", item=output)) == ["conversation.item.added"]
        unknown = {**output, "call_id": "call-x"}
        assert code(wire.send("conversation.item.create", item=unknown)) == "invalid_tool_call_id"

    def test_a_cancel_and_its_refusal(self, wire: Wire) -> None:
        wire.say("Hi")
        wire.send("response.create")
        assert code(wire.send("response.create")) == "conversation_already_has_active_response"
        [done] = wire.send("response.cancel")
        assert done["response"]["status"] == "cancelled"
        assert code(wire.send("response.cancel")) == "response_cancel_not_active"

    def test_fixed_words_are_a_turn_of_their_own(self, wire: Wire) -> None:
        content = [{"type": "output_text", "text": "This call is recorded."}]
        item = {"type": "force_message", "role": "assistant", "interruptible": False, "content": content}
        assert types(wire.send("conversation.item.create", item=item)) == ["response.created"]
        generate = wire.effects[-1]
        assert isinstance(generate, Generate)
        assert generate.parts == [Say("This call is recorded.")]
        assert wire.append(SPEECH) == []  # dropped
        wire.step(OpenMessage(), CloseItem(), Finish())
        assert types(wire.append(SPEECH)) == ["input_audio_buffer.speech_started"]

    def test_what_it_does_not_have(self, wire: Wire) -> None:
        for kind in ("conversation.item.retrieve", "output_audio_buffer.clear", "surprise"):
            assert code(wire.send(kind)) == "invalid_value"
        assert code(wire.send("input_audio_buffer.append", audio="!")) == "invalid_value"
        assert code(wire.append(b"\x00")) == "invalid_value"


class TestResumption:
    def test_items_are_replayed_under_new_ids(self) -> None:
        first = Wire()
        [added] = first.say("Remember me.")
        second = Wire(first.history)
        assert second.started[1]["conversation"]["id"] == first.history.id
        replayed, updated = second.update(resumption={"enabled": True})
        assert replayed["item"]["replayed"] is True
        assert replayed["item"]["id"] != added["item"]["id"]
        assert replayed["item"]["content"] == [{"type": "text", "text": "Remember me."}]
        assert updated["type"] == "session.updated"
        assert types(second.update()) == ["session.updated"]

    def test_a_session_ends(self, wire: Wire) -> None:
        effects = wire.session.expire(60)
        assert types(wire.take(effects)) == ["error"]
        assert isinstance(effects[-1], Close)
