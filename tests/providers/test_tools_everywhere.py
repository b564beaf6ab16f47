"""What is promised of tools, with every provider's simulator."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import trio
from agent_talk import PAUSE, SPEECH, of, statuses, talking
from five_providers import FIVE, simulator_of
from trio.testing import MockClock

from realtime_actors.agents import Progress, tool
from realtime_actors.events import (
    AgentInputStarted,
    AgentResponseDone,
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    ClientResponseCancel,
    ClientToolApproval,
    ServerSessionUpdated,
)
from realtime_actors.simulators import Call, Endless, Reply, Say, ScriptedBrain
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import Invariants

FINE = [Say("Fine.")]
CANCELLED = "The call was cancelled: the user interrupted the reply."


def results(events: list[Any]) -> list[Any]:
    return [event.tool_result.output for event in of(AgentResponseToolResult, events)]


def heard(simulator: Simulator) -> list[str]:
    """What the model was told, results and all."""
    brain: Any = getattr(simulator, "brain")  # noqa: B009 - every one of them has one
    assert isinstance(brain, ScriptedBrain)
    return [turn.text for turn in brain.heard]


def check(events: list[Any]) -> None:
    invariants = Invariants()
    for event in events:
        invariants.see(event)


@FIVE
async def test_a_finished_result_is_not_lost_by_an_interruption(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: the user speaks while a flight is being booked, and its result never reaches the model."""

    @tool(on_interruption="finish")
    async def book() -> str:
        await trio.sleep(10)
        return "booked as LH-1"

    booking = Reply([Say("One moment, please."), Call("book")], when="Book")
    simulator, model = simulator_of(provider, booking, FINE, FINE, FINE, transcripts=["Stop"], speed=1)
    async with talking(simulator, model, tools=[book]) as talk:
        talk.say("Book it.")
        events = await talk.probe.until(AgentResponseToolUseDone)
        await talk.speak(SPEECH + PAUSE)
        events += await talk.probe.until(AgentResponseToolResult)
        assert results(events) == ["booked as LH-1"]
        talk.say("And?")
        while "And?" not in " ".join(heard(simulator)):
            await talk.probe.until(AgentResponseDone)
        assert "booked as LH-1" in " ".join(heard(simulator))


