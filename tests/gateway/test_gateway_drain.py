"""A gateway that is told to end lets nobody in any more, and those who talk finish."""

import json

import pytest
import trio
from gateway_client import Frontend, Served, open_gateway, parrot
from trio.testing import MockClock

from realtime_actors.actors import open_runtime
from realtime_actors.events import (
    AgentResponseAudioTranscriptDelta,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ServerSessionEnded,
)
from realtime_actors.gateway import Drain, Gateway, GatewaySettings, GetStatus


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


async def draining(served: Served, within: float) -> None:
    served.gateway.tell(Drain(within))
    await served.until(lambda status: status.is_draining)


async def how_it_ended(frontend: Frontend) -> tuple[str | None, int | None, str]:
    """The reason in its last event, and the close."""
    ended = await frontend.until(ServerSessionEnded)
    error = await frontend.closed()
    return (ended.metadata or {}).get("reason"), error.code, error.reason


async def test_who_talks_finishes_and_nobody_else_gets_in(autojump_clock: MockClock) -> None:
    async with open_gateway() as served, served.connect("talks") as talks, served.connect("waits") as waits:
        await talks.create()
        await draining(served, 600)
        error = await waits.closed()
        assert (error.code, error.reason) == (1001, "the server is stopping")
        async with served.connect("late") as late:
            error = await late.closed()
            assert (error.code, error.reason) == (1001, "the server is stopping; connect again")
        await talks.say(ClientTextAppend("s", "still there?"))
        assert (await talks.until(AgentResponseAudioTranscriptDelta)).delta == "still there?"
        began = trio.current_time()
        await talks.say(ClientSessionEnd("s"), ClientSessionCreate({}))
        assert await how_it_ended(talks) == ("client_ended", 1001, "the server is stopping")
        assert (await served.gateway.wait_stopped()).reason == "normal"
        assert trio.current_time() - began < 5


async def test_after_its_time_a_conversation_ends_clearly(autojump_clock: MockClock) -> None:
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        began = trio.current_time()
        await draining(served, 8)
        served.gateway.tell(Drain(0))  # the first counts
        assert (await how_it_ended(frontend))[:2] == ("server_stopped", 1001)
        assert 8 <= trio.current_time() - began < 12
        assert (await served.gateway.wait_stopped()).reason == "normal"


async def test_without_conversations_it_ends_at_once(autojump_clock: MockClock) -> None:
    async with open_gateway() as served:
        began = trio.current_time()
        served.gateway.tell(Drain())
        await served.gateway.wait_stopped()
        assert trio.current_time() - began < 1


async def test_a_load_balancer_sees_it(autojump_clock: MockClock) -> None:
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        await draining(served, 60)
        host, _, port = served.url.removeprefix("ws://").partition(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b"".join([part async for part in stream])
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert (json.loads(body)["status"], json.loads(body)["sessions"]) == ("draining", 1)


async def test_connections_may_come_from_a_listener_of_ones_own() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with open_runtime() as runtime:
        settings = GatewaySettings(host="127.0.0.1", port=port, ping_interval=None)
        gateway = await runtime.spawn(Gateway(parrot, settings, listeners), name="gateway")
        served = Served(runtime, gateway, (await gateway.ask(GetStatus(), timeout=5)).url)
        assert served.url == f"ws://127.0.0.1:{port}"
        async with served.connect() as frontend:
            await frontend.create()
