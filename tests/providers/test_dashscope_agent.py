"""An agent with a DashScope model, against the simulator: in memory on the virtual clock, and once on sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import agent_talk
import attrs
import pytest
import trio
from agent_talk import PAUSE, SPEECH, audio_of, get_weather, of, statuses
from trio.testing import wait_all_tasks_blocked

from realtime_actors.agents import InvalidTool
from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientTextAppend,
    ServerSessionUpdated,
)
from realtime_actors.providers import DashScopeRealtimeModel, Manual, ProviderRefused
from realtime_actors.simulators import Call, DashScopeSimulator, Endless, Reply, Say, ScriptedBrain
from realtime_actors.testing import Failures
from realtime_actors.transports import Transport, TrioWebSocketTransport

Json = dict[str, Any]
OLDER = DashScopeRealtimeModel(api_key="sk-test", url="ws://memory/api-ws/v1/realtime")
NEWER = attrs.evolve(OLDER, model_name="qwen3.5-omni-flash-realtime")
JPEG = b"\xff\xd8\xff\xe0" + bytes(200)


@attrs.define
class Talk(agent_talk.Talk):
    """With what the model thinks by."""

    brain: ScriptedBrain

    def drop(self) -> int:
        dropped = super().drop()
        assert dropped == 1
        return dropped


@asynccontextmanager
async def talking(
    *replies: Reply | Sequence[Any],
    model: DashScopeRealtimeModel = NEWER,
    tools: Sequence[Any] = (),
    sockets: bool | Transport = False,
    transcripts: Sequence[str] = (),
    failures: Failures | None = None,
    **options: Any,
) -> AsyncGenerator[Talk]:
    """`options` are the simulator's."""
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options.setdefault("speed", 0)
    simulator = DashScopeSimulator(brain=brain, seed=1, **options)
    async with agent_talk.talking(simulator, model, tools=tools, sockets=sockets, failures=failures) as talk:
        yield Talk(talk.agent, talk.probe, talk.transport, brain)


