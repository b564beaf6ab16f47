"""How long turns take: measured where it happens, told to who asks."""

from __future__ import annotations

import pytest
import trio
from agents_kit import VAD, speech, talking
from trio.testing import MockClock

from realtime_actors.agents import GetTurnStatistics, TurnStatistics, tool
from realtime_actors.agents.measures import Measures, SentToFrontend
from realtime_actors.events import (
    AgentInputDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentTurnMeasured,
    ClientResponseCancel,
    ToolResult,
    ToolUse,
)
from realtime_actors.simulators.brain import Call, Endless, Say, Stall
from realtime_actors.simulators.scripted import Reply

AGENT = ("friday", "Friday")


def created(response_id: str) -> AgentResponseCreated:
    return AgentResponseCreated(response_id, *AGENT)


def done(response_id: str, status: str = "completed") -> AgentResponseDone:
    return AgentResponseDone(response_id, 3, 5, {"status": status}, *AGENT)


# -- the numbers alone


def test_a_spoken_turn() -> None:
    measures = Measures()
    assert measures.saw(AgentInputDone("i", 900, *AGENT), 10.0) == []
    assert measures.saw(created("r"), 10.25) == []
    assert measures.awaits_audio == "r"
    measures.first_audio(10.5)
    assert measures.awaits_audio == ""
    (turn,) = measures.saw(done("r"), 12.0)
    assert turn.source == "speech"
    assert turn.times == {"response": 250, "first_audio": 500, "done": 2000}
    assert (turn.input_tokens, turn.output_tokens, turn.status) == (3, 5, "completed")


def test_a_turn_goes_on_while_its_tools_run() -> None:
    measures = Measures()
    use = ToolUse("c", "weather")
    measures.asked("text", 0.0)
    measures.saw(created("a"), 0.1)
    measures.saw(AgentResponseToolUseDone("a", "i", use, *AGENT), 0.2)
    assert measures.saw(done("a"), 0.3) == []
    measures.saw(AgentResponseToolResult(ToolResult.text(use, "sunny"), *AGENT), 0.7)
    assert measures.saw(created("b"), 0.8) == []
    measures.first_audio(1.0)
    (turn,) = measures.saw(done("b"), 2.0)
    assert turn.response_id == "b"
    assert turn.tools == {"weather": 500}
    assert turn.times == {"response": 100, "first_audio": 1000, "done": 2000}
    assert (turn.input_tokens, turn.output_tokens) == (6, 10)


def test_what_frontends_take_is_waited_for() -> None:
    measures = Measures()
    for response_id in ("a", "b"):
        measures.asked("text", 0.0)
        measures.saw(created(response_id), 0.1)
        measures.sent(SentToFrontend(response_id, "first_audio"), 0.4)
        assert measures.saw(done(response_id, "cancelled"), 1.0) == []
        assert measures.unsettled
        (turn,) = measures.sent(SentToFrontend(response_id, "end"), 1.02)
        assert turn.times == {"response": 100, "first_audio_sent": 400, "done": 1000, "silence": pytest.approx(20)}
        assert not measures.unsettled


def test_a_frontend_that_takes_nothing_holds_no_turn_back() -> None:
    measures = Measures()
    measures.sent(SentToFrontend("x", "end"), 0.0)
    measures.asked("text", 0.0)
    measures.saw(created("a"), 0.1)
    assert measures.saw(done("a"), 1.0) == []
    measures.asked("text", 2.0)
    (turn,) = measures.saw(created("b"), 2.1)
    assert turn.response_id == "a"
    assert measures.saw(done("b"), 3.0) == []
    assert [turn.response_id for turn in measures.settled()] == ["b"]


def test_statistics_are_percentiles_of_the_last_thousand_turns() -> None:
    measures = Measures()
    for number in range(1, 1101):
        measures.asked("text", 0.0)
        measures.saw(created(f"r{number}"), number / 1000)
        measures.saw(done(f"r{number}"), number / 1000)
    statistics = measures.statistics()
    assert statistics.turns == 1000
    response = statistics.times["response"]
    assert (response.count, response.p50) == (1000, pytest.approx(600.5))
    assert response.p95 == pytest.approx(1050, abs=1)
    assert response.p99 == pytest.approx(1090, abs=1)
    assert (statistics.input_tokens, statistics.output_tokens) == (3000, 5000)


# -- with an agent


async def test_an_agent_tells_what_its_turns_took(autojump_clock: MockClock) -> None:
    @tool
    async def weather() -> str:
        """Tell the weather."""
        await trio.sleep(0.75)
        return "sunny"

    replies = (
        Reply([Stall(0.5), Say("Hello.")], when="Hello"),
        Reply([Call("weather")], when="weather"),
        Reply([Say("Sunny.")], after="weather"),
        Reply([Endless()], when="story"),
    )
    async with talking(*replies, tools=[weather], speed=1) as talk:
        measured = talk.runtime.bus.subscribe("turns.friday")
        talk.say("Hello.")
        turn: AgentTurnMeasured = await measured.receive()
        assert (turn.source, turn.status, turn.agent_id) == ("text", "completed", "friday")
        assert turn.times["response"] < 100
        assert 500 <= turn.times["first_audio"] < 700
        assert turn.times["done"] > turn.times["first_audio"]
        assert turn.output_tokens > 0
        talk.say("How is the weather?")
        turn = await measured.receive()
        assert turn.tools == {"weather": pytest.approx(750, abs=5)}
        assert turn.times["first_audio"] > 750
        talk.say("Tell me a story.")
        await trio.sleep(2)
        talk.tell(ClientResponseCancel("s1"))
        turn = await measured.receive()
        assert turn.status == "cancelled"
        assert turn.times["done"] == pytest.approx(2000, abs=5)
        statistics: TurnStatistics = await talk.agent.ask(GetTurnStatistics(), timeout=1)
        assert statistics.turns == 3
        assert statistics.times["done"].count == 3


async def test_a_spoken_turn_is_measured_from_the_end_of_speech(autojump_clock: MockClock) -> None:
    async with talking([Say("Yes?")], model=VAD, speed=1, transcripts=["Friday?"]) as talk:
        measured = talk.runtime.bus.subscribe("turns.friday")
        await talk.speak(speech(400, 24_000), 24_000)
        turn: AgentTurnMeasured = await measured.receive()
        assert turn.source == "speech"
        assert 0 <= turn.times["response"] < 200
