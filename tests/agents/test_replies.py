"""Replies that Python code asks for: one can await them, interrupt them, and see what came of them."""

from __future__ import annotations

import asyncio
import itertools

import attrs
import pytest
import trio
from agents_kit import KEY, VAD, Talk, of, speech, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import Runtime
from realtime_actors.agents import Reply, ReplyFailed, generate_reply, tool
from realtime_actors.agents.reply import Replies
from realtime_actors.agents.turns import Began, Ended, Mistaken, Send, Turns
from realtime_actors.asyncio import open_runtime as open_asyncio_runtime
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientResponseCancel,
    CreateResponse,
    ModelResponseAudioTranscriptDelta,
    ModelResponseDone,
    RequestFailed,
)
from realtime_actors.providers import Capabilities, OpenAIRealtimeModel
from realtime_actors.simulators.brain import Call, Drop, Endless, Fail, Incomplete, Say, Stall
from realtime_actors.simulators.scripted import Reply as Scripted


@attrs.frozen
class EarsOnly(OpenAIRealtimeModel):
    @property
    def capabilities(self) -> Capabilities:
        return attrs.evolve(super().capabilities, text=False)


LONG = Scripted([Endless()], when="story")


async def begun(talk: Talk) -> None:
    """Audio of the reply has been published."""
    await talk.until(AgentResponseAudioDelta)


async def test_a_reply_can_be_awaited_and_tells_what_was_said(autojump_clock: MockClock) -> None:
    async with talking([Say("It is noon.")]) as talk:
        reply = await generate_reply(talk.agent, "What time is it?")
        assert reply.status == "waiting"
        assert await reply is reply
        events = await talk.reply()
        (done,) = of(AgentResponseDone, events)
        assert (reply.status, reply.text, reply.reason, reply.error) == ("completed", "It is noon.", "", None)
        assert reply.response_ids == [done.response_id]
        assert reply.audio_ms == sum(len(each.delta) for each in of(AgentResponseAudioDelta, events)) / 48
        assert reply.audio_ms > 500
        assert (reply.input_tokens, reply.output_tokens) == (done.input_tokens, done.output_tokens)
        assert reply.output_tokens > 0
        assert talk.brain.heard[-1].text == "What time is it?"


async def test_without_words_it_is_a_reply_to_the_conversation_so_far(autojump_clock: MockClock) -> None:
    async with talking([Say("Hello, I am Friday.")]) as talk:
        assert (await (await generate_reply(talk.agent))).text == "Hello, I am Friday."
        assert talk.sent("conversation.item.create") == []


async def test_it_is_complete_when_what_follows_its_calls_is(autojump_clock: MockClock) -> None:
    @tool
    async def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    script = (Scripted([Call("weather", '{"city": "Rome"}')]), Scripted([Say("Sunny.")], after="weather"))
    async with talking(*script, tools=[weather]) as talk:
        reply = await (await generate_reply(talk.agent, "How is the weather?"))
        assert (reply.status, reply.text) == ("completed", "Sunny.")
        done = of(AgentResponseDone, await talk.reply(2))
        assert reply.response_ids == [each.response_id for each in done]
        assert reply.output_tokens == sum(each.output_tokens for each in done)


