"""The FastAPI example, as the process that its users run."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from server_kit import PATIENCE, Frontend, Server, connect, run_server, run_simulator

from realtime_actors.events import (
    PCM_16K,
    AgentError,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientAudioAppend,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ServerSessionCreated,
    ServerSessionEnded,
)
from realtime_actors.simulators import Brain, Call, OpenAISimulator, Reply, Say, ScriptedBrain, buzz

HELLO = ClientTextAppend(session_id="s1", text="hello")
LONG = " ".join(f"word{number}" for number in range(400))
SCRIPT = ("examples/fastapi_app.py",)


@asynccontextmanager
async def service(
    brain: Brain | None = None, command: tuple[str, ...] = SCRIPT, speed: float = 40.0
) -> AsyncGenerator[tuple[Server, OpenAISimulator, str]]:
    """The service with a simulator behind it, and the URL of a session."""
    async with (
        run_simulator(brain or ScriptedBrain(replies=[Reply([Say("Hi there.")])]), speed) as simulator,
        run_server(*command, REALTIME_URL=simulator.url, PORT="0") as server,
    ):
        found = await server.wait_for(r"running on http://([\d.:]+)")
        yield server, simulator, f"ws://{found[1]}/ws/ann/s1"


async def reply(frontend: Frontend) -> tuple[bytes, AgentResponseDone]:
    """The next reply's speech and end."""
    speech = b""
    while not isinstance(event := await frontend.hear(), AgentResponseDone):
        if isinstance(event, AgentResponseAudioDelta):
            speech += event.delta
    return speech, event


async def until(reached: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not reached():  # noqa: ASYNC110 - another process makes it true
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    "command",
    [SCRIPT, ("-m", "uvicorn", "examples.fastapi_app:app", "--port", "0")],
    ids=["python examples/fastapi_app.py", "uvicorn examples.fastapi_app:app"],
)
async def test_a_turn_of_text_and_ctrl_c(command: tuple[str, ...]) -> None:
    brain = ScriptedBrain(
        replies=[Reply([Call("get_weather", '{"city": "Paris"}')]), Reply([Say("Sunny.")], after="get_weather")]
    )
    async with service(brain, command) as (server, simulator, url), connect(url) as frontend:
        await frontend.say(ClientSessionCreate({"agent_name": "Jarvis", "instructions": "Be brief."}))
        assert await frontend.until(ServerSessionCreated) == ServerSessionCreated("s1")
        await frontend.say(HELLO)
        result = await frontend.until(AgentResponseToolResult)
        assert (result.agent_name, result.tool_result.output) == ("Jarvis", "Sunny in Paris.")
        speech, _ = await reply(frontend)
        if not speech:
            speech, _ = await reply(frontend)
        assert speech == brain.audio("Sunny.", 24000)
        server.send(signal.SIGINT)
        assert (await frontend.closed()).code == 1012
        with trio.fail_after(10):
            await server.process.wait()
        assert "Finished server process" in server.output
        assert "Traceback" not in server.output.replace("KeyboardInterrupt", "")
        await until(lambda: simulator.statistics().open_connections == 0)


async def test_a_turn_of_speech() -> None:
    brain = ScriptedBrain(replies=[Reply([Say("I hear you.")])], transcripts=["hello"])
    async with service(brain) as (_, _, url), connect(url) as frontend:
        await frontend.create()
        speech = bytes(16000) + buzz(1000, 16000) + bytes(48000)
        for start in range(0, len(speech), 1280):
            await frontend.say(ClientAudioAppend("s1", speech[start : start + 1280], PCM_16K))
        heard, said, is_done = b"", "", False
        while not (said and is_done):  # the transcript comes when it will
            match await frontend.hear():
                case AgentResponseAudioDelta() as delta:
                    heard += delta.delta
                case AgentInputTranscriptionDone(transcript):
                    said = transcript
                case AgentResponseDone():
                    is_done = True
                case _:
                    pass
        assert (heard, said) == (brain.audio("I hear you.", 24000), "hello")


