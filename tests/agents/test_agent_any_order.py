"""Whatever users, tools, providers and networks do, in any order: what an agent promises of its events holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from agents_kit import VAD, Talk, speech, statuses, talking
from trio.testing import MockClock

from realtime_actors.agents import frontend_tool, tool
from realtime_actors.events import (
    AgentEnded,
    AgentPlayoutFlush,
    AgentReady,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientToolResult,
    encode_json,
    encode_msgpack,
)
from realtime_actors.simulators.brain import (
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midway,
    Overlap,
    Part,
    Raw,
    Say,
    Stall,
    Twice,
)
from realtime_actors.simulators.scripted import Reply

SAYINGS: dict[str, Sequence[Part]] = {
    "hello": [Say("Hello there.")],
    "story": [Endless()],
    "tool": [Say("Let me see."), Call("look"), Call("look"), Call("paint")],
    "slow": [Call("slow"), Say("One moment.")],
    "unknown": [Call("nothing", "{broken")],
    "fail": [Midway("Well then, my friend", 300, Fail())],
    "incomplete": [Midway("Well then, my friend", 300, Incomplete())],
    "garbage": [Midway("Well then, my friend", 300, Raw("{not json"))],
    "error": [Midway("Well then, my friend", 300, ErrorEvent("Hiccup."))],
    "overlap": [Midway("Well then, my friend", 300, Overlap("Me too."))],
    "twice": [Twice(Say("Hello. Hello."))],
    "drop": [Midway("Well then, my friend", 300, Drop(1011))],
    "stall": [Stall()],
}


@tool
async def look() -> str:
    """Look."""
    await trio.sleep(0.3)
    return "nothing"


@tool(timeout=4, on_interruption="finish")
async def slow() -> str:
    """Slow."""
    await trio.sleep(10)
    return "never"


PAINT = frontend_tool("paint", "Paint.", timeout=3)


def check(events: Sequence[Any]) -> None:
    """Each reply begins once and ends once, and nothing of it comes before or after; each call has one result."""
    begun: set[str] = set()
    ended: set[str] = set()
    called: list[str] = []
    results: list[str] = []
    for event in events:
        match event:
            case AgentResponseCreated(response_id):
                assert response_id not in begun
                begun.add(response_id)
            case AgentResponseDone(response_id):
                assert response_id in begun - ended
                ended.add(response_id)
            case AgentPlayoutFlush(response_id):
                assert response_id in ended
            case AgentResponseToolResult(result):
                results.append(result.id)
            case _:
                if isinstance(event, AgentResponseToolUseDone):
                    called.append(event.tool_use.id)
                response_id = getattr(event, "response_id", None)
                assert response_id is None or response_id in begun - ended
    assert begun == ended
    assert len(set(results)) == len(results)
    assert set(results) == set(called)
    assert isinstance(events[0], AgentReady)
    assert isinstance(events[-1], AgentEnded)


async def step(talk: Talk, chance: random.Random) -> None:
    """One thing that happens, and then some time or none."""
    kind = chance.choice(["say"] * 6 + ["cancel"] * 4 + ["speak", "create", "instruct", "answer", "lose"])
    match kind:
        case "say":
            talk.say(chance.choice(list(SAYINGS)))
        case "cancel":
            talk.tell(ClientResponseCancel("s1"))
        case "speak":
            await talk.speak(speech(chance.randrange(100, 600), 16000), 16000, paced=chance.random() < 0.5)
        case "create":
            talk.tell(ClientResponseCreate("s1"))
        case "instruct":
            talk.tell(ClientSessionCreate({"instructions": f"Be {chance.random()}."}))
        case "answer":
            calls = [event.tool_use for event in talk.seen if isinstance(event, AgentResponseToolUseDone)]
            call_id = chance.choice(calls).id if calls else "unknown"
            talk.tell(ClientToolResult("s1", call_id, "paint", "painted"))
        case _:
            talk.network.drop_connections()
            await trio.sleep(chance.choice([0, 11, 20]))
    talk.waiting()
    if chance.random() < 0.7:
        await trio.sleep(chance.random() * 3)
    talk.waiting()


@pytest.mark.parametrize("seed", range(6))
async def test_promises_hold(seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(seed)  # noqa: S311 - not a secret
    replies = [Reply(parts, when=saying) for saying, parts in SAYINGS.items()]
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with talking(*replies, model=VAD, tools=[look, slow, PAINT], speed=chance.choice([1, 4, 20])) as talk:
        for _ in range(60):
            await step(talk, chance)
            if talk.agent.statistics().state != "running":
                break  # its connection was lost too often
        talk.tell(ClientResponseCancel("s1"))
        await trio.sleep(30)
        talk.waiting()
        if talk.agent.statistics().state == "running":  # however it came here, it is not mute
            talk.say("hello")
            assert statuses(await talk.reply()) == ["completed"]
        talk.tell(ClientSessionEnd("s1"))
        await talk.agent.wait_stopped()
        talk.waiting()
        check(talk.seen)
        for event in talk.seen:
            encode_json(event)
            encode_msgpack(event)
    assert trio.lowlevel.current_statistics().tasks_living == tasks
