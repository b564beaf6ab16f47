"""An agent that is changed in the middle of a call, and one that hands its conversation to another."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from agents_kit import MODEL, VAD, Talk, of, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import (
    Change,
    ChangeRefused,
    Handoff,
    LocalVAD,
    RealtimeAgent,
    Reconfigure,
    frontend_tool,
    generate_reply,
    hand_off,
    reconfigure,
    tool,
)
from realtime_actors.events import (
    AgentError,
    AgentInputStarted,
    AgentResponseDone,
    ClientResponseCancel,
    ClientSessionCreate,
    ServerSessionUpdated,
)
from realtime_actors.providers import Manual, ProviderRefused
from realtime_actors.simulators.brain import Call, Endless, Say, Stall
from realtime_actors.simulators.scripted import Reply, buzz
from realtime_actors.testing import Failures


@tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def session(talk: Talk, socket: int = -1) -> dict[str, Any]:
    """The last configuration over a socket."""
    return talk.sent("session.update", socket=socket)[-1]["session"]


async def test_instructions_and_tools_change_in_the_session_that_is_open(autojump_clock: MockClock) -> None:
    replies = (Reply([Call("weather", '{"city": "Rome"}')], when="weather"), Reply([Say("Sunny.")], after="weather"))
    async with talking(*replies) as talk:
        await reconfigure(talk.agent, Reconfigure(instructions="Be long.", tools=[weather]))
        assert session(talk)["instructions"] == "Be long."
        assert [each["name"] for each in session(talk)["tools"]] == ["weather"]
        assert len(talk.transport.connections) == 1
        assert (await (await generate_reply(talk.agent, "How is the weather?"))).text == "Sunny."


async def test_a_voice_changes_with_a_new_session_that_knows_what_was_said(autojump_clock: MockClock) -> None:
    async with talking([Say("Hello Ann.")], [Say("You are Ann.")]) as talk:
        await (await generate_reply(talk.agent, "I am Ann."))
        await reconfigure(talk.agent, Reconfigure(voice="cedar", turn_detection=Manual()))
        assert session(talk)["audio"]["output"]["voice"] == "cedar"
        assert session(talk)["audio"]["input"]["turn_detection"] is None
        assert len(talk.transport.connections) == 2
        assert (await (await generate_reply(talk.agent, "Who am I?"))).text == "You are Ann."
        assert [turn.text for turn in talk.brain.heard[1:]] == ["I am Ann.", "Hello Ann.", "Who am I?"]
        updated = of(ServerSessionUpdated, talk.waiting())
        assert [each.metadata["state_restored"] for each in updated] == ["full"]
        assert of(AgentError, talk.seen) == []


async def test_a_new_session_waits_until_nobody_speaks(autojump_clock: MockClock) -> None:
    async with talking([Say("It was a dark and stormy night in the middle of the year.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        await trio.sleep(0.5)
        change: Change = await talk.agent.ask(Reconfigure(voice="cedar"), timeout=1)
        await trio.sleep(1.5)
        assert not change.is_over
        assert (await reply).status == "completed"
        await change
        assert len(talk.transport.connections) == 2


async def test_what_cannot_be_is_refused_in_words_and_changes_nothing(autojump_clock: MockClock) -> None:
    async with talking([Say("Hello.")]) as talk:
        with pytest.raises(ChangeRefused, match="two tools are named weather"):
            await reconfigure(talk.agent, Reconfigure(tools=[weather, weather]))
        with pytest.raises(ChangeRefused, match="turn_detection must be"):
            await reconfigure(talk.agent, Reconfigure(turn_detection="never"))  # pyright: ignore[reportArgumentType]
        assert len(talk.sent("session.update")) == 1
        assert (await (await generate_reply(talk.agent, "Hello?"))).text == "Hello."


async def test_a_model_that_does_not_serve_leaves_the_one_before(autojump_clock: MockClock) -> None:
    failures = Failures()
    failures.allow(ProviderRefused)
    async with talking([Say("Hello.")], [Say("Still here.")], failures=failures) as talk:
        await (await generate_reply(talk.agent, "Hello?"))
        wrong = attrs.evolve(MODEL, model_name="no-such-model")
        with pytest.raises(ChangeRefused, match="no-such-model"):
            await reconfigure(talk.agent, Reconfigure(model=wrong, instructions="Be somebody else."))
        assert (await (await generate_reply(talk.agent, "And now?"))).text == "Still here."
        assert session(talk)["instructions"] == "Be brief."


async def test_a_conversation_is_handed_to_another_agent(autojump_clock: MockClock) -> None:
    async with talking([Say("Hello.")], [Say("This is Billing.")]) as talk:
        await (await generate_reply(talk.agent, "Hello?"))
        talk.waiting()
        billing = RealtimeAgent("Billing", "You are the billing department.", MODEL, [weather])
        await hand_off(talk.agent, billing)
        assert session(talk)["instructions"] == "You are the billing department."
        await (await generate_reply(talk.agent, "Who is this?"))
        (done,) = of(AgentResponseDone, talk.waiting())
        assert (done.agent_id, done.agent_name) == ("friday", "Billing")
        assert [turn.text for turn in talk.brain.heard[1:]] == ["Hello?", "Hello.", "Who is this?"]


@pytest.mark.parametrize("then", [[], [Stall(1)]], ids=["", "before the reply that calls it has ended"])
@pytest.mark.parametrize("voice", [MODEL.voice, "cedar"])
async def test_a_tool_hands_over_and_the_other_agent_replies(
    autojump_clock: MockClock, voice: str, then: list[Stall]
) -> None:
    billing = RealtimeAgent("Billing", "You are billing.", attrs.evolve(MODEL, voice=voice))

    @tool
    async def to_billing() -> Handoff:
        """Hand over to the billing department."""
        return Handoff(billing)

    replies = (Reply([Call("to_billing"), *then], when="bill"), Reply([Say("Billing speaking.")], after="to_billing"))
    async with talking(*replies, tools=[to_billing]) as talk:
        reply = await (await generate_reply(talk.agent, "My bill is wrong."))
        assert (reply.status, reply.text) == ("completed", "Billing speaking.")
        dones = of(AgentResponseDone, talk.waiting())
        assert [(each.agent_name, each.metadata["status"]) for each in dones] == [
            ("Friday", "completed"),
            ("Billing", "completed"),
        ]
        assert session(talk)["instructions"] == "You are billing."
        assert len(talk.transport.connections) == (1 if voice == MODEL.voice else 2)
        assert talk.brain.heard[-1].text == "Billing goes on with the conversation from here."
        assert of(AgentError, talk.seen) == []


async def test_a_conversation_is_handed_over_when_a_cancel_has_ended_all_that_was_left_of_a_reply(
    autojump_clock: MockClock,
) -> None:
    """Of two calls one hands over, and the other is waited for: nobody told the agent when that was given up."""
    billing = RealtimeAgent("Billing", "You are billing.", attrs.evolve(MODEL, voice="cedar"))

    @tool
    async def to_billing() -> Handoff:
        """Hand over to the billing department."""
        return Handoff(billing)

    paint = frontend_tool("paint", "Paint.", timeout=60)
    async with talking([Call("to_billing"), Call("paint")], [Say("Yes.")], tools=[to_billing, paint]) as talk:
        talk.say("My bill is wrong.")
        await talk.reply()
        await wait_all_tasks_blocked()
        talk.tell(ClientResponseCancel("s1"))
        await talk.until(ServerSessionUpdated)
        assert session(talk)["instructions"] == "You are billing."
        assert (await (await generate_reply(talk.agent, "Are you there?"))).text == "Yes."


async def test_an_interrupted_story_is_over_before_a_new_session_begins(autojump_clock: MockClock) -> None:
    async with talking(Reply([Endless()], when="story"), [Say("Fine.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        await trio.sleep(2)
        change: Change = await talk.agent.ask(Reconfigure(voice="cedar"), timeout=1)
        reply.interrupt()
        await change
        assert (await (await generate_reply(talk.agent, "And now?"))).text == "Fine."
        dones = of(AgentResponseDone, talk.waiting())
        assert [each.metadata["status"] for each in dones] == ["cancelled", "completed"]


async def test_what_is_wished_while_a_change_waits_is_added_to_it(autojump_clock: MockClock) -> None:
    async with talking([Say("It was a dark and stormy night.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        voice: Change = await talk.agent.ask(Reconfigure(voice="cedar", tools=[weather], name="Ann"), timeout=1)
        talk.tell(ClientSessionCreate({"instructions": "Be long."}))
        detection: Change = await talk.agent.ask(Reconfigure(turn_detection=Manual()), timeout=1)
        assert (await reply).status == "completed"
        await voice
        await detection
        assert len(talk.transport.connections) == 2
        changed = session(talk)
        assert changed["instructions"] == "Be long."
        assert [each["name"] for each in changed["tools"]] == ["weather"]
        assert changed["audio"]["output"]["voice"] == "cedar"
        assert changed["audio"]["input"]["turn_detection"] is None
        (updated,) = of(ServerSessionUpdated, talk.waiting())
        assert updated.metadata["agent_name"] == "Ann"


async def test_what_is_wished_while_a_new_session_is_opened_comes_after_it(autojump_clock: MockClock) -> None:
    async with talking([Say("Hello.")]) as talk:
        talk.network.reachable = False
        voice: Change = await talk.agent.ask(Reconfigure(voice="cedar", tools=[weather]), timeout=1)
        await trio.sleep(1.5)
        talk.tell(ClientSessionCreate({"instructions": "Be long."}))
        other: Change = await talk.agent.ask(Reconfigure(voice="marin"), timeout=1)
        talk.network.reachable = True
        await voice
        assert session(talk)["audio"]["output"]["voice"] == "cedar"
        await other
        changed = session(talk)
        assert (changed["instructions"], changed["audio"]["output"]["voice"]) == ("Be long.", "marin")
        assert [each["name"] for each in changed["tools"]] == ["weather"]


async def test_a_change_that_waits_comes_about_after_a_lost_connection(autojump_clock: MockClock) -> None:
    async with talking(Reply([Endless()], when="story"), [Say("Fine.")], speed=1) as talk:
        await generate_reply(talk.agent, "Tell me a story.")
        change: Change = await talk.agent.ask(Reconfigure(voice="cedar"), timeout=1)
        await trio.sleep(2)
        talk.drop()
        with trio.fail_after(10):
            await change
        assert session(talk)["audio"]["output"]["voice"] == "cedar"
        assert (await (await generate_reply(talk.agent, "And now?"))).text == "Fine."


@pytest.mark.parametrize("hearing", [None, LocalVAD()], ids=["the provider hears", "the agent hears"])
async def test_a_microphone_that_is_switched_off_in_the_middle_of_a_word_holds_up_no_change(
    hearing: LocalVAD | None, autojump_clock: MockClock
) -> None:
    async with talking([Say("Fine.")], model=VAD, turn_detection=hearing) as talk:
        await talk.speak(buzz(700, 24000), 24000)
        await talk.until(AgentInputStarted)
        change: Change = await talk.agent.ask(Reconfigure(voice="cedar"), timeout=1)
        await trio.sleep(5)
        assert not change.is_over
        with trio.fail_after(10):
            await change
        assert session(talk)["audio"]["output"]["voice"] == "cedar"
