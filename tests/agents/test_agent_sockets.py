"""The agent over real sockets, with a network between it and the provider that the test can stop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import trio
from agents_kit import MODEL, VAD, audio_of, of, speech, statuses, talking

from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientTextAppend,
    ServerSessionUpdated,
)
from realtime_actors.simulators.brain import Endless, Say
from realtime_actors.simulators.openai import OpenAISimulator
from realtime_actors.simulators.scripted import Reply, ScriptedBrain
from realtime_actors.testing import Probe, open_test_runtime
from realtime_actors.transports import TrioWebSocketTransport, WebSocketOptions


@attrs.define
class Network:
    """Carries bytes to a port and back; when it falls silent, the connections it has carry no more."""

    to: int
    url: str = ""
    _silence: trio.Event = attrs.field(factory=trio.Event)

    def fall_silent(self) -> None:
        self._silence.set()
        self._silence = trio.Event()

    async def carry(self, near: trio.SocketStream) -> None:
        silence = self._silence
        async with await trio.open_tcp_stream("127.0.0.1", self.to) as far, trio.open_nursery() as nursery:
            for source, sink in ((near, far), (far, near)):
                nursery.start_soon(self._pump, source, sink, silence)

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream, silence: trio.Event) -> None:
        try:
            async for data in source:
                if silence.is_set():
                    await trio.sleep_forever()
                await sink.send_all(data)
            await sink.send_eof()
        except trio.BrokenResourceError:
            return


@asynccontextmanager
async def network(simulator: OpenAISimulator) -> AsyncGenerator[Network]:
    async with trio.open_nursery() as nursery:
        address = await nursery.start(simulator.serve)
        net = Network(to=address.port)
        [listener] = await nursery.start(partial(trio.serve_tcp, net.carry, 0, host="127.0.0.1"))
        net.url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/v1/realtime"
        yield net
        nursery.cancel_scope.cancel()


async def test_a_provider_that_falls_silent_is_noticed_and_replaced() -> None:
    brain = ScriptedBrain(replies=[Reply([Endless()], when="story"), Reply([Say("Hello.")], when="there")])
    impatient = WebSocketOptions(ping_interval=0.1, ping_timeout=0.1, close_timeout=0.1)
    async with network(OpenAISimulator(brain=brain, speed=1)) as net, open_test_runtime() as runtime:
        probe = await Probe.spawn(runtime, within=10)
        probe.subscribe("agents.friday.>")
        model = attrs.evolve(MODEL, url=net.url)
        prototype = RealtimeAgent("Friday", "Be brief.", model, transport=TrioWebSocketTransport(), options=impatient)
        friday = await runtime.spawn(prototype, name="friday")
        await probe.expect(AgentReady)
        friday.tell(ClientTextAppend("s1", "A story!"))
        await probe.until(AgentResponseAudioDelta)
        net.fall_silent()
        seen = await probe.until(ServerSessionUpdated)
        assert of(AgentResponseDone, seen)[0].metadata["reason"] == "connection_lost"
        assert "no pong" in of(AgentError, seen)[0].message
        friday.tell(ClientTextAppend("s1", "Are you there?"))
        assert statuses(await probe.until(AgentResponseDone)) == ["completed"]


async def test_a_spoken_turn() -> None:
    with trio.fail_after(10):
        async with talking([Say("Hello there.")], model=VAD, transcripts=["hello"], sockets=True) as talk:
            await talk.speak(speech(600, 48000), 48000, paced=False)
            events = await talk.reply()
            assert of(AgentInputTranscriptionDone, events)[0].transcript == "hello"
            assert audio_of(events) == talk.brain.audio("Hello there.", 24000)


async def test_many_agents_at_once() -> None:
    async def one(number: int) -> None:
        async with talking([Say(f"I am number {number}.")], sockets=True) as talk:
            talk.say("Who are you?")
            assert audio_of(await talk.reply()) == talk.brain.audio(f"I am number {number}.", 24000)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)
