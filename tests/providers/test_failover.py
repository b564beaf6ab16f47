"""Several models for one agent: when the first gives up, the next one goes on with the conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from agent_talk import SPEECH, audio_of, audio_sent, get_weather, of, statuses
from five_providers import FIVE, simulator_of
from trio.testing import MockClock

from realtime_actors.actors import Ref
from realtime_actors.agents import ChangeRefused, RealtimeAgent, Reconfigure, reconfigure
from realtime_actors.agents.errors import NoModelLeft
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentError,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientTextAppend,
    ServerSessionUpdated,
)
from realtime_actors.providers import (
    ProviderRefused,
    ProviderUnavailable,
    RealtimeModel,
    Reconnection,
)
from realtime_actors.simulators import Call, Endless, ErrorEvent, Midway, Reply, Say, ScriptedBrain
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import Failures, Probe, RecordingTransport, open_test_runtime
from realtime_actors.transports import MemoryTransport, Transport, WebSocket, WebSocketOptions

STORY = Reply([Endless("Once upon a time. ")], when="story")
QUOTA = ErrorEvent("You exceeded your quota.", "insufficient_quota")


def nobody(_: str) -> bool:
    """No key is good."""
    return False


class Networks(Transport):
    """A network for each host."""

    def __init__(self, **networks: MemoryTransport) -> None:
        self.networks = networks

    def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AbstractAsyncContextManager[WebSocket]:
        host = url.split("/")[2]
        return self.networks[host].connect(url, headers=headers, subprotocols=subprotocols, options=options)


@attrs.define
class Talk:
    agent: Ref
    probe: Probe
    first: MemoryTransport
    transport: RecordingTransport

    def say(self, text: str) -> None:
        self.agent.tell(ClientTextAppend("s1", text))

    async def reply(self) -> list[Any]:
        return await self.probe.until(AgentResponseDone)


def at(host: str, model: RealtimeModel) -> RealtimeModel:
    """The model on the network of this name."""
    return attrs.evolve(model, url=(model.url or "").replace("memory", host))


@asynccontextmanager
async def talking(
    first: tuple[Simulator, RealtimeModel],
    second: tuple[Simulator, RealtimeModel],
    *,
    failures: Failures | None = None,
    reachable: bool = True,
    **options: Any,
) -> AsyncGenerator[Talk]:
    """An agent whose first model has a simulator, and its second one another."""
    networks = Networks(first=MemoryTransport(first[0].respond), second=MemoryTransport(second[0].respond))
    networks.networks["first"].reachable = reachable
    failures = failures or Failures(ProviderRefused, ProviderUnavailable)
    async with open_test_runtime(failures=failures) as runtime:
        probe = await Probe.spawn(runtime, within=60, capacity=10_000)
        probe.subscribe("agents.friday.>")
        models = [at("first", first[1]), at("second", second[1])]
        transport = RecordingTransport(networks)
        prototype = RealtimeAgent("Friday", "Be brief.", models, transport=transport, session_id="s1", **options)
        agent = await runtime.spawn(prototype, name="friday")
        yield Talk(agent, probe, networks.networks["first"], transport)


def heard(simulator: Simulator) -> list[str]:
    brain = simulator.brain
    assert isinstance(brain, ScriptedBrain)
    return [turn.text for turn in brain.heard]


def spoken(simulator: Simulator, text: str) -> bytes:
    assert isinstance(simulator.brain, ScriptedBrain)
    return simulator.brain.audio(text, 24000)


@FIVE
async def test_the_next_model_goes_on_when_the_first_refuses_in_mid_conversation(
    provider: str, autojump_clock: MockClock
) -> None:
    first = simulator_of("openai", [Say("Nice to meet you.")], [Midway("Well then", 300, QUOTA)])
    second = simulator_of(provider, [Say("Here I am.")])
    async with talking(first, second) as talk:
        talk.say("I am Ann.")
        await talk.reply()
        talk.say("What is my name?")
        events = await talk.reply()
        assert statuses(events) == ["failed"]
        *more, updated = await talk.probe.until(ServerSessionUpdated)
        errors = of(AgentError, events + more)
        assert [error.code for error in errors][-1] == "insufficient_quota"
        assert "Going on with" in errors[-1].message
        assert updated.metadata["connection"] == "restored"
        assert updated.metadata["model"] == second[1].model_name
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(second[0], "Here I am.")
        assert "I am Ann." in " ".join(heard(second[0]))


@FIVE
async def test_the_next_model_serves_from_the_beginning_if_the_first_does_not(
    provider: str, autojump_clock: MockClock
) -> None:
    first = simulator_of("openai", accept_key=nobody)
    second = simulator_of(provider, [Say("Here I am.")])
    async with talking(first, second) as talk:
        events = await talk.probe.until(ServerSessionUpdated)
        [error] = of(AgentError, events)
        assert error.error_type == "provider_error"
        assert "OPENAI_API_KEY" in error.message
        assert len(of(AgentReady, events)) == 1
        assert events[-1].metadata["model"] == second[1].model_name
        assert "connection" not in events[-1].metadata
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(second[0], "Here I am.")


async def test_the_next_model_goes_on_when_the_first_cannot_be_reached_any_more(autojump_clock: MockClock) -> None:
    first = simulator_of("openai", STORY)
    second = simulator_of("gemini", [Say("Here I am.")])
    async with talking(first, second) as talk:
        talk.say("A story!")
        await talk.probe.until(AgentResponseAudioDelta)
        talk.first.reachable = False
        talk.first.drop_connections()
        events = await talk.probe.until(ServerSessionUpdated)
        assert [error.code for error in of(AgentError, events)] == ["connection_lost", ""]
        assert "5 attempts" in of(AgentError, events)[-1].message
        assert events[-1].metadata["model"] == "gemini-3.8-live"
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(second[0], "Here I am.")


@pytest.mark.parametrize("provider", ["openai", "gemini", "dashscope"])
async def test_what_is_said_between_two_models_is_said_to_the_next_at_its_rate(
    provider: str, autojump_clock: MockClock
) -> None:
    """A text, and speech that takes four seconds, of which the first model takes nothing."""
    steady = Reconnection(attempts=4)
    first, (second, model) = (
        simulator_of("openai"),
        simulator_of(provider, [Say("Yes?")], [Say("And?")], transcripts=("Hello?",)),
    )
    async with talking((first[0], attrs.evolve(first[1], reconnection=steady)), (second, model)) as talk:
        await trio.sleep(30)
        talk.first.reachable = False
        talk.first.drop_connections()
        for chunk in iter_chunks(SPEECH * 2 + bytes(96000), 48000, 20):
            talk.agent.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=48000)))
            await trio.sleep(0.02)
        events = await talk.reply()
        assert of(ServerSessionUpdated, events)[-1].metadata["model"] == model.model_name
        assert audio_of(events) == spoken(second, "Yes?")
        assert "Hello?" in heard(second)
        seconds = len(audio_sent(talk.transport.connections[-1].sent)) / 2 / model.input_rate
        assert seconds == pytest.approx(2.6, abs=0.05)
        talk.say("Still there?")
        assert audio_of(await talk.reply()) == spoken(second, "And?")


async def test_a_text_that_nobody_has_answered_is_answered_by_the_next_model(autojump_clock: MockClock) -> None:
    first, second = simulator_of("openai"), simulator_of("gemini", [Say("Yes.")])
    async with talking(first, second) as talk:
        await trio.sleep(30)
        talk.first.reachable = False
        talk.first.drop_connections()
        await trio.sleep(0.1)
        talk.say("Are you there?")
        events = await talk.reply()
        assert audio_of(events) == spoken(second[0], "Yes.")
        assert heard(second[0]).count("Are you there?") == 1
        await talk.probe.expect_nothing(within=10)


async def test_the_first_serves_again_when_the_code_says_so(autojump_clock: MockClock) -> None:
    """Nobody goes back by himself; if the first refuses still, the second goes on."""
    first = simulator_of("openai", [Say("Me again.")])
    second = simulator_of("gemini", [Say("Here I am.")])
    async with talking(first, second) as talk:
        first[0].accept_key = nobody
        talk.first.drop_connections()
        await talk.probe.until(ServerSessionUpdated)
        with pytest.raises(ChangeRefused, match="OPENAI_API_KEY"):
            await reconfigure(talk.agent, Reconfigure(model=at("first", first[1])))
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(second[0], "Here I am.")
        first[0].accept_key = lambda key: True
        await reconfigure(talk.agent, Reconfigure(model=at("first", first[1])))
        talk.say("And you?")
        assert audio_of(await talk.reply()) == spoken(first[0], "Me again.")
        assert heard(first[0])[-3:] == ["Are you there?", "Here I am.", "And you?"]


async def test_the_next_model_calls_the_tools_if_it_can(autojump_clock: MockClock) -> None:
    call = Call("get_weather", '{"city": "Oslo"}')
    first = simulator_of("openai", accept_key=nobody)
    second = simulator_of("xai", Reply([call], when="weather"), Reply([Say("Sunny.")], after="get_weather"))
    async with talking(first, second, tools=[get_weather]) as talk:
        talk.say("How is the weather?")
        events = await talk.reply() + await talk.reply()
        assert audio_of(events) == spoken(second[0], "Sunny.")

    without = simulator_of("dashscope", [Say("Hello.")])
    model = attrs.evolve(without[1], model_name="qwen3-omni-flash-realtime")
    assert not model.capabilities.tools
    async with talking(first, (without[0], model), tools=[get_weather]) as talk:
        events = await talk.probe.until(ServerSessionUpdated)
        assert events[-1].metadata["model"] == "qwen3-omni-flash-realtime"


async def test_when_all_have_given_up_the_end_names_each(autojump_clock: MockClock) -> None:
    first = simulator_of("openai", accept_key=nobody)
    second = simulator_of("gemini", accept_key=nobody)
    with pytest.raises(NoModelLeft) as caught:
        async with talking(first, second, failures=Failures(ProviderRefused, NoModelLeft)):
            pass
    assert [name for name, _ in caught.value.causes] == ["gpt-realtime", "gemini-3.8-live"]
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "GEMINI_API_KEY" in str(caught.value)


async def test_the_last_one_of_them_ends_the_agent_in_mid_conversation(autojump_clock: MockClock) -> None:
    first = simulator_of("openai", [QUOTA])
    second = simulator_of("xai", [QUOTA])
    failures = Failures(ProviderRefused, NoModelLeft)
    async with talking(first, second, failures=failures) as talk:
        talk.say("Hello?")
        await talk.probe.until(ServerSessionUpdated)
        talk.say("Hello?")
        ended = await talk.agent.wait_stopped()
        assert isinstance(ended.cause, NoModelLeft)
        assert [name for name, _ in ended.cause.causes] == ["gpt-realtime", "grok-voice-latest"]


async def test_one_model_alone_ends_as_ever(autojump_clock: MockClock) -> None:
    first = simulator_of("openai", accept_key=nobody)
    network = Networks(first=MemoryTransport(first[0].respond))
    async with open_test_runtime(failures=Failures(ProviderRefused)) as runtime:
        with pytest.raises(ProviderRefused):
            await runtime.spawn(RealtimeAgent("Friday", "Hi.", [at("first", first[1])], transport=network))


async def test_no_model_at_all() -> None:
    async with open_test_runtime(failures=Failures(ValueError)) as runtime:
        with pytest.raises(ValueError, match="needs a model"):
            await runtime.spawn(RealtimeAgent("Friday", "Hi.", []))
