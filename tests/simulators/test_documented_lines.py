"""The client's frames of Gemini's and DashScope's documented sequences, and what the simulators answer to each."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import pytest
from dashscope_client import PAGE as DASHSCOPE
from dashscope_client import audio_of, types
from dashscope_client import talking as talking_to_dashscope
from gemini_client import OLD, WEATHER, Client, Json, connected, contents, kinds, talking

from realtime_actors.simulators import Call, Endless, GeminiSimulator, Reply, Say, ScriptedBrain

GEMINI: dict[str, list[tuple[str, Json]]] = json.loads(
    (Path(__file__).parent.parent / "providers" / "gemini_frames.json").read_text()
)
MANUAL: Json = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
CALLED = Reply([Call("get_weather", '{"city": "Oslo"}')], when="weather")
ANSWERED = Reply([Say("Cold.")], after="get_weather")


def from_client(page: dict[str, list[tuple[str, Json]]], section: str) -> list[Json]:
    return [copy.deepcopy(frame) for who, frame in page[section] if who == "C"]


def shape(message: Json) -> Json:
    """Which keys there are, and in them."""
    return {key: sorted(value) for key, value in message.items()}


def simulator(*replies: Reply, speed: float = 0) -> GeminiSimulator:
    brain = ScriptedBrain(replies=replies, transcripts=["Hello?"], default=[Say("I heard you.")])
    return GeminiSimulator(brain=brain, speed=speed, playback=0, seed=1)


async def called(client: Client) -> Json:
    await client.say("The weather?")
    [call] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
    return call


def result_of(section: str, call: Json) -> Json:
    """The documented result, with the id that the call has here, and its name where the document has one."""
    [frame] = from_client(GEMINI, section)
    [result] = frame["toolResponse"]["functionResponses"]
    result |= {"id": call["id"], **({"name": call["name"]} if "name" in result else {})}
    return frame


async def test_gemini_is_set_up() -> None:
    (_, setup), (_, complete), (_, update) = GEMINI["handshake"]
    async with connected(simulator()) as client:
        await client.send(**setup)
        assert await client.receive() == complete
        assert shape(await client.receive()) == shape(update)


async def test_gemini_answers_a_manual_turn() -> None:
    start, audio, end = from_client(GEMINI, "manual_turn")
    audio["realtimeInput"]["audio"]["data"] = "AAAA" * 1600  # 16 bits a sample
    async with talking(simulator(), **MANUAL) as client:
        for frame in (start, audio, end):
            await client.send(**frame)
        assert contents(await client.turn(), "modelTurn")


async def test_gemini_sees_a_picture() -> None:
    served = simulator()
    async with talking(served) as client:
        [frame] = from_client(GEMINI, "image")
        await client.send(**frame)
        usage = (await client.turn())[-1]["usageMetadata"]
        assert "IMAGE" in [each["modality"] for each in usage["promptTokensDetails"]]
    assert isinstance(served.brain, ScriptedBrain)
    assert served.brain.heard[-1].text == "What fruit is this?"


@pytest.mark.parametrize("section", ["blocking_call", "interaction_status"])
async def test_gemini_goes_on_after_a_result(section: str) -> None:
    """The second has no name."""
    async with talking(simulator(CALLED, ANSWERED), tools=[{"functionDeclarations": [WEATHER]}]) as client:
        await client.send(**result_of(section, await called(client)))
        assert contents(await client.turn(), "modelTurn")


async def test_gemini_is_interrupted_by_a_result_that_says_so(autojump_clock: object) -> None:
    tools = [{"functionDeclarations": [{**WEATHER, "behavior": "NON_BLOCKING"}]}]
    talks_on = Reply([*CALLED.parts, Endless()], when="weather")
    async with talking(simulator(talks_on, ANSWERED, speed=1), model=OLD, tools=tools) as client:
        call = await called(client)
        await client.until("modelTurn")
        await client.send(**result_of("non_blocking_call", call))
        assert kinds(await client.turn())[-2:] == ["interrupted", "turnComplete"]
        assert contents(await client.turn(), "modelTurn")


async def test_gemini_goes_on_with_a_session() -> None:
    served = simulator()
    async with talking(served, sessionResumption={}) as client:
        await client.say("Hello")
        await client.turn()
        await client.until("sessionResumptionUpdate")
        handle = client.handles[-1]
    async with connected(served) as client:
        [frame] = from_client(GEMINI, "resumption")
        frame["setup"]["sessionResumption"]["handle"] = handle
        await client.send(**frame)
        assert await client.receive() == GEMINI["resumption"][-1][1]
        await client.say("And?")
        await client.turn()
    assert isinstance(served.brain, ScriptedBrain)
    assert [turn.text for turn in served.brain.heard] == ["Hello", "I heard you.", "And?"]


async def test_dashscope_answers_a_manual_turn() -> None:
    append, commit, create = from_client(DASHSCOPE, "manual_turn")
    append["audio"] = "AAAA" * 1600  # 16 bits a sample
    async with talking_to_dashscope(ScriptedBrain(default=[Say("Yes.")]), manual=True) as client:
        for frame in (append, commit):
            await client.websocket.send(json.dumps(frame))
        committed = await client.until("conversation.item.created")
        await client.websocket.send(json.dumps(create))
        events = committed + await client.until("response.created")
        events = [event for event in events if "transcription" not in event["type"]]  # which comes when it will
        assert types(events) == types([frame for who, frame in DASHSCOPE["manual_turn"] if who == "S"])


async def test_dashscope_calls_a_tool() -> None:
    """In the documented order, to the reply after the result."""
    update, result, create = from_client(DASHSCOPE, "tools")
    async with talking_to_dashscope(ScriptedBrain(replies=[Reply(CALLED.parts), ANSWERED]), manual=True) as client:
        await client.websocket.send(json.dumps(update))
        [tool] = (await client.until("session.updated"))[-1]["session"]["tools"]
        assert tool == update["session"]["tools"][0]
        await client.send("response.create")
        events = await client.until("response.done")
        result["item"]["call_id"] = events[-1]["response"]["output"][0]["call_id"]
        await client.websocket.send(json.dumps(result))
        events += await client.until("conversation.item.created")
        told = [kind for kind, _ in itertools.groupby(types(events))]  # arguments come in pieces
        assert told == types([frame for who, frame in DASHSCOPE["tools"] if who == "S"])
        await client.websocket.send(json.dumps(create))
        assert audio_of(await client.until("response.done"))


async def test_dashscope_sees_a_picture() -> None:
    append, image, commit, create = from_client(DASHSCOPE, "images")
    append["audio"] = "AAAA" * 1600  # 16 bits a sample
    async with talking_to_dashscope(ScriptedBrain(default=[Say("A pear.")]), manual=True) as client:
        for frame in (append, image, commit):
            await client.websocket.send(json.dumps(frame))
        await client.until("conversation.item.created")
        await client.websocket.send(json.dumps(create))
        usage = (await client.until("response.done"))[-1]["response"]["usage"]
        assert usage["input_tokens_details"]["video_tokens"] > 0


async def test_dashscope_is_cancelled() -> None:
    """Nothing but the ends of what was begun follows; a second time there is nothing to cancel, in these words."""
    [cancel] = from_client(DASHSCOPE, "cancel")
    async with talking_to_dashscope(ScriptedBrain(default=[Endless()]), speed=20, manual=True) as client:
        await client.send("response.create")
        await client.until("response.audio.delta")
        await client.websocket.send(json.dumps(cancel))
        await client.websocket.send(json.dumps(cancel))
        ended = [kind for kind in types(await client.until("error")) if not kind.endswith("delta")]
        documented = types([frame for who, frame in DASHSCOPE["cancel"] if who == "S"])
        assert [kind for kind in ended if kind != "response.audio_transcript.done"] == [*documented, "error"]
        assert client.seen[-1]["error"] == DASHSCOPE["errors"][1][1]["error"]
