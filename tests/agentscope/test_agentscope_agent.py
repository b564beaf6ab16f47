"""AgentScope's way to use an agent: an asyncio queue, `start`, `handle_input`, `stop`."""

from __future__ import annotations

import asyncio
import base64
import gc
import socket
from typing import Any

import pytest
from agentscope_kit import (
    AGENT_DELTAS,
    Provider,
    Q,
    agent_for,
    eventually,
    pcm_of,
    running,
    runtime_threads,
    say,
    tags,
    until,
    waiting,
)

from realtime_actors import ProviderRefused
from realtime_actors.agentscope import (
    ClientEvents,
    InvalidEvent,
    ModelEvents,
    NotAnEvent,
    NotStarted,
    NotSupported,
    OpenAIRealtimeModel,
    RealtimeAgent,
    ServerEvents,
    Toolkit,
    ToolResponse,
)
from realtime_actors.asyncio import WrongLoop
from realtime_actors.events import AgentReady
from realtime_actors.providers import OpenAIRealtimeModel as NativeModel
from realtime_actors.simulators import Call, Reply, Say
from realtime_actors.simulators.scripted import buzz

HELLO = "Hello, I am here."


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Any:
    yield
    assert runtime_threads() == []


def test_a_text_is_answered_in_speech_and_words(provider: Provider) -> None:
    """All events of a turn, in AgentScope's types, with the agent's id and name."""
    provider.replies(Reply([Say(HELLO)]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            await say(agent, "Hi")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
        assert {(event.agent_id, event.agent_name) for event in events} == {(agent.id, "Friday")}
        assert [tag for tag in tags(events) if "delta" not in tag] == [
            "agent_ready",
            "agent_response_created",
            "agent_response_audio_done",
            "agent_response_audio_transcript_done",
            "agent_response_done",
        ]
        assert pcm_of(events) == provider.brain.audio(HELLO, 24000)
        assert "".join(e.delta for e in events if e.type == "agent_response_audio_transcript_delta") == HELLO
        assert events[-1].metadata == {"status": "completed"}
        assert tags(waiting(queue)) == ["agent_ended"]

    asyncio.run(main())


def test_speech_is_heard_at_any_rate_and_answered(provider: Provider) -> None:
    """The provider's turn detection ends the turn."""
    provider.replies(Reply([Say(HELLO)]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            pcm = buzz(600, 16000) + bytes(16000 * 2)
            for start in range(0, len(pcm), 3200):
                audio = base64.b64encode(pcm[start : start + 3200]).decode()
                event = {"type": "client_audio_append", "session_id": "s", "audio": audio}
                await agent.handle_input(
                    ClientEvents.from_json({**event, "format": {"encoding": "pcm16", "sample_rate": 16000}})
                )
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
        heard = [event for event in events if isinstance(event, ServerEvents.AgentInputTranscriptionDoneEvent)]
        assert [event.transcript for event in heard] == ["What is the weather in Oslo?"]
        assert {"agent_input_started", "agent_input_done"} <= set(tags(events))
        assert pcm_of(events) == provider.brain.audio(HELLO, 24000)

    asyncio.run(main())


def test_broken_audio_is_an_event_and_ends_nothing(provider: Provider) -> None:
    """As with AgentScope, where the provider says so; shapes are an error at once."""
    provider.replies(Reply([Say(HELLO)]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            pcm16 = {"type": "audio/pcm", "rate": 16000}
            for audio in ("%%%", "AA=="):
                await agent.handle_input(
                    ClientEvents.from_json(
                        {"type": "client_audio_append", "session_id": "s", "audio": audio, "format": pcm16}
                    )
                )
                error = (await until(queue, ServerEvents.AgentErrorEvent))[-1]
                assert error.code == "invalid_audio"
            with pytest.raises(InvalidEvent):
                await agent.handle_input(ClientEvents.ClientTextAppendEvent(session_id="s", text=None))  # pyright: ignore[reportArgumentType]
            await say(agent, "Hi")
            await until(queue, ServerEvents.AgentResponseDoneEvent)

    asyncio.run(main())


async def _weather(city: str) -> ToolResponse:
    """The weather.

    Args:
        city: Where.
    """
    await asyncio.sleep(0)
    return ToolResponse([{"type": "text", "text": f"Snow in {city}."}])


WEATHER = [Reply([Call("_weather", '{"city": "Oslo"}')]), Reply([Say("It snows.")], after="_weather")]


def test_the_toolkit_carries_out_calls_in_the_application_s_loop(provider: Provider) -> None:
    """Its functions are asyncio's; the model goes on with what they gave."""
    provider.replies(*WEATHER)
    loops: list[asyncio.AbstractEventLoop] = []

    async def _weather(city: str) -> ToolResponse:
        loops.append(asyncio.get_running_loop())
        return ToolResponse([{"type": "text", "text": f"Snow in {city}."}])

    async def main() -> None:
        toolkit = Toolkit()
        toolkit.register_tool_function(_weather)
        agent = agent_for(provider, toolkit)
        async with running(agent) as queue:
            await say(agent, "How is the weather?")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
        (used,) = [event for event in events if isinstance(event, ServerEvents.AgentResponseToolUseDoneEvent)]
        assert (used.tool_use["name"], used.tool_use["input"]) == ("_weather", {"city": "Oslo"})
        (result,) = [event for event in events if isinstance(event, ServerEvents.AgentResponseToolResultEvent)]
        assert result.tool_result["id"] == used.tool_use["id"]
        assert result.tool_result["output"] == [{"type": "text", "text": "Snow in Oslo."}]
        assert provider.brain.heard[-1].text == "Snow in Oslo."
        assert pcm_of(events) == provider.brain.audio("It snows.", 24000)
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


@pytest.mark.parametrize("arguments", ['{"city": "Os', '["Oslo"]', "{}"])
def test_what_a_tool_raises_is_told_to_the_model(provider: Provider, arguments: str) -> None:
    """Arguments that do not fit included; nothing is repaired by guessing."""
    provider.replies(Reply([Call("_weather", arguments)]), WEATHER[1])

    async def main() -> None:
        toolkit = Toolkit()
        toolkit.register_tool_function(_weather)
        agent = agent_for(provider, toolkit)
        async with running(agent) as queue:
            await say(agent, "How is the weather?")
            await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
        assert provider.brain.heard[-1].text.startswith("Error:")

    asyncio.run(main())


def test_a_toolkit_of_anybody_s_will_do(provider: Provider) -> None:
    """AgentScope's own, say: two methods are all that is needed. What is no block is told as such."""
    provider.replies(*WEATHER)

    class Odd:
        def get_json_schemas(self) -> list[dict[str, Any]]:
            return Toolkit.get_json_schemas(toolkit)

        async def call_tool_function(self, tool_call: Any) -> Any:
            async def responses() -> Any:
                yield ToolResponse([{"type": "smell", "of": object}])

            return responses()

    toolkit = Toolkit()
    toolkit.register_tool_function(_weather)

    async def main() -> None:
        agent = agent_for(provider, Odd())
        async with running(agent) as queue:
            await say(agent, "How is the weather?")
            await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
        assert provider.brain.heard[-1].text.startswith("Error: the result of _weather cannot be sent")

    asyncio.run(main())


def test_a_cancel_ends_the_call_too_and_no_frontend_can_answer_it(provider: Provider) -> None:
    """The function is cancelled where it waits."""
    provider.replies(WEATHER[0], Reply([Say("Then not.")]))
    calls: list[str] = []

    async def _weather(city: str) -> str:
        calls.append("begun")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            calls.append("cancelled")
            raise
        return "late"

    async def main() -> None:
        toolkit = Toolkit()
        toolkit.register_tool_function(_weather)
        agent = agent_for(provider, toolkit)
        async with running(agent) as queue:
            await say(agent, "How is the weather?")
            used = (await until(queue, ServerEvents.AgentResponseToolUseDoneEvent))[-1].tool_use
            await eventually(lambda: calls == ["begun"])
            await agent.handle_input(
                ClientEvents.ClientToolResultEvent(session_id="s", id=used["id"], name="_weather", output="Sun!")
            )
            assert (await until(queue, ServerEvents.AgentErrorEvent))[-1].code == "unknown_call"
            await agent.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s"))
            result = (await until(queue, ServerEvents.AgentResponseToolResultEvent))[-1].tool_result
            assert "cancelled" in result["output"][0]["text"]
            await eventually(lambda: calls == ["begun", "cancelled"])
            await say(agent, "Never mind.")
            await until(queue, ServerEvents.AgentResponseAudioDoneEvent)

    asyncio.run(main())


def test_an_application_that_reads_nothing_is_fed_only_a_few_events(provider: Provider) -> None:
    """The rest waits beside its queue, and comes in order when it reads."""
    provider.replies(Reply([Say("a" * 300)]))

    async def main() -> None:
        agent = agent_for(provider, queue_ahead=5)
        async with running(agent) as queue:
            await say(agent, "Hi")
            await eventually(lambda: agent.queue_statistics().waiting > 50)
            assert queue.qsize() == 5
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == provider.brain.audio("a" * 300, 24000)
            statistics = agent.queue_statistics()
            assert (statistics.waiting, statistics.waiting_bytes, statistics.dropped) == (0, 0, 0)

    asyncio.run(main())


def test_of_what_is_too_much_the_oldest_audio_goes_and_every_word_stays(provider: Provider) -> None:
    """Counted; the reply's last speech is what is kept."""
    text = "a" * 200 + " " + "b" * 200
    provider.replies(Reply([Say(text)]))

    async def main() -> None:
        agent = agent_for(provider, queue_ahead=1, backlog_bytes=100_000)
        async with running(agent) as queue:
            await say(agent, "Hi")
            await eventually(lambda: agent.queue_statistics().dropped > 0)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            spoken = provider.brain.audio(text, 24000)
            assert len(pcm_of(events)) < len(spoken)
            assert spoken.endswith(pcm_of(events)[-24000:])
            assert "".join(e.delta for e in events if e.type == "agent_response_audio_transcript_delta") == text
            assert tags(events)[-1] == "agent_response_done"

    asyncio.run(main())


def test_when_there_is_no_audio_left_to_drop_the_agent_ends_and_says_why(provider: Provider) -> None:
    """No word is lost in silence."""
    provider.replies(Reply([Say("word " * 200)]))

    async def main() -> None:
        agent = agent_for(provider, queue_ahead=1, backlog_bytes=4_000)
        async with running(agent) as queue:
            await say(agent, "Hi")
            await eventually(lambda: queue.qsize() > 1)
            *_, error, ended = waiting(queue)
            assert (error.type, error.code) == ("agent_error", "queue_overflow")
            assert ended.type == "agent_ended"
            with pytest.raises(NotStarted, match="ended"):
                await say(agent, "Still there?")

    asyncio.run(main())


def test_nothing_of_a_cancelled_reply_is_left_in_the_application_s_queue(provider: Provider) -> None:
    """A reader that had read nothing gets the end of it next; what is its own in the queue stays where it was."""
    provider.simulator.speed = 4
    provider.replies(Reply([Say("a" * 600)]), Reply([Say("New.")]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            await eventually(queue.qsize)
            queue.put_nowait("mine")
            await say(agent, "Hi")
            await eventually(lambda: agent.queue_statistics().waiting > 5)
            await agent.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s"))
            ready, mine = await queue.get(), await queue.get()
            assert (ready.type, mine) == ("agent_ready", "mine")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert tags(events) == ["agent_response_created", "agent_response_done"]
            assert events[-1].metadata["status"] == "cancelled"
            assert agent.queue_statistics().superseded > 5
            await say(agent, "Go on")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == provider.brain.audio("New.", 24000)

    asyncio.run(main())


def test_a_cancel_takes_back_a_reply_that_was_generated_faster_than_it_is_read(provider: Provider) -> None:
    """Its end is there already: only its deltas go."""
    provider.replies(Reply([Say("a" * 300)]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            await say(agent, "Hi")
            await eventually(lambda: agent.queue_statistics().waiting > 50)
            await agent.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s"))
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert not any(isinstance(event, AGENT_DELTAS) for event in events)

    asyncio.run(main())


def test_speaking_over_a_reply_takes_it_back_as_well(provider: Provider) -> None:
    """The provider hears it, and the queue has nothing more of the reply."""
    provider.simulator.speed = 4
    provider.replies(Reply([Say("a" * 600)]), Reply([Say("Yes?")]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            await say(agent, "Hi")
            await eventually(lambda: agent.queue_statistics().waiting > 5)
            audio = base64.b64encode(buzz(600, 24000) + bytes(48000)).decode()
            await agent.handle_input(
                ClientEvents.from_json(
                    {
                        "type": "client_audio_append",
                        "session_id": "s",
                        "audio": audio,
                        "format": {"type": "audio/pcm", "rate": 24000},
                    }
                )
            )
            # Not read until the new reply is there.
            await eventually(lambda: agent.queue_statistics().superseded > 5)
            events = await until(queue, ServerEvents.AgentInputStartedEvent)
            assert not any(isinstance(event, AGENT_DELTAS) for event in events)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == provider.brain.audio("Yes?", 24000)

    asyncio.run(main())


def test_what_opens_and_closes_a_conversation_is_not_for_the_agent(provider: Provider) -> None:
    """A frontend's config does not replace what the application has told the model, as it does not there."""
    provider.replies(Reply([Say(HELLO)]))

    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent) as queue:
            await agent.handle_input(ClientEvents.ClientSessionCreateEvent(config={"instructions": "Be a pirate."}))
            await agent.handle_input(ClientEvents.ClientSessionEndEvent(session_id="s"))
            await say(agent, "Hi")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent)
            assert tags(events)[:2] == ["agent_ready", "agent_response_created"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "client_text_append", "session_id": "s", "text": "Hi"}, r"not dict: ClientEvents\.from_json"),
        ("hello", r"not str: a text is ClientEvents\.ClientTextAppendEvent"),
        (None, "not NoneType: they are the classes in .*ClientEvents"),
        (AgentReady("friday", "Friday"), r"not realtime_actors\.events\.server\.AgentReady: they are"),
        (ModelEvents.ModelSessionCreatedEvent(session_id="s"), "not .*ModelSessionCreatedEvent: they are"),
    ],
)
def test_what_is_no_event_is_refused(given: Any, said: str) -> None:
    """Started or not: it is the caller's mistake."""

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", OpenAIRealtimeModel("gpt-realtime", "sk-test"))
        with pytest.raises(NotAnEvent, match=said) as caught:
            await agent.handle_input(given)
        assert isinstance(caught.value, TypeError)

    asyncio.run(main())


def test_an_agent_that_is_used_in_another_event_loop_has_not_ended(provider: Provider) -> None:
    async def main() -> None:
        agent = agent_for(provider)
        async with running(agent):
            with pytest.raises(WrongLoop, match="the event loop that opened the runtime"):
                await asyncio.to_thread(asyncio.run, say(agent, "Hi"))

    asyncio.run(main())


def test_an_agent_hears_another_s_speech(provider: Provider) -> None:
    """What a chat room does with events, by hand."""
    provider.replies(Reply([Say("a" * 20)]), Reply([Say("Well said.")]))

    async def main() -> None:
        one, other = agent_for(provider), agent_for(provider)
        async with running(one) as said, running(other) as answers:
            await say(one, "Speak to the other one.")
            for event in await until(said, ServerEvents.AgentResponseDoneEvent):
                await other.handle_input(event)
            silence = ServerEvents.AgentResponseAudioDeltaEvent(
                response_id="",
                item_id="",
                delta=base64.b64encode(bytes(48000)).decode(),
                format={"type": "audio/pcm", "rate": 24000},  # pyright: ignore[reportArgumentType]
                agent_id="",
                agent_name="",
            )
            await other.handle_input(silence)
            events = await until(answers, ServerEvents.AgentResponseDoneEvent)
            assert pcm_of(events) == provider.brain.audio("Well said.", 24000)
            assert len(runtime_threads()) == 1

    asyncio.run(main())


def test_agents_share_a_thread_that_ends_with_the_last_of_them(provider: Provider) -> None:
    """And begins anew with the next."""

    async def main() -> None:
        one, other = agent_for(provider), agent_for(provider)
        queue: Q = asyncio.Queue()
        await asyncio.gather(one.start(queue), other.start(queue))
        assert len(runtime_threads()) == 1
        await one.stop()
        assert len(runtime_threads()) == 1
        await other.stop()
        assert runtime_threads() == []
        await asyncio.gather(one.start(queue), other.start(queue))
        await asyncio.gather(one.stop(), other.stop())
        assert [event.type for event in waiting(queue)].count("agent_ended") == 4

    asyncio.run(main())


def test_an_agent_is_started_once_and_stopped_as_often_as_one_likes(provider: Provider) -> None:
    """Errors say what to do."""

    async def main() -> None:
        agent = agent_for(provider)
        with pytest.raises(NotStarted, match="not started"):
            await say(agent, "Hi")
        await agent.stop()
        async with running(agent) as queue:
            with pytest.raises(NotStarted, match="runs already"):
                await agent.start(queue)
            await agent.stop()
            with pytest.raises(NotStarted, match="not started"):
                await say(agent, "Hi")

    asyncio.run(main())


def test_a_start_that_fails_raises_why_and_leaves_nothing(provider: Provider) -> None:
    """A refused key, a provider that is not there, a start that is cancelled."""

    async def main() -> None:
        model = OpenAIRealtimeModel("gpt-realtime", "bad-key")
        model.websocket_url = provider.url
        with pytest.raises(ProviderRefused):
            await RealtimeAgent("Friday", "Be brief.", model).start(asyncio.Queue())
        assert runtime_threads() == []
        with socket.create_server(("127.0.0.1", 0)) as silent:
            model = OpenAIRealtimeModel("gpt-realtime", "sk-test")
            model.websocket_url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(RealtimeAgent("Friday", "Be brief.", model).start(asyncio.Queue()), 0.1)
            assert runtime_threads() == []

    asyncio.run(main())


def test_a_model_of_this_package_s_own_will_do_and_another_s_will_not(provider: Provider) -> None:
    """With all its settings."""
    provider.replies(Reply([Say(HELLO)]))

    async def main() -> None:
        agent = RealtimeAgent("Friday", "Be brief.", NativeModel(api_key="sk-test", url=provider.url, speed=1.2))
        async with running(agent) as queue:
            await say(agent, "Hi")
            await until(queue, ServerEvents.AgentResponseDoneEvent)
        with pytest.raises(NotSupported, match="no model"):
            await RealtimeAgent("Friday", "Be brief.", object()).start(queue)  # pyright: ignore[reportArgumentType]

    asyncio.run(main())


def test_an_agent_that_is_forgotten_is_stopped(provider: Provider) -> None:
    """As in AgentScope's own example, whose endpoint ends by an exception without stopping anything."""

    async def endpoint(queue: Q) -> None:
        agent = agent_for(provider)
        await agent.start(queue)

    async def main() -> None:
        queue: Q = asyncio.Queue()
        await endpoint(queue)
        gc.collect()
        await until(queue, ServerEvents.AgentEndedEvent)
        await eventually(lambda: runtime_threads() == [])

    asyncio.run(main())


def test_a_loop_may_end_while_agents_run(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """The interpreter exits, and nobody complains."""
    provider.replies(Reply([Say("a" * 600)]))
    kept: list[RealtimeAgent] = []

    async def main() -> None:
        agent = agent_for(provider)
        kept.append(agent)
        queue: Q = asyncio.Queue()
        await agent.start(queue)
        await say(agent, "Hi")
        await until(queue, ServerEvents.AgentResponseAudioDeltaEvent)

    asyncio.run(main())
    assert runtime_threads() == []
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
