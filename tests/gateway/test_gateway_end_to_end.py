"""From a frontend's socket through the agent and OpenAI's wire to the simulator, and back."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from gateway_client import Frontend, Served, client_frame, open_gateway, raw_frontend
from trio.testing import MockClock

from realtime_actors.actors import Actor
from realtime_actors.agents import RealtimeAgent, frontend_tool, tool
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentTurnMeasured,
    ClientAudioAppend,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientTextAppend,
    ClientToolResult,
    ServerEvent,
    ServerSessionCreated,
    ServerSessionEnded,
    ServerSessionUpdated,
    encode_json,
)
from realtime_actors.gateway import AgentRequest
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import Brain, Call, Drop, Endless, OpenAISimulator, Reply, Say, ScriptedBrain, buzz


@tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    return f"It rains in {city}."


open_window = frontend_tool(
    "open_window", "Open a window.", {"type": "object", "properties": {"room": {"type": "string"}}}
)


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


@attrs.define
class Stack:
    simulator: OpenAISimulator
    served: Served


@asynccontextmanager
async def stack(brain: Brain, *, speed: float = 50.0, key: str = "good-key", **settings: Any) -> AsyncGenerator[Stack]:
    """The simulator and a gateway whose agents talk to it."""
    simulator = OpenAISimulator(brain=brain, speed=speed, seed=1)

    def factory(request: AgentRequest) -> Actor:
        return RealtimeAgent(
            name=request.agent_name or "Friday",
            instructions=request.instructions or "",
            model=OpenAIRealtimeModel(api_key=key, url=simulator.url, enable_input_audio_transcription=True),
            tools=[get_weather, open_window],
            session_id=request.session_id,
        )

    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        async with open_gateway(factory, **settings) as served:
            yield Stack(simulator, served)
        nursery.cancel_scope.cancel()


async def reply(frontend: Frontend) -> list[ServerEvent]:
    """What is heard, up to the end of a reply."""
    events = [await frontend.hear()]
    while not isinstance(events[-1], AgentResponseDone):
        events.append(await frontend.hear())
    return events


def words(events: Sequence[ServerEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, AgentResponseAudioTranscriptDelta))


def sound(events: Sequence[ServerEvent]) -> bytes:
    return b"".join(event.delta for event in events if isinstance(event, AgentResponseAudioDelta))


async def test_a_text_turn() -> None:
    """Text in, speech and its words out, byte for byte as the model made them."""
    async with (
        stack(ScriptedBrain(replies=[Reply([Say("Hello Ann.")])])) as running,
        running.served.connect() as frontend,
    ):
        await frontend.say(ClientSessionCreate({"agent_name": "Friday", "instructions": "Be brief."}))
        assert await frontend.hear() == ServerSessionCreated("s1")
        assert await frontend.hear() == AgentReady("gateway-s1", "Friday")
        await frontend.say(ClientTextAppend("s1", "hello"))
        events = await reply(frontend)
        assert isinstance(events[0], AgentResponseCreated)
        assert words(events) == "Hello Ann."
        assert sound(events) == ScriptedBrain().audio("Hello Ann.", 24000)
        done = events[-1]
        assert isinstance(done, AgentResponseDone)
        assert done.metadata["status"] == "completed"
        assert done.output_tokens > 0
        assert {getattr(event, "response_id", done.response_id) for event in events} == {done.response_id}


async def test_a_frontend_that_asks_for_it_is_told_how_long_its_turns_took() -> None:
    async with (
        stack(ScriptedBrain(default=[Say("Hello Ann.")])) as running,
        running.served.connect() as frontend,
    ):
        await frontend.say(ClientSessionCreate({"measure_turns": True}), ClientTextAppend("s1", "hello"))
        events = await reply(frontend)
        measured = await frontend.hear()
        assert isinstance(measured, AgentTurnMeasured)
        assert measured.response_id == getattr(events[-1], "response_id", "")
        assert list(measured.times) == ["response", "first_audio", "first_audio_sent", "done"]
        assert 0 <= measured.times["first_audio"] <= measured.times["first_audio_sent"]


async def test_a_spoken_turn_over_msgpack() -> None:
    """Speech at 16 kHz in, through the provider's turn detection."""
    brain = ScriptedBrain(replies=[Reply([Say("Good morning.")])], transcripts=["good morning"])
    async with stack(brain) as running, running.served.connect(subprotocols=["realtime-actors.msgpack"]) as frontend:
        await frontend.create()
        speech = bytes(16000) + buzz(1000, 16000) + bytes(48000)
        await frontend.say(*[ClientAudioAppend("s1", speech[at : at + 640]) for at in range(0, len(speech), 640)])
        events: list[ServerEvent] = []
        while not {AgentInputTranscriptionDone, AgentResponseDone} <= {type(event) for event in events}:
            events.append(await frontend.hear())
        assert words(events) == "Good morning."
        assert [event.transcript for event in events if isinstance(event, AgentInputTranscriptionDone)] == [
            "good morning"
        ]


async def test_tools_here_and_there() -> None:
    """A tool of the server runs there; one of the frontend is answered by it."""
    brain = ScriptedBrain(
        replies=[
            Reply([Call("get_weather", '{"city": "Paris"}'), Call("open_window", '{"room": "attic"}')], when="weather"),
            Reply([Say("Done.")]),
        ]
    )
    async with stack(brain) as running, running.served.connect() as frontend:
        await frontend.create()
        await frontend.say(ClientTextAppend("s1", "the weather, and air"))
        outputs: set[object] = set()
        while len(outputs) < 2:
            event = await frontend.hear()
            if isinstance(event, AgentResponseToolUseDone) and event.tool_use.name == "open_window":
                assert event.tool_use.input == {"room": "attic"}
                await frontend.say(ClientToolResult("s1", event.tool_use.id, "open_window", "it is open"))
            if isinstance(event, AgentResponseToolResult):
                outputs.add(event.tool_result.output)
        assert outputs == {"It rains in Paris.", "it is open"}
        assert (await frontend.until(AgentResponseAudioTranscriptDone)).transcript in ("Done.", None)


