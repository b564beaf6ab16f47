"""What a gateway bears: frames that are no events, messages that are too large, frontends that do not read."""

import gc

import pytest
import trio
from gateway_client import Frontend, client_frame, open_gateway, raw_frontend
from trio.testing import MockClock

from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientTextAppend,
    encode_json,
)


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


async def answers(frontend: Frontend, session_id: str = "s1", *, errors: int = 0) -> None:
    """Fails unless the session goes on, after so many errors."""
    await frontend.say(ClientTextAppend(session_id, "still there?"))
    for _ in range(errors):
        assert isinstance(await frontend.hear(), AgentError)
    assert isinstance(await frontend.hear(), AgentResponseCreated)
    assert (await frontend.until(AgentResponseAudioTranscriptDelta)).delta == "still there?"
    await frontend.until(AgentResponseDone)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("{", "not JSON"),
        ("[]", ""),
        ("5", ""),
        ('{"type": "client_dance"}', "client_dance"),
        ('{"type": 5}', ""),
        ("{}", "type"),
        ('{"type": "client_text_append", "session_id": "s1"}', "text"),
        ('{"type": "client_text_append", "session_id": "s1", "text": 5}', "text"),
        ('{"type": "client_session_create", "config": "loud"}', "config"),
        ('{"type": "client_audio_append", "session_id": "s1", "audio": "%%%"}', "base64"),
        ('{"type": "client_audio_append", "session_id": "s1", "audio": "AAAA"}', "odd"),
        (b"\x80", "binary frame"),
    ],
)
async def test_frames_that_are_no_events(frame: str | bytes, words: str) -> None:
    """Each is answered in words, and the session goes on."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        await frontend.socket.send(frame)
        error = await frontend.until(AgentError)
        assert (error.error_type, error.code) == ("invalid_request_error", "invalid_event")
        assert words in error.message
        await answers(frontend)


@pytest.mark.parametrize("frame", ["{}", b"", b"\xc1", b"\x90", b"\x81\xa4type\x05"])
async def test_frames_that_are_no_events_in_msgpack(frame: str | bytes) -> None:
    async with open_gateway() as served, served.connect(subprotocols=["realtime-actors.msgpack"]) as frontend:
        await frontend.create()
        await frontend.socket.send(frame)
        assert (await frontend.until(AgentError)).code == "invalid_event"
        await answers(frontend)


async def test_many_frames_that_are_no_events(autojump_clock: MockClock) -> None:
    """Twenty in a second are answered; of the others it is told, later, how many they were."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        for _ in range(100):
            await frontend.socket.send("?")
        await answers(frontend, errors=20)
        await trio.sleep(2)
        await frontend.socket.send("?")
        assert "80 more" in (await frontend.until(AgentError)).message
        await frontend.socket.send("?")
        assert "more" not in (await frontend.until(AgentError)).message


async def test_a_large_message() -> None:
    """2 MB close with 1009 what sent them, and nothing else; what is within the limit is heard."""
    async with (
        open_gateway(max_bytes_per_second=None) as served,
        served.connect("a") as one,
        served.connect("b") as other,
    ):
        await one.create()
        await other.create()
        await one.say(ClientTextAppend("a", "x" * 1_000_000))
        assert len((await one.until(AgentResponseAudioTranscriptDelta)).delta) == 1_000_000
        await one.say(ClientTextAppend("a", "x" * 2_000_000))
        assert (await one.closed()).code == 1009
        await answers(other, "b")
        await served.until(lambda status: status.sessions == 1)


async def test_a_frontend_that_does_not_read() -> None:
    """What waits for it is bounded; then it is closed with 1013, and nobody else notices."""
    limit = 1024 * 1024  # more than the sockets take, so that a send hangs before the buffer is full
    async with (
        # A close timeout that counting objects, in a process that holds many, does not use up.
        open_gateway(frontend_buffer_bytes=limit, close_timeout=30) as served,
        served.connect("a", max_unread=1) as slow,
        served.connect("b") as other,
    ):
        await slow.create()
        await other.create()
        await slow.say(ClientTextAppend("a", "flood 1000000"))
        await answers(other, "b")
        await served.until(lambda status: status.too_slow == 1)
        gc.collect()  # what earlier tests left
        waiting = [thing for thing in gc.get_objects() if isinstance(thing, AgentResponseAudioDelta)]
        assert len(waiting) * 8000 < limit + 20_000
        del waiting
        assert (await slow.closed()).code == 1013
        await served.until(lambda status: status.sessions == 1)
        assert served.paths("gateway.a") == []
        await answers(other, "b")


async def test_a_frontend_that_never_reads() -> None:
    """It takes not even the Close, and is cut all the same, and its agent stopped."""
    async with open_gateway(frontend_buffer_bytes=1024 * 1024) as served, raw_frontend(served) as stream:
        await stream.send_all(client_frame('{"type": "client_session_create"}'))
        await stream.send_all(client_frame(encode_json(ClientTextAppend("s1", "flood 1000000"))))
        await served.until(lambda status: status.too_slow == 1)
        with trio.fail_after(2):
            await served.until(lambda status: status.sessions == 0)
        assert served.paths() == []


async def test_a_cancel_for_a_frontend_that_reads_slowly() -> None:
    """Of the cancelled reply it gets what its socket had taken, then the end event, and nothing after it."""
    async with (
        open_gateway(frontend_buffer_bytes=256 * 1024 * 1024) as served,
        served.connect(max_unread=1) as frontend,
    ):
        await frontend.create()
        async with served.runtime.bus.subscribe("agents.gateway-s1.agent_response_audio_delta") as deltas:
            await frontend.say(ClientTextAppend("s1", "flood 1000000"))
            for _ in range(10_000):
                await deltas.receive()
            await frontend.say(ClientResponseCancel("s1"))
            await trio.sleep(0.1)
        heard = 0
        while isinstance(event := await frontend.hear(), AgentResponseAudioDelta):
            heard += 1
        assert isinstance(event, AgentResponseDone)
        assert event.metadata == {"status": "cancelled"}
        assert 0 < heard < 1500
        await answers(frontend)


async def test_many_cancels() -> None:
    """In a hundred replies that are cut in the middle, no delta follows the end of its reply."""
    async with open_gateway(frontend_buffer_bytes=64 * 1024 * 1024) as served, served.connect() as frontend:
        await frontend.create()
        for number in range(1, 101):
            await frontend.say(ClientTextAppend("s1", "flood 1000000"))
            event = await frontend.hear()
            assert isinstance(event, AgentResponseAudioDelta)
            await frontend.say(ClientResponseCancel("s1"))
            while isinstance(event, AgentResponseAudioDelta):
                assert event.response_id == f"r{number}"
                event = await frontend.hear()
            assert isinstance(event, AgentResponseDone)


async def test_a_frontend_that_does_not_read_msgpack() -> None:
    """The bound holds on the other wire."""
    async with (
        open_gateway(frontend_buffer_bytes=64 * 1024) as served,
        served.connect(subprotocols=["realtime-actors.msgpack"], max_unread=1) as slow,
    ):
        await slow.say(ClientSessionCreate(), ClientTextAppend("s1", "flood 1000000"))
        await served.until(lambda status: status.too_slow == 1)
        assert (await slow.closed()).code == 1013
