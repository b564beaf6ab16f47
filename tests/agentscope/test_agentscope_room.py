"""AgentScope's chat room: `start` it with a queue, `handle_input`, `stop`. Several agents, and the user."""

from __future__ import annotations

import asyncio
import base64
import gc
import socket
from collections.abc import Generator
from contextlib import ExitStack
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
    serving,
    tags,
    until,
    waiting,
    weather_toolkit,
)

from realtime_actors.agentscope import (
    ChatRoom,
    ClientEvents,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    NotAnEvent,
    NotStarted,
    NotSupported,
    RealtimeAgent,
    ServerEvents,
    TextBlock,
    Toolkit,
)
from realtime_actors.rooms import AgentNotReady, AlreadyInRoom, FloorLimits, RoundRobin
from realtime_actors.simulators import (
    Call,
    DashScopeSimulator,
    GeminiSimulator,
    OpenAISimulator,
    Reply,
    Say,
    ScriptedBrain,
    buzz,
)
from realtime_actors.simulators.server import Simulator

HI: Any = TextBlock(type="text", text="<system>Now you can talk.</system>")
ANSWERS_ONLY = FloorLimits(agent_turns=0)
DONE = "agent_response_done"
INPUT = (
    ServerEvents.AgentInputStartedEvent,
    ServerEvents.AgentInputDoneEvent,
    ServerEvents.AgentInputTranscriptionDoneEvent,
)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Any:
    yield
    assert runtime_threads() == []


def brain_of(*says: str) -> ScriptedBrain:
    return ScriptedBrain(
        replies=[Reply([Say(text)]) for text in says],
        default=[Say("Hm.")],
        transcripts=["How do you do?"] * 9,
        ms_per_character=12,  # no model takes less than 100 ms for a turn
    )


@pytest.fixture
def pair() -> Generator[tuple[Provider, Provider]]:
    """Two simulators, which by the same seed give the same ids to what they say."""
    with ExitStack() as stack:
        providers: list[Provider] = []
        for number in (1, 2):
            brain = brain_of(f"I am Agent{number}.")
            simulator = OpenAISimulator(brain=brain, speed=0, transcripts="before", seed=1)
            stack.enter_context(serving(simulator))
            providers.append(Provider(brain, simulator))
        yield providers[0], providers[1]


def agents_for(providers: tuple[Provider, Provider], *toolkits: Toolkit) -> list[RealtimeAgent]:
    kits = iter(toolkits)
    return [agent_for(each, next(kits, None), name=f"Agent{n}") for n, each in enumerate(providers, 1)]


def of(agent: RealtimeAgent, events: list[Any]) -> list[Any]:
    return [event for event in events if event.agent_id == agent.id]


def who(kind: type[ServerEvents.OfAgent], events: list[Any]) -> list[str]:
    return [event.agent_name for event in events if isinstance(event, kind)]


async def speak(room: ChatRoom | RealtimeAgent, ms: int = 600, silence_ms: int = 1000) -> None:
    pcm = buzz(ms, 16000) + bytes(2 * 16 * silence_ms)
    for start in range(0, len(pcm), 6400):
        audio = base64.b64encode(pcm[start : start + 6400]).decode()
        await room.handle_input(
            ClientEvents.from_json(  # the form in which their example's page sends it
                {
                    "type": "client_audio_append",
                    "session_id": "s1",
                    "audio": audio,
                    "format": {"rate": 16000, "encoding": "pcm16"},
                }
            )
        )


def test_all_agents_answer_a_text_and_then_each_other(pair: tuple[Provider, Provider]) -> None:
    """In AgentScope's events, with the agents' ids and names, in one queue."""

    async def main() -> None:
        agents = agents_for(pair)
        room = ChatRoom(agents=agents)
        async with running(room) as queue:
            events = await until(queue, ServerEvents.AgentReadyEvent, 2)
            await say(room, "Hello everyone!")
            events += await until(queue, ServerEvents.AgentResponseDoneEvent, 4)
        assert {(e.agent_id, e.agent_name) for e in events} == {(a.id, a.name) for a in agents}
        for agent, provider in zip(agents, pair, strict=True):
            own = of(agent, events)
            assert [tag for tag in tags(own) if "delta" not in tag][:5] == [
                "agent_ready",
                "agent_response_created",
                "agent_response_audio_done",
                "agent_response_audio_transcript_done",
                "agent_response_done",
            ]
            assert pcm_of(own).startswith(provider.brain.audio(f"I am {agent.name}.", 24000))
            heard = [turn.text for turn in provider.brain.heard]
            assert {"User: Hello everyone!", "How do you do?"} <= set(heard)  # the user's words, the other's voice
        assert sorted(who(ServerEvents.AgentEndedEvent, waiting(queue))) == ["Agent1", "Agent2"]

    asyncio.run(main())