async def test_it_can_be_interrupted_by_code(autojump_clock: MockClock) -> None:
    async with talking(LONG, [Say("Fine.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        await begun(talk)
        reply.interrupt()
        await reply
        assert (reply.status, reply.reason) == ("cancelled", "interrupted")
        done = (await talk.reply())[-1]
        assert done.metadata == {"status": "cancelled", "reason": "interrupted"}
        said, heard = reply.text, reply.audio_ms
        await trio.sleep(1)
        assert of(AgentResponseAudioDelta, talk.waiting()) == []
        assert len(talk.sent("response.cancel")) == 1
        assert (reply.text, reply.audio_ms) == (said, heard)
        reply.interrupt()  # of no effect
        assert (await (await generate_reply(talk.agent, "And now?"))).text == "Fine."


async def test_it_can_be_interrupted_before_it_has_begun(autojump_clock: MockClock) -> None:
    async with talking(LONG, [Say("Fine.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        reply.interrupt()
        await reply
        assert (reply.status, reply.response_ids) == ("cancelled", [])
        assert (await (await generate_reply(talk.agent, "And now?"))).text == "Fine."
        await wait_all_tasks_blocked()
        assert of(AgentResponseAudioDelta, talk.waiting()) != []
        assert {each.response_id for each in of(AgentResponseAudioDelta, talk.seen)} == {talk.seen[-1].response_id}


async def test_one_that_has_been_requested_is_stopped_as_soon_as_it_begins(autojump_clock: MockClock) -> None:
    async with talking(LONG, speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        await wait_all_tasks_blocked()  # it was sent
        reply.interrupt()
        await reply
        assert reply.status == "cancelled"
        await trio.sleep(1)
        assert of(AgentResponseAudioDelta, talk.waiting()) == []


async def test_a_voice_ends_it(autojump_clock: MockClock) -> None:
    async with talking(LONG, model=VAD, speed=1, transcripts=["Stop."]) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        await begun(talk)
        await talk.speak(speech(400, 24_000), 24_000)
        await reply
        assert (reply.status, reply.reason) == ("cancelled", "turn_detected")


async def test_the_clients_cancel_ends_those_that_wait_too(autojump_clock: MockClock) -> None:
    async with talking(LONG, speed=1) as talk:
        first = await generate_reply(talk.agent, "Tell me a story.")
        await begun(talk)
        second = await generate_reply(talk.agent, "And another one.")
        talk.tell(ClientResponseCancel("s1"))
        for reply in (first, second):
            await reply
            assert (reply.status, reply.reason) == ("cancelled", "client_cancelled")
        assert second.response_ids == []


async def test_one_that_the_provider_fails_to_give_raises_with_its_reason(autojump_clock: MockClock) -> None:
    failing = [Fail("rate_limit_exceeded", "Too many tokens.")]
    async with talking(failing, [Say("Fine.")]) as talk:
        reply = await generate_reply(talk.agent, "Hello.")
        with pytest.raises(ReplyFailed, match="the reply failed") as raised:
            await reply
        assert raised.value is reply.error
        assert reply.status == "failed"
        assert (await (await generate_reply(talk.agent, "Hello?"))).text == "Fine."


async def test_one_that_is_cut_short_by_the_provider_says_so(autojump_clock: MockClock) -> None:
    async with talking([Say("It was a dark and"), Incomplete("max_output_tokens")]) as talk:
        reply = await (await generate_reply(talk.agent, "Tell me a story."))
        assert (reply.status, reply.text) == ("incomplete", "It was a dark and")


async def test_a_lost_connection_fails_it(autojump_clock: MockClock) -> None:
    async with talking([Say("It was"), Drop()], [Say("Here again.")], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        with pytest.raises(ReplyFailed):
            await reply
        assert (reply.status, reply.reason) == ("failed", "connection_lost")
        assert (await (await generate_reply(talk.agent, "Hello?"))).text == "Here again."


async def test_one_that_waits_for_a_new_connection_is_given_by_that(autojump_clock: MockClock) -> None:
    async with talking([Say("Here again.")]) as talk:
        talk.drop()
        assert (await (await generate_reply(talk.agent, "Hello?"))).text == "Here again."


async def test_the_agents_end_ends_it(autojump_clock: MockClock) -> None:
    async with talking([Stall()]) as talk:
        reply = await generate_reply(talk.agent, "Hello.")
        await wait_all_tasks_blocked()
        await talk.agent.stop()
        await reply
        assert (reply.status, reply.reason) == ("cancelled", "agent_ended")


async def test_two_that_are_asked_for_at_once_are_one_reply(autojump_clock: MockClock) -> None:
    async with talking([Say("Both.")]) as talk:
        first = await generate_reply(talk.agent, "The time, please.")
        second = await generate_reply(talk.agent, "And the weather.")
        assert (await first).status == (await second).status == "completed"
        assert first.text == "Both."


async def test_a_model_without_text_fails_it_in_words(autojump_clock: MockClock) -> None:
    async with talking(model=attrs.evolve(EarsOnly(api_key=KEY))) as talk:
        with pytest.raises(ReplyFailed, match="takes no text: speak to it") as raised:
            await (await generate_reply(talk.agent, "Hello."))
        assert raised.value.code == "unsupported"


def test_asyncio_code_awaits_it_in_the_runtimes_thread() -> None:
    async def main() -> None:
        async with open_asyncio_runtime() as runtime:

            async def talk_and_wait(_: Runtime) -> str:
                async with talking([Say("It is noon.")]) as talk:
                    return (await (await generate_reply(talk.agent, "What time is it?"))).text

            assert await runtime.run(talk_and_wait) == "It is noon."

    asyncio.run(main())


# -- the turns alone


def turns() -> Turns:
    return Turns("friday", "Friday", map("id{}".format, itertools.count(1)).__next__)


def command(effects: list[object]) -> str:
    (sent,) = (each.command for each in effects if isinstance(each, Send))
    assert isinstance(sent, CreateResponse)
    return sent.request_id


def test_a_request_that_lost_the_race_against_the_providers_own_reply_waits_for_the_next() -> None:
    """Nobody is told that the conversation already has an active response."""
    state = turns()
    request_id = command([*state.want_reply("mine")])
    # The provider's own reply looks like ours until it says that ours came too late.
    assert Began(("mine",), "r1") in state.created("r1")
    conflict = RequestFailed(request_id, "invalid_request_error", "active", "active", conflict="already_active")
    assert state.failed(conflict) == [Mistaken(("mine",), "r1")]
    effects = state.done(ModelResponseDone("r1", 1, 1, {}))
    assert not any(isinstance(each, Ended) for each in effects)
    command([*effects])
    assert Began(("mine",), "r2") in state.created("r2")
    assert Ended(("mine",), {"status": "completed"}) in state.done(ModelResponseDone("r2", 1, 1, {}))


async def test_what_was_said_before_it_is_no_part_of_it(autojump_clock: MockClock) -> None:
    """A reply that the provider began by itself looks like the one that was asked for, until it says otherwise."""
    async with talking() as talk:
        replies, reply = Replies(), Reply(talk.agent, "mine")
        replies.add(reply)
        replies.began(["mine"], "own")
        replies.passed(ModelResponseAudioTranscriptDelta("own", "i1", "Hello."))
        replies.mistaken(["mine"], "own")
        assert (reply.status, reply.text, reply.response_ids) == ("waiting", "", [])
        replies.passed(ModelResponseAudioTranscriptDelta("own", "i1", "How are you?"))
        replies.spent(AgentResponseDone("own", 1, 1, {"status": "completed"}, "friday", "Friday"))
        replies.began(["mine"], "r2")
        replies.passed(ModelResponseAudioTranscriptDelta("r2", "i2", "Well."))
        assert (reply.status, reply.text, reply.response_ids) == ("in_progress", "Well.", ["r2"])
        assert reply.output_tokens == 0


def test_an_error_is_that_of_the_request_that_caused_it() -> None:
    state = turns()
    request_id = command([*state.want_reply("mine")])
    other = state.failed(RequestFailed("another", "invalid_request_error", "bad", "No."))
    assert not any(isinstance(each, Ended) for each in other)
    effects = state.failed(RequestFailed(request_id, "invalid_request_error", "bad", "No."))
    assert Ended(("mine",), {"status": "failed", "reason": "bad", "message": "No."}) in effects
