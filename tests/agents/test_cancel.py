"""A cancel: silence at once, in every queue, however fast the provider talks."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from agents_kit import PUSH_TO_TALK, VAD, Talk, of, outputs, speech, statuses, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import Subscription
from realtime_actors.agents import tool
from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    ClientAudioAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientTextAppend,
)
from realtime_actors.simulators.brain import Call, Endless, Say, Stall
from realtime_actors.simulators.scripted import Reply

CANCEL = ClientResponseCancel("s1")
DELTAS = (AgentResponseAudioDelta, AgentResponseAudioTranscriptDelta, AgentResponseToolUseDelta)
CANCELLED = {"status": "cancelled", "reason": "client_cancelled"}
STORY = Reply([Endless()], when="story")
FINE = Reply([Say("Fine.")], when="And|Something")
ENDLESS = Reply([Endless("And then there was another story. ")], when=".")


async def cancel_again_and_again(talk: Talk, sleeper: Subscription, rounds: int) -> None:
    """In each round the sleeper wakes when the reply begins, and then not until it was cancelled."""
    chance = random.Random(7)  # noqa: S311 - not a secret
    over: set[str] = set()
    for number in range(rounds):
        talk.say(f"Story {number}, please.")
        created = (await talk.until(AgentResponseCreated))[-1]
        while await sleeper.receive() != created:
            pass
        for _ in range(chance.randrange(12)):
            await talk.receive()
        if chance.random() < 0.5:
            await trio.lowlevel.checkpoint()
        talk.tell(CANCEL)
        events = await talk.reply()
        assert events[-1].response_id == created.response_id
        assert events[-1].metadata == CANCELLED
        # The sleeper slept through all of the reply: the next it reads is the end.
        assert await sleeper.receive() == events[-1]
        assert sleeper.statistics().waiting == 0
        over.add(created.response_id)
        await assert_silence_of(talk, sleeper, over)


async def assert_silence_of(talk: Talk, sleeper: Subscription, over: set[str]) -> None:
    """While the provider still sends what it had on its way."""
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    late = [talk.events.receive_nowait() for _ in range(talk.events.statistics().waiting)]
    late += [sleeper.receive_nowait() for _ in range(sleeper.statistics().waiting)]
    assert [event for event in late if isinstance(event, DELTAS) and event.response_id in over] == []


async def test_a_thousand_cancels_of_a_provider_at_full_speed() -> None:
    async with (
        talking(ENDLESS) as talk,
        talk.runtime.bus.subscribe("agents.friday.>", capacity=100_000) as sleeper,
    ):
        await cancel_again_and_again(talk, sleeper, 1000)
        assert len(talk.sent("response.cancel")) == 1000
        assert of(AgentError, talk.seen) == []


async def test_a_hundred_cancels_on_real_sockets() -> None:
    with trio.fail_after(20):
        async with (
            talking(ENDLESS, sockets=True) as talk,
            talk.runtime.bus.subscribe("agents.friday.>", capacity=100_000) as sleeper,
        ):
            await cancel_again_and_again(talk, sleeper, 100)


async def test_a_subscriber_of_one_topic_gets_nothing_stale_either(autojump_clock: MockClock) -> None:
    async with (
        talking([Endless()], speed=100) as talk,
        talk.runtime.bus.subscribe("agents.*.agent_response_audio_delta") as audio,
    ):
        talk.say("Hello!")
        await trio.sleep(0.5)
        assert audio.statistics().waiting > 10
        talk.tell(CANCEL)
        await trio.sleep(0.5)
        assert audio.statistics().waiting == 0
        assert audio.statistics().superseded > 10


async def test_a_cancel_overtakes_queued_audio(autojump_clock: MockClock) -> None:
    async with talking([Endless()], model=PUSH_TO_TALK, speed=1) as talk:
        talk.say("Hello!")
        await talk.until(AgentResponseAudioDelta)
        before = len(talk.sent())
        for _ in range(500):
            talk.tell(ClientAudioAppend("s1", bytes(640)))
        talk.tell(CANCEL)
        await talk.reply()
        await wait_all_tasks_blocked()
        kinds = [frame["type"] for frame in talk.sent()[before:]]
        # The lanes of the agent take turns: what it has handled by then is a small part.
        assert kinds.index("response.cancel") < 65
        assert kinds.count("input_audio_buffer.append") == 499  # the resampler holds back the first


async def test_the_conversation_goes_on_after_a_cancel(autojump_clock: MockClock) -> None:
    async with talking(STORY, FINE, speed=1) as talk:
        talk.say("A story!")
        await talk.until(AgentResponseAudioDelta, 3)
        talk.tell(CANCEL)
        talk.say("Something else.")
        events = await talk.reply(2)
        assert statuses(events) == ["cancelled", "completed"]
        assert of(AgentError, events) == []


async def test_a_reply_can_be_cancelled_before_it_has_begun(autojump_clock: MockClock) -> None:
    async with talking(STORY, FINE, speed=1) as talk:
        talk.say("A story!")
        while not talk.sent("response.create"):
            await trio.lowlevel.checkpoint()
        talk.tell(CANCEL)
        events = await talk.reply()
        assert [type(event) for event in events[-2:]] == [AgentResponseCreated, AgentResponseDone]
        assert events[-1].metadata == CANCELLED
        talk.say("And now?")
        assert statuses(await talk.reply()) == ["completed"]


async def test_a_reply_that_generates_nothing_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with talking([Stall()], [Say("Fine.")]) as talk:
        talk.say("Hello!")
        await talk.until(AgentResponseCreated)
        talk.tell(CANCEL)
        assert (await talk.reply())[-1].metadata == CANCELLED
        talk.say("And now?")
        assert statuses(await talk.reply()) == ["completed"]


@pytest.mark.parametrize("asking", [ClientTextAppend("s1", "A story!"), ClientResponseCreate("s1")])
async def test_what_was_asked_for_just_before_a_cancel_gets_no_reply_and_what_just_after_gets_one(
    asking: ClientTextAppend | ClientResponseCreate, autojump_clock: MockClock
) -> None:
    async with talking(STORY, FINE, speed=1) as talk:
        for _ in range(20):  # in whatever order the lanes run
            talk.tell(asking, CANCEL)
            await trio.sleep(1)
            assert statuses(talk.waiting()) in ([], ["cancelled"])
            talk.tell(CANCEL)
            talk.say("And now?")
            assert statuses(await talk.reply()) == ["completed"]
            await wait_all_tasks_blocked()
        assert of(AgentError, talk.seen) == []


async def test_interrupting_a_reply_with_a_text_gets_a_reply_to_that(autojump_clock: MockClock) -> None:
    async with talking(STORY, FINE, speed=1) as talk:
        for _ in range(20):
            talk.say("A story!")
            await talk.until(AgentResponseAudioDelta)
            talk.tell(CANCEL)
            talk.say("Something else.")
            assert statuses(await talk.reply(2)) == ["cancelled", "completed"]


async def test_a_reply_to_speech_can_be_cancelled_before_it_has_begun(autojump_clock: MockClock) -> None:
    async with talking([Endless()], [Say("Fine.")], model=VAD, speed=1) as talk:
        await talk.speak(speech(800, 16000), 16000, paced=False)
        await talk.until(AgentInputDone)
        talk.tell(CANCEL)
        assert (await talk.reply())[-1].metadata == CANCELLED
        await talk.speak(speech(800, 16000), 16000, paced=False)
        assert statuses(await talk.reply()) == ["completed"]


async def test_a_cancel_with_nothing_to_cancel_is_no_error(autojump_clock: MockClock) -> None:
    async with talking([Say("Fine.")]) as talk:
        talk.tell(CANCEL, CANCEL)
        await wait_all_tasks_blocked()
        talk.say("Hello!")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert of(AgentError, events) == []
        assert talk.sent("response.cancel") == []


async def test_a_cancel_that_meets_the_end_of_the_reply_is_no_error(autojump_clock: MockClock) -> None:
    async with talking(*[[Say("Fine.")]] * 40) as talk:
        late = 0
        for passes in range(40):
            talk.say("Hello!")
            await talk.until(AgentResponseCreated)
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            talk.tell(CANCEL)
            [status] = statuses(await talk.reply())
            await wait_all_tasks_blocked()
            # What came of it is still being played.
            flushed = of(AgentPlayoutFlush, talk.waiting())
            assert len(flushed) == (status == "completed")
            late += len(flushed)
        assert 0 < late < 40
        assert of(AgentError, talk.seen) == []
        assert talk.events.statistics().waiting == 0


async def test_a_second_cancel_is_not_sent(autojump_clock: MockClock) -> None:
    async with talking([Endless()], speed=1) as talk:
        talk.say("Hello!")
        await talk.until(AgentResponseAudioDelta)
        talk.tell(CANCEL, CANCEL)
        events = await talk.reply()
        talk.tell(CANCEL)
        await wait_all_tasks_blocked()
        assert statuses(events) == ["cancelled"]
        assert len(talk.sent("response.cancel")) == 1
        assert talk.events.statistics().waiting == 0


async def test_a_cancel_ends_the_tools_of_the_reply(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    @tool
    async def wait() -> str:
        """Wait."""
        try:
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")
        return "never"

    async with talking([Call("wait"), Call("wait")], [Say("Fine.")], tools=[wait]) as talk:
        talk.say("Wait!")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        talk.tell(CANCEL)
        events = await talk.until_results(2)
        assert all("cancelled" in output for output in outputs(events))
        await wait_all_tasks_blocked()
        assert ended == ["cancelled", "cancelled"]
        results = talk.sent("conversation.item.create")[-2:]
        assert all("cancelled" in result["item"]["output"] for result in results)
        assert len(talk.sent("response.create")) == 1  # no reply follows
        talk.say("Hello?")
        assert statuses(await talk.reply()) == ["completed"]


async def test_a_cancel_in_the_middle_of_the_reply_ends_its_tools(autojump_clock: MockClock) -> None:
    @tool
    async def wait() -> str:
        """Wait."""
        await trio.sleep_forever()
        return "never"

    async with talking([Call("wait"), Endless()], tools=[wait], speed=1) as talk:
        talk.say("Wait!")
        await talk.until(AgentResponseToolUseDone)
        await talk.until(AgentResponseAudioDelta)
        talk.tell(CANCEL)
        events: list[Any] = await talk.reply()
        assert len(outputs(events)) == 1
        assert events[-1].metadata == CANCELLED
        await wait_all_tasks_blocked()
        assert len(talk.sent("response.create")) == 1


@pytest.mark.parametrize("speed", [0, 1])
async def test_a_call_that_is_being_written_is_not_carried_out_after_a_cancel(
    speed: float, autojump_clock: MockClock
) -> None:
    ran: list[str] = []

    @tool
    async def look(where: str) -> str:
        """Look."""
        ran.append(where)
        return "nothing"

    long = '{"where": "' + "far away " * 50 + '"}'
    async with talking([Call("look", long)], tools=[look], speed=speed) as talk:
        talk.say("Look!")
        await talk.until(AgentResponseToolUseDelta)
        talk.tell(CANCEL)
        events = await talk.reply()
        await wait_all_tasks_blocked()
        if speed:
            assert ran == []
        assert events[-1].metadata["status"] in ("cancelled", "completed")
        assert of(AgentError, talk.seen) == []