async def test_cancel() -> None:
    """Nothing of a cancelled reply follows its end, over and over; then the agent answers."""
    brain = ScriptedBrain(default=[Endless()])
    async with stack(brain) as running, running.served.connect() as frontend:
        await frontend.create()
        ended: set[str] = set()
        for _ in range(30):
            await frontend.say(ClientTextAppend("s1", "talk"))
            await frontend.until(AgentResponseAudioDelta)
            await frontend.say(ClientResponseCancel("s1"))
            while not isinstance(event := await frontend.hear(), AgentResponseDone):
                assert getattr(event, "response_id", "") not in ended
            assert event.metadata["status"] == "cancelled"
            ended.add(event.response_id)
        assert len(ended) == 30


async def test_a_key_that_is_refused() -> None:
    """The frontend is told why, without the key; the socket stays open."""
    async with stack(ScriptedBrain(), key="bad-key-12345") as running, running.served.connect() as frontend:
        await frontend.say(ClientSessionCreate())
        assert isinstance(await frontend.hear(), ServerSessionCreated)
        error = await frontend.until(AgentError)
        assert "bad-key" not in error.message
        assert error.code == "invalid_api_key"
        assert (await frontend.until(ServerSessionEnded)).metadata == {"reason": "agent_not_started"}
        await frontend.say(ClientSessionCreate())
        assert isinstance(await frontend.hear(), ServerSessionCreated)


async def test_a_provider_that_is_lost() -> None:
    """The conversation goes on over a new connection, and the frontend is told."""
    brain = ScriptedBrain(replies=[Reply([Say("One."), Drop()]), Reply([Say("Two.")])])
    async with stack(brain) as running, running.served.connect() as frontend:
        await frontend.create()
        await frontend.say(ClientTextAppend("s1", "hello"))
        assert (await frontend.until(AgentError)).code == "connection_lost"
        assert (await frontend.until(ServerSessionUpdated)).session_id == "s1"
        await frontend.say(ClientTextAppend("s1", "again"))
        assert words(await reply(frontend)) == "Two."


async def test_a_provider_that_is_gone_for_good() -> None:
    """When a new connection is refused, the session ends, in words."""
    accepted = [True]
    brain = ScriptedBrain(replies=[Reply([Say("One."), Drop()])])
    async with stack(brain) as running, running.served.connect() as frontend:
        running.simulator.accept_key = lambda _: accepted[0]
        await frontend.create()
        accepted[0] = False
        await frontend.say(ClientTextAppend("s1", "hello"))
        events = [await frontend.hear()]
        while not isinstance(events[-1], ServerSessionEnded):
            events.append(await frontend.hear())
        errors = [event.code for event in events if isinstance(event, AgentError)]
        assert errors == ["connection_lost", "invalid_api_key"]
        assert isinstance(events[-2], AgentEnded)
        accepted[0] = True
        await frontend.create()


async def test_two_frontends_at_once() -> None:
    """Each has its own agent and hears nothing of the other."""
    brain = ScriptedBrain(default=[Say("A rather long answer, to be heard by one.")])
    async with stack(brain) as running, running.served.connect("a") as one, running.served.connect("b") as two:
        await one.create(agent_name="A")
        await two.create(agent_name="B")
        await one.say(ClientTextAppend("a", "hello"))
        await two.say(ClientTextAppend("b", "hello"))
        for frontend, name in ((one, "A"), (two, "B")):
            assert {getattr(event, "agent_name", name) for event in await reply(frontend)} == {name}


async def test_a_frontend_that_leaves_in_mid_sentence() -> None:
    """Its connection to the provider is closed at once."""
    async with stack(ScriptedBrain(default=[Endless()]), speed=1.0) as running:
        async with running.served.connect() as frontend:
            await frontend.create()
            await frontend.say(ClientTextAppend("s1", "talk"))
            await frontend.until(AgentResponseAudioDelta)
            assert running.simulator.statistics().open_connections == 1
        with trio.fail_after(2):
            while running.simulator.statistics().open_connections:  # noqa: ASYNC110 - the simulator tells nobody
                await trio.sleep(0.01)
        await running.served.until(lambda status: status.sessions == 0)
        assert running.served.paths() == []


async def test_a_frontend_that_vanishes_without_a_word(autojump_clock: MockClock) -> None:
    """As when a laptop's lid is shut in mid sentence: no FIN comes, and no pong. Its agent and its provider end."""
    async with (
        stack(ScriptedBrain(default=[Endless()]), speed=1.0, ping_interval=20) as running,
        raw_frontend(running.served) as stream,
    ):
        await stream.send_all(client_frame(encode_json(ClientSessionCreate())))
        await stream.send_all(client_frame(encode_json(ClientTextAppend("s1", "talk"))))
        heard = b""
        while AgentResponseAudioDelta.type.encode() not in heard:
            heard += await stream.receive_some()
        start = trio.current_time()
        assert running.simulator.statistics().open_connections == 1
        with trio.fail_after(60):
            while running.simulator.statistics().open_connections or running.served.paths():  # noqa: ASYNC110
                await trio.sleep(0.5)
        assert trio.current_time() - start <= 20 + 10 + 2  # the ping, its pong, and some for the end of each
        assert (await running.served.status()).sessions == 0
