"""What was said long ago, summarised beside the conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from realtime_actors.actors import Ref
from realtime_actors.agents import GetHistory, Memory, RealtimeAgent, generate_reply
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    ClientTextAppend,
    HistoryItem,
    Note,
    ServerSessionUpdated,
)
from realtime_actors.simulators.brain import Endless, Say
from realtime_actors.testing import Probe, SimulatedOpenAI, open_test_runtime, simulate_openai
from realtime_actors.transports import MemoryTransport


@attrs.define
class Talk:
    agent: Ref
    probe: Probe
    openai: SimulatedOpenAI

    async def say(self, *texts: str) -> None:
        for text in texts:
            await (await generate_reply(self.agent, text))

    async def texts(self) -> list[str]:
        history = await self.agent.ask(GetHistory(), timeout=1)
        return [getattr(item, "text", None) or getattr(item, "transcript", "") for item in history.items]


@asynccontextmanager
async def talking(memory: Memory, *replies: Any, **options: Any) -> AsyncGenerator[Talk]:
    async with simulate_openai(*replies, **options) as openai, open_test_runtime() as runtime:
        probe = await Probe.spawn(runtime, within=120, capacity=10_000)
        probe.subscribe("agents.friday.>")
        prototype = RealtimeAgent("Friday", "Be brief.", openai.model, memory=memory, transport=openai.transport)
        yield Talk(await runtime.spawn(prototype, name="friday"), probe, openai)


async def test_the_oldest_items_become_one_note_and_the_next_session_is_told_it(
    autojump_clock: trio.abc.Clock,
) -> None:
    given: list[Sequence[HistoryItem]] = []

    async def summarise(items: Sequence[HistoryItem]) -> str:
        given.append(items)
        await trio.sleep(1)
        return f"{len(items)} things were said."

    memory = Memory(max_items=8, summarise=summarise)
    async with talking(memory, "A.", "B.", "C.", "D.", "E.") as talk:
        await talk.say("1", "2", "3")
        await trio.sleep(2)
        assert [item.role for item in given[0]] == ["user", "agent", "user", "agent"]
        assert await talk.texts() == ["4 things were said.", "3", "C."]
        assert isinstance(talk.openai.transport, MemoryTransport)
        talk.openai.transport.drop_connections()
        updated = (await talk.probe.until(ServerSessionUpdated))[-1]
        assert updated.metadata["state_restored"] == "partial"
        await talk.say("4")
        told = [(turn.role, turn.text) for turn in talk.openai.brain.heard]
        assert told[1:] == [("system", "4 things were said."), ("user", "3"), ("assistant", "C."), ("user", "4")]


async def test_what_cannot_be_summarised_is_kept_and_that_is_told(autojump_clock: trio.abc.Clock) -> None:
    tries: list[float] = []

    async def fails(items: Sequence[HistoryItem]) -> str:
        tries.append(trio.current_time())
        raise RuntimeError("out of ink")

    async with talking(Memory(max_items=8, summarise=fails), "A.", "B.", "C.", "D.") as talk:
        await talk.say("1", "2", "3")
        error = (await talk.probe.until(AgentError))[-1]
        assert (error.error_type, error.code) == ("memory_error", "summary_failed")
        assert "RuntimeError: out of ink" in error.message
        assert await talk.texts() == ["1", "A.", "2", "B.", "3", "C."]
        await talk.say("4")
        assert len(tries) == 1
        assert await talk.texts() == ["1", "A.", "2", "B.", "3", "C.", "4", "D."]
        await trio.sleep(61)
        await talk.say("5")
        await trio.sleep(1)
        assert len(tries) == 2


async def test_a_summary_that_takes_too_long_or_is_no_text_is_given_up(autojump_clock: trio.abc.Clock) -> None:
    async def sleeps(items: Sequence[HistoryItem]) -> str:
        await trio.sleep_forever()
        raise AssertionError

    async def says_nothing(items: Sequence[HistoryItem]) -> Any:
        return None

    for summarise, words in ((sleeps, "within 5 s"), (says_nothing, "return a text")):
        async with talking(Memory(max_items=8, summarise=summarise, summary_timeout=5), "A.", "B.", "C.") as talk:
            await talk.say("1", "2", "3")
            assert words in (await talk.probe.until(AgentError))[-1].message
            assert await talk.texts() == ["1", "A.", "2", "B.", "3", "C."]


async def test_a_slow_summary_delays_nothing_and_ends_with_the_agent(autojump_clock: trio.abc.Clock) -> None:
    async def sleeps(items: Sequence[HistoryItem]) -> str:
        await trio.sleep_forever()
        raise AssertionError

    memory = Memory(max_items=8, summarise=sleeps, summary_timeout=1000)
    async with talking(memory, "A.", "B.", "C.", [Say("D."), Endless()]) as talk:
        await talk.say("1", "2", "3")
        talk.agent.tell(ClientTextAppend("s1", "4"))
        await talk.probe.until(AgentResponseAudioDelta)
        await talk.agent.stop()


async def test_a_long_summary_is_bounded_like_any_other_text(autojump_clock: trio.abc.Clock) -> None:
    async def rambles(items: Sequence[HistoryItem]) -> str:
        return "and so on " * 1000

    async with talking(Memory(max_characters=400, summarise=rambles), "A" * 50, "B" * 50, "C" * 50) as talk:
        await talk.say("1" * 50, "2" * 50, "3" * 50)
        await trio.sleep(1)
        history = await talk.agent.ask(GetHistory(), timeout=1)
        assert isinstance(history.items[0], Note)
        assert len(history.items[0].text) == 100
