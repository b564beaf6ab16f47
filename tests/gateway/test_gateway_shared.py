"""A second socket of a session: another person, or the same one back."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from gateway_client import open_gateway

from realtime_actors.events import (
    AgentError,
    AgentResponseAudioTranscriptDelta,
    AgentResponseDone,
    ClientAudioAppend,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ServerSessionCreated,
    ServerSessionEnded,
    ServerSessionUpdated,
)
from realtime_actors.transports import Request


async def whoever_the_path_says(request: Request) -> str:
    return request.path.split("/")[2]


async def test_another_user_joins_a_session() -> None:
    """Both hear all, and both may write; one of them speaks. It ends with the first."""
    async with open_gateway() as served, served.connect("a", user_id="ann") as ann:
        await ann.create()
        async with served.connect("a", user_id="ben") as ben:
            ready = await ben.create()
            assert ready.agent_id == "gateway-a"
            await ben.say(ClientTextAppend("a", "hello from Ben"))
            for frontend in (ann, ben):
                assert (await frontend.until(AgentResponseAudioTranscriptDelta)).delta == "hello from Ben"
                await frontend.until(AgentResponseDone)
            await ben.say(ClientAudioAppend("a", bytes(640)))
            error = await ben.until(AgentError)
            assert error.code == "one_microphone"
            assert "Gateway(room=…)" in error.message
            await ann.say(ClientSessionEnd("a"))
            assert (await ben.until(ServerSessionEnded)).metadata == {"reason": "agent_ended"}


async def test_a_guest_leaves_and_the_session_goes_on() -> None:
    async with open_gateway() as served, served.connect("a", user_id="ann") as ann:
        await ann.create()
        async with served.connect("a", user_id="ben") as ben:
            await ben.create()
            await ben.say(ClientSessionEnd("a"))
            assert (await ben.until(ServerSessionEnded)).metadata == {"reason": "client_ended"}
        await ann.say(ClientTextAppend("a", "still there?"))
        assert (await ann.until(AgentResponseAudioTranscriptDelta)).delta == "still there?"


async def test_the_same_user_twice() -> None:
    """The one who is there goes on."""
    async with open_gateway() as served, served.connect("a") as first:
        await first.create()
        async with served.connect("a") as second:
            assert (await second.closed()).code == 4409
        await first.say(ClientTextAppend("a", "hello"))
        await first.until(AgentResponseDone)


@pytest.mark.parametrize("is_authenticated", [False, True])
async def test_a_session_that_is_not_shared(is_authenticated: bool) -> None:
    """Where it is known who users are, nobody joins a stranger's session by its id, unless that is wished."""
    settings: dict[str, Any] = (
        {"authenticate": whoever_the_path_says} if is_authenticated else {"shared_sessions": False}
    )
    async with (
        open_gateway(**settings) as served,
        served.connect("a", user_id="ann") as ann,
        served.connect("a", user_id="ben") as ben,
    ):
        assert (await ben.closed()).code == 4409
        await ann.create()


async def test_a_frontend_that_is_back_in_time_finds_its_session() -> None:
    """The agent is the same one, and what it said meanwhile comes once."""
    async with open_gateway(return_within=30.0) as served:
        async with served.connect("a") as frontend:
            await frontend.create()
            await frontend.say(ClientTextAppend("a", "one"))
            await frontend.until(AgentResponseDone)
            await frontend.say(ClientTextAppend("a", "two"))
            assert (await frontend.until(AgentResponseAudioTranscriptDelta)).delta == "two"
            await frontend.until(AgentResponseDone)
            await frontend.socket.aclose(1001)
        agent = served.runtime.find("gateway.a.gateway-a")
        assert agent is not None
        agent.tell(ClientTextAppend("a", "meanwhile"))
        async with served.connect("a") as frontend:
            await frontend.say(ClientSessionCreate())
            heard = [await frontend.hear() for _ in range(5)]
            words = [event.delta for event in heard if isinstance(event, AgentResponseAudioTranscriptDelta)]
            assert words == ["meanwhile"]
            assert isinstance(heard[3], ServerSessionCreated)
            assert heard[4] == ServerSessionUpdated("a", {"resumed": "true"})
            await frontend.say(ClientTextAppend("a", "three"))
            done = await frontend.until(AgentResponseDone)
            assert done.response_id == "r4"


async def test_a_frontend_that_is_not_back_in_time() -> None:
    async with open_gateway(return_within=0.1) as served:
        async with served.connect("a") as frontend:
            await frontend.create()
            await frontend.socket.aclose(1001)
        await served.until(lambda status: status.sessions == 0)
        assert served.paths("gateway.a") == []


async def test_a_frontend_that_closes_because_it_is_done_is_not_waited_for() -> None:
    async with open_gateway(return_within=600.0) as served:
        async with served.connect("a") as frontend:
            await frontend.create()
            await frontend.socket.aclose(1000)
        await served.until(lambda status: status.sessions == 0)


async def test_too_much_for_one_that_is_away() -> None:
    """Its session ends when what waits for it has no room any more."""
    async with open_gateway(return_within=600.0, frontend_buffer_bytes=64 * 1024) as served:
        async with served.connect("a") as frontend:
            await frontend.create()
            await frontend.socket.aclose(1001)
        agent = served.runtime.find("gateway.a.gateway-a")
        assert agent is not None
        agent.tell(ClientTextAppend("a", "flood 100"))
        await served.until(lambda status: status.sessions == 0)
        assert (await served.status()).too_slow == 1


async def test_stop_while_a_frontend_is_away() -> None:
    async with open_gateway(return_within=600.0) as served:
        async with served.connect("a") as frontend:
            await frontend.create()
            await frontend.socket.aclose(1001)
        with trio.fail_after(5):
            await served.gateway.stop()