async def test_nothing_follows_a_cancelled_reply() -> None:
    brain = ScriptedBrain(replies=[Reply([Say(LONG)]), Reply([Say("Again.")])])
    async with service(brain, speed=8) as (_, _, url), connect(url) as frontend:
        await frontend.create()
        await frontend.say(HELLO)
        await frontend.until(AgentResponseAudioDelta)
        await frontend.say(ClientResponseCancel(session_id="s1"))
        speech, done = await reply(frontend)
        assert done.metadata["status"] == "cancelled"
        assert len(speech) < len(brain.audio(LONG, 24000)) / 2
        await frontend.say(HELLO)
        assert (await reply(frontend))[0] == brain.audio("Again.", 24000)


async def test_a_disconnect_stops_the_agent() -> None:
    async with service(ScriptedBrain(replies=[Reply([Say(LONG)])]), speed=4) as (server, simulator, url):
        async with connect(url) as frontend:
            await frontend.create()
            await frontend.say(HELLO)
            await frontend.until(AgentResponseAudioDelta)
            assert simulator.statistics().open_connections == 1
        await until(lambda: simulator.statistics().open_connections == 0)
        assert "Traceback" not in server.output


async def test_bad_frames_end_nothing() -> None:
    async with service() as (server, _, url), connect(url) as frontend:
        for frame in ("", "{", '{"type": "nothing"}', '{"type": "client_session_create", "config": 1}', b"\xc1"):
            await frontend.socket.send(frame)
            assert (await frontend.until(AgentError)).code == "invalid_event"
        await frontend.say(HELLO)
        assert "client_session_create first" in (await frontend.until(AgentError)).message
        await frontend.say(ClientSessionCreate({"instructions": 5}))
        assert "config.instructions must be a text" in (await frontend.until(AgentError)).message
        await frontend.create()
        await frontend.say(HELLO)
        assert (await reply(frontend))[0] == ScriptedBrain().audio("Hi there.", 24000)
        assert "Traceback" not in server.output


async def test_a_session_ends_and_begins_again_on_one_socket() -> None:
    async with service() as (_, simulator, url), connect(url) as frontend:
        for _ in range(2):
            await frontend.create()
            await frontend.say(ClientSessionEnd(session_id="s1"))
            assert await frontend.until(ServerSessionEnded) == ServerSessionEnded("s1")
            await until(lambda: simulator.statistics().open_connections == 0)


async def test_a_provider_that_refuses_is_told_in_words() -> None:
    async with service() as (_, simulator, url), connect(url) as frontend:
        simulator.accept_key = lambda _: False
        await frontend.say(ClientSessionCreate())
        assert "key" in (await frontend.until(AgentError)).message


async def test_a_frontend_that_does_not_read_is_given_up_and_holds_up_nothing() -> None:
    impatient = (
        "import examples.fastapi_app as it; it.PATIENCE = 0.5; "
        "it.uvicorn.run(it.app, port=0, timeout_graceful_shutdown=1)"
    )
    brain = ScriptedBrain(replies=[Reply([Say(LONG * 3)], when="much"), Reply([Say("Hi there.")], when="hello")])
    async with (
        service(brain, ("-c", impatient), speed=0) as (server, simulator, url),
        connect(url, max_unread=1) as deaf,
    ):
        await deaf.create()
        await deaf.say(ClientTextAppend(session_id="s1", text="much"))
        async with connect(url) as other:
            await other.create()
            await other.say(HELLO)
            assert (await reply(other))[0] == brain.audio("Hi there.", 24000)
        await until(lambda: simulator.statistics().open_connections == 0)  # the agents of both are gone
        assert "Traceback" not in server.output
        with trio.fail_after(10):
            await server.end(signal.SIGINT)


async def test_a_frontend_that_reads_slowly_is_told_so() -> None:
    impatient = "import examples.fastapi_app as it; it.PATIENCE = 5; it.uvicorn.run(it.app, port=0)"
    brain = ScriptedBrain(replies=[Reply([Say(LONG * 3)])])
    async with (
        service(brain, ("-c", impatient), speed=0) as (server, simulator, url),
        connect(url, max_unread=1) as slow,
    ):
        await slow.create()
        await slow.say(HELLO)
        await until(lambda: simulator.statistics().open_connections == 0)
        assert (await slow.closed()).code == 1013
        assert "Traceback" not in server.output


async def test_without_a_key_it_says_what_to_set() -> None:
    async with run_server(*SCRIPT, PORT="0") as server:
        await server.wait_for("set OPENAI_API_KEY, or REALTIME_URL")
        with trio.fail_after(PATIENCE):
            assert await server.process.wait() != 0