def test_agents_stop_among_themselves_until_the_user_says_something(pair: tuple[Provider, Provider]) -> None:
    """There, they never do."""

    async def main() -> None:
        room = ChatRoom(agents_for(pair), limits=FloorLimits(agent_turns=3))
        async with running(room) as queue:
            for _ in range(2):
                await say(room, "Go on.")
                await until(queue, ServerEvents.AgentResponseDoneEvent, 5)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):  # ten times as long as they take
                        await queue.get()

    asyncio.run(main())


def test_one_is_asked_to_begin_as_their_example_does(pair: tuple[Provider, Provider]) -> None:
    """By its model; the other hears it, and answers."""

    async def main() -> None:
        agents = agents_for(pair)
        async with running(ChatRoom(agents)) as queue:
            model: Any = agents[1].model
            await model.send(HI)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            assert who(ServerEvents.AgentResponseCreatedEvent, events) == ["Agent2", "Agent1"]
            assert HI["text"] in [turn.text for turn in pair[1].brain.heard]
            assert HI["text"] not in [turn.text for turn in pair[0].brain.heard]

    asyncio.run(main())


def test_the_user_s_speech_is_heard_by_all_and_told_once(pair: tuple[Provider, Provider]) -> None:
    """When it begins and ends, and what it was in words."""

    async def main() -> None:
        agents = agents_for(pair)
        room = ChatRoom(agents, limits=ANSWERS_ONLY)
        async with running(room) as queue:
            await speak(room)
            events = await until(queue, ServerEvents.AgentInputTranscriptionDoneEvent)
            events += await until(
                queue, ServerEvents.AgentResponseDoneEvent, 2 - len(who(ServerEvents.AgentResponseDoneEvent, events))
            )
            turn: list[Any] = [each for each in events if isinstance(each, INPUT)]
            assert [each.type for each in turn] == [
                "agent_input_started",
                "agent_input_done",
                "agent_input_transcription_done",
            ]
            assert {(each.item_id, each.agent_id) for each in turn} == {("turn_1", agents[0].id)}
            assert turn[2].transcript == "How do you do?"
            assert sorted(who(ServerEvents.AgentResponseCreatedEvent, events)) == ["Agent1", "Agent2"]
            assert all(provider.brain.heard[-1].text == "How do you do?" for provider in pair)
            await say(room, "In writing, too.")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            assert not any(isinstance(each, INPUT) for each in events)

    asyncio.run(main())


def test_whoever_speaks_is_interrupted_by_the_user(pair: tuple[Provider, Provider]) -> None:
    """The queue has nothing more of the replies, and the frontend knows when to be silent."""
    for provider in pair:
        provider.simulator.speed = 4
        provider.replies(Reply([Say("a" * 1000)]), Reply([Say("Yes?")]))

    async def main() -> None:
        room = ChatRoom(agents_for(pair), limits=ANSWERS_ONLY)
        async with running(room) as queue:
            await say(room, "Talk.")
            await eventually(lambda: room.queue_statistics().waiting > 10)
            await speak(room)
            events = await until(queue, ServerEvents.AgentInputStartedEvent)
            assert not any(isinstance(event, AGENT_DELTAS) for event in events)
            events += await until(
                queue, ServerEvents.AgentResponseDoneEvent, 4 - len(who(ServerEvents.AgentResponseDoneEvent, events))
            )
            done = [event.metadata["status"] for event in events if event.type == DONE]
            assert done == ["cancelled", "cancelled", "completed", "completed"]
            for agent, provider in zip(room.agents, pair, strict=True):
                assert pcm_of(of(agent, events)) == provider.brain.audio("Yes?", 24000)

    asyncio.run(main())


