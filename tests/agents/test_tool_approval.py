"""Calls that wait to be allowed by the frontend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
from agents_kit import of, outputs, statuses, talking
from trio.testing import MockClock

from realtime_actors.agents import Tool, frontend_tool, tool
from realtime_actors.events import (
    AgentError,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    ClientResponseCancel,
    ClientToolApproval,
    ClientToolResult,
    encode_json,
    encode_msgpack,
)
from realtime_actors.simulators.brain import Call, Say

FINE = [Say("Fine.")]


@attrs.define
class Bank:
    paid: list[int] = attrs.field(factory=list[int])

    def tool(self, needs_approval: Any = True, **options: Any) -> Tool:
        @tool(needs_approval=needs_approval, **options)
        async def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            await trio.sleep(1)
            return "paid"

        return pay


def pay(amount: int = 100) -> Call:
    return Call("pay", f'{{"amount": {amount}}}')


async def test_an_approved_call_is_carried_out_and_not_before(autojump_clock: MockClock) -> None:
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool()]) as talk:
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        [done] = of(AgentResponseToolUseDone, talk.seen)
        assert (asked.tool_use, asked.timeout) == (done.tool_use, 60)
        encode_json(asked)
        encode_msgpack(asked)
        await trio.sleep(50)
        assert bank.paid == []
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
        assert outputs(await talk.reply(2)) == ["paid"]
        assert bank.paid == [100]


@pytest.mark.parametrize(("reason", "words"), [("", "declined it"), ("too dear", "declined it: too dear")])
async def test_a_declined_call_is_not_and_the_model_is_told_why(
    reason: str, words: str, autojump_clock: MockClock
) -> None:
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool()]) as talk:
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, False, reason))
        events = await talk.reply(2)
        assert outputs(events) == [f"This call was not carried out: the user {words}"]
        assert statuses(talk.seen) == ["completed"] * 2
        assert [turn.text for turn in talk.brain.heard if turn.role == "tool"] == outputs(events)
        assert bank.paid == []


async def test_without_an_answer_it_is_refused_and_the_model_told_so(autojump_clock: MockClock) -> None:
    """A frontend that is gone, or that knows nothing of approvals, leaves nobody waiting."""
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool(approval_timeout=20)]) as talk:
        talk.say("Pay!")
        before = trio.current_time()
        assert outputs(await talk.reply(2)) == ["This call was not carried out: nobody approved it within 20 s."]
        assert trio.current_time() - before == pytest.approx(20, abs=1)
        [asked] = of(AgentToolApprovalRequested, talk.seen)
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
        error = (await talk.until(AgentError))[-1]
        assert error.code == "unknown_approval"
        assert "was refused, as nobody answered within 20 s: this answer comes too late" in error.message
        assert bank.paid == []


async def test_the_tool_has_its_time_after_the_approval(autojump_clock: MockClock) -> None:
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool(timeout=2)]) as talk:
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        await trio.sleep(40)
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
        assert outputs(await talk.reply(2)) == ["paid"]


@pytest.mark.parametrize("on_interruption", ["cancel", "finish"])
async def test_it_is_cancelled_with_its_reply(on_interruption: str, autojump_clock: MockClock) -> None:
    """One that is to finish once it has begun has not begun before it was allowed to."""
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool(on_interruption=on_interruption)]) as talk:
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        await talk.reply()
        talk.tell(ClientResponseCancel("s1"))
        [result] = of(AgentResponseToolResult, await talk.until_results(1))
        assert result.tool_result.id == asked.tool_use.id
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
        error = (await talk.until(AgentError))[-1]
        assert "is over: this answer comes too late" in error.message
        await trio.sleep(5)
        assert bank.paid == []


async def test_a_cancel_right_after_the_approval_lets_nothing_run(autojump_clock: MockClock) -> None:
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool()]) as talk:
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        await talk.reply()
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True), ClientResponseCancel("s1"))
        assert "cancelled" in outputs(await talk.until_results(1))[0]
        await trio.sleep(5)
        assert bank.paid == []


async def test_answers_to_nothing_are_errors_in_words(autojump_clock: MockClock) -> None:
    bank = Bank()
    async with talking([pay()], FINE, tools=[bank.tool()]) as talk:
        talk.tell(ClientToolApproval("s1", "call_unknown", True))
        error = (await talk.until(AgentError))[-1]
        assert (error.code, "'call_unknown' waits to be approved" in error.message) == ("unknown_approval", True)
        talk.say("Pay!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        for approved in (False, True):
            talk.tell(ClientToolApproval("s1", asked.tool_use.id, approved))
        error = (await talk.until(AgentError))[-1]
        assert "was answered already" in error.message
        assert "declined" in outputs(await talk.until_results(1))[0]
        assert bank.paid == []


async def test_the_arguments_decide_whether_it_is_asked_for(autojump_clock: MockClock) -> None:
    bank = Bank()
    seen: list[Mapping[str, Any]] = []

    def is_much(arguments: Mapping[str, Any]) -> bool:
        seen.append(arguments)
        return arguments["amount"] > 50

    async with talking([pay(10)], FINE, [pay(100)], FINE, tools=[bank.tool(is_much)]) as talk:
        talk.say("Pay a little!")
        events = await talk.reply(2)
        assert outputs(events) == ["paid"]
        assert of(AgentToolApprovalRequested, events) == []
        talk.say("Pay much!")
        await talk.until(AgentToolApprovalRequested)
        assert seen == [{"amount": 10}, {"amount": 100}]
        assert bank.paid == [10]


async def test_a_decision_that_fails_lets_nothing_run(autojump_clock: MockClock) -> None:
    bank = Bank()

    def fails(arguments: Mapping[str, Any]) -> bool:
        raise ValueError("undecided")

    async with talking([pay()], FINE, tools=[bank.tool(fails)]) as talk:
        talk.say("Pay!")
        assert outputs(await talk.reply(2)) == ["Error: ValueError: undecided"]
        assert bank.paid == []


async def test_arguments_that_do_not_fit_are_not_asked_about(autojump_clock: MockClock) -> None:
    bank = Bank()
    async with talking([Call("pay", '{"amount": "much"}')], FINE, tools=[bank.tool()]) as talk:
        talk.say("Pay!")
        events = await talk.reply(2)
        assert outputs(events) == ['Error: the arguments of pay do not fit: amount: expected an integer, got "much".']
        assert of(AgentToolApprovalRequested, events) == []


async def test_a_tool_of_the_frontend_waits_too(autojump_clock: MockClock) -> None:
    paint = frontend_tool("paint", "Paint.", needs_approval=True, timeout=5)
    async with talking([Call("paint", '{"color": "red"}')], FINE, tools=[paint]) as talk:
        talk.say("Red!")
        [asked] = of(AgentToolApprovalRequested, await talk.until(AgentToolApprovalRequested))
        assert asked.tool_use.input == {"color": "red"}
        await trio.sleep(20)
        talk.tell(ClientToolApproval("s1", asked.tool_use.id, True))
        await trio.sleep(1)
        talk.tell(ClientToolResult("s1", asked.tool_use.id, "paint", "painted"))
        assert outputs(await talk.reply(2)) == ["painted"]
