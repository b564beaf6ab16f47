"""A frontend's session: from create to end, on real sockets."""

import attrs
import pytest
import trio
import trio.testing
from gateway_client import PATIENCE, Busy, Parrot, client_frame, open_gateway, raw_frontend

from realtime_actors.actors import Actor, receives
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientAudioAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ServerSessionCreated,
    ServerSessionEnded,
    encode_json,
)
from realtime_actors.gateway import AgentRequest, InvalidSessionConfig
from realtime_actors.providers import ProviderRefused


async def test_agentscope_flow() -> None:
    """What AgentScope's frontends send, as they write it, gets the events they wait for, in order."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.say_json(
            type="client_session_create",
            config={"instructions": "Be brief.", "agent_name": "Friday", "user_name": "Ann"},
        )
        assert await frontend.hear() == ServerSessionCreated("s1")
        assert await frontend.hear() == AgentReady("gateway-s1", "Friday")
        await frontend.say_json(type="client_text_append", session_id="s1", text="hello")
        assert [type(await frontend.hear()) for _ in range(3)] == [
            AgentResponseCreated,
            AgentResponseAudioTranscriptDelta,
            AgentResponseDone,
        ]
        for form in ({"type": "audio/pcm", "rate": 16000}, {"encoding": "pcm16", "sample_rate": 24000}):
            await frontend.say_json(type="client_audio_append", session_id="s1", audio="AAAAAA==", format=form)
            heard = await frontend.until(AgentInputTranscriptionDone)
            assert heard.transcript == f"4 bytes at {form.get('rate') or form['sample_rate']} Hz"
        await frontend.say_json(type="client_session_end", session_id="s1")
        assert await frontend.hear() == AgentEnded("gateway-s1", "Friday")
        assert await frontend.hear() == ServerSessionEnded("s1", {"reason": "client_ended"})


async def test_msgpack() -> None:
    """The same over binary frames."""
    async with open_gateway() as served, served.connect(subprotocols=["realtime-actors.msgpack"]) as frontend:
        assert frontend.socket.subprotocol == "realtime-actors.msgpack"
        await frontend.say(ClientSessionCreate({"agent_name": "Friday"}), ClientAudioAppend("s1", bytes(640)))
        assert isinstance(frontend.wire.decode_server(await frontend.socket.receive()), ServerSessionCreated)
        assert (await frontend.until(AgentInputTranscriptionDone)).transcript == "640 bytes at 16000 Hz"


async def test_the_factory_is_told_what_was_asked_for() -> None:
    requests: list[AgentRequest] = []

    def factory(request: AgentRequest) -> Actor:
        requests.append(request)
        return Parrot()

    async with open_gateway(factory) as served, served.connect("caf%C3%A9", user_id="b%20c") as frontend:
        ready = await frontend.create(instructions="Sing.", model_provider="openai", temperature=1)
    [request] = requests
    assert (request.user_id, request.session_id) == ("b c", "café")
    assert (request.instructions, request.model_provider, request.user_name) == ("Sing.", "openai", None)
    assert request.config["temperature"] == 1
    assert request.agent_id == ready.agent_id
    assert ready.agent_id.startswith("gateway-id--")


async def test_a_session_can_be_created_again() -> None:
    """After its end the socket stays open, for another session."""
    async with open_gateway() as served, served.connect() as frontend:
        for name in ("one", "two"):
            assert (await frontend.create(agent_name=name)).agent_name == name
            await frontend.say(ClientSessionEnd("s1"))
            await frontend.until(ServerSessionEnded)
            assert served.paths("s1.") == []


async def test_what_comes_too_early_or_twice() -> None:
    """Each mistake is answered in words, and the session goes on; audio is answered once a second."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.say(ClientTextAppend("s1", "hello"))
        assert "client_session_create first" in (await frontend.until(AgentError)).message
        for event in (ClientSessionEnd("s1"), ClientResponseCancel("s1")):
            await frontend.say(event)
            assert (await frontend.until(AgentError)).code == "no_session"
        await frontend.say(*[ClientAudioAppend("s1", bytes(640))] * 20, ClientSessionCreate())
        assert isinstance(await frontend.hear(), AgentError)
        assert isinstance(await frontend.hear(), ServerSessionCreated)
        await frontend.say(ClientSessionCreate())
        assert (await frontend.until(AgentError)).code == "session_exists"
        await frontend.say(ClientTextAppend("s1", "hello"))
        await frontend.until(AgentResponseDone)


