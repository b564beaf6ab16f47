"""A model that falls silent: in the middle of a reply, or before it, with every provider's simulator."""

from __future__ import annotations

import pytest
import trio
from agent_talk import audio_of, of, statuses, talking
from five_providers import FIVE, simulator_of
from trio.testing import MockClock

from realtime_actors.agents import tool
from realtime_actors.agents.watchdog import Patience
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientResponseCancel,
    ServerSessionUpdated,
)
from realtime_actors.providers import ProviderUnavailable
from realtime_actors.simulators import Call, Midway, Say, Stall
from realtime_actors.testing import Delay, Failures


@tool(timeout=300)
async def think() -> str:
    """Think about it."""
    await trio.sleep(50)
    return "42"


@FIVE
async def test_silence_in_mid_call_is_an_error_and_the_call_goes_on(provider: str, autojump_clock: MockClock) -> None:
    """Silence in mid-call with no error: the reply breaks off in the middle, and nothing else is ever said."""
    replies = [Midway("Once upon a time there was", 300, Stall())], [Say("I am here.")]
    simulator, model = simulator_of(provider, *replies)
    async with talking(simulator, model) as talk:
        talk.say("A story!")
        events = await talk.probe.until(AgentResponseDone)
        assert events[-1].metadata == {"status": "failed", "reason": "model_silent"}
        [error] = of(AgentError, events)
        assert (error.error_type, error.code) == ("connection_error", "model_silent")
        assert "in the middle of a reply" in error.message
        assert 20 < trio.current_time() < 27
        *_, updated = await talk.probe.until(ServerSessionUpdated)
        assert updated.metadata["connection"] == "restored"
        talk.say("Are you there?")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert of(AgentError, events) == []
        await talk.probe.expect_nothing(within=100)


@pytest.mark.parametrize("provider", ["openai", "azure", "gemini"])
async def test_a_reply_that_never_begins_is_asked_for_again_in_a_new_session(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, [Say("I am here.")])
    # All that the provider says after the configuration is held back.
    reply = "serverContent" if provider == "gemini" else "response.created"
    faults = [Delay(seconds=1000, containing=reply, connection=1)]
    async with talking(simulator, model, faults=faults) as talk:
        talk.say("Hello?")
        events = await talk.reply()
        [error] = of(AgentError, events)
        assert error.code == "model_silent"
        assert "not begun the reply" in error.message
        assert statuses(events) == ["completed"]
        assert 25 <= trio.current_time() < 40


@pytest.mark.parametrize("provider", ["dashscope", "xai"])
async def test_wires_that_drop_requests_without_a_word_have_a_patience_of_their_own(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, [Say("I am here.")])
    faults = [Delay(seconds=1000, containing="response.created", connection=1)]
    async with talking(simulator, model, faults=faults) as talk:
        talk.say("Hello?")
        [*_, error] = await talk.probe.until(AgentError)
        assert error.code == "no_response"
        assert trio.current_time() <= 22


@FIVE
async def test_a_reply_that_is_played_is_no_silence(provider: str, autojump_clock: MockClock) -> None:
    """Gemini tells the end of a reply when it takes it to be played, long after its last piece."""
    simulator, model = simulator_of(provider, [Say("So it is. " * 80)], speed=0)
    async with talking(simulator, model) as talk:
        talk.say("A story!")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert of(AgentError, events) == []
        if provider == "gemini":
            assert trio.current_time() > 40


async def test_a_tool_may_take_its_time(autojump_clock: MockClock) -> None:
    simulator, model = simulator_of("openai", [Call("think", "{}")], [Say("It is 42.")])
    async with talking(simulator, model, tools=[think]) as talk:
        talk.say("What is it?")
        events = await talk.reply() + await talk.reply()
        assert of(AgentError, events) == []
        assert statuses(events) == ["completed"] * 2


async def test_a_cancelled_reply_that_never_ends_does_not_hold_up_the_next(autojump_clock: MockClock) -> None:
    """The provider neither goes on nor says that it has stopped."""
    simulator, model = simulator_of("openai", [Midway("Once upon a time", 300, Stall())], [Say("I am here.")])
    faults = [Delay(seconds=1000, containing="response.done", connection=1)]
    async with talking(simulator, model, faults=faults) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.tell(ClientResponseCancel("s1"))
        await talk.reply()
        talk.say("Are you there?")
        events = await talk.reply()
        assert [error.code for error in of(AgentError, events)] == ["model_silent"]
        assert audio_of(events)
        assert statuses(events) == ["completed"]


async def test_it_can_be_switched_off(autojump_clock: MockClock) -> None:
    simulator, model = simulator_of("openai", [Stall()])
    patience = Patience(begins=None, goes_on=None)
    async with talking(simulator, model, patience=patience) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseCreated)
        await talk.probe.expect_nothing(within=1000)


async def test_a_model_that_is_always_silent_is_given_up(autojump_clock: MockClock) -> None:
    simulator, model = simulator_of("openai")
    faults = [Delay(seconds=1000, containing="response.created", connection=None)]
    failures = Failures(ProviderUnavailable)
    async with talking(simulator, model, faults=faults, failures=failures) as talk:
        talk.say("Hello?")
        ended = await talk.agent.wait_stopped()
        assert isinstance(ended.cause, ProviderUnavailable)
        assert "not begun the reply" in str(ended.cause)
        assert trio.current_time() < 300
