"""DashScope's simulator does what its documents say and what was measured of it; the client's frames are raw."""

import itertools
import json
from typing import Any

import pytest
import trio
from dashscope_client import JPEG, NEWER, OLDER, PAGE, WEATHER, audio_of, check, talking, types

from realtime_actors.simulators import (
    Call,
    Drop,
    Endless,
    Fail,
    Incomplete,
    Midway,
    Overlap,
    Reply,
    Say,
    ScriptedBrain,
    buzz,
)
from realtime_actors.simulators.dashscope import DashScopeSimulator
from realtime_actors.transports import HandshakeRejected, MemoryTransport

SPEECH = buzz(800, 16000)
SILENCE = bytes(32000)


def brain(*parts: Any, transcripts: tuple[str, ...] = (), **replies: Any) -> ScriptedBrain:
    return ScriptedBrain(replies=[Reply(parts)], transcripts=transcripts, **replies)


def runs(kinds: list[str]) -> list[str]:
    """The types, a run of the same as one, as audio comes with the words."""
    return [kind for kind, _ in itertools.groupby(kind for kind in kinds if kind != "response.audio_transcript.delta")]


def shape(value: Any) -> Any:
    """The keys, however deep, without the values."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [shape(value[0])] if isinstance(value, list) and value else None  # pyright: ignore[reportUnknownArgumentType]


class TestHandshake:
    async def test_the_server_greets_first_and_echoes_updates(self) -> None:
        async with talking(model=OLDER) as client:
            [greeting] = client.seen
            documented = PAGE["handshake"][0][1]["session"]
            assert greeting["session"].keys() == documented.keys()
            assert greeting["session"]["voice"] == "Cherry"
            session = await client.update(**PAGE["handshake"][1][1]["session"])
            assert session.keys() == PAGE["handshake"][2][1]["session"].keys()
            assert session["instructions"] == "Be brief."
            assert session["turn_detection"]["create_response"] is True

    async def test_an_older_model_takes_tools_and_drops_them(self) -> None:
        async with talking(model=OLDER) as client:
            assert (await client.update(tools=[WEATHER]))["tools"] is None

    @pytest.mark.parametrize(
        ("path", "key", "status"),
        [
            ("/api-ws/v1/realtime", "sk", 400),
            ("/api-ws/v1/realtime?model=gpt-realtime", "sk", 403),
            (f"/api-ws/v1/realtime?model={NEWER}", "bad", 401),
            (f"/v1/realtime?model={NEWER}", "sk", 404),
        ],
    )
    async def test_refusals(self, path: str, key: str, status: int) -> None:
        transport = MemoryTransport(DashScopeSimulator(brain=ScriptedBrain()).respond)
        with pytest.raises(HandshakeRejected) as refused:
            async with transport.connect(f"ws://memory{path}", headers=(("Authorization", f"Bearer {key}"),)):
                pass
        assert refused.value.status == status
        assert {"code", "message", "request_id"} == set(json.loads(refused.value.body))


class TestTurns:
    async def test_a_spoken_turn(self) -> None:
        script = brain(Say("Hello!"), transcripts=("Hi there.",))
        async with talking(script, OLDER) as client:
            await client.append(SPEECH + SILENCE)
            events = await client.until("conversation.item.input_audio_transcription.completed")
            documented = [kind for kind in types([frame for _, frame in PAGE["spoken_turn"]]) if "transcri" not in kind]
            assert [kind for kind in runs(types(events)) if "transcri" not in kind] == documented
            assert events[-1]["transcript"] == "Hi there."
            started, done = events[0], events[-2]["response"]
            assert events[-1]["item_id"] == started["item_id"]
            assert audio_of(events) == script.audio("Hello!", 24000)
            assert done["output"][0]["content"] == [{"type": "audio", "text": "Hello!"}]
            documented_end = next(frame for _, frame in PAGE["spoken_turn"] if frame["type"] == "response.done")
            assert shape(done) == shape(documented_end["response"])
            assert done["usage"]["input_tokens_details"]["audio_tokens"] > 0

    async def test_a_manual_turn(self) -> None:
        async with talking(brain(Say("Hello!")), OLDER, manual=True) as client:
            events = await client.commit(SPEECH)
            await client.send("response.create", response={"instructions": None})
            events += await client.until("response.done")
            kinds = [kind for kind in types(events) if "transcription" not in kind]
            assert kinds[:3] == types([frame for who, frame in PAGE["manual_turn"] if who == "S"])

    async def test_a_reply_asked_for_too_soon_is_lost_without_a_word(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(manual=True) as client:
            await client.append(SPEECH)
            await client.send("input_audio_buffer.commit")
            await client.send("response.create")
            await client.until("conversation.item.created")
            with trio.move_on_after(60) as waited:
                while True:
                    assert "response" not in (await client.receive())["type"]
            assert waited.cancelled_caught

    async def test_a_text_turn_in_text(self) -> None:
        async with talking(brain(Say("Hello!"))) as client:
            await client.update(modalities=["text"])
            await client.say("Hi")
            events = await client.until("response.done")
            assert "response.audio.delta" not in types(events)
            assert next(event for event in events if event["type"] == "response.text.done")["text"] == "Hello!"

    async def test_the_first_models_take_no_text(self) -> None:
        async with talking(model=OLDER) as client:
            await client.say("Hi")
            assert "no messages of text" in (await client.error())["message"]

    async def test_what_is_certain_of_a_transcript_grows(self) -> None:
        async with talking(brain(Say("Yes."), transcripts=("one two three",)), transcripts="before") as client:
            await client.append(SPEECH + SILENCE)
            events = await client.until("conversation.item.input_audio_transcription.completed")
            deltas = [event for event in events if event["type"].endswith("transcription.delta")]
            assert [(event["text"], event["stash"]) for event in deltas] == [
                ("", "one"),
                ("one", " two"),
                ("one two", " three"),
            ]


class TestTools:
    @pytest.mark.parametrize("by_itself", [False, True])
    async def test_two_calls_at_once(self, by_itself: bool) -> None:
        """The results are acknowledged; who asks for the reply that follows is an option."""
        script = ScriptedBrain(
            replies=[
                Reply([Call("get_weather", '{"city":"Oslo"}'), Call("get_weather", '{"city":"Rome"}')], when="weather"),
                Reply([Say("Cold and warm.")], after="get_weather"),
            ]
        )
        async with talking(script, server_follows_up=by_itself) as client:
            await client.update(tools=[WEATHER])
            await client.say("The weather?")
            events = await client.until("response.done")
            assert script.tools == ["get_weather"]
            calls = [event for event in events if event["type"] == "response.function_call_arguments.done"]
            assert [call["arguments"] for call in calls] == [' {"city":"Oslo"}', ' {"city":"Rome"}']
            assert "response.audio.delta" not in types(events)
            for call in calls:
                item = {"type": "function_call_output", "call_id": call["call_id"], "output": "21"}
                await client.send("conversation.item.create", item=item)
                acknowledged = (await client.until("conversation.item.created"))[-1]
                assert shape(acknowledged) == shape(PAGE["tools"][9][1])
            if not by_itself:
                await client.send("response.create")
            done = (await client.until("response.done"))[-1]["response"]
            assert done["output"][0]["content"][0]["text"] == "Cold and warm."
            assert [turn.text for turn in script.heard if turn.role == "tool"] == ["21", "21"]

    async def test_a_result_of_no_call(self) -> None:
        async with talking() as client:
            item = {"type": "function_call_output", "call_id": "call_0", "output": "21"}
            await client.send("conversation.item.create", item=item)
            assert (await client.error())["param"] == "item.call_id"


class TestImages:
    async def test_a_picture_goes_with_the_audio(self) -> None:
        async with talking(brain(Say("A cat.")), manual=True) as client:
            await client.append(SPEECH)
            await client.send("input_image_buffer.append", image=JPEG)
            await client.commit(SPEECH)
            await client.send("response.create")
            done = (await client.until("response.done"))[-1]["response"]
            assert done["usage"]["input_tokens_details"]["video_tokens"] > 0

    async def test_a_picture_needs_audio_since_the_last_commit(self) -> None:
        async with talking(manual=True) as client:
            for _ in range(2):
                await client.send("input_image_buffer.append", image=JPEG)
                error = await client.error()
                assert error == {
                    "type": "invalid_request_error",
                    "code": "",
                    "message": "Error append image before append audio.",
                }
                await client.commit(SPEECH)

    @pytest.mark.parametrize(
        ("image", "words"), [("iVBORw0KGgo=", "JPEG"), ("*", "base64"), ("A" * 262148, "262148"), (1, "string")]
    )
    async def test_pictures_that_are_refused(self, image: Any, words: str) -> None:
        async with talking(manual=True) as client:
            await client.append(SPEECH)
            await client.send("input_image_buffer.append", image=image)
            assert words in (await client.error())["message"]


class TestCancel:
    @pytest.mark.parametrize(
        ("ends", "last"),
        [("items", ["response.output_item.done"]), ("told", ["response.done"]), ("nothing", [])],
    )
    async def test_the_end_of_a_cancelled_response(self, ends: Any, last: list[str]) -> None:
        async with talking(ScriptedBrain(default=[Endless()]), cancel_end=ends, speed=4) as client:
            await client.send("response.create")
            await client.until("response.audio.delta")
            await client.send("response.cancel")
            await client.send("session.update", session={})
            events = await client.until("session.updated")
            told = [kind for kind in types(events[:-1]) if not kind.endswith(".delta")]
            assert told[-1:] == last

    async def test_a_voice_over_a_response_stops_it(self) -> None:
        script = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("Yes?")])])
        async with talking(script, cancel_end="told", speed=4) as client:
            await client.send("response.create")
            await client.until("response.audio.delta")
            await client.append(SPEECH + SILENCE)
            events = await client.until("response.done")
            assert events[-1]["response"]["status"] == "cancelled"
            assert "input_audio_buffer.speech_started" in types(events)
            assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"

    async def test_nothing_to_cancel(self) -> None:
        async with talking() as client:
            await client.send("response.cancel")
            assert await client.error() == PAGE["errors"][1][1]["error"]

    async def test_one_response_at_a_time(self) -> None:
        async with talking(ScriptedBrain(default=[Endless()])) as client:
            await client.send("response.create")
            await client.send("response.create")
            error = await client.error()
            assert (error["code"], error["message"]) == ("", "Conversation already has an active response")


WRONG_SETTINGS: list[tuple[Any, str | None]] = [
    ({"modalities": ["audio"]}, "session.modalities"),
    ({"modalities": "text"}, "session.modalities"),
    ({"turn_detection": {"type": "loud"}}, "session.turn_detection.type"),
    ({"turn_detection": {"type": "server_vad", "threshold": 2}}, "session.turn_detection.threshold"),
    ({"turn_detection": {"type": "server_vad", "silence_duration_ms": 1}}, None),
    ({"tools": [WEATHER], "enable_search": True}, "session.tools"),
    ({"tools": [{"type": "function", "function": {}}]}, "session.tools[0].function.name"),
    ({"audio": {"input": {}}, "input_audio_format": "pcm"}, "session"),
    ({"audio": {"input": {"format": {"type": "wav"}}}}, "session.audio.input.format.type"),
    ({"audio": {"input": {"format": {"sample_rate": 1}}}}, "session.audio.input.format.sample_rate"),
    ({"temperature": 9}, "session.temperature"),
    ({"surprise": 1}, "session.surprise"),
    ([], "session"),
]


class TestRefusals:
    @pytest.mark.parametrize(("session", "param"), WRONG_SETTINGS)
    async def test_settings(self, session: Any, param: str | None) -> None:
        async with talking() as client:
            await client.send("session.update", session=session)
            error = await client.error()
            assert error["code"] == "invalid_value"
            assert param is None or error["param"] == param
            if session == {"modalities": ["audio"]}:
                assert error == PAGE["errors"][0][1]["error"]

    async def test_semantic_turn_detection_is_of_the_newer_models(self) -> None:
        semantic = {"type": "semantic_vad"}
        async with talking(model=NEWER) as client:
            assert (await client.update(turn_detection=semantic))["turn_detection"]["type"] == "semantic_vad"
        async with talking(model=OLDER) as client:
            await client.send("session.update", session={"turn_detection": semantic})
            assert (await client.error())["param"] == "session.turn_detection.type"

    async def test_a_commit_with_turn_detection(self) -> None:
        async with talking() as client:
            await client.append(SPEECH)
            await client.send("input_audio_buffer.commit")
            assert (await client.error())["message"] == "Internal service error: null"

    async def test_a_commit_of_nothing(self) -> None:
        async with talking(manual=True) as client:
            await client.append(SPEECH)
            await client.send("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")
            await client.send("input_audio_buffer.commit")
            assert "empty" in (await client.error())["message"]

    async def test_the_voice_cannot_change_once_it_was_heard(self) -> None:
        async with talking() as client:
            await client.send("response.create")
            await client.until("response.done")
            await client.update(voice="Tina")
            await client.send("session.update", session={"voice": "Ethan"})
            assert (await client.error())["code"] == "cannot_update_voice"

    async def test_an_unknown_voice_fails_when_it_is_to_speak(self) -> None:
        async with talking() as client:
            await client.update(voice="Nobody")
            await client.send("response.create")
            assert (await client.error())["message"] == "Voice 'Nobody' is not supported."
            assert (await client.until("response.done"))[-1]["response"]["status"] == "failed"

    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"type": 1}',
            '{"type": "conversation.item.truncate"}',
            '{"type": "conversation.item.delete", "item_id": "x"}',
            '{"type": "input_audio_buffer.append"}',
            '{"type": "input_audio_buffer.append", "audio": "*"}',
            '{"type": "input_audio_buffer.append", "audio": "AAAA"}',
            '{"type": "response.create", "response": {"voice": "x"}}',
            '{"type": "conversation.item.create", "item": {"type": "mcp_approval_response"}}',
            b"\x00",
        ],
    )
    async def test_frames_that_make_no_sense(self, frame: str | bytes) -> None:
        async with talking() as client:
            await client.websocket.send(frame)
            error = await client.error()
            assert error["code"] == "invalid_value"
            await client.update()


class TestEnds:
    async def test_the_session_is_finished_in_order(self) -> None:
        async with talking() as client:
            await client.send("session.finish")
            await client.until("session.finished")
            assert (await client.closed()).code == 1000

    async def test_the_silent_are_closed(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking() as client:
            began = trio.current_time()
            assert (await client.closed()).code == 1000
            assert trio.current_time() - began == pytest.approx(300)

    async def test_a_session_has_a_limit(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(lifetime=60, idle=1000) as client:
            began = trio.current_time()
            assert "1 minutes" in (await client.closed()).reason
            assert trio.current_time() - began == pytest.approx(60)

    async def test_a_script_can_do_what_goes_wrong(self) -> None:
        async with talking(brain(Fail("Broken.", "server_error"))) as client:
            await client.send("response.create")
            done = (await client.until("response.done"))[-1]["response"]
            assert done["status_details"]["error"]["message"] == "Broken."
        async with talking(brain(Incomplete())) as client:
            await client.send("response.create")
            assert (await client.until("response.done"))[-1]["response"]["status"] == "incomplete"
        async with talking(brain(Midway("One two", 50, Overlap("Three")))) as client:
            await client.send("response.create")
            first = (await client.until("response.done"))[-1]["response"]["id"]
            assert (await client.until("response.done"))[-1]["response"]["id"] != first
        async with talking(brain(Drop(1011, "gone"))) as client:
            await client.send("response.create")
            assert (await client.closed()).code == 1011

    async def test_a_reply_that_is_too_long_is_cut(self) -> None:
        async with talking(brain(Say("word " * 100))) as client:
            await client.update(max_tokens=20)
            await client.send("response.create")
            done = (await client.until("response.done"))[-1]["response"]
            assert done["status"] == "incomplete"
            assert 20 <= done["usage"]["output_tokens"] < 40


async def test_the_documented_client_frames_do_what_the_document_says() -> None:
    script = ScriptedBrain(replies=[Reply([Call("get_weather")])], default=[Say("21 degrees.")])
    async with talking(script, manual=True) as client:
        await client.send("response.create")
        call = (await client.until("response.function_call_arguments.done"))[-1]
        await client.until("response.done")
        append, commit, image, create, item, finish, _ = [frame for _, frame in PAGE["client_events"]]
        append["audio"] = "AAAA" * 800
        item["item"]["call_id"] = call["call_id"]
        for frame in (append, image, commit):
            await client.websocket.send(json.dumps(frame))
        assert types(await client.until("conversation.item.created"))[-2] == "input_audio_buffer.committed"
        await client.websocket.send(json.dumps(item))
        await client.until("conversation.item.created")
        await client.websocket.send(json.dumps(create))
        done = (await client.until("response.done"))[-1]["response"]
        assert done["output"][0]["content"][0] == {"type": "text", "text": "21 degrees."}
        assert script.heard[0].text == "Answer in one word."
        await client.websocket.send(json.dumps(finish))
        assert types(await client.until("session.finished"))[-1] == PAGE["client_events"][-1][1]["type"]


def test_the_documented_server_frames_have_the_documented_fields() -> None:
    """The table that every event of the simulator is held against."""
    for section in PAGE.values():
        for who, frame in section:
            if who == "S" and frame["type"] != "response.created":
                check(frame)