class TestTurns:
    async def test_a_text_turn(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking([Say("Hello.")]) as talk:
            talk.say("Hi")
            events = await talk.reply()
            assert statuses(events) == ["completed"]
            assert audio_of(events) == talk.brain.audio("Hello.", 24000)
            assert talk.brain.heard[-1].text == "Hi"
            assert events[-1].input_tokens > 0

    async def test_a_model_that_takes_no_text_says_so(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(model=OLDER) as talk:
            talk.say("Hi")
            error = (await talk.probe.until(AgentError))[-1]
            assert "takes no text: speak to it instead" in error.message
            assert talk.sent("conversation.item.create", "response.create") == []

    async def test_a_spoken_turn(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking([Say("Hello.")], model=OLDER, transcripts=["Hi there."]) as talk:
            await talk.speak(SPEECH + PAUSE)
            events = await talk.reply()
            events += await talk.probe.until(AgentInputTranscriptionDone)
            assert audio_of(events) == talk.brain.audio("Hello.", 24000)
            assert events[-1].transcript == "Hi there."
            [started], [stopped] = of(AgentInputStarted, events), of(AgentInputDone, events)
            assert started.item_id == stopped.item_id == events[-1].item_id

    async def test_a_turn_that_the_user_ends(self, autojump_clock: trio.abc.Clock) -> None:
        """The request for the reply waits until the commit was processed: before, it would be lost."""
        model = attrs.evolve(OLDER, turn_detection=Manual())
        async with talking([Say("Hello.")], model=model, commit_seconds=0.5) as talk:
            await talk.speak(SPEECH)
            began = trio.current_time()
            talk.tell(ClientAudioCommit("s1"), ClientResponseCreate("s1"))
            assert statuses(await talk.reply()) == ["completed"]
            assert trio.current_time() - began == pytest.approx(0.5)
            assert len(talk.sent("response.create")) == 1

    async def test_a_commit_that_is_refused_does_not_hold_what_follows(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking([Say("Yes?")], model=attrs.evolve(NEWER, turn_detection=Manual())) as talk:
            talk.tell(ClientAudioCommit("s1"), ClientTextAppend("s1", "Hi"))
            events = await talk.reply()
            assert "empty" in of(AgentError, events)[0].message
            assert statuses(events) == ["completed"]

    async def test_a_commit_that_is_never_answered_holds_for_two_seconds(self, autojump_clock: trio.abc.Clock) -> None:
        model = attrs.evolve(NEWER, turn_detection=Manual())
        async with talking([Say("Yes?")], model=model, commit_seconds=10_000) as talk:
            await talk.speak(SPEECH)
            began = trio.current_time()
            talk.tell(ClientAudioCommit("s1"), ClientTextAppend("s1", "Hi"))
            await wait_all_tasks_blocked()
            assert talk.sent("conversation.item.create") == []
            await trio.sleep(2.1)
            assert len(talk.sent("conversation.item.create", "response.create")) == 2
            error = (await talk.probe.until(AgentError))[-1]
            assert error.code == "no_response"
            assert trio.current_time() - began == pytest.approx(22, abs=0.5)


class TestTools:
    @pytest.mark.parametrize("by_itself", [False, True])
    async def test_two_calls_at_once(self, autojump_clock: trio.abc.Clock, by_itself: bool) -> None:
        """One reply follows, whoever asks for it: the server by itself, as some documents say, or we."""
        calls = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "Rome"}')]
        replies = (Reply(calls, when="weather"), Reply([Say("Fine.")], after="get_weather"))
        async with talking(*replies, tools=[get_weather], server_follows_up=by_itself) as talk:
            talk.say("The weather?")
            events = [*await talk.reply(), *await talk.reply()]
            assert len(of(AgentResponseToolResult, events)) == 2
            assert audio_of(events) == talk.brain.audio("Fine.", 24000)
            assert {turn.text for turn in talk.brain.heard if turn.role == "tool"} == {
                "Sunny in Oslo.",
                "Sunny in Rome.",
            }
            await trio.sleep(60)
            assert of(AgentResponseCreated, talk.probe.take_all()) == []

    async def test_a_model_without_tools_takes_none(self) -> None:
        with pytest.raises(InvalidTool, match="calls no tools"):
            async with talking(model=OLDER, tools=[get_weather]):
                pass


class TestCancel:
    @pytest.mark.parametrize(("ends", "seconds"), [("told", 0), ("items", 0), ("nothing", 2)])
    async def test_after_a_cancel_the_next_turn_begins(
        self, autojump_clock: trio.abc.Clock, ends: str, seconds: float
    ) -> None:
        """Even where the wire does not say that the cancelled reply has ended."""
        async with talking([Endless()], [Say("Yes?")], cancel_end=ends, speed=4) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            talk.tell(ClientResponseCancel("s1"))
            assert statuses(await talk.reply()) == ["cancelled"]
            began = trio.current_time()
            talk.say("Stop!")
            await talk.probe.until(AgentResponseCreated)
            assert trio.current_time() - began == pytest.approx(seconds, abs=0.1)
            assert statuses(await talk.reply()) == ["completed"]

    @pytest.mark.parametrize("ends", ["told", "items", "nothing"])
    async def test_a_voice_over_a_reply(self, autojump_clock: trio.abc.Clock, ends: str) -> None:
        async with talking([Endless()], [Say("Yes?")], cancel_end=ends, speed=1) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            await talk.speak(SPEECH + PAUSE)
            events = await talk.reply()
            assert events[-1].metadata == {"status": "cancelled", "reason": "turn_detected"}
            after = await talk.reply()
            assert statuses(after) == ["completed"]
            assert audio_of(after) == talk.brain.audio("Yes?", 24000)


class TestImages:
    async def test_a_picture_with_speech(self, autojump_clock: trio.abc.Clock) -> None:
        """One that comes before the speech gets silence to stand beside."""
        async with talking([Say("A cat.")], model=attrs.evolve(OLDER, turn_detection=Manual())) as talk:
            talk.tell(ClientImageAppend("s1", JPEG, {"type": "image/jpeg"}))
            await talk.speak(SPEECH)
            talk.tell(ClientAudioCommit("s1"), ClientResponseCreate("s1"))
            events = await talk.reply()
            assert of(AgentError, events) == []
            [first, second, *_] = talk.sent("input_audio_buffer.append", "input_image_buffer.append")
            assert [first["type"], second["type"]] == ["input_audio_buffer.append", "input_image_buffer.append"]

    @pytest.mark.parametrize(
        ("image", "kind", "words"),
        [(b"\x89PNG1234", "image/png", "image/jpeg"), (JPEG * 1000, "image/jpeg", "smaller")],
    )
    async def test_pictures_that_it_does_not_take(self, image: bytes, kind: str, words: str) -> None:
        async with talking() as talk:
            talk.tell(ClientImageAppend("s1", image, {"type": kind}))
            error = (await talk.probe.until(AgentError))[-1]
            assert error.code == "invalid_image"
            assert words in error.message
            assert talk.sent("input_image_buffer.append") == []


class TestConnection:
    async def test_a_lost_connection_is_opened_again(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking([Endless()], [Say("Yes?")], speed=1) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            talk.drop()
            events = await talk.probe.until(ServerSessionUpdated)
            assert of(AgentResponseDone, events)[0].metadata["reason"] == "connection_lost"
            talk.say("Are you there?")
            assert statuses(await talk.reply()) == ["completed"]

    async def test_a_connection_lost_during_a_commit(self, autojump_clock: trio.abc.Clock) -> None:
        """What waited for it goes to the next one, which has nothing to wait for."""
        model = attrs.evolve(NEWER, turn_detection=Manual())
        async with talking([Say("Yes?")], model=model, commit_seconds=10_000) as talk:
            await talk.speak(SPEECH)
            talk.tell(ClientAudioCommit("s1"), ClientTextAppend("s1", "Hi"))
            await wait_all_tasks_blocked()
            began = trio.current_time()
            talk.drop()
            await talk.probe.until(ServerSessionUpdated)
            assert statuses(await talk.reply()) == ["completed"]
            assert trio.current_time() - began < 1

    async def test_who_is_silent_for_long_is_connected_again(self, autojump_clock: trio.abc.Clock) -> None:
        """The service closes a session in which nothing happens for about five minutes."""
        async with talking([Say("Yes?")]) as talk:
            await trio.sleep(400)
            await talk.probe.until(ServerSessionUpdated)
            talk.say("Are you there?")
            assert statuses(await talk.reply()) == ["completed"]

    async def test_a_bad_key_is_final(self) -> None:
        failures = Failures(ProviderRefused)
        with pytest.raises(ProviderRefused, match="DASHSCOPE_API_KEY"):
            async with talking(model=attrs.evolve(NEWER, api_key="bad-key"), failures=failures):
                pass

    async def test_a_voice_that_the_model_does_not_have(self, autojump_clock: trio.abc.Clock) -> None:
        """It is refused only when it is to speak."""
        async with talking([Say("Hello.")], model=attrs.evolve(NEWER, voice="Nobody")) as talk:
            talk.say("Hi")
            events = await talk.reply()
            assert "'Nobody' is not supported" in of(AgentError, events)[0].message
            assert statuses(events) == ["failed"]


async def test_on_sockets() -> None:
    replies = (Reply([Call("get_weather", '{"city": "Oslo"}')], when="weather"), Reply([Say("Fine.")]))
    with trio.fail_after(20):
        async with talking(
            *replies, tools=[get_weather], sockets=TrioWebSocketTransport(), transcripts=["The weather?"]
        ) as talk:
            await talk.speak(SPEECH + PAUSE)
            await talk.reply()
            events = await talk.reply()
            assert audio_of(events) == talk.brain.audio("Fine.", 24000)