def test_what_was_made_before_it_was_interrupted_is_taken_back_too(pair: tuple[Provider, Provider]) -> None:
    """It had been generated faster than it is read, or heard."""
    for provider in pair:
        provider.replies(Reply([Say("a" * 1000)]), Reply([Say("Yes?")]))

    async def main() -> None:
        room = ChatRoom(agents_for(pair), limits=ANSWERS_ONLY, queue_ahead=1)
        async with running(room) as queue:
            await say(room, "Talk.")
            said = 2 * len(pair[0].brain.audio("a" * 1000, 24000)) * 4 // 3
            await eventually(lambda: room.queue_statistics().waiting_bytes > said)
            await speak(room)
            await eventually(lambda: room.queue_statistics().waiting_bytes < said // 100)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 4)
            for agent, provider in zip(room.agents, pair, strict=True):
                assert pcm_of(of(agent, events)) == provider.brain.audio("Yes?", 24000)

    asyncio.run(main())


def test_a_cancel_silences_all(pair: tuple[Provider, Provider]) -> None:
    """As it does one agent."""
    for provider in pair:
        provider.simulator.speed = 4
        provider.replies(Reply([Say("a" * 1000)]))

    async def main() -> None:
        room = ChatRoom(agents_for(pair))
        async with running(room) as queue:
            await say(room, "Talk.")
            await eventually(lambda: room.queue_statistics().waiting > 10)
            await room.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s1"))
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            assert not any(isinstance(event, AGENT_DELTAS) for event in events)
            assert [event.metadata["status"] for event in events if event.type == DONE] == ["cancelled"] * 2

    asyncio.run(main())


def test_each_agent_has_its_own_tools(pair: tuple[Provider, Provider]) -> None:
    """Though their models give calls the same ids. No frontend can answer them."""
    for provider, city in zip(pair, ("Oslo", "Rome"), strict=True):
        provider.replies(
            Reply([Call("get_weather", f'{{"city": "{city}"}}')]), Reply([Say("So.")], after="get_weather")
        )

    async def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: Where.
        """
        await asyncio.sleep(0)
        return f"Snow in {city}."

    async def main() -> None:
        snow = Toolkit()
        snow.register_tool_function(get_weather)
        agents = agents_for(pair, snow, weather_toolkit())
        room = ChatRoom(agents, limits=ANSWERS_ONLY)
        async with running(room) as queue:
            await say(room, "How is the weather?")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 4)
            results = [of(agent, events) for agent in agents]
            results = [[e.tool_result for e in own if e.type == "agent_response_tool_result"] for own in results]
            assert [[each["output"][0]["text"] for each in own] for own in results] == [
                ["Snow in Oslo."],
                ["Sunny in Rome."],
            ]
            assert [provider.brain.heard[-1].text for provider in pair] == ["Snow in Oslo.", "Sunny in Rome."]
            await room.handle_input(
                ClientEvents.ClientToolResultEvent(session_id="s1", id="call_1", name="get_weather", output="Sun!")
            )
            assert (await until(queue, ServerEvents.AgentErrorEvent))[-1].code == "unknown_call"

    asyncio.run(main())


def test_all_agents_start_or_none(pair: tuple[Provider, Provider]) -> None:
    """There, the second one's refusal leaves the first one's socket open."""

    async def main() -> None:
        one = agent_for(pair[0], name="One")
        other = agent_for(pair[1], name="Other", key="bad-key")
        room, queue = ChatRoom([one, other]), Q()
        with pytest.raises(AgentNotReady, match="Other cannot join the room"):
            await room.start(queue)
        with pytest.raises(NotStarted):
            await say(room, "Hello?")
        assert runtime_threads() == []
        await eventually(lambda: pair[0].simulator.statistics().open_connections == 0)
        room.agents = [one, agent_for(pair[1], name="Other")]
        async with running(room) as queue:
            await until(queue, ServerEvents.AgentReadyEvent, 2)

    asyncio.run(main())


def test_what_is_wrong_is_said_when_the_room_is_started(pair: tuple[Provider, Provider]) -> None:
    """Or used before, twice, or after its end."""

    async def main() -> None:
        first, second = agents_for(pair)
        room = ChatRoom([first, second])
        await room.stop()
        with pytest.raises(NotStarted, match="is not started"):
            await say(room, "Hello?")
        with pytest.raises(NotStarted, match="is not started"):
            room.queue_statistics()
        with pytest.raises(AlreadyInRoom, match="'Agent1'"):
            await ChatRoom([first, agent_for(pair[1], name="Agent1")]).start(Q())
        with pytest.raises(NotSupported, match=r"builtins\.str cannot be in this room"):
            await ChatRoom([first, "Agent2"]).start(Q())  # pyright: ignore[reportArgumentType]
        async with running(room):
            with pytest.raises(NotStarted, match="the room runs already"):
                await room.start(Q())
            with pytest.raises(NotStarted, match="Agent1 runs already"):
                await first.start(Q())
            with pytest.raises(NotAnEvent):
                await room.handle_input({"type": "client_text_append"})  # pyright: ignore[reportArgumentType]
            created: dict[str, Any] = {"type": "client_session_create", "config": {}}
            await room.handle_input(ClientEvents.from_json(created))
        await room.stop()
        with pytest.raises(NotStarted):
            await say(room, "Hello?")
        with pytest.raises(NotStarted):
            await say(first, "Hello?")
        async with running(first) as queue:  # by itself, now
            await say(first, "Hello?")
            await until(queue, ServerEvents.AgentResponseDoneEvent)

    asyncio.run(main())


def test_one_agent_s_end_is_not_the_room_s(pair: tuple[Provider, Provider]) -> None:
    """It says so, and the other goes on."""

    async def main() -> None:
        agents = agents_for(pair)
        room = ChatRoom(agents)
        async with running(room) as queue:
            await until(queue, ServerEvents.AgentReadyEvent, 2)
            await agents[0].stop()
            ended = await until(queue, ServerEvents.AgentEndedEvent)
            assert [(event.type, event.agent_id) for event in ended] == [("agent_ended", agents[0].id)]
            model: Any = agents[0].model
            with pytest.raises(NotStarted, match="Agent1 has left the room"):
                await model.send(HI)
            agents[1].model = model  # and the one that it has is garbage, which ends nothing
            gc.collect()
            for _ in range(2):
                await say(room, "Who is there?")
                events = await until(queue, ServerEvents.AgentResponseDoneEvent)
                assert "agent_ended" not in tags(events)
                assert who(ServerEvents.AgentResponseCreatedEvent, events) == ["Agent2"]
        assert tags(waiting(queue)) == ["agent_ended"]

    asyncio.run(main())


def test_who_may_speak_is_for_a_policy(pair: tuple[Provider, Provider]) -> None:
    """Any of those of `realtime_actors.rooms`."""

    async def main() -> None:
        room = ChatRoom(agents_for(pair), policy=RoundRobin(), limits=ANSWERS_ONLY, user_name="Ann")
        async with running(room) as queue:
            spoke: list[str] = []
            for _ in range(3):
                await say(room, "Next?")
                events = await until(queue, ServerEvents.AgentResponseDoneEvent)
                spoke += who(ServerEvents.AgentResponseCreatedEvent, events)
            assert spoke == ["Agent1", "Agent2", "Agent1"]
            assert "Ann: Next?" in [turn.text for turn in pair[0].brain.heard]

    asyncio.run(main())


def test_a_frontend_that_stalls_freezes_nobody(pair: tuple[Provider, Provider]) -> None:
    """There, it stops every agent. When it reads again it has all of it, in order."""
    for provider in pair:
        provider.replies(Reply([Say("a" * 300)]))

    async def main() -> None:
        room = ChatRoom(agents_for(pair), limits=ANSWERS_ONLY, queue_ahead=5)
        async with running(room) as queue:
            await say(room, "Talk.")
            said = 2 * len(pair[0].brain.audio("a" * 300, 24000)) * 4 // 3
            await eventually(lambda: room.queue_statistics().waiting_bytes > said)
            assert queue.qsize() == 5
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            for agent, provider in zip(room.agents, pair, strict=True):
                assert pcm_of(of(agent, events)) == provider.brain.audio("a" * 300, 24000)
            assert room.queue_statistics().dropped == 0

    asyncio.run(main())


def test_when_no_audio_is_left_to_drop_the_room_ends_and_says_why(pair: tuple[Provider, Provider]) -> None:
    """As an agent does."""

    async def main() -> None:
        room = ChatRoom(agents_for(pair), queue_ahead=1, backlog_bytes=2_000)
        async with running(room) as queue:
            await say(room, "Talk.")
            await eventually(lambda: queue.qsize() > 1)
            *_, error, one, other = waiting(queue)
            assert (error.type, error.code) == ("agent_error", "queue_overflow")
            assert who(ServerEvents.AgentEndedEvent, [one, other]) == ["Agent1", "Agent2"]
            with pytest.raises(NotStarted, match="ended"):
                await say(room, "Still there?")

    asyncio.run(main())


def test_a_room_that_is_forgotten_is_stopped(pair: tuple[Provider, Provider]) -> None:
    """With all its agents."""

    async def main() -> None:
        room = ChatRoom(agents_for(pair))
        queue = Q()
        await room.start(queue)
        assert len(runtime_threads()) == 1
        del room
        gc.collect()
        await eventually(lambda: runtime_threads() == [])
        assert sorted(who(ServerEvents.AgentEndedEvent, waiting(queue))) == ["Agent1", "Agent2"]

    asyncio.run(main())


def test_a_start_that_is_cancelled_leaves_nothing(pair: tuple[Provider, Provider]) -> None:
    """Nor does the end of the loop."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            other = agent_for(pair[1], name="Other")
            model: Any = other.model
            model.websocket_url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ChatRoom([agent_for(pair[0]), other]).start(Q())
        assert runtime_threads() == []
        room = ChatRoom(agents_for(pair))
        await room.start(Q())
        await say(room, "Hello")

    asyncio.run(main())


@pytest.fixture
def three() -> Generator[list[tuple[ScriptedBrain, Simulator]]]:
    with ExitStack() as stack:
        served: list[tuple[ScriptedBrain, Simulator]] = []
        for kind in (OpenAISimulator, GeminiSimulator, DashScopeSimulator):
            brain = brain_of(f"This is {kind.__name__}.")
            served.append((brain, kind(brain=brain, speed=0, seed=1)))
            stack.enter_context(serving(served[-1][1]))
        yield served


def test_agents_of_all_three_providers_talk(three: list[tuple[ScriptedBrain, Simulator]]) -> None:
    """Each hears the user and the others, and has a voice of its own."""
    (_, _), (_, gemini), (_, dashscope) = three

    async def main() -> None:
        google = GeminiRealtimeModel("gemini-3.8-live", "AIza-test")
        google.websocket_url = gemini.url.replace("v1beta", "v1alpha")
        qwen = DashScopeRealtimeModel("qwen3.5-omni-flash-realtime", "sk-test")
        qwen.websocket_url = f"{dashscope.url}?model=qwen3.5-omni-flash-realtime"
        agents = [
            agent_for(Provider(*three[0]), name="OpenAI"),
            RealtimeAgent("Gemini", "Be brief.", google),
            RealtimeAgent("Qwen", "Be brief.", qwen),
        ]
        room = ChatRoom(agents, limits=ANSWERS_ONLY)
        async with running(room) as queue:
            await speak(room)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 3)
            assert "agent_error" not in tags(events)
            for agent, (brain, simulator) in zip(agents, three, strict=True):
                assert pcm_of(of(agent, events)) == brain.audio(f"This is {type(simulator).__name__}.", 24000)
            await say(room, "Thank you.")
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 3)
            assert sorted(who(ServerEvents.AgentResponseCreatedEvent, events)) == ["Gemini", "OpenAI", "Qwen"]

    asyncio.run(main())


