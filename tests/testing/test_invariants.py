"""What holds of an agent's events: what breaks it is found."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from realtime_actors.actors import Lost, Runtime
from realtime_actors.events import (
    AgentEnded,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioDone,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    ServerSessionUpdated,
    ToolResult,
    ToolUse,
)
from realtime_actors.testing import InvariantBroken, Invariants, run_virtual

WHO = ("friday", "Friday")
READY, ENDED = AgentReady(*WHO), AgentEnded(*WHO)
BEGUN = AgentResponseCreated("r1", *WHO)
DONE = AgentResponseDone("r1", 1, 1, {"status": "completed"}, *WHO)
SPEECH = AgentResponseAudioDelta("r1", "i1", bytes(480), agent_id="friday", agent_name="Friday")
SPOKEN = AgentResponseAudioDone("r1", "i1", *WHO)
WRITTEN = AgentResponseAudioTranscriptDone("r1", "i1", *WHO, "Hello there.")
CALLED = AgentResponseToolUseDone("r1", "i2", ToolUse("c1", "look", {}, '{"at": 1}'), *WHO)
RESULT = AgentResponseToolResult(ToolResult("c1", "look", "nothing"), *WHO)
PROGRESS = AgentResponseToolProgress("c1", "look", "half", 0.5, *WHO)


def words(text: str) -> AgentResponseAudioTranscriptDelta:
    return AgentResponseAudioTranscriptDelta("r1", "i1", text, *WHO)


def writes(arguments: str) -> AgentResponseToolUseDelta:
    return AgentResponseToolUseDelta("r1", "i2", ToolUse("c1", "look", {}, arguments), *WHO)


def see(*events: Any, is_prompt: bool = True) -> Invariants:
    invariants = Invariants(is_prompt)
    for event in events:
        invariants.see(event)
    return invariants


SPOKE = (words("Hello"), SPEECH, words(" there."), SPEECH, SPOKEN, WRITTEN)
CALLS = (writes('{"at'), writes('{"at": 1}'), CALLED, PROGRESS)


def test_a_conversation_as_it_should_be() -> None:
    see(READY, ServerSessionUpdated("s1"), BEGUN, *SPOKE, *CALLS, DONE, RESULT, ENDED).finish()


def test_an_agent_may_be_started_again() -> None:
    see(READY, ENDED, READY, BEGUN, DONE, ENDED).finish()


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ((BEGUN,), "is not ready"),
        ((READY, READY), "is ready a second time"),
        ((READY, ENDED, BEGUN), "has ended, and says more"),
        ((READY, BEGUN, ENDED), "ends before its replies"),
        ((READY, SPEECH), "has not begun"),
        ((READY, BEGUN, BEGUN), "begins a second time"),
        ((READY, BEGUN, DONE, BEGUN), "begins a second time"),
        ((READY, BEGUN, DONE, DONE), "has ended, and there is more"),
        ((READY, BEGUN, DONE, SPEECH), "has ended, and there is more"),
        ((READY, BEGUN, DONE, SPOKEN), "has ended, and there is more"),
        ((READY, BEGUN, SPOKEN, SPEECH), "was complete, and there is more"),
        ((READY, BEGUN, *SPOKE, words("?")), "were complete, and there are more"),
        ((READY, BEGUN, *SPOKE, WRITTEN), "complete a second time"),
        ((READY, BEGUN, words("Hello"), WRITTEN), "of the words 'Hello there.' came 'Hello'"),
        ((READY, BEGUN, writes('{"at'), writes('{"to')), "the arguments of the call c1"),
        ((READY, BEGUN, CALLED, CALLED), "was complete, and there is more"),
        ((READY, RESULT), "there was no call c1"),
        ((READY, BEGUN, *CALLS, RESULT, RESULT), "has its result"),
        ((READY, BEGUN, *CALLS, RESULT, PROGRESS), "has its result"),
        ((READY, BEGUN, AgentResponseDone("r1", 0, 0, {}, *WHO)), "has no status"),
        ((READY, Lost(3)), "3 events were lost"),
    ],
)
def test_what_breaks_it(events: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(InvariantBroken, match=problem):
        see(*events)


def test_what_is_left_open() -> None:
    with pytest.raises(InvariantBroken, match="replies have not ended: r1"):
        see(READY, BEGUN).finish()
    with pytest.raises(InvariantBroken, match="calls have no result: c1"):
        see(READY, BEGUN, *CALLS, DONE).finish()


def test_of_an_agent_that_has_ended_nobody_wants_results() -> None:
    see(READY, BEGUN, *CALLS, DONE, ENDED).finish()


def test_a_reader_that_lags_behind_need_not_get_all_the_words() -> None:
    see(READY, BEGUN, words("Hello"), WRITTEN, DONE, is_prompt=False).finish()


def test_an_error_shows_what_came_last() -> None:
    with pytest.raises(InvariantBroken, match=r"AgentResponseDone\(response_id='r1'"):
        see(READY, BEGUN, DONE, DONE)


async def _race(runtime: Runtime) -> list[int]:
    """Tasks in the order in which Trio runs them."""
    order: list[int] = []

    async def run(number: int) -> None:
        await trio.sleep(random.choice([1, 2]))  # noqa: S311 - no secret
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(run, number)
    return order


def test_with_a_seed_the_same_happens_again() -> None:
    state = random.getstate()
    assert run_virtual(_race, seed=1) == run_virtual(_race, seed=1) != run_virtual(_race, seed="2")
    assert random.getstate() == state