async def test_what_comes_while_the_agent_starts() -> None:
    """It waits for the agent, in order; the frontend need not wait for agent_ready."""
    go = trio.Event()

    async def start() -> None:
        await go.wait()

    async with (
        open_gateway(lambda _: Parrot(start=start), max_message_bytes=200_000) as served,
        served.connect() as frontend,
    ):
        for _ in range(2):
            await frontend.say(ClientSessionCreate(), *[ClientTextAppend("s1", str(number)) for number in range(300)])
            await frontend.say(ClientAudioAppend("s1", bytes(640)))
            await frontend.until(ServerSessionCreated)
            await trio.testing.wait_all_tasks_blocked(0.01)
            go.set()
            texts = [(await frontend.until(AgentResponseAudioTranscriptDelta)).delta for _ in range(300)]
            assert texts == [str(number) for number in range(300)]
            await frontend.until(AgentInputTranscriptionDone)
            await frontend.say(ClientSessionEnd("s1"))
            await frontend.until(ServerSessionEnded)
            go = trio.Event()


async def test_cancels_overtake_what_waits() -> None:
    """A cancel is told to the agent at once, though texts wait that it has no room for."""

    @attrs.define(eq=False)
    class Stubborn(Busy):
        @receives(lane="control")
        def cancel(self, _: ClientResponseCancel) -> None:
            self._done("cancelled")

    async with open_gateway(lambda _: Stubborn()) as served, served.connect() as frontend:
        await frontend.create()
        await frontend.say(*[ClientTextAppend("s1", "hang")] * 20, ClientResponseCancel("s1"))
        assert (await frontend.until(AgentResponseDone)).metadata == {"status": "cancelled"}


async def test_positions_overtake_with_the_cancels_that_they_explain() -> None:
    """How much was heard is told to the agent before the cancel behind it; without a session it is no error."""

    @attrs.define(eq=False)
    class Stubborn(Busy):
        @receives(lane="control")
        def position(self, event: ClientPlayoutUpdate) -> None:
            self._done(event.type)

        @receives(lane="control")
        def cancel(self, _: ClientResponseCancel) -> None:
            self._done(ClientResponseCancel.type)

    async with open_gateway(lambda _: Stubborn()) as served, served.connect() as frontend:
        await frontend.say(ClientPlayoutUpdate("s1", "r1", "i1", 100))
        await frontend.create()
        position = ClientPlayoutUpdate("s1", "r1", "i1", 300, playing=False)
        await frontend.say(*[ClientTextAppend("s1", "hang")] * 20, position, ClientResponseCancel("s1"))
        told = [(await frontend.until(AgentResponseDone)).metadata["status"] for _ in range(2)]
        assert told == ["client_playout_update", "client_response_cancel"]


@attrs.define(eq=False)
class Recorder(Parrot):
    """Keeps the order in which it is told to be silent and to answer."""

    order: list[str] = attrs.field(factory=list[str])
    all_heard: trio.Event = attrs.field(factory=trio.Event)

    @receives
    async def text(self, event: ClientTextAppend) -> None:
        self.order.append(event.text)
        if event.text == "last":
            self.all_heard.set()

    @receives(lane="control")
    def cancel(self, _: ClientResponseCancel) -> None:
        self.order.append("cancel")


async def test_what_follows_a_cancel_does_not_get_before_it() -> None:
    """A text that comes in the same packet: the cancel would take back the reply to it."""
    recorder = Recorder()
    async with open_gateway(lambda _: recorder) as served, raw_frontend(served) as stream:
        await stream.send_all(client_frame('{"type": "client_session_create"}'))
        heard = b""
        while b"agent_ready" not in heard:
            heard += await stream.receive_some()
        for number in range(40):
            pair = ClientResponseCancel("s1"), ClientTextAppend("s1", "last" if number == 39 else "again")
            await stream.send_all(b"".join(client_frame(encode_json(event)) for event in pair))
            await trio.testing.wait_all_tasks_blocked(0.001)
        with trio.fail_after(PATIENCE):
            await recorder.all_heard.wait()
    assert recorder.order == ["cancel", "again"] * 39 + ["cancel", "last"]


