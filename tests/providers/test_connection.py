"""The connection: when it is ready, what it refuses, and how it comes back."""

from __future__ import annotations

import base64
import logging

import attrs
import pytest
import trio
from played_provider import KEY, MODEL, STEADY, Play, Provider, Session, closing, connected, stalled, well
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import Actor, ActorCrashed, MailboxFull, MessagesDropped, open_runtime, receives
from realtime_actors.events import (
    AppendAudio,
    AppendText,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelError,
    ModelResponseCreated,
    ModelSessionCreated,
    RequestFailed,
    SessionConfigured,
)
from realtime_actors.providers import (
    ConnectionExpiring,
    ConnectionLost,
    ConnectionReady,
    ProviderConnection,
    ProviderRefused,
    ProviderUnavailable,
    Resume,
    Rotate,
    WaitReady,
)
from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    MemoryTransport,
    Response,
)


class TestReady:
    async def test_is_ready_when_the_configuration_is_accepted_and_not_before(self, autojump_clock: MockClock) -> None:
        accept = trio.Event()

        async def hesitant(session: Session) -> None:
            await session.send("session.created", session={"id": "sess_1"})
            await session.receive()
            await accept.wait()
            await session.send("session.updated", session={})
            await session.listen()

        async with connected(hesitant) as line:
            assert line.told() == [ModelSessionCreated("sess_1")]
            with trio.move_on_after(5) as scope:
                await line.connection.ask(WaitReady(), timeout=None)
            assert scope.cancelled_caught
            accept.set()
            await line.connection.ask(WaitReady(), timeout=1)
            assert line.told(ConnectionReady) == [ConnectionReady(1)]

    async def test_nothing_is_sent_before_the_owner_has_configured_it(self, autojump_clock: MockClock) -> None:
        async with connected(configure=False) as line:
            assert len(line.provider.sessions) == 1
            assert line.frames(after_configuration=False) == []
            line.connection.tell(Configure("c1", "Now."))
            await line.connection.ask(WaitReady(), timeout=1)
            [update] = line.frames(after_configuration=False)
            assert update["session"]["instructions"] == "Now."

    async def test_the_handshake_carries_the_key_and_the_model(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            [request] = line.provider.requests
            assert request.headers["authorization"] == f"Bearer {KEY}"
            assert request.query == {"model": "gpt-realtime"}

    async def test_what_is_told_before_it_is_ready_waits_in_order(self, autojump_clock: MockClock) -> None:
        async with connected(configure=False) as line:
            line.connection.tell(AppendText("i1", "one"))
            line.connection.tell(AppendAudio(b"\1\0"))
            line.connection.tell(CreateResponse("r1"))
            await wait_all_tasks_blocked()
            line.connection.tell(Configure("c1", "Now."))
            await wait_all_tasks_blocked()
            kinds = [frame["type"] for frame in line.frames()]
            assert kinds == ["conversation.item.create", "input_audio_buffer.append", "response.create"]
            assert line.told(ItemAdded) == [ItemAdded("i1")]

    async def test_a_configuration_that_changes_before_it_is_accepted(self, autojump_clock: MockClock) -> None:
        accept = trio.Event()

        async def slow(session: Session) -> None:
            await session.receive()
            await accept.wait()
            await session.send("session.updated", session={})
            await session.listen()

        async with connected(slow) as line:
            line.connection.tell(Configure("second", "Be long."))
            await wait_all_tasks_blocked()
            accept.set()
            await line.connection.ask(WaitReady(), timeout=1)
            sent = [frame["session"]["instructions"] for frame in line.frames(after_configuration=False)]
            assert sent == ["Be brief.", "Be long."]
            assert line.told(ConnectionReady) == [ConnectionReady(1)]

    async def test_a_later_configuration_is_sent_and_its_acceptance_told(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            line.connection.tell(Configure("second", "Be long."))
            await wait_all_tasks_blocked()
            assert line.frames()[0]["session"]["instructions"] == "Be long."
            assert line.told(SessionConfigured) == [SessionConfigured()]

    async def test_a_later_configuration_that_is_refused_ends_nothing(self, autojump_clock: MockClock) -> None:
        async def picky(session: Session) -> None:
            await session.accept()
            update = await session.receive()
            await session.error("invalid_value", update["event_id"], "Too long.")
            await session.listen()

        async with connected(picky) as line:
            line.connection.tell(Configure("second", "Be long."))
            await wait_all_tasks_blocked()
            assert [notice.request_id for notice in line.told(RequestFailed)] == ["second"]
            assert line.connection.statistics().state == "running"

    async def test_frames_that_make_no_sense_are_told_and_end_nothing(self, autojump_clock: MockClock) -> None:
        async def garbled(session: Session) -> None:
            await session.websocket.send("{not json")
            await session.websocket.send(b"\xff")
            await session.send("response.created")
            await session.accept()
            await session.listen()

        async with connected(garbled) as line:
            assert [error.error_type for error in line.told(ModelError)] == ["protocol_error"] * 3
            assert line.told(ConnectionReady) == [ConnectionReady(1)]


def refusal(status: int, code: str | None) -> Response:
    body = b'{"error": {"code": "%s", "message": "No."}}' % code.encode() if code else b"No."
    return Response(status=status, headers={"content-type": "application/json"}, body=body)


async def beta(session: Session) -> None:
    await session.error("beta_api_shape_disabled", message="The beta is over.")
    await session.websocket.aclose(4000, "invalid_request_error.beta_api_shape_disabled")


async def unknown_model(session: Session) -> None:
    await session.error("model_not_found", message="No such model.")
    await session.websocket.aclose(4000, "invalid_request_error.model_not_found")


async def no_quota(session: Session) -> None:
    await session.accept()
    await session.error("insufficient_quota", message="You exceeded your quota.")
    await session.listen()


async def refused_configuration(session: Session) -> None:
    update = await session.receive()
    await session.error("invalid_value", update["event_id"], "No voice is named so.")
    await session.listen()


async def refused_late(session: Session) -> None:
    update = await session.receive()
    await trio.sleep(1)
    await session.error("invalid_value", update["event_id"], "No.")
    await session.listen()


class TestRefusals:
    @pytest.mark.parametrize(
        ("play", "kind", "words"),
        [
            (refusal(401, "invalid_api_key"), "authentication", "OPENAI_API_KEY"),
            (refusal(403, None), "authentication", "403"),
            (refusal(404, None), "model", "gpt-realtime"),
            (refusal(429, "insufficient_quota"), "quota", "billing"),
            (refusal(400, "missing_required_parameter"), "configuration", "No."),
            (beta, "protocol", "The beta is over."),
            (closing(4000, "invalid_request_error.beta_api_shape_disabled"), "protocol", "beta_api_shape_disabled"),
            (closing(1008, "policy"), "protocol", "policy"),
            (unknown_model, "model", "No such model."),
            (no_quota, "quota", "You exceeded your quota."),
            (refused_configuration, "configuration", "No voice is named so."),
        ],
    )
    async def test_what_is_refused_for_good_ends_it_at_once(
        self, play: Play | Response, kind: str, words: str, autojump_clock: MockClock
    ) -> None:
        async with connected(play) as line:
            ended = await line.ended()
            assert ended.reason == "crashed"
            assert isinstance(ended.cause, ProviderRefused)
            assert ended.cause.kind == kind
            assert words in str(ended.cause)
            assert KEY not in str(ended.cause)
            assert line.attempts() == [0]
            assert line.now() == 0

    async def test_whoever_waits_for_it_is_told(self, autojump_clock: MockClock) -> None:
        async with connected(refused_late) as line:
            with pytest.raises(ActorCrashed) as caught:
                await line.connection.ask(WaitReady(), timeout=None)
            assert isinstance(caught.value.__cause__, ProviderRefused)

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_what_may_pass_is_tried_again(self, status: int, autojump_clock: MockClock) -> None:
        async with connected(refusal(status, None), well) as line:
            await line.connection.ask(WaitReady(), timeout=None)
            assert line.attempts() == [0, 0.25]

    async def test_the_cause_of_a_refused_handshake_is_kept(self, autojump_clock: MockClock) -> None:
        async with connected(refusal(401, "invalid_api_key")) as line:
            cause = (await line.ended()).cause
            assert cause is not None
            assert isinstance(cause.__cause__, HandshakeRejected)


class TestUnavailable:
    async def test_gives_up_after_five_attempts_with_growing_pauses(self, autojump_clock: MockClock) -> None:
        transport = MemoryTransport(never)
        transport.reachable = False
        async with connected(transport=transport) as line:
            ended = await line.ended()
            assert isinstance(ended.cause, ProviderUnavailable)
            assert isinstance(ended.cause.__cause__, ConnectFailed)
            assert "5 attempts" in str(ended.cause)
            assert "connection refused" in str(ended.cause)
            assert KEY not in str(ended.cause)
            assert line.now() == 0.25 + 0.5 + 1 + 2

    async def test_the_pauses_double_up_to_a_limit_less_a_random_part(self, autojump_clock: MockClock) -> None:
        backoff = attrs.evolve(STEADY, max=0.75)
        async with connected(refusal(500, None), backoff=backoff) as line:
            await line.ended()
            assert line.attempts() == [0, 0.25, 0.75, 1.5, 2.25]
        async with connected(refusal(500, None), backoff=attrs.evolve(backoff, jitter=0.5)) as line:
            await line.ended()
            assert 2.25 / 2 < line.attempts()[-1] < 2.25

    async def test_a_provider_that_never_accepts_the_configuration_is_given_up(self, autojump_clock: MockClock) -> None:
        async with connected(stalled) as line:
            ended = await line.ended()
            assert isinstance(ended.cause, ProviderUnavailable)
            assert "not accepted within 10 s" in str(ended.cause)
            assert line.attempts() == [0, 10.25, 20.75, 31.75, 43.75]

    async def test_a_connection_that_does_not_come_about_has_a_deadline(self, autojump_clock: MockClock) -> None:
        async with connected(transport=MemoryTransport(never)) as line:
            ended = await line.ended()
            assert "longer than 10 s" in str(ended.cause)
            assert line.now() == 5 * 10 + 0.25 + 0.5 + 1 + 2

    async def test_it_may_come_about_after_some_attempts(self, autojump_clock: MockClock) -> None:
        async with connected(refusal(500, None), closing_before_ready, stalled, well) as line:
            await line.connection.ask(WaitReady(), timeout=None)
            assert line.attempts() == [0, 0.25, 0.75, 11.75]
            assert line.told(ConnectionReady) == [ConnectionReady(1)]
            assert line.told(ConnectionLost) == []
            assert line.frames(after_configuration=False)[0]["event_id"] == "first"


async def never(_: object) -> Response:
    await trio.sleep_forever()
    raise AssertionError


def lasting(seconds: float) -> Play:
    async def play(session: Session) -> None:
        await session.accept()
        await trio.sleep(seconds)
        await session.websocket.aclose(1011)

    return play


async def closing_before_ready(session: Session) -> None:
    await session.receive()
    await session.websocket.aclose(1011, "internal error")


def drop(transport: object) -> None:
    assert isinstance(transport, MemoryTransport)
    assert transport.drop_connections() == 1


class TestLost:
    async def test_a_lost_socket_is_told_and_replaced(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            await trio.sleep(60)
            drop(line.transport)
            await trio.sleep(1)
            assert line.told(ConnectionReady, ConnectionLost) == [
                ConnectionReady(1),
                ConnectionLost(1, line.told(ConnectionLost)[0].reason),
                ConnectionReady(2),
            ]
            assert line.attempts() == [0, 60.25]
            assert line.frames(1, after_configuration=False)[0]["event_id"] == "again"

    async def test_a_new_session_waits_for_a_configuration_of_its_own(self, autojump_clock: MockClock) -> None:
        async with connected(owner_configures_again=False) as line:
            await trio.sleep(60)
            drop(line.transport)
            await trio.sleep(5)
            assert line.frames(1, after_configuration=False) == []
            line.connection.tell(Configure("c2", "Be long."))
            await line.connection.ask(WaitReady(), timeout=1)
            assert line.frames(1, after_configuration=False)[0]["event_id"] == "c2"

    async def test_what_the_owner_sends_again_goes_out_once_and_what_was_queued_for_the_old_session_does_not(
        self, autojump_clock: MockClock
    ) -> None:
        async with connected() as line:
            await trio.sleep(60)
            drop(line.transport)
            line.connection.tell(AppendText("old", "lost"))
            line.connection.tell(AppendAudio(b"\1\0"))
            line.connection.tell(CreateResponse("old_request"))
            line.connection.tell(Resume(1))
            line.connection.tell(AppendText("old", "lost"))
            line.connection.tell(AppendText("new", "more"))
            await trio.sleep(1)
            assert line.frames(0) == []
            kinds = [frame.get("item", {}).get("id", frame["type"]) for frame in line.frames(1)]
            assert kinds == ["input_audio_buffer.append", "old", "new"]

    async def test_audio_that_was_in_hand_is_not_lost(self, autojump_clock: MockClock) -> None:
        """The socket breaks under a send that waits for room."""

        async def deaf(session: Session) -> None:
            await session.accept()
            await trio.sleep_forever()

        async with connected(deaf, well) as line:
            count = 1100  # more than the socket takes: the rest waits in the mailbox, and one in hand
            for number in range(count):
                line.connection.tell(AppendAudio(number.to_bytes(2, "little")))
                if number % 256 == 0:
                    await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            waiting = line.connection.statistics().queued
            assert 0 < waiting < 512
            drop(line.transport)
            await trio.sleep(3)  # the deaf one takes its time to end
            assert len(line.frames(1)) == waiting + 1

    async def test_a_socket_that_takes_nothing_for_long_costs_the_oldest_audio_and_that_is_told(
        self, autojump_clock: MockClock
    ) -> None:
        """512 messages wait; the rest of the speech makes room, counted, and a text finds its place or is refused."""

        async def deaf(session: Session) -> None:
            await session.accept()
            await trio.sleep_forever()

        async with connected(deaf) as line, line.runtime.bus.subscribe("runtime.dropped") as told:
            for number in range(3000):
                line.connection.tell(AppendAudio(number.to_bytes(2, "little")))
                if number % 256 == 0:
                    await wait_all_tasks_blocked()
            statistics = line.connection.statistics()
            assert statistics.queued == 512
            assert statistics.dropped > 0
            first = await told.receive()
            assert isinstance(first, MessagesDropped)
            assert (first.queue, first.count) == ("connection", 1)
            for number in range(512):
                line.connection.tell(AppendText(f"i{number}", "more"))
            with pytest.raises(MailboxFull):
                line.connection.tell(AppendText("one", "too many"))

    @pytest.mark.parametrize("piece_ms", [5, 20, 100])
    async def test_the_last_ten_seconds_of_speech_wait_for_a_session(
        self, piece_ms: int, autojump_clock: MockClock
    ) -> None:
        """Input during a reconnect must not be dropped in silence: how much was too old is told, once."""
        async with connected() as line:
            assert isinstance(line.transport, MemoryTransport)
            await trio.sleep(60)
            line.transport.reachable = False
            drop(line.transport)
            await trio.sleep(0.1)
            pieces = [number.to_bytes(2, "little") * (24 * piece_ms) for number in range(12_000 // piece_ms)]
            for number, piece in enumerate(pieces):
                line.connection.tell(AppendAudio(piece))
                if number % 100 == 0:
                    await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            line.connection.tell(Resume(1))
            line.connection.tell(AppendText("i1", "too"))
            line.transport.reachable = True
            await trio.sleep(2)
            *speech, text = line.frames(1)
            audio = b"".join(base64.b64decode(frame["audio"]) for frame in speech)
            assert audio == b"".join(pieces)[-10 * 48000 :]
            assert text["item"]["id"] == "i1"
            assert line.told(ConnectionReady)[-1] == ConnectionReady(2, dropped_ms=2000)
            drop(line.transport)
            await trio.sleep(2)
            assert line.told(ConnectionReady)[-1] == ConnectionReady(3)

    async def test_what_has_waited_goes_first(self, autojump_clock: MockClock) -> None:
        """The session is ready while more comes than can be looked at in one go."""
        accept = trio.Event()

        async def hesitant(session: Session) -> None:
            await session.receive()
            await accept.wait()
            await session.send("session.updated", session={})
            await session.listen()

        async with connected(hesitant) as line:
            accept.set()
            for number in range(500):
                line.connection.tell(AppendAudio(number.to_bytes(2, "little")))
            await wait_all_tasks_blocked()
            audio = [base64.b64decode(frame["audio"]) for frame in line.frames()]
            assert audio == [number.to_bytes(2, "little") for number in range(500)]

    async def test_what_has_waited_and_is_lost_again_is_sent_again(self, autojump_clock: MockClock) -> None:
        async def deaf(session: Session) -> None:
            await session.accept()
            await trio.sleep_forever()

        async with connected(well, deaf, well) as line:
            assert isinstance(line.transport, MemoryTransport)
            await trio.sleep(60)
            line.transport.reachable = False
            drop(line.transport)
            await trio.sleep(0.1)
            count = 1500  # more than a socket takes that nobody reads
            for number in range(count):
                line.connection.tell(AppendAudio(number.to_bytes(2, "little")))
                if number % 100 == 0:
                    await wait_all_tasks_blocked()
            line.transport.reachable = True
            await trio.sleep(2)
            drop(line.transport)  # the deaf one, with one piece in hand and some that still wait
            await trio.sleep(5)
            audio = [base64.b64decode(frame["audio"]) for frame in line.frames(2)]
            taken = 1024
            assert audio == [number.to_bytes(2, "little") for number in range(taken, count)]

    async def test_commands_that_find_no_room_are_refused_in_words(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            assert isinstance(line.transport, MemoryTransport)
            await trio.sleep(60)
            line.transport.reachable = False
            drop(line.transport)
            await trio.sleep(0.1)
            line.connection.tell(Resume(1))
            for number in range(600):
                line.connection.tell(AppendText(f"i{number}", "more"))
                if number % 100 == 0:
                    await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            refused = line.told(RequestFailed)
            assert [notice.request_id for notice in refused] == [f"i{number}" for number in range(512, 600)]
            assert {notice.code for notice in refused} == {"overloaded"}
            line.transport.reachable = True
            await trio.sleep(2)
            assert [frame["item"]["id"] for frame in line.frames(1)] == [f"i{number}" for number in range(512)]

    async def test_a_session_that_has_reached_its_limit_is_followed_by_another(self, autojump_clock: MockClock) -> None:
        async def expiring(session: Session) -> None:
            await session.accept()
            await trio.sleep(3600)
            await session.error("session_expired", message="60 minutes.")
            await session.listen()

        async with connected(expiring, well, model=attrs.evolve(MODEL, session_limit=None)) as line:
            await trio.sleep(3601)
            assert [event.number for event in line.told(ConnectionReady)] == [1, 2]
            [lost] = line.told(ConnectionLost)
            assert (lost.code, "limit" in lost.reason) == ("session_expired", True)
            assert line.attempts() == [0, 3600.25]

    async def test_an_owner_that_does_not_move_on_loses_the_session_in_time(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            await trio.sleep(3600)
            [expiring] = line.told(ConnectionExpiring)
            assert (expiring.number, expiring.within) == (1, 120)
            assert line.times_told(ConnectionExpiring) == [3480]
            [lost] = line.told(ConnectionLost)
            assert lost.code == "session_expired"
            assert line.times_told(ConnectionLost) == [3598]
            assert line.attempts() == [0, 3480]  # the next one is open by then
            assert line.times_told(ConnectionReady) == [0, 3598]

    async def test_sessions_that_do_not_last_count_as_attempts(self, autojump_clock: MockClock) -> None:
        async with connected(closing(1011, "internal error")) as line:
            ended = await line.ended()
            assert isinstance(ended.cause, ProviderUnavailable)
            assert isinstance(ended.cause.__cause__, ConnectionClosed)
            assert line.attempts() == [0, 0.25, 0.75, 1.75, 3.75]
            assert [event.number for event in line.told(ConnectionLost)] == [1, 2, 3, 4, 5]

    async def test_sessions_that_last_begin_the_count_again(self, autojump_clock: MockClock) -> None:
        async with connected(lasting(30)) as line:
            await trio.sleep(1000)
            assert len(line.attempts()) == 34
            assert line.connection.statistics().state == "running"

    async def test_a_conversation_has_so_many_attempts_within_a_time(self, autojump_clock: MockClock) -> None:
        async with connected(lasting(10)) as line:
            ended = await line.ended()
            assert isinstance(ended.cause, ProviderUnavailable)
            assert "30 attempts within 600 s" in str(ended.cause)
            assert len(line.attempts()) == 30

    async def test_a_refusal_after_it_was_ready_ends_it(self, autojump_clock: MockClock) -> None:
        async def fickle(session: Session) -> None:
            await session.accept()
            await trio.sleep(60)
            await session.error("insufficient_quota", message="You exceeded your quota.")
            await session.listen()

        async with connected(fickle) as line:
            ended = await line.ended()
            assert isinstance(ended.cause, ProviderRefused)
            assert line.now() == 60

    async def test_the_log_says_why_and_holds_no_key(
        self, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            async with connected(closing(1011, "internal error"), well) as line:
                await trio.sleep(1)
                assert line.told(ConnectionReady)[-1] == ConnectionReady(2)
        [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "internal error; connecting again in 0.25 s" in record.getMessage()
        assert KEY not in caplog.text


class TestStop:
    @pytest.mark.parametrize("play", [well, stalled, refusal(500, None)])
    @pytest.mark.parametrize("waiting", [False, True])
    async def test_is_prompt_at_any_moment(
        self, play: Play | Response, waiting: bool, autojump_clock: MockClock
    ) -> None:
        async with connected(play) as line:
            await trio.sleep(0.3)
            if waiting:
                line.connection.tell(AppendAudio(b"\1\0"))
                await wait_all_tasks_blocked()
            before = line.now()
            await line.connection.stop()
            assert line.now() - before < 0.26
            assert all(session.websocket.closed for session in line.provider.sessions)

    async def test_is_prompt_while_it_connects(self, autojump_clock: MockClock) -> None:
        async with connected(transport=MemoryTransport(never)) as line:
            line.connection.tell(AppendAudio(b"\1\0"))
            await wait_all_tasks_blocked()
            await line.connection.stop()
            assert line.now() < 0.26

    async def test_closes_the_socket_in_order(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            await line.connection.stop()
            closed = line.provider.sessions[0].websocket.closed
            assert closed is not None
            assert closed.code in (1000, 1001)

    async def test_leaves_no_task(self, autojump_clock: MockClock) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        async with connected(closing(1011), stalled) as line:
            await trio.sleep(3)
            line.connection.tell(AppendAudio(b"\1\0"))
        assert trio.lowlevel.current_statistics().tasks_living == before
        assert autojump_clock.current_time() < 100


class TestMovingOn:
    async def test_what_is_told_after_it_is_for_the_next_session(self, autojump_clock: MockClock) -> None:
        async with connected() as line:
            await trio.sleep(60)
            line.connection.tell(AppendAudio(b"\1\0"))
            await wait_all_tasks_blocked()
            line.connection.tell(Rotate(1, Configure("c2", "Be long.")))
            line.connection.tell(Resume(1))
            line.connection.tell(AppendText("i1", "next"))
            line.connection.tell(AppendAudio(b"\2\0"))
            await trio.sleep(1)
            assert [frame["type"] for frame in line.frames(0)] == ["input_audio_buffer.append"]
            assert line.frames(1, after_configuration=False)[0]["event_id"] == "c2"
            assert [frame["type"] for frame in line.frames(1)] == [
                "conversation.item.create",
                "input_audio_buffer.append",
            ]
            assert line.told(ConnectionLost) == []
            assert line.told(ConnectionReady)[-1] == ConnectionReady(2, rotated=True)
            assert line.provider.sessions[0].websocket.closed is not None

    async def test_it_is_passed_over_when_that_session_is_gone(self, autojump_clock: MockClock) -> None:
        async with connected(owner_configures_again=False) as line:
            await trio.sleep(60)
            drop(line.transport)
            await trio.sleep(1)
            line.connection.tell(Rotate(1, Configure("stale", "Be long.")))
            await trio.sleep(1)
            assert line.frames(1, after_configuration=False) == []
            line.connection.tell(Configure("again", "Be brief."))
            line.connection.tell(Rotate(1, Configure("stale", "Be long.")))
            await trio.sleep(1)
            assert [frame["event_id"] for frame in line.frames(1, after_configuration=False)] == ["again"]
            assert len(line.attempts()) == 2

    async def test_a_session_that_goes_on_in_vain_counts_as_no_failure(self, autojump_clock: MockClock) -> None:
        """Ten sessions that are left in good order, each after a second, and then a network that fails twice."""
        async with connected() as line:
            assert isinstance(line.transport, MemoryTransport)
            for number in range(1, 11):
                await trio.sleep(1)
                line.connection.tell(Rotate(number, Configure(f"c{number}", "Be brief.")))
                await trio.sleep(0.1)
                assert line.told(ConnectionReady)[-1].number == number + 1
            line.transport.reachable = False
            drop(line.transport)
            await trio.sleep(1)
            line.transport.reachable = True
            await trio.sleep(5)
            assert line.told(ConnectionReady)[-1].number == 12

    async def test_nothing_that_the_provider_says_is_lost_when_the_end_of_the_session_is_told(
        self, autojump_clock: MockClock
    ) -> None:
        """The owner has no room at that moment."""
        count = 300

        async def flood(session: Session) -> None:
            await session.accept()
            await trio.sleep(3470)
            for number in range(count):
                await session.send("response.created", response={"id": str(number)})
            await session.listen()

        provider = Provider((flood,))
        seen: list[str] = []
        release = trio.Event()
        async with open_runtime() as runtime:
            owner = await runtime.spawn(SlowOwner(seen, release), name="owner", capacity=16)
            prototype = ProviderConnection(MODEL, owner, MemoryTransport(provider.respond))
            connection = await runtime.spawn(prototype, name="connection")
            connection.tell(Configure("c1", "Be brief."))
            await trio.sleep(3490)
            assert len(seen) < count
            release.set()
            await wait_all_tasks_blocked()
            assert seen == [str(number) for number in range(count)]


@attrs.define(eq=False)
class SlowOwner(Actor):
    """Has time for the first reply only after `release`."""

    seen: list[str]
    release: trio.Event

    @receives
    async def created(self, event: ModelResponseCreated) -> None:
        await self.release.wait()
        self.seen.append(event.response_id)

    @receives
    def other(self, event: ConnectionReady | ConnectionExpiring | ModelSessionCreated) -> None:
        pass
