"""Gemini's simulator, as its protocol has it: order, refusals, playback, calls, ends of connections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from gemini_client import (
    KEY,
    MODEL,
    OLD,
    WEATHER,
    Json,
    audio_of,
    connected,
    contents,
    kinds,
    parts,
    talking,
    words,
)

from realtime_actors.simulators import (
    BareCall,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    GeminiSimulator,
    Incomplete,
    NoUsage,
    Raw,
    Reply,
    Say,
    ScriptedBrain,
    Stall,
    buzz,
)
from realtime_actors.transports import HandshakeRejected

SPEECH = bytes(16000) + buzz(800, 16000) + bytes(32000)
AUTO: Json = {"automaticActivityDetection": {"silenceDurationMs": 300}}
MANUAL: Json = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
TOOLS: Json = {"tools": [{"functionDeclarations": [WEATHER]}]}
PARIS = Call("get_weather", '{"city": "Paris"}')


def simulate(*replies: Any, speed: float = 0, transcripts: Any = (), **options: Any) -> GeminiSimulator:
    scripted = [each if isinstance(each, Reply) else Reply(each) for each in replies]
    brain = ScriptedBrain(replies=scripted, transcripts=transcripts, default=[Endless()])
    return GeminiSimulator(brain=brain, speed=speed, seed=1, **options)


class TestDoor:
    @pytest.mark.parametrize("version", ["v1beta", "v1alpha", "v1"])
    @pytest.mark.parametrize(
        ("headers", "query"),
        [
            ((("x-goog-api-key", "k"),), ""),
            ((), "?key=k"),
            ((), "?access_token=auth_tokens/t"),
            ((("Authorization", "Token auth_tokens/t"),), ""),
        ],
    )
    async def test_versions_and_keys(self, version: str, headers: Any, query: str) -> None:
        method = "BidiGenerateContent" + ("Constrained" if "auth_tokens" in f"{headers}{query}" else "")
        url = f"ws://memory/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}{query}"
        async with connected(simulate(), url=url, headers=headers) as client:
            assert await client.setup() == {"setupComplete": {}}

    @pytest.mark.parametrize(
        ("headers", "words"), [((), "unregistered callers"), ((("x-goog-api-key", "bad"),), "API key not valid")]
    )
    async def test_keys_are_refused_by_a_close(self, headers: Any, words: str) -> None:
        async with connected(simulate(), headers=headers) as client:
            await client.send(setup={})
            code, reason = await client.closed()
            assert code == 1008
            assert words in reason

    async def test_a_token_needs_its_own_endpoint(self) -> None:
        async with connected(simulate(), headers=(("x-goog-api-key", "auth_tokens/t"),)) as client:
            await client.send(setup={})
            assert (await client.closed())[0] == 1008

    async def test_a_token_is_good_for_one_session(self) -> None:
        simulator = simulate()
        url = "ws://memory/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
        headers = (("Authorization", "Token auth_tokens/t"),)
        async with connected(simulator, url=url, headers=headers) as client:
            await client.setup()
            await client.until("sessionResumptionUpdate")
            [handle] = client.handles
        async with connected(simulator, url=url, headers=headers) as client:
            assert await client.setup(sessionResumption={"handle": handle}) == {"setupComplete": {}}
        async with connected(simulator, url=url, headers=headers) as client:
            await client.send(setup={"model": MODEL})
            assert await client.closed() == (1011, "Token has been used too many times")

    async def test_another_path(self) -> None:
        with pytest.raises(HandshakeRejected) as caught:
            async with connected(simulate(), url="ws://memory/ws/other"):
                pass
        assert caught.value.status == 404


REFUSED_SETUPS: list[tuple[Any, int]] = [
    ({"model": "models/gemini-2.5-flash"}, 1008),
    ({"model": 5}, 1007),
    ({}, 1007),
    ({"model": MODEL, "foo": 1}, 1007),
    ({"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"]}}, 1007),
    ({"model": MODEL, "generationConfig": {"responseModalities": ["AUDIO", "TEXT"]}}, 1007),
    ({"model": MODEL, "generationConfig": {"responseSchema": {}}}, 1007),
    ({"model": MODEL, "realtimeInputConfig": {"activityHandling": "X"}}, 1007),
    ({"model": MODEL, "sessionResumption": {"handle": "unknown"}}, 1007),
    ({"model": MODEL, "tools": [{"functionDeclarations": [{"name": "x", "parameters": {}}]}]}, 1007),
]


class TestSetup:
    @pytest.mark.parametrize(("setup", "code"), REFUSED_SETUPS)
    async def test_what_is_refused(self, setup: Json, code: int) -> None:
        async with connected(simulate()) as client:
            await client.send(setup=setup)
            assert (await client.closed())[0] == code

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string", "additionalNonsense": 1},
            {"type": "STRING", "enum": ["a", ""]},
            {"type": "text"},
            {"type": "ARRAY"},
            {"$ref": "#/defs/x"},
        ],
    )
    async def test_schemas_that_are_no_schemas_of_this_wire(self, schema: Json) -> None:
        declared = {"name": "x", "parameters": {"type": "OBJECT", "properties": {"a": schema}}}
        async with connected(simulate()) as client:
            await client.send(setup={"model": MODEL, "tools": [{"functionDeclarations": [declared]}]})
            assert (await client.closed())[0] == 1007

    async def test_nothing_is_said_before_it_and_nothing_else_may_be(self, autojump_clock: object) -> None:
        async with connected(simulate()) as client:
            with trio.move_on_after(1) as scope:
                await client.receive()
            assert scope.cancelled_caught
            await client.say("Hello")
            assert (await client.closed())[0] == 1007

    async def test_only_once(self) -> None:
        async with talking(simulate()) as client:
            await client.send(setup={"model": MODEL})
            code, reason = await client.closed()
            assert code == 1007
            assert "once" in reason

    async def test_both_spellings(self) -> None:
        config = {"automatic_activity_detection": {"disabled": True}}
        function: Json = {"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {"city_name": {}}}}
        simulator = simulate([Say("Hi.")], transcripts=["hello"])
        async with connected(simulator) as client:
            fields: Json = {"realtime_input_config": config, "tools": [{"function_declarations": [function]}]}
            assert await client.setup(system_instruction={"parts": [{"text": "Be brief."}]}, **fields) == {
                "setupComplete": {}
            }
            await client.send(realtime_input={"activity_start": {}})
            await client.send(realtime_input={"audio": {"mime_type": "audio/pcm", "data": "-_8"}})
            await client.send(realtime_input={"activity_end": {}})
            await client.turn()
        brain = simulator.brain
        assert isinstance(brain, ScriptedBrain)
        assert [turn.text for turn in brain.heard] == ["Be brief.", "hello"]
        assert brain.tools == ["get_weather"]


REFUSED_MESSAGES: list[tuple[Any, int]] = [
    ({"nonsense": {}}, 1007),
    ({"realtimeInput": {"text": "a"}, "clientContent": {}}, 1007),
    ({"realtimeInput": {"nonsense": 1}}, 1007),
    ({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "%"}}}, 1007),
    ({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AAAA"}}}, 1007),
    ({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=99", "data": "AAA="}}}, 1007),
    ({"realtimeInput": {"audio": {"mimeType": "audio/mp3", "data": "AAA="}}}, 1007),
    ({"realtimeInput": {"video": {"mimeType": "video/mp4", "data": "AAA="}}}, 1007),
    ({"realtimeInput": {"activityStart": {}}}, 1007),
    ({"toolResponse": {"functionResponses": [{"id": "x", "name": "y", "response": {}}]}}, 1008),
    ({"toolResponse": {"functionResponses": [{"name": "y", "response": {}}]}}, 1007),
    ({"clientContent": {"turns": [{"role": "system", "parts": []}]}}, 1007),
    ({"clientContent": {"turns": [{"parts": [{"functionCall": {}}]}]}}, 1007),
    ([], 1007),
]


class TestRefusals:
    @pytest.mark.parametrize(("message", "code"), REFUSED_MESSAGES)
    async def test_what_closes_the_connection(self, message: Any, code: int) -> None:
        async with talking(simulate()) as client:
            await client.websocket.send(json.dumps(message))
            assert (await client.closed())[0] == code

    async def test_frames_that_are_no_messages(self) -> None:
        for frame in ("{", b"{}", "[" * 100 + "]" * 100):
            async with talking(simulate()) as client:
                await client.websocket.send(frame)
                assert (await client.closed())[0] == 1007

    async def test_an_oversize_frame(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(GeminiSimulator, "max_message", 1000)
        async with trio.open_nursery() as nursery:
            simulator = simulate()
            await nursery.start(simulator.serve)
            from realtime_actors.transports import default_transport  # noqa: PLC0415

            async with connected(simulator, transport=default_transport(), url=simulator.url) as client:
                await client.setup()
                await client.say("x" * 1000)
                assert (await client.closed())[0] == 1009
            nursery.cancel_scope.cancel()

    async def test_content_where_only_realtime_input_is_taken(self, autojump_clock: object) -> None:
        async with talking(simulate([Say("Hi.")]), model="models/gemini-3.1-flash-live-preview") as client:
            await client.content("Hello")
            await client.turn()
            await client.content("Again")
            assert (await client.closed())[0] == 1007

    @pytest.mark.parametrize("fields", [MANUAL, {"model": OLD}])
    async def test_what_not_every_session_takes(self, fields: Json) -> None:
        message: Json = {"realtimeInput": {"audioStreamEnd": True}}
        if "model" in fields:
            message = {"contextUpdate": {"systemInstruction": {"parts": [{"text": "x"}]}}}
        async with talking(simulate(), **fields) as client:
            await client.send(**message)
            assert (await client.closed())[0] == 1007


class TestTurns:
    async def test_text(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Good morning!")], playback=1.0)
        async with talking(simulator, outputAudioTranscription={}, sessionResumption={}) as client:
            await client.until("sessionResumptionUpdate")
            await client.say("Hello")
            generated = await client.until("generationComplete")
            began = trio.current_time()
            completed = await client.turn()
            assert trio.current_time() - began == pytest.approx(13 * 0.06)  # as long as it takes to say
            assert words(generated) == "Good morning!"
            assert isinstance(simulator.brain, ScriptedBrain)
            assert audio_of(generated) == simulator.brain.audio("Good morning!", 24000)
            assert generated[0] == {"sessionResumptionUpdate": {"resumable": False}}
            usage = completed[-1]["usageMetadata"]
            assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["responseTokenCount"]
            assert (await client.receive())["sessionResumptionUpdate"]["resumable"]

    async def test_speech(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Hello.")], transcripts=["good morning"])
        async with talking(simulator, realtimeInputConfig=AUTO, inputAudioTranscription={}) as client:
            await client.speak(SPEECH)
            told = await client.turn()
            assert kinds(told)[:6] == [
                *("sessionResumptionUpdate", "voiceActivity", "inputTranscription", "modelTurn", "generationComplete"),
                "turnComplete",
            ]
            assert words(told, "inputTranscription") == "good morning"
            start, end = (each["voiceActivity"] for each in told if "voiceActivity" in each)
            assert (start["type"], end["type"]) == ("ACTIVITY_START", "ACTIVITY_END")
            details = {each["modality"] for each in told[-1]["usageMetadata"]["promptTokensDetails"]}
            assert details == {"AUDIO"}

    async def test_an_older_model_tells_less(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Hello.")], transcripts=["good morning"])
        fields: Json = {"inputAudioTranscription": {}, "outputAudioTranscription": {}, "realtimeInputConfig": AUTO}
        async with talking(simulator, model=OLD, **fields) as client:
            await client.speak(SPEECH)
            told = await client.turn()
            assert all("voiceActivity" not in message and message for message in told)
            assert [each["text"] for each in contents(told, "inputTranscription")] == [" good", " morning"]
            assert all("role" not in turn for turn in contents(told, "modelTurn"))
            assert any("sessionResumptionUpdate" in message for message in told) is False

    @pytest.mark.parametrize("rate", [8000, 24000, 48000])
    async def test_speech_of_another_rate(self, rate: int, autojump_clock: object) -> None:
        async with talking(simulate([Say("Hello.")]), realtimeInputConfig=AUTO) as client:
            await client.speak(bytes(rate) + buzz(800, rate) + bytes(rate * 2), rate)
            await client.turn()

    async def test_the_stream_ends_in_the_middle_of_speech(self, autojump_clock: object) -> None:
        async with talking(simulate([Say("Hello.")])) as client:
            await client.speak(SPEECH[:30000])
            await client.send(realtimeInput={"audioStreamEnd": True})
            await client.turn()

    async def test_manual_turns(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Hello.")], transcripts=["hi"])
        async with talking(simulator, inputAudioTranscription={}, **MANUAL) as client:
            await client.speak(SPEECH)  # of no activity: nobody hears it
            await client.send(realtimeInput={"activityStart": {}})
            await client.speak(SPEECH)
            await client.send(realtimeInput={"activityEnd": {}})
            told = await client.turn()
            assert words(told, "inputTranscription") == "hi"
            assert not [message for message in told if "voiceActivity" in message]

    async def test_pictures_are_counted(self, autojump_clock: object) -> None:
        async with talking(simulate([Say("A pear.")], [Say("Two.")])) as client:
            media = {"mimeType": "image/jpeg", "data": "_9j_"}
            await client.send(realtimeInput={"video": media})
            await client.say("What is it?")
            [detail] = [
                each
                for each in (await client.turn())[-1]["usageMetadata"]["promptTokensDetails"]
                if each["modality"] == "IMAGE"
            ]
            part = {"inlineData": media}
            await client.send(clientContent={"turns": [{"parts": [part, {"text": "And now?"}]}], "turnComplete": True})
            usage = (await client.turn())[-1]["usageMetadata"]
            assert {"modality": "IMAGE", "tokenCount": 2 * detail["tokenCount"]} in usage["promptTokensDetails"]

    async def test_history_is_no_question(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Yes.")])
        async with talking(simulator, historyConfig={"initialHistoryInClientContent": True}) as client:
            turns = [{"role": role, "parts": [{"text": role}]} for role in ("user", "model")]
            await client.send(clientContent={"turns": turns, "turnComplete": True})
            await client.content("And?")
            assert contents(await client.turn(), "modelTurn")
        assert isinstance(simulator.brain, ScriptedBrain)
        assert [(turn.role, turn.text) for turn in simulator.brain.heard] == [
            ("user", "user"),
            ("assistant", "model"),
            ("user", "And?"),
        ]

    async def test_a_reply_in_text(self) -> None:
        model = "models/gemini-2.0-flash-live-001"
        async with talking(
            simulate([Say("Good morning!")]), model=model, generationConfig={"responseModalities": ["TEXT"]}
        ) as client:
            await client.content("Hello")
            assert "".join(part["text"] for part in parts(await client.turn())) == "Good morning!"

    async def test_a_context_update(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Oui.")])
        async with talking(simulator, **TOOLS) as client:
            update: Json = {"systemInstruction": {"parts": [{"text": "Speak French."}]}, "tools": {"tools": []}}
            await client.send(contextUpdate=update)
            await client.say("Yes?")
            await client.turn()
        assert isinstance(simulator.brain, ScriptedBrain)
        assert simulator.brain.heard[0].text == "Speak French."
        assert simulator.brain.tools == []

    async def test_a_bound_on_what_is_generated(self, autojump_clock: object) -> None:
        async with talking(simulate(), generationConfig={"maxOutputTokens": 50}) as client:
            await client.say("Go on")
            assert 40 < (await client.turn())[-1]["usageMetadata"]["responseTokenCount"] < 60


class TestInterruption:
    async def test_by_speech(self, autojump_clock: object) -> None:
        async with talking(simulate(speed=1), realtimeInputConfig=AUTO) as client:
            await client.say("A story!")
            await client.until("modelTurn")
            await client.speak(SPEECH)
            told = await client.turn()
            assert kinds(told)[-3:] == ["voiceActivity", "interrupted", "turnComplete"]
            assert "generationComplete" not in kinds(told)
            assert told[-1]["usageMetadata"]["responseTokenCount"] > 0

    async def test_of_what_is_assumed_to_play(self, autojump_clock: object) -> None:
        replies = [Say("A long story. " * 20)], [Say("Yes?")]
        async with talking(simulate(*replies), realtimeInputConfig=AUTO) as client:
            await client.say("A story!")
            await client.until("generationComplete")
            await client.speak(SPEECH)
            assert kinds(await client.turn())[-2:] == ["interrupted", "turnComplete"]
            await client.turn()
            with trio.move_on_after(60):  # the time it would have played is over, and nothing is said of it
                assert "turnComplete" not in (await client.until("turnComplete"))[-1]

    @pytest.mark.parametrize("by", ["text", "content", "activity"])
    async def test_by_the_client(self, by: str, autojump_clock: object) -> None:
        fields = MANUAL if by == "activity" else {}
        async with talking(simulate([Endless()], [Say("Yes?")], speed=1), **fields) as client:
            await client.content("A story!")
            await client.until("modelTurn")
            if by == "text":
                await client.say("Wait")
            elif by == "content":
                await client.content("Wait")
            else:
                await client.send(realtimeInput={"activityStart": {}})
                await client.send(realtimeInput={"activityEnd": {}})
            assert kinds(await client.turn())[-2:] == ["interrupted", "turnComplete"]
            assert "interrupted" not in kinds(await client.turn())

    async def test_not_where_it_is_switched_off(self, autojump_clock: object) -> None:
        config = {**AUTO, "activityHandling": "NO_INTERRUPTION"}
        async with talking(
            simulate([Say("Once. " * 10)], [Say("Yes?")], speed=1), realtimeInputConfig=config
        ) as client:
            await client.say("A story!")
            await client.until("modelTurn")
            await client.speak(SPEECH)
            assert "interrupted" not in kinds([*await client.turn(), *await client.turn()])


class TestCalls:
    async def test_several_at_once_and_on_by_itself(self, autojump_clock: object) -> None:
        simulator = simulate(
            [Say("One moment."), PARIS, Call("get_weather", '{"city": "Rome"}')],
            Reply([Say("Sunny.")], after="get_weather"),
        )
        async with talking(simulator, **TOOLS) as client:
            await client.say("Weather?")
            told = await client.until("toolCall")
            assert "generationComplete" not in kinds(told)
            paris, rome = told[-1]["toolCall"]["functionCalls"]
            assert (paris["args"], rome["args"]) == ({"city": "Paris"}, {"city": "Rome"})
            assert paris["id"].startswith("fc_")
            await client.respond(rome, "Hot.")
            with trio.move_on_after(1) as scope:  # it waits for both
                await client.receive()
            assert scope.cancelled_caught
            result = {"id": paris["id"], "name": "get_weather", "response": {"air_quality": "good"}}
            await client.send(tool_response={"function_responses": [result]})
            assert kinds(await client.turn())[-2:] == ["generationComplete", "turnComplete"]
        assert isinstance(simulator.brain, ScriptedBrain)
        assert [turn.text for turn in simulator.brain.heard[-2:]] == ["Hot.", "{'air_quality': 'good'}"]

    async def test_ids_of_older_models_and_a_message_for_each(self, autojump_clock: object) -> None:
        bare = BareCall("get_weather", '{"city": "Rome"}')
        async with talking(simulate([PARIS, bare]), model=OLD, **TOOLS) as client:
            await client.content("Weather?")
            first, second = [(await client.until("toolCall"))[-1]["toolCall"]["functionCalls"] for _ in range(2)]
            assert first[0]["id"].startswith("function-call-")
            assert second[0]["args"] == {"city": "Rome"}

    async def test_given_up_when_the_user_speaks(self, autojump_clock: object) -> None:
        async with talking(simulate([PARIS], [Say("Yes?")]), realtimeInputConfig=AUTO, **TOOLS) as client:
            await client.say("Weather?")
            [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            await client.speak(SPEECH)
            told = await client.turn()
            [cancelled] = [each["toolCallCancellation"] for each in told if "toolCallCancellation" in each]
            assert cancelled == {"ids": [call["id"]]}
            await client.respond(call, "Late.")
            assert (await client.closed())[0] == 1008

    @pytest.mark.parametrize("scheduling", ["INTERRUPT", "WHEN_IDLE", "SILENT", None])
    async def test_calls_that_are_not_waited_for(self, scheduling: str | None, autojump_clock: object) -> None:
        tools = [{"functionDeclarations": [{**WEATHER, "behavior": "NON_BLOCKING"}]}]
        simulator = simulate([PARIS, Say("I am looking. " * 5)], Reply([Say("Sunny.")], after="get_weather"))
        async with talking(simulator, model=OLD, tools=tools, outputAudioTranscription={}) as client:
            await client.content("Weather?")
            [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            await client.until("generationComplete")
            await client.respond(call, "Hot.", **({"scheduling": scheduling} if scheduling else {}))
            told = await client.turn()
            assert ("interrupted" in kinds(told)) is (scheduling == "INTERRUPT")
            if scheduling != "SILENT":
                assert words(await client.turn()) == "Sunny."
            else:
                await client.content("Well?")
                await client.until("modelTurn")

    @pytest.mark.parametrize("behavior", ["BLOCKING", "NON_BLOCKING"])
    async def test_a_result_that_comes_while_the_model_talks(self, behavior: str, autojump_clock: object) -> None:
        """It is taken, and answered once the model has said what it is saying."""
        tools = [{"functionDeclarations": [{**WEATHER, "behavior": behavior}]}]
        simulator = simulate([PARIS, Say("I am looking. " * 5)], Reply([Say("Sunny.")], after="get_weather"), speed=1)
        async with talking(simulator, model=OLD, tools=tools, outputAudioTranscription={}) as client:
            await client.content("Weather?")
            [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            await client.until("modelTurn")
            await client.respond(call, "Hot.")
            told = await client.turn()
            if behavior == "NON_BLOCKING":
                told += await client.turn()
            assert words(told).endswith("looking. Sunny.")
        assert isinstance(simulator.brain, ScriptedBrain)
        assert [turn.text for turn in simulator.brain.heard[-2:]] == ["I am looking. " * 5, "Hot."]

    async def test_a_call_is_given_up_while_the_model_talks_on(self, autojump_clock: object) -> None:
        simulator = simulate([PARIS, Endless()], [Say("Yes?")], speed=1)
        async with talking(simulator, realtimeInputConfig=AUTO, **TOOLS) as client:
            await client.say("Weather?")
            [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            await client.until("modelTurn")
            await client.speak(SPEECH)
            told = await client.turn()
            assert [each["toolCallCancellation"] for each in told if "toolCallCancellation" in each] == [
                {"ids": [call["id"]]}
            ]

    async def test_a_model_that_waits_for_none(self) -> None:
        async with connected(simulate()) as client:
            await client.send(setup={"model": "models/gemini-3.8-live-extended-thinking", **TOOLS})
            assert (await client.closed())[0] == 1007

    async def test_arguments_that_make_no_sense(self, autojump_clock: object) -> None:
        async with talking(simulate([Call("get_weather", "{city")]), **TOOLS) as client:
            await client.say("Weather?")
            [message] = [each for each in await client.turn() if "turnComplete" in each.get("serverContent", {})]
            assert message["serverContent"]["turnCompleteReason"] == "MALFORMED_FUNCTION_CALL"


class TestFailures:
    async def test_a_fault_of_the_server(self) -> None:
        async with talking(simulate([Say("Hi"), Fail("Internal error.")])) as client:
            await client.say("Hello")
            assert await client.closed() == (1011, "Internal error.")

    async def test_the_connection_breaks(self) -> None:
        async with talking(simulate([Drop(1011, "gone")])) as client:
            await client.say("Hello")
            assert await client.closed() == (1011, "gone")

    async def test_without_usage_and_for_safety(self, autojump_clock: object) -> None:
        async with talking(simulate([NoUsage(), Stall(5), Say("x"), Incomplete("content_filter")])) as client:
            await client.say("Hello")
            message = (await client.turn())[-1]
            assert "usageMetadata" not in message
            assert message["serverContent"]["turnCompleteReason"] == "GENERATED_CONTENT_SAFETY"

    async def test_raw_frames_and_errors(self) -> None:
        async with talking(simulate([Raw("{broken"), ErrorEvent("No.")])) as client:
            await client.say("Hello")
            frames: list[str | bytes] = []
            while len(frames) < 2:
                frame = await client.websocket.receive()
                if b"error" in (frame if isinstance(frame, bytes) else b"error"):
                    frames.append(frame)
            assert frames[0] == "{broken"
            assert json.loads(frames[1])["error"]["message"] == "No."


class TestTime:
    async def test_it_goes_away_and_comes_back(self, autojump_clock: object) -> None:
        simulator = simulate([Say("Hi.")], [Say("Again.")], lifetime=20, notice=5)
        async with talking(simulator) as client:
            await client.say("Hello")
            await client.turn()
            told = await client.until("goAway")
            assert trio.current_time() == pytest.approx(15)
            assert told[-1] == {"goAway": {"timeLeft": "5s"}}
            assert await client.closed() == (1011, "Deadline expired before operation could complete.")
            assert trio.current_time() == pytest.approx(20)
            handle = client.handles[-1]
        async with talking(simulator, sessionResumption={"handle": handle}) as client:
            await client.say("Do you remember?")
            await client.turn()
        assert isinstance(simulator.brain, ScriptedBrain)
        assert [turn.text for turn in simulator.brain.heard] == ["Hello", "Hi.", "Do you remember?"]

    async def test_an_end_without_a_word(self, autojump_clock: object) -> None:
        async with talking(simulate(lifetime=20, notice=0)) as client:
            assert (await client.closed())[0] == 1011

    async def test_the_model_of_a_handle_cannot_change(self) -> None:
        simulator = simulate()
        async with talking(simulator) as client:
            await client.until("sessionResumptionUpdate")
            handle = client.handles[-1]
        async with connected(simulator) as client:
            await client.send(setup={"model": OLD, "sessionResumption": {"handle": handle}})
            assert (await client.closed())[0] == 1007

    async def test_counters(self) -> None:
        simulator = simulate([Say("Hi.")])
        async with talking(simulator) as client:
            await client.say("Hello")
            await client.until("generationComplete")
            assert simulator.statistics().open_connections == 1
        assert simulator.statistics().frames_received == 2


FRAMES: dict[str, list[tuple[str, Json]]] = json.loads(
    (Path(__file__).parent.parent / "providers" / "gemini_frames.json").read_text()
)


async def test_every_client_message_of_the_protocol_is_taken(autojump_clock: object) -> None:
    """The frames are hand-made after the Live API."""
    simulator = simulate(Reply([PARIS], when="hello"))
    call: Json = {}
    messages = [message for _, message in FRAMES["client_messages"]]
    async with connected(simulator, headers=(KEY,)) as client:
        await client.websocket.send(json.dumps(FRAMES["handshake"][0][1]))
        assert await client.receive() == {"setupComplete": {}}
        for message in messages:
            match message:
                case {"realtimeInput": {"activityStart": _}} | {"realtimeInput": {"activityEnd": _}}:
                    continue  # of manual turns, which have a test of their own
                case {"realtimeInput": {"audio": _}} | {"realtimeInput": {"mediaChunks": _}}:
                    odd = json.dumps(message).replace("AAAA", "AAA=")  # 16 bits a sample
                    await client.websocket.send(odd)
                case {"realtimeInput": {"text": _}} | {"clientContent": _}:
                    await client.send(**message)
                    [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
                case {"toolResponse": _}:
                    await client.respond(call, "12:00")
                case _:
                    await client.send(**message)
        await client.until("modelTurn")
