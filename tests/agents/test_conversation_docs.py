"""Every snippet of docs/conversation.md runs, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from agents_kit import talking
from trio.testing import MockClock

import realtime_actors
from realtime_actors.agents import RealtimeAgent, generate_reply
from realtime_actors.audio import iter_chunks
from realtime_actors.events import AudioFormat, ClientAudioAppend
from realtime_actors.providers import ProviderRefused, Reconnection
from realtime_actors.simulators.brain import Call, Endless, Fail, Say
from realtime_actors.simulators.scripted import Reply, buzz
from realtime_actors.testing import Failures, open_test_runtime, simulate_openai

TEXT = (Path(realtime_actors.__file__).parent.parent / "docs" / "conversation.md").read_text()


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """All its snippets, as one file."""
    namespace: dict[str, Any] = {"__name__": "conversation"}
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), 1):
        exec(compile(snippet, f"conversation.md, snippet {number}", "exec"), namespace)  # noqa: S102 - it is our own
    return namespace


async def test_a_reply_is_awaited(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    async with talking([Say("It is noon.")], [Fail("Out of order.")]) as talk:
        answer = await page["ask_for_the_time"](talk.agent)
        assert re.fullmatch(r"It is noon\. \(\d+ ms of speech, \d+ tokens\)", answer)
        assert (await page["ask_for_the_time"](talk.agent)).startswith("no reply: the reply failed")


async def test_a_reply_is_interrupted(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    async with talking([Endless()], speed=1) as talk:
        assert await page["a_story_of_two_seconds"](talk.agent) == "cancelled"


async def test_an_agent_finds_the_users_turns_itself(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    async with simulate_openai([Say("Fine.")]) as openai, open_test_runtime() as runtime:
        agent = attrs.evolve(page["patient_listener"](openai.model), transport=openai.transport)
        friday = await runtime.spawn(agent, name="friday")
        async with runtime.bus.subscribe("agents.friday.agent_response_done") as ends:
            for chunk in iter_chunks(buzz(700, 24000) + bytes(48000), 24000, 20):
                friday.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=24000)))
            with trio.fail_after(5):
                assert (await ends.receive()).metadata == {"status": "completed"}


async def test_an_agent_is_changed(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    async with talking([Say("Oui.")]) as talk:
        assert await page["speak_french"](talk.agent) == "changed"
        session = talk.sent("session.update")[-1]["session"]
        assert (session["instructions"], session["audio"]["output"]["voice"]) == ("Answer in French.", "cedar")


def test_the_bounds_of_reconnecting_are_the_defaults(page: dict[str, Any]) -> None:
    assert page["PATIENT"] == attrs.evolve(page["PATIENT"], session_limit=3600.0, reconnection=Reconnection())


async def test_a_model_may_be_given_more_time_and_another_one(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    failures = Failures(ProviderRefused)
    async with simulate_openai("Hello.") as openai, open_test_runtime(failures=failures) as runtime:
        for name, prototype in (
            ("patient", page["patient"](openai.model)),
            ("two", page["with_a_second"](attrs.evolve(openai.model, api_key="bad"), openai.model)),
        ):
            agent = await runtime.spawn(attrs.evolve(prototype, transport=openai.transport), name=name)
            assert (await (await generate_reply(agent, "Hello?"))).text
        assert issubclass(page["NoModelLeft"], Exception)


async def test_a_tool_hands_over(page: dict[str, Any]) -> None:
    # On the real clock: the tool has a thread, for which the other one does not wait.
    replies = (Reply([Call("to_billing")], when="bill"), Reply([Say("Billing here.")], after="to_billing"))
    async with simulate_openai(*replies) as openai, open_test_runtime() as runtime:
        prototype = page["receptionist"](RealtimeAgent("Billing", "You are billing.", openai.model))
        agent = await runtime.spawn(attrs.evolve(prototype, transport=openai.transport))
        assert (await (await generate_reply(agent, "My bill is wrong."))).text == "Billing here."


async def test_a_conversation_goes_on_with_another_agent(autojump_clock: MockClock, page: dict[str, Any]) -> None:
    replies = Reply([Say("Hello Ann.")], when="name is Ann"), Reply([Say("Ann.")], when="my name", knows="is Ann")
    async with simulate_openai(*replies) as openai, open_test_runtime() as runtime:
        prototype = RealtimeAgent("Friday", "Be brief.", openai.model, memory=page["summarising"])
        agent = await runtime.spawn(attrs.evolve(prototype, transport=openai.transport))
        await (await generate_reply(agent, "My name is Ann."))
        exported = await page["export_history"](agent)
        after = attrs.evolve(page["with_history"](prototype, exported), transport=openai.transport)
        reply = await generate_reply(await runtime.spawn(after), "What is my name?")
        await reply
        assert reply.text == "Ann."
        history = page["decode_history"](exported)
        assert await page["summarise"](history.items) == "2 things were said, the first by the user."
