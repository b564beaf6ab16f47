"""What a gateway in the open allows: how many, how fast, and for how long."""

from contextlib import suppress

import attrs
import pytest
import trio
from gateway_client import Frontend, Parrot, Served, client_frame, open_gateway, raw_frontend
from trio.testing import MockClock

from realtime_actors.actors import Actor, receives
from realtime_actors.events import (
    AgentReady,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientAudioAppend,
    ClientTextAppend,
    ServerSessionEnded,
)
from realtime_actors.transports import ConnectionClosed, HandshakeRejected


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


@attrs.define(eq=False)
class Talker(Actor):
    """Answers a text with a reply that takes this many seconds."""

    seconds: float

    async def started(self) -> None:
        self._publish(AgentReady(self.context.name, "Polly"))

    @receives
    def text(self, _: ClientTextAppend) -> None:
        self.context.start_soon(self._talk)

    async def _talk(self) -> None:
        self._publish(AgentResponseCreated("r", self.context.name, "Polly"))
        await trio.sleep(self.seconds)
        self._publish(AgentResponseDone("r", 0, 0, {"status": "completed"}, self.context.name, "Polly"))

    def _publish(self, event: AgentReady | AgentResponseCreated | AgentResponseDone) -> None:
        self.context.bus.publish(f"agents.{self.context.name}.{event.type}", event)


async def test_sessions_of_one_user() -> None:
    """One more than allowed is closed with 1013; another user's is not, and a place comes free again."""
    async with open_gateway(max_sessions_per_user=2) as served:
        async with served.connect("a") as first, served.connect("b") as second:
            await first.create()
            await second.create()
            async with served.connect("c") as third, served.connect("d", user_id="bob") as other:
                error = await third.closed()
                assert (error.code, "2 sessions already" in error.reason) == (1013, True)
                await other.create()
        await served.until(lambda status: status.sessions == 0)
        async with served.connect("c") as third:
            await third.create()


async def test_connections_of_one_address() -> None:
    async with (
        open_gateway(max_connections_per_address=2) as served,
        served.connect("a") as first,
        served.connect("b"),
    ):
        with pytest.raises(HandshakeRejected) as refusal:
            async with served.connect("c"):
                pass
        assert refusal.value.status == 429
        await first.create()


async def test_a_frontend_that_sends_too_fast(autojump_clock: MockClock) -> None:
    """It is held back at first, and closed with 1008 if it goes on; who makes a pause is not closed."""
    async with (
        open_gateway(max_messages_per_second=100, rate_burst=1, rate_patience=3) as served,
        served.connect() as frontend,
        trio.open_nursery() as nursery,
    ):
        await frontend.create()
        for _ in range(3):
            await frontend.say(*[ClientAudioAppend("s1", bytes(640))] * 250)
            await trio.sleep(4)

        start = trio.current_time()
        nursery.start_soon(_flood, frontend)
        error = await frontend.closed()
        assert error.code == 1008
        assert error.reason.startswith("sent too fast: 100 frames or")
        assert 3 <= trio.current_time() - start < 6


async def _flood(frontend: Frontend) -> None:
    with suppress(ConnectionClosed):
        while True:
            await frontend.say(*[ClientAudioAppend("s1", bytes(640))] * 100)