async def test_an_agent_that_starts_can_be_given_up() -> None:
    """An end while the agent starts ends the start."""
    async with open_gateway(lambda _: Parrot(start=trio.sleep_forever)) as served, served.connect() as frontend:
        await frontend.say(ClientSessionCreate(), ClientTextAppend("s1", "hello"), ClientSessionEnd("s1"))
        assert isinstance(await frontend.hear(), ServerSessionCreated)
        # What was said in a session that never began is gone with it, without a complaint.
        assert await frontend.hear() == ServerSessionEnded("s1", {"reason": "client_ended"})
        assert served.paths("s1.") == []


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (
            ProviderRefused("authentication", "invalid_api_key", "the key is wrong"),
            "invalid_api_key",
            "the key is wrong",
        ),
        (InvalidSessionConfig("no such provider"), "invalid_config", "no such provider"),
        (ValueError("sk-12345"), "internal_error", "internal error"),
    ],
)
@pytest.mark.parametrize("where", ["factory", "spawn"])
async def test_an_agent_that_does_not_start(failure: Exception, code: str, words: str, where: str) -> None:
    """The frontend is told why, where the words are ours; it may try again on the same socket."""
    failures = [failure]

    async def fail() -> None:
        if failures:
            raise failures.pop()

    def factory(_: AgentRequest) -> Actor:
        if where == "factory" and failures:
            raise failures.pop()
        return Parrot(start=fail)

    async with open_gateway(factory) as served, served.connect() as frontend:
        await frontend.say(ClientSessionCreate())
        error = await frontend.until(AgentError)
        assert error.code == code
        assert words in error.message
        assert "sk-" not in error.message
        if where == "spawn":  # there was a session already: what began has an end
            assert await frontend.hear() == ServerSessionEnded("s1", {"reason": "agent_not_started"})
        await frontend.say(ClientSessionCreate())
        assert isinstance(await frontend.hear(), ServerSessionCreated)
        assert isinstance(await frontend.hear(), AgentReady)


async def test_a_config_of_the_wrong_type() -> None:
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.say(ClientSessionCreate({"instructions": 5}))
        error = await frontend.until(AgentError)
        assert (error.error_type, error.code) == ("invalid_request_error", "invalid_config")
        assert error.message == "config.instructions must be a text, not int"
        await frontend.create()


