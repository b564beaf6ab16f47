"""The gateway under hypercorn's Trio worker, as a process."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from http_kit import get
from server_kit import Server, connect, run_server, run_simulator

from realtime_actors.events import (
    MSGPACK_SUBPROTOCOL,
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientResponseCancel,
    ClientTextAppend,
    ServerSessionEnded,
)
from realtime_actors.simulators import Brain, Reply, Say, ScriptedBrain
from realtime_actors.transports import HandshakeRejected

HELLO = ClientTextAppend(session_id="s", text="hello")
LONG = " ".join(f"word{number}" for number in range(400))


@asynccontextmanager
async def hypercorn(
    brain: Brain | None = None, *options: str, speed: float = 40.0, **variables: str
) -> AsyncGenerator[tuple[Server, str]]:
    """The application under hypercorn, and its address as `HOST:PORT`."""
    async with run_simulator(brain or ScriptedBrain(replies=[Reply([Say("Hi there.")])]), speed) as simulator:
        arguments = ("--worker-class", "trio", "--bind", "127.0.0.1:0", "--graceful-timeout", "1", *options)
        async with run_server(
            "-m", "hypercorn", *arguments, "mounted_app:app", REALTIME_URL=simulator.url, **variables
        ) as server:
            found = await server.wait_for(r"Running on http://([\d.:]+)")
            yield server, found[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_turn_end_to_end_and_a_clean_end(number: signal.Signals) -> None:
    brain = ScriptedBrain(replies=[Reply([Say("Hi there.")])])
    async with hypercorn(brain) as (server, address), connect(f"ws://{address}/ws/ann/s1") as frontend:
        ready = await frontend.create()
        assert (ready.agent_id, ready.agent_name) == ("gateway-s1", "Friday")
        await frontend.say(HELLO)
        await frontend.until(AgentResponseCreated)
        speech = b""
        while not isinstance(event := await frontend.hear(), AgentResponseDone):
            if isinstance(event, AgentResponseAudioDelta):
                speech += event.delta
        assert speech == brain.audio("Hi there.", 24000)
        server.send(number)
        assert (await frontend.until(ServerSessionEnded)).metadata == {"reason": "server_stopped"}
        assert (await frontend.closed()).code == 1001
        with trio.fail_after(10):
            assert await server.process.wait() == 0
        assert "Traceback" not in server.output


async def test_msgpack_cancel_and_a_bad_frame() -> None:
    async with (
        hypercorn(ScriptedBrain(replies=[Reply([Say(LONG)])]), speed=4) as (_, address),
        connect(f"ws://{address}/ws/ann/s1", subprotocols=[MSGPACK_SUBPROTOCOL]) as frontend,
    ):
        await frontend.create()
        await frontend.socket.send(b"\xc1")
        assert (await frontend.until(AgentError)).code == "invalid_event"
        await frontend.say(HELLO)
        await frontend.until(AgentResponseAudioDelta)
        await frontend.say(ClientResponseCancel(session_id="s"))
        assert (await frontend.until(AgentResponseDone)).metadata["status"] == "cancelled"


async def test_the_page_and_the_health_check() -> None:
    async with hypercorn() as (_, address):
        status, headers, body = await get(address, "/")
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"<html" in body
        status, headers, body = await get(address, "/", "HEAD")
        assert (status, body) == (200, b"")
        status, _, body = await get(address, "/healthz")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert (await get(address, "/nothing"))[0] == 404
        assert (await get(address, "/healthz", "DELETE"))[0] == 405
        assert (await get(address, "/ws/ann/s1"))[0] == 426
        with pytest.raises(HandshakeRejected) as rejected:
            async with connect(f"ws://{address}/elsewhere"):
                pass
        assert rejected.value.status == 403


async def test_who_may_come_in_is_found_out_as_elsewhere() -> None:
    async with hypercorn(TOKEN="sesame") as (_, address):
        async with connect(f"ws://{address}/ws/ann/s1") as frontend:
            assert (await frontend.closed()).code == 4401
        async with connect(f"ws://{address}/ws/ann/s1", subprotocols=["realtime-actors.token.sesame"]) as frontend:
            await frontend.create()
            async with connect(f"ws://{address}/ws/ann/s1", subprotocols=["realtime-actors.token.sesame"]) as second:
                assert (await second.closed()).code == 4409


async def test_a_disconnect_ends_the_session_and_frees_its_name() -> None:
    async with hypercorn() as (_, address):
        for _ in range(2):
            async with connect(f"ws://{address}/ws/ann/s1") as frontend:
                await frontend.create()
        with trio.fail_after(10):
            while json.loads((await get(address, "/healthz"))[2])["sessions"]:  # noqa: ASYNC110 - another process's
                await trio.sleep(0.01)


async def test_a_message_that_is_too_large_is_refused() -> None:
    async with hypercorn() as (_, address), connect(f"ws://{address}/ws/ann/s1") as frontend:
        await frontend.create()
        await frontend.socket.send("x" * 70_000)
        assert (await frontend.closed()).code == 1009


async def test_a_frontend_that_does_not_read_holds_up_nothing() -> None:
    async with (
        hypercorn(ScriptedBrain(replies=[Reply([Say(LONG * 3)])]), speed=0) as (server, address),
        connect(f"ws://{address}/ws/ann/s1", max_unread=1) as deaf,
        connect(f"ws://{address}/ws/ann/s2") as other,
    ):
        await deaf.create()
        await deaf.say(HELLO)
        # All that is between here and there fills up, then the buffer of its session: it is given up.
        await server.wait_for("reads too slowly")
        await other.create()
        with trio.fail_after(10):
            assert await server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
async def test_an_asyncio_server_is_told_what_to_do_instead(server: str) -> None:
    bind = ["--port", "0"] if server == "uvicorn" else ["--bind", "127.0.0.1:0"]
    async with run_server("-m", server, *bind, "mounted_app:app", REALTIME_URL="ws://127.0.0.1:1") as process:
        await process.wait_for("run it under hypercorn --worker-class trio")
        with trio.fail_after(20):
            assert await process.process.wait() == (3 if server == "uvicorn" else 0)
