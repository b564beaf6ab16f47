"""An interruption is one thing, whoever interrupts: the provider's turn detection, our own, the client, or code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from agents_kit import MODEL, Talk, of, talking
from trio.testing import MockClock

from realtime_actors.agents import LocalVAD, generate_reply
from realtime_actors.agents.turns import Effect, Emit, Ended, Send, Silence, Turns
from realtime_actors.events import (
    AgentInputStarted,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseDone,
    CancelResponse,
    ClientResponseCancel,
    ModelResponseDone,
    ToolUse,
)
from realtime_actors.providers import ServerVAD
from realtime_actors.simulators import Endless, Say, buzz

CALL = ToolUse("call_1", "look", {}, "{}")

Interrupt = Callable[[Turns], list[Effect]]

SOURCES: dict[str, Interrupt] = {
    "the provider's turn detection": lambda turns: turns.heard_speech(True),
    "our own turn detection": lambda turns: turns.heard_speech(True, tell_model=True),
    "the client": lambda turns: turns.cancel(),
    "code": lambda turns: turns.interrupt("mine"),
}


def alike(effects: list[Effect]) -> list[Effect]:
    """Without what may differ: the reason, and whether the model is told, which may have begun it."""
    found: list[Effect] = []
    for effect in effects:
        match effect:
            case Send(CancelResponse()) | Silence(None):
                continue
            case Emit(AgentResponseDone() as done):
                found.append(Emit(attrs.evolve(done, metadata={**done.metadata, "reason": ""})))
            case Ended(requests, metadata):
                found.append(Ended(requests, {**metadata, "reason": ""}))
            case Send(command) if hasattr(command, "item_id"):
                found.append(Send(attrs.evolve(command, item_id="")))
            case _:
                found.append(effect)
    return found


def speaking(calls: bool) -> Turns:
    turns = Turns("friday", "Friday")
    turns.want_reply("mine")
    turns.created("r1")
    if calls:
        turns.called("r1", CALL)
    return turns


@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("calls", [False, True])
def test_whoever_interrupts_the_same_is_done(source: str, calls: bool) -> None:
    effects = SOURCES[source](speaking(calls))
    assert alike(effects) == alike(speaking(calls).cancel())
    told = [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.command, CancelResponse)]
    assert len(told) == (source != "the provider's turn detection")


@pytest.mark.parametrize("source", list(SOURCES))
def test_whoever_interrupts_nothing_passes_afterwards_and_the_next_reply_does(source: str) -> None:
    turns = speaking(calls=False)
    SOURCES[source](turns)
    assert not turns.passes("r1")
    turns.done(ModelResponseDone("r1", metadata={"status": "cancelled"}))
    turns.want_reply()
    turns.created("r2")
    assert turns.passes("r2")


def test_speech_before_the_reply_has_begun_cancels_it_and_the_next_request_is_made() -> None:
    turns = Turns("friday", "Friday")
    turns.want_reply()
    assert turns.heard_speech(True, tell_model=True) == [Silence()]
    assert turns.want_reply() == []  # what was requested has to begin first
    effects = turns.created("r1")
    assert [effect.command for effect in effects if isinstance(effect, Send)] == [CancelResponse("id_2", "r1")]
    assert not turns.passes("r1")
    effects = turns.done(ModelResponseDone("r1", metadata={"status": "cancelled"}))
    assert len([effect for effect in effects if isinstance(effect, Send)]) == 1  # a reply to all that was said


async def interrupted(talk: Talk, source: str) -> None:
    match source:
        case "the provider's turn detection" | "our own turn detection":
            await talk.speak(buzz(700, 24000), 24000)
        case "the client":
            talk.tell(ClientResponseCancel("s1"))
        case _:
            raise AssertionError(source)


def settings(source: str) -> dict[str, Any]:
    if source == "our own turn detection":
        return {"turn_detection": LocalVAD(interrupt_after_ms=100)}
    return {"model": attrs.evolve(MODEL, turn_detection=ServerVAD(silence_duration_ms=300))}


@pytest.mark.parametrize("source", list(SOURCES))
async def test_frontends_and_the_provider_are_told_the_same(source: str, autojump_clock: MockClock) -> None:
    """The reply ends, and with the provider it is stopped and cut to what was heard."""
    async with talking([Endless()], speed=1, **settings(source)) as talk:
        reply = await generate_reply(talk.agent, "Talk.")
        events = await talk.until(AgentResponseAudioDelta, 20)
        if source == "code":
            reply.interrupt()
        else:
            await interrupted(talk, source)
        await trio.sleep(0.3)
        events += talk.waiting()
        at = next(index for index, event in enumerate(events) if isinstance(event, AgentResponseDone))
        assert events[at].metadata["status"] == "cancelled"
        assert reply.status == "cancelled"
        assert of(AgentResponseAudioDelta, events[at:]) == []
        assert of(AgentPlayoutFlush, events) == []  # the end of the reply says it
        if "turn detection" in source:
            assert isinstance(events[at + 1], AgentInputStarted)
        said = [frame["type"] for frame in talk.sent("response.cancel", "conversation.item.truncate")]
        itself = source == "the provider's turn detection"
        assert said == ["conversation.item.truncate"] if itself else ["response.cancel", "conversation.item.truncate"]


@pytest.mark.parametrize("source", ["the provider's turn detection", "our own turn detection", "the client"])
async def test_a_reply_that_is_still_being_heard_is_flushed_and_cut(source: str, autojump_clock: MockClock) -> None:
    """It was generated faster than it is heard: there is nothing to stop any more, but much to be silent about."""
    async with talking([Say("word " * 40)], speed=0, **settings(source)) as talk:
        talk.say("Talk.")
        await talk.reply()
        await trio.sleep(1)
        await interrupted(talk, source)
        await trio.sleep(0.3)
        events = talk.waiting()
        (flush,) = of(AgentPlayoutFlush, events)
        assert 900 <= flush.heard_ms <= 1500
        (cut,) = talk.sent("response.cancel", "conversation.item.truncate")
        assert (cut["type"], cut["audio_end_ms"]) == ("conversation.item.truncate", flush.heard_ms)