async def test_an_agent_that_crashes() -> None:
    """It is announced without the words of the bug; then there may be another."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        await frontend.say(ClientTextAppend("s1", "crash"))
        events = [await frontend.hear() for _ in range(3)]
        assert {type(event) for event in events} == {AgentEnded, AgentError, ServerSessionEnded}
        error = next(event for event in events if isinstance(event, AgentError))
        assert error.code == "agent_crashed"
        assert "secret" not in error.message
        assert isinstance(events[-1], ServerSessionEnded)
        await frontend.create()


async def test_an_agent_that_ends_itself() -> None:
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        await frontend.say(ClientTextAppend("s1", "quit"))
        assert isinstance(await frontend.hear(), AgentEnded)
        assert await frontend.hear() == ServerSessionEnded("s1", {"reason": "agent_ended"})


async def test_the_agent_ends_with_its_frontend() -> None:
    """However the socket ends, the agent is stopped at once."""
    async with open_gateway() as served:
        async with served.connect() as frontend:
            await frontend.create()
            assert served.paths("s1.") == ["gateway.s1.gateway-s1"]
        with trio.fail_after(1):
            await served.until(lambda status: status.sessions == 0)
        assert served.paths() == []


@pytest.mark.parametrize("text", ["hello", "x" * 2000], ids=["little", "too much"])
async def test_an_abrupt_disconnect_while_the_agent_starts(text: str) -> None:
    """A connection that breaks is noticed also while nothing can be passed on, and when no more is kept."""
    async with open_gateway(lambda _: Parrot(start=trio.sleep_forever), max_message_bytes=100_000) as served:
        async with raw_frontend(served) as stream:
            await stream.send_all(client_frame('{"type": "client_session_create"}'))
            for _ in range(60):
                await stream.send_all(client_frame(encode_json(ClientTextAppend("s1", text))))
            await served.until(lambda _: len(served.paths("s1")) == 2)
        with trio.fail_after(1):
            await served.until(lambda status: status.sessions == 0)
        assert served.paths() == []


async def test_an_abrupt_disconnect_while_the_agent_is_busy() -> None:
    """The same for an agent whose mailbox is full; it has its time to stop."""
    async with open_gateway(lambda _: Busy()) as served:
        async with raw_frontend(served) as stream:
            hang = client_frame(encode_json(ClientTextAppend("s1", "hang")))
            await stream.send_all(client_frame('{"type": "client_session_create"}') + hang * 20)
            await served.until(lambda _: "gateway.s1.gateway-s1" in served.paths())
        with trio.fail_after(1):
            await served.until(lambda status: status.sessions == 0)
        assert served.paths() == []


async def test_audio_while_the_agent_starts() -> None:
    """A microphone that runs all the while: the oldest of it is dropped, and a word said of it; text is kept."""
    go = trio.Event()
    async with (
        open_gateway(lambda _: Parrot(start=go.wait), max_message_bytes=50_000) as served,
        served.connect() as frontend,
    ):
        pieces = [ClientAudioAppend("s1", bytes(2 * number)) for number in range(1, 201)]
        await frontend.say(ClientSessionCreate(), ClientTextAppend("s1", "hello"), *pieces)
        assert (await frontend.until(AgentError)).code == "audio_dropped"
        go.set()
        assert (await frontend.until(AgentResponseAudioTranscriptDelta)).delta == "hello"
        heard = [(await frontend.until(AgentInputTranscriptionDone)).transcript]
        while heard[-1] != "400 bytes at 16000 Hz":
            heard.append((await frontend.until(AgentInputTranscriptionDone)).transcript)
        assert 20 < len(heard) < 150
        assert heard == [f"{2 * number} bytes at 16000 Hz" for number in range(201 - len(heard), 201)]


async def test_stop() -> None:
    """When the runtime ends, each frontend is told, and closed with 1001; no task is left."""
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as nursery:
        stop = trio.Event()

        async def program(task_status: trio.TaskStatus[object]) -> None:
            async with open_gateway() as served:
                task_status.started(served)
                await stop.wait()

        served = await nursery.start(program)
        async with served.connect("a") as one, served.connect("b") as two:
            await one.create()
            stop.set()
            assert isinstance(await one.hear(), AgentEnded)
            assert await one.hear() == ServerSessionEnded("a", {"reason": "server_stopped"})
            assert (await one.closed()).code == 1001
            assert (await two.closed()).code == 1001
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_stop_while_an_agent_starts(caplog: pytest.LogCaptureFixture) -> None:
    """The start is given up; the frontend is told as ever, and nothing is logged as an error."""
    async with open_gateway(lambda _: Parrot(start=trio.sleep_forever)) as served, served.connect() as frontend:
        await frontend.say(ClientSessionCreate())
        await frontend.until(ServerSessionCreated)
        await served.gateway.stop()
        assert await frontend.hear() == ServerSessionEnded("s1", {"reason": "server_stopped"})
        assert (await frontend.closed()).code == 1001
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_frontend_that_says_nothing(autojump_clock: trio.abc.Clock) -> None:
    """A socket without a session is closed with 1008; one with a session may be silent."""
    async with open_gateway(hello_timeout=5) as served, served.connect("a") as silent, served.connect("b") as other:
        await other.create()
        error = await silent.closed()
        assert (error.code, error.reason) == (1008, "no client_session_create within 5 s")
        await trio.sleep(100)
        await other.say(ClientSessionEnd("b"))
        await trio.sleep(4)
        await other.create()
        await trio.sleep(100)
        await other.say(ClientTextAppend("b", "hello"))
        await other.until(AgentResponseDone)


async def test_a_crash_of_one_session_is_its_own() -> None:
    """A bug in a session closes its socket with 1011, and no other notices."""
    async with open_gateway() as served, served.connect("a") as one, served.connect("b") as two:
        await one.create()
        await two.create()
        session = served.runtime.slots["gateway.a"]
        assert session.life is not None
        session.life.crash(RuntimeError("a bug"))
        assert (await one.closed()).code == 1011
        await two.say(ClientTextAppend("b", "hello"))
        await two.until(AgentResponseDone)


async def test_a_stop_right_after_a_handshake() -> None:
    """However little of the session has begun, the gateway ends."""
    for passes in range(8):
        with trio.fail_after(PATIENCE):
            async with open_gateway() as served, raw_frontend(served) as stream:
                await stream.receive_some(12)
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
                await served.gateway.stop()