@FIVE
async def test_a_cancelled_call_is_not_stuck_in_progress(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: after a cancel the call is shown as running for ever, and the model waits for its result."""
    ended: list[float] = []

    @tool
    async def book() -> str:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())
        return ""

    simulator, model = simulator_of(provider, Reply([Call("book")], when="Book"), FINE)
    async with talking(simulator, model, tools=[book]) as talk:
        talk.say("Book it.")
        events = await talk.probe.until(AgentResponseDone)
        await trio.sleep(3)
        cancelled_at = trio.current_time()
        talk.tell(ClientResponseCancel("s1"))
        events += await talk.probe.until(AgentResponseToolResult)
        assert results(events) == [CANCELLED]
        talk.say("How are you?")
        events += await talk.reply()
        assert statuses(events) == ["completed", "completed"]
        assert ended == [pytest.approx(cancelled_at)]
        await talk.probe.expect_nothing(within=100)
        check(events)


@FIVE
async def test_a_lost_result_must_not_deadlock(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: the connection is lost while a tool runs, and nothing is ever said again."""

    @tool
    async def look() -> str:
        await trio.sleep(20)
        return "there it is"

    simulator, model = simulator_of(provider, [Call("look")], FINE, FINE)
    async with talking(simulator, model, tools=[look]) as talk:
        talk.say("Look for it.")
        await talk.probe.until(AgentResponseToolUseDone)
        await trio.sleep(2)
        talk.drop()
        events = await talk.probe.until(ServerSessionUpdated)
        events += await talk.probe.until(AgentResponseToolResult)
        assert results(events) == ["there it is"]
        assert statuses(await talk.reply())[-1] == "completed"
        assert "there it is" in " ".join(heard(simulator))
        await talk.probe.expect_nothing(within=100)


@FIVE
async def test_a_call_waits_for_its_approval_and_tells_of_its_progress(
    provider: str, autojump_clock: MockClock
) -> None:
    paid: list[int] = []

    @tool(needs_approval=True)
    async def pay(amount: int, progress: Progress) -> str:
        paid.append(amount)
        progress("Paying", 0.5)
        await trio.sleep(1)
        return f"paid {amount}"

    calls = [Call("pay", '{"amount": 5}')], [Call("pay", '{"amount": 7}')]
    simulator, model = simulator_of(provider, calls[0], FINE, calls[1], FINE)
    async with talking(simulator, model, tools=[pay]) as talk:
        for amount, approved in ((5, True), (7, False)):
            talk.say("Pay!")
            events = await talk.probe.until(AgentToolApprovalRequested)
            assert events[-1].tool_use.input == {"amount": amount}
            await trio.sleep(8)
            talk.tell(ClientToolApproval("s1", events[-1].tool_use.id, approved, "too much"))
            events += await talk.probe.until(AgentResponseToolResult)
            assert len(of(AgentResponseToolProgress, events)) == approved
            events += await talk.reply()
            if statuses(events) == ["completed"]:
                events += await talk.reply()
            assert statuses(events) == ["completed", "completed"]
        assert paid == [5]
        told = " ".join(heard(simulator))
        assert "paid 5" in told
        assert "the user declined it: too much" in told


async def test_the_same_on_real_sockets() -> None:
    """With a plain function, which pays in a thread."""

    @tool(needs_approval=True, on_interruption="finish")
    def pay(amount: int, progress: Progress) -> str:
        progress("Paying", 0.5)
        time.sleep(0.2)
        return f"paid {amount}"

    simulator, model = simulator_of("openai", [Call("pay", '{"amount": 5}'), Endless()], FINE, speed=1)
    with trio.fail_after(30):
        async with talking(simulator, model, tools=[pay], sockets=True) as talk:
            talk.say("Pay!")
            events = await talk.probe.until(AgentToolApprovalRequested)
            talk.tell(ClientToolApproval("s1", events[-1].tool_use.id, approved=True))
            events += await talk.probe.until(AgentResponseToolProgress)
            talk.tell(ClientResponseCancel("s1"))
            events += await talk.probe.until(AgentResponseToolResult)
            assert statuses(events) == ["cancelled"]
            assert results(events) == ["paid 5"]
            talk.say("And?")
            events += await talk.reply()
            assert "paid 5" in heard(simulator)
            check(events)


@FIVE
async def test_whatever_a_tool_does_the_model_is_told_something(provider: str, autojump_clock: MockClock) -> None:
    @tool(timeout=3)
    async def hang() -> str:
        await trio.sleep_forever()
        return ""

    @tool
    async def fail(number: int) -> str:
        raise ValueError("no way")

    calls = [Call("hang"), Call("fail", '{"number": 1}'), Call("fail", '{"number": "x"}'), Call("nothing")]
    simulator, model = simulator_of(provider, calls, FINE)
    async with talking(simulator, model, tools=[hang, fail]) as talk:
        talk.say("Go!")
        events = await talk.reply() + await talk.reply()
        assert statuses(events) == ["completed", "completed"]
        told = results(events)
        assert len(told) == 4
        for words in ("not finish within 3 s", "ValueError: no way", "number: expected an integer", "no tool named"):
            assert len([each for each in told if words in each]) == 1
        assert set(told) <= set(heard(simulator))
        check(events)


@FIVE
async def test_no_dangling_tasks(provider: str, autojump_clock: MockClock) -> None:
    """Complaint: tools go on when the conversation is over."""

    @tool(on_interruption="finish")
    async def hang(progress: Progress) -> str:
        while True:
            progress("still here")
            await trio.sleep(0.01)

    tasks = trio.lowlevel.current_statistics().tasks_living
    simulator, model = simulator_of(provider, [Call("hang")], FINE)
    async with talking(simulator, model, tools=[hang]) as talk:
        talk.say("Go!")
        await talk.probe.until(AgentResponseToolUseDone)
        talk.tell(ClientResponseCancel("s1"))
        await trio.sleep(1)
        await talk.agent.stop()
    assert trio.lowlevel.current_statistics().tasks_living == tasks


class TestCallsThatGeminiGivesUp:
    """`toolCallCancellation`, which it says when speech interrupts."""

    @pytest.mark.parametrize("finishes", [False, True])
    async def test_end_unless_they_are_to_finish(self, finishes: bool, autojump_clock: MockClock) -> None:
        ended: list[str] = []

        @tool(on_interruption="finish" if finishes else "cancel")
        async def book() -> str:
            try:
                await trio.sleep(10)
            except trio.Cancelled:
                ended.append("cancelled")
                raise
            return "booked as LH-1"

        replies = Reply([Call("book")], when="Book"), FINE, FINE
        simulator, model = simulator_of("gemini", *replies, transcripts=["Stop"], speed=1)
        async with talking(simulator, model, tools=[book]) as talk:
            talk.say("Book it.")
            await talk.probe.until(AgentResponseToolUseDone)
            await talk.speak(SPEECH + PAUSE)
            events = await talk.probe.until(AgentResponseToolResult)
            assert results(events) == (["booked as LH-1"] if finishes else [CANCELLED])
            assert ended == ([] if finishes else ["cancelled"])
            assert len(of(AgentInputStarted, events)) == 1
            await trio.sleep(20)
            talk.say("And?")
            while "And?" not in " ".join(heard(simulator)):
                await talk.probe.until(AgentResponseDone)
            frames = [orjson.loads(frame) for frame in talk.transport.connections[-1].sent]
            assert [frame for frame in frames if "toolResponse" in frame] == []
            assert ("Its result: booked as LH-1" in " ".join(heard(simulator))) == finishes