def test_models_that_take_no_text_are_asked_to_begin_all_the_same(
    three: list[tuple[ScriptedBrain, Simulator]], caplog: pytest.LogCaptureFixture
) -> None:
    """Such as that of their example. What is written to such a room is answered by an error."""
    _, simulator = three[2]

    async def main() -> None:
        agents: list[RealtimeAgent] = []
        for name in ("Agent1", "Agent2"):
            model = DashScopeRealtimeModel("qwen3-omni-flash-realtime", "sk", enable_input_audio_transcription=False)
            model.websocket_url = f"{simulator.url}?model=qwen3-omni-flash-realtime"
            agents.append(RealtimeAgent(name, "Be brief.", model))
        room = ChatRoom(agents)
        async with running(room) as queue:
            await say(room, "Hello everyone!")
            error = (await until(queue, ServerEvents.AgentErrorEvent))[-1]
            assert "no agent in the room takes text" in error.message
            model: Any = agents[0].model
            await model.send(HI)
            events = await until(queue, ServerEvents.AgentResponseDoneEvent, 2)
            assert who(ServerEvents.AgentResponseCreatedEvent, events) == ["Agent1", "Agent2"]
            assert "agent_error" not in tags(events)

    asyncio.run(main())
    assert "qwen3-omni-flash-realtime takes no text: it is asked to speak" in caplog.text
