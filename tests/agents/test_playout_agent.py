"""What an agent does about what was not heard, whatever interrupts it."""

from __future__ import annotations

import attrs
import trio
from agents_kit import MODEL, of, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import GetHistory, RealtimeAgent, generate_reply
from realtime_actors.events import (
    AgentError,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseDone,
    AppendText,
    CancelResponse,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientTextAppend,
    CreateResponse,
    DeleteItem,
    ModelResponseAudioTranscriptDelta,
    ModelResponseCreated,
    RequestFailed,
    TruncateItem,
)
from realtime_actors.simulators.brain import Endless, Say, Stall
from realtime_actors.testing import Emit, Expect, Probe, ScriptedModel, open_test_runtime, reply_events

CANCEL = ClientResponseCancel("s1")
CUT = ("conversation.item.truncate", "conversation.item.delete")
SECOND = bytes(48000)
WORDS = "Once upon a time there was a king who had three daughters, and each of them was fair."


async def test_a_handle_s_interruption_truncates_too(autojump_clock: MockClock) -> None:
    async with talking([Endless()], speed=1) as talk:
        reply = await generate_reply(talk.agent, "Tell me a story.")
        [delta] = of(AgentResponseAudioDelta, await talk.until(AgentResponseAudioDelta))
        await trio.sleep(0.75)
        reply.interrupt()
        await wait_all_tasks_blocked()
        [cut] = talk.sent(*CUT)
        assert (cut["item_id"], cut["audio_end_ms"]) == (delta.item_id, 750)


async def test_every_reply_that_is_still_to_be_heard_is_cut(autojump_clock: MockClock) -> None:
    """Several may wait for their turn in the speaker: the first is truncated, of the others nothing was heard."""
    async with talking(*[[Say(WORDS)]] * 3) as talk:
        items: list[str] = []
        for _ in range(3):
            talk.say("Tell me a story.")
            items.append(of(AgentResponseAudioDelta, await talk.reply())[0].item_id)
        await trio.sleep(1)
        talk.tell(CANCEL)
        await wait_all_tasks_blocked()
        flushed = of(AgentPlayoutFlush, talk.waiting())
        assert [each.item_id for each in flushed] == items
        assert [each.heard_ms for each in flushed] == [1000, 0, 0]
        assert [(cut["type"], cut["item_id"]) for cut in talk.sent(*CUT)] == list(
            zip(CUT[:1] + CUT[1:] * 2, items, strict=True)
        )


async def test_what_was_heard_to_its_end_is_left_as_it_is(autojump_clock: MockClock) -> None:
    async with talking([Say(WORDS)]) as talk:
        talk.say("Tell me a story.")
        await talk.reply()
        await trio.sleep(10)
        talk.tell(CANCEL)
        await wait_all_tasks_blocked()
        assert talk.sent(*CUT) == []
        assert talk.waiting() == []


async def test_an_item_that_is_complete_and_heard_is_left_though_its_reply_goes_on(autojump_clock: MockClock) -> None:
    async with talking([Say("Let me see."), Stall(60)]) as talk:
        talk.say("What is the weather?")
        await talk.until(AgentResponseAudioDelta)
        await trio.sleep(5)
        talk.tell(CANCEL)
        await talk.reply()
        await wait_all_tasks_blocked()
        assert talk.sent(*CUT) == []


async def test_a_reply_in_text_is_not_cut(autojump_clock: MockClock) -> None:
    """It is read, not heard."""
    async with talking([Endless()], model=attrs.evolve(MODEL, output_modality="text"), speed=1) as talk:
        talk.say("Tell me a story.")
        await trio.sleep(1)
        talk.tell(CANCEL)
        await talk.reply()
        await wait_all_tasks_blocked()
        assert talk.sent(*CUT) == []


async def test_a_new_session_is_not_told_of_items_that_it_does_not_have(autojump_clock: MockClock) -> None:
    """The speaker goes on with what had come, and is told to stop all the same."""
    async with talking([Endless()], speed=10) as talk:
        talk.say("Tell me a story.")
        await talk.until(AgentResponseAudioDelta)
        await trio.sleep(1)
        talk.drop()
        await talk.until(AgentResponseDone)
        await trio.sleep(2)
        talk.tell(CANCEL)
        [*_, flush] = await talk.until(AgentPlayoutFlush)
        assert 2000 < flush.heard_ms < 4000
        assert len(talk.transport.connections) == 2
        assert talk.sent(*CUT) == []


async def test_a_position_and_the_cancel_behind_it_keep_their_order(autojump_clock: MockClock) -> None:
    """Whatever waits in the agent's mailbox."""
    async with talking([Say(WORDS)]) as talk:
        talk.say("Tell me a story.")
        delta = of(AgentResponseAudioDelta, await talk.reply())[0]
        await trio.sleep(1)
        talk.tell(
            *[ClientTextAppend("s1", "Well")] * 5,
            ClientPlayoutUpdate("s1", delta.response_id, delta.item_id, 321, playing=False),
            CANCEL,
        )
        [*_, flush] = await talk.until(AgentPlayoutFlush)
        assert flush.heard_ms == 321


async def test_words_that_were_ahead_of_their_sound_are_forgotten(autojump_clock: MockClock) -> None:
    """The interruption comes before the first frame: nobody has heard them."""
    script = [
        *(Expect(AppendText), Expect(CreateResponse)),
        Emit(ModelResponseCreated("r1"), ModelResponseAudioTranscriptDelta("r1", "i1", "Once upon")),
        *(Expect(CancelResponse, response_id="r1"), Expect(DeleteItem, item_id="i1")),
    ]
    async with ScriptedModel(script) as model, open_test_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.subscribe("agents.friday.>")
        agent = await runtime.spawn(RealtimeAgent("Friday", "Be brief.", model), name="friday")
        agent.tell(ClientTextAppend("s1", "Tell me a story."))
        await probe.until(AgentResponseAudioTranscriptDelta)
        agent.tell(CANCEL)
        await probe.until(AgentResponseDone)
        history = await agent.ask(GetHistory(), timeout=1)
        assert [item.role for item in history.items] == ["user"]


async def test_a_cut_that_is_refused_is_nobodys_error(autojump_clock: MockClock) -> None:
    """The item may be gone, or the provider have less of it: that is a race."""
    refused = Emit(lambda cut: RequestFailed(cut.request_id, "invalid_request_error", "", "shorter than that"))
    script = [
        *(Expect(AppendText), Expect(CreateResponse)),
        Emit(*reply_events("One.", audio=SECOND * 3)),
        *(Expect(TruncateItem, item_id="response-1-item", audio_end_ms=1000), refused),
        *(Expect(AppendText), Expect(CreateResponse)),
        Emit(*reply_events("Two.", audio=SECOND * 3, response_id="response-2")),
        *(Expect(DeleteItem, item_id="response-2-item"), refused),
    ]
    async with ScriptedModel(script, within=60) as model, open_test_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.subscribe("agents.friday.>")
        agent = await runtime.spawn(RealtimeAgent("Friday", "Be brief.", model), name="friday")
        for seconds, heard_ms in ((1, 1000), (0, 0)):
            agent.tell(ClientTextAppend("s1", "Go on."))
            await probe.until(AgentResponseDone)
            await trio.sleep(seconds)
            agent.tell(CANCEL)
            assert (await probe.until(AgentPlayoutFlush))[-1].heard_ms == heard_ms
            await trio.sleep(1)
            assert of(AgentError, probe.take_all()) == []