async def test_speech_is_not_too_fast(autojump_clock: MockClock) -> None:
    """Twelve seconds in pieces of 20 ms, and then ten seconds of it at once, with the settings as they are."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        for _ in range(60):
            await frontend.say(*[ClientAudioAppend("s1", bytes(960))] * 10)
            await trio.sleep(0.2)
        await frontend.say(*[ClientAudioAppend("s1", bytes(960))] * 500)
        start = trio.current_time()
        await frontend.say(ClientTextAppend("s1", "well?"))
        await frontend.until(AgentResponseAudioTranscriptDelta)
        assert trio.current_time() - start < 1


async def test_no_first_message(autojump_clock: MockClock) -> None:
    async with open_gateway(first_message_timeout=5, hello_timeout=30) as served, served.connect() as frontend:
        start = trio.current_time()
        error = await frontend.closed()
        assert (error.code, error.reason) == (1008, "no message within 5 s")
        assert trio.current_time() - start == pytest.approx(5, abs=0.5)


async def test_messages_without_a_session(autojump_clock: MockClock) -> None:
    """The first message may be any; the time for the session goes on from the beginning."""
    async with open_gateway(first_message_timeout=5, hello_timeout=9) as served, served.connect() as frontend:
        start = trio.current_time()
        for _ in range(3):
            await trio.sleep(2)
            await frontend.socket.send("?")
        error = await frontend.closed()
        assert (error.code, error.reason) == (1008, "no client_session_create within 9 s")
        assert trio.current_time() - start == pytest.approx(9, abs=0.5)


async def _ended(served: Served, reason: str, after: float, *texts: float) -> str:
    """A frontend that says something at these times: its session ends then, for this reason; gives the close's."""
    async with served.connect() as frontend:
        start = trio.current_time()
        await frontend.create()
        for at in texts:
            await trio.sleep(start + at - trio.current_time())
            await frontend.say(ClientTextAppend("s1", "hello"))
        while not isinstance(ended := frontend.wire.decode_server(await frontend.socket.receive()), ServerSessionEnded):
            pass
        assert ended.metadata == {"reason": reason}
        assert trio.current_time() - start == pytest.approx(after, abs=0.5)
        error = await frontend.closed()
        assert error.code == 1008
        await served.until(lambda status: status.sessions == 0)
        assert served.paths() == []
        return error.reason


async def test_an_idle_frontend(autojump_clock: MockClock) -> None:
    """What it says, and replies, put its end off."""
    async with open_gateway(idle_timeout=20, session_timeout=None) as served:
        assert await _ended(served, "idle", 20) == "nothing was said for 20 s"
        assert await _ended(served, "idle", 45, 10, 25) == "nothing was said for 20 s"
    async with open_gateway(lambda _: Talker(45), idle_timeout=20, session_timeout=None) as served:
        await _ended(served, "idle", 75, 10)


async def test_an_idle_frontend_of_an_agent_that_ends_in_a_reply(autojump_clock: MockClock) -> None:
    """A reply whose end never came does not keep a frontend for ever."""

    @attrs.define(eq=False)
    class Broken(Talker):
        @receives
        def text(self, _: ClientTextAppend) -> None:
            self._publish(AgentResponseCreated("r", self.context.name, "Polly"))
            self.context.stop()

    async with (
        open_gateway(lambda _: Broken(0), idle_timeout=20, hello_timeout=1000) as served,
        served.connect() as frontend,
    ):
        await frontend.create()
        await frontend.say(ClientTextAppend("s1", "hello"))
        await frontend.until(ServerSessionEnded)
        with trio.fail_after(30):
            while served.paths():  # noqa: ASYNC110 - the state is another actor's
                await trio.sleep(1)


async def test_a_session_s_time(autojump_clock: MockClock) -> None:
    """It ends even while a reply runs and the frontend speaks."""
    async with open_gateway(lambda _: Talker(1000), idle_timeout=20, session_timeout=60) as served:
        assert await _ended(served, "session_timeout", 60, 15, 30, 45) == "a session may take 60 s"


async def test_a_frontend_that_does_not_read_when_its_time_is_over(autojump_clock: MockClock) -> None:
    async with open_gateway(idle_timeout=20) as served, raw_frontend(served) as stream:
        await stream.send_all(client_frame('{"type": "client_session_create"}'))
        with trio.fail_after(25):
            await served.until(lambda status: status.sessions == 1)
            while (await served.status()).sessions:  # noqa: ASYNC110 - the state is another actor's
                await trio.sleep(1)


async def test_no_limits_of_time(autojump_clock: MockClock) -> None:
    async with (
        open_gateway(lambda _: Parrot(), idle_timeout=None, session_timeout=None) as served,
        served.connect() as frontend,
    ):
        await frontend.create()
        await trio.sleep(80_000)
        await frontend.say(ClientTextAppend("s1", "still there?"))
        await frontend.until(AgentResponseDone)
