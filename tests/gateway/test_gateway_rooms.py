"""Rooms behind a gateway: several users of one session id."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from gateway_client import PATIENCE, Frontend, Served

from realtime_actors.actors import open_runtime
from realtime_actors.agents import RealtimeAgent
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    RoomAudioDelta,
    RoomLine,
    RoomParticipantLeft,
    RoomParticipantUpdated,
    RoomState,
    ServerSessionEnded,
)
from realtime_actors.gateway import Gateway, GatewaySettings, GetStatus, InvalidSettings
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.rooms import ChatRoom, FloorLimits, RoomSettings, UnknownRoom
from realtime_actors.simulators import OpenAISimulator, Reply, Say, ScriptedBrain, buzz
from realtime_actors.transports import MemoryTransport

MODEL = OpenAIRealtimeModel(api_key="any", url="ws://memory/v1/realtime")


def agent(name: str, *says: str, **options: Any) -> RealtimeAgent:
    brain = ScriptedBrain(replies=[Reply([Say(text)]) for text in says], ms_per_character=2)
    simulator = OpenAISimulator(brain=brain, speed=20, seed=len(name), **options)
    return RealtimeAgent(name, "Be brief.", MODEL, transport=MemoryTransport(simulator.respond))


@asynccontextmanager
async def open_rooms(**settings: Any) -> AsyncGenerator[Served]:
    """A gateway with one room, `lobby`, of Alice and Bob."""

    def room(name: str) -> ChatRoom:
        if name != "lobby":
            raise UnknownRoom(f"There is no room {name!r}: there is 'lobby'.")
        agents = [agent("Alice", "Good morning!", "So I said."), agent("Bob", "Hello from me.")]
        limits = FloorLimits(agent_turns=2)
        return ChatRoom(agents, limits=limits, settings=RoomSettings(most_people=2, linger=0.2))

    settings = {"port": 0, "ping_interval": None, "close_timeout": 0.5, **settings}
    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(room=room, settings=GatewaySettings(**settings)), name="gateway")
        yield Served(runtime, gateway, (await gateway.ask(GetStatus(), timeout=PATIENCE)).url)


async def enter(frontend: Frontend, **config: Any) -> RoomState:
    await frontend.say(ClientSessionCreate(config))
    return await frontend.until(RoomState)


async def lines(frontend: Frontend, last: str) -> list[str]:
    """The lines up to the one that has this text."""
    found: list[str] = []
    while not (found and last in found[-1]):
        line = await frontend.until(RoomLine)
        found.append(f"{line.speaker_name}: {line.text}")
    return found


async def test_two_people_and_two_agents() -> None:
    """Everybody hears the same, and the agents know who said it."""
    async with open_rooms() as served, served.connect("lobby", user_id="ann") as ann:
        state = await enter(ann, user_name="Ann")
        assert (state.room_id, state.participant_id) == ("gateway-lobby", "ann")
        assert [each.name for each in state.participants] == ["Alice", "Bob", "Ann"]
        async with served.connect("lobby", user_id="ben") as ben:
            state = await enter(ben)
            assert [each.name for each in state.participants] == ["Alice", "Bob", "Ann", "ben"]
            await ann.say(ClientTextAppend("lobby", "Hello everybody!"))
            said = ["Ann: Hello everybody!", "Alice: Good morning!", "Bob: Hello from me.", "Alice: So I said."]
            assert await lines(ann, "So I said") == said
            assert await lines(ben, "So I said") == said


async def test_one_hears_the_other_speak() -> None:
    async with (
        open_rooms() as served,
        served.connect("lobby", user_id="ann") as ann,
        served.connect("lobby", user_id="ben") as ben,
    ):
        await enter(ann)
        await enter(ben, hear_people=True, audio_rate=16000)
        for chunk in iter_chunks(buzz(200, 24000), 24000, 20):
            await ann.say(ClientAudioAppend("lobby", chunk, AudioFormat(rate=24000)))
            await trio.sleep(0.02)
        delta = await ben.until(RoomAudioDelta)
        assert (delta.format.rate, len(delta.delta)) == (16000, 640)


async def test_somebody_is_away_for_a_while() -> None:
    """What is said meanwhile waits, and comes once; the others see it."""
    async with open_rooms() as served, served.connect("lobby", user_id="ben") as ben:
        await enter(ben)
        async with served.connect("lobby", user_id="ann") as ann:
            await enter(ann)
            await ann.socket.aclose(1001)
        gone = await ben.until(RoomParticipantUpdated)
        assert (gone.participant.id, gone.participant.status) == ("ann", "away")
        await ben.say(ClientTextAppend("lobby", "Hello?"))
        await lines(ben, "So I said")
        async with served.connect("lobby", user_id="ann") as ann:
            await ann.say(ClientSessionCreate())
            deltas: list[AgentResponseAudioDelta] = []
            done: list[str] = []
            while not isinstance(event := await ann.hear(), RoomState):
                if isinstance(event, AgentResponseAudioDelta):
                    deltas.append(event)
                elif isinstance(event, AgentResponseDone):
                    done.append(event.agent_name)
            assert done == ["Alice", "Bob", "Alice"]
            assert len({(delta.agent_name, delta.response_id) for delta in deltas}) == 3
            assert [line.text for line in event.lines] == ["Hello?", "Good morning!", "Hello from me.", "So I said."]
        back = await ben.until(RoomParticipantUpdated)
        assert back.participant.status == "here"


async def test_bad_requests() -> None:
    """An unknown room, a full one, the same person twice: each is told so, and the room goes on."""
    async with open_rooms() as served, served.connect("lobby", user_id="ann") as ann:
        await enter(ann)
        async with served.connect("lobby", user_id="ann") as again:
            assert (await again.closed()).code == 4409
        async with served.connect("loby", user_id="ben") as lost:
            await lost.say(ClientSessionCreate())
            error = await lost.until(AgentError)
            assert (error.code, error.message) == ("unknown_room", "There is no room 'loby': there is 'lobby'.")
            await lost.until(ServerSessionEnded)
        async with served.connect("lobby", user_id="ben") as ben, served.connect("lobby", user_id="cid") as cid:
            await enter(ben)
            await cid.say(ClientSessionCreate())
            assert (await cid.until(AgentError)).code == "room_full"
            await ben.say(ClientSessionEnd("lobby"))
            await ben.until(ServerSessionEnded)
            left = await ann.until(RoomParticipantLeft)
            assert (left.participant.id, left.reason) == ("ben", "left")
        await ann.say(ClientTextAppend("lobby", "Who is there?"))
        await lines(ann, "Good morning!")


async def test_the_room_ends_when_nobody_is_there_and_opens_again() -> None:
    async with open_rooms() as served:
        for _ in range(2):
            async with served.connect("lobby", user_id="ann") as ann:
                await enter(ann)
                assert served.runtime.find("gateway.gateway-lobby.gateway-lobby-alice") is not None
                await ann.say(ClientSessionEnd("lobby"))
            with trio.fail_after(PATIENCE):
                while served.paths("gateway-lobby"):  # noqa: ASYNC110 - the state is other actors'
                    await trio.sleep(0.01)


async def test_a_gateway_is_for_agents_or_for_rooms() -> None:
    async with open_runtime() as runtime:
        both = Gateway(lambda _: agent("Alice"), room=lambda _: ChatRoom([]))
        for gateway in (Gateway(), both):
            with pytest.raises(InvalidSettings, match="agents or rooms"):
                await runtime.spawn(gateway, name="gateway")
