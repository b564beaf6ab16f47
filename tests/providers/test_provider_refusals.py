"""What ends a connection for good, and after what it comes back: for every provider, as its documents say.

What passes is the network, an overloaded or restarted server (1011, 1012, 1013, 5xx), a rate limit, the end of a
session. What does not is a key, a quota, a model, a configuration, a policy: to connect again and again is no use then.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
import orjson
import pytest
import trio
from five_providers import MODELS
from played_provider import Owner
from trio.testing import MockClock

from realtime_actors.actors import Backoff, Ref, Terminated, open_runtime
from realtime_actors.events import Configure
from realtime_actors.providers import (
    ConnectionLost,
    ConnectionReady,
    ProviderConnection,
    ProviderRefused,
    ProviderUnavailable,
    RealtimeModel,
    Reconnection,
)
from realtime_actors.transports import MemoryTransport, Request, Response, Upgrade, WebSocket

Json = dict[str, Any]
STEADY = Reconnection(backoff=Backoff(min=0.25, max=8.0, factor=2.0, jitter=0.0))


@attrs.frozen
class Handshake:
    """The answer to the handshake is no WebSocket."""

    status: int
    body: Json | str = ""
    headers: dict[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class Close:
    """The socket is closed, before or after the session is accepted."""

    code: int
    reason: str = ""
    accepted: bool = True


@attrs.frozen
class Says:
    """A frame comes after the session is accepted."""

    message: Json


@attrs.frozen
class Drop:
    """The network breaks the connection."""


Event = Handshake | Close | Says | Drop


def error(code: str | None, message: str = "No.", **fields: Any) -> Says:
    return Says(
        {"type": "error", "event_id": "e", "error": {"type": "error", "code": code, "message": message} | fields}
    )


def openai_body(code: str | None) -> Json:
    return {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": code}}


def failed(code: str) -> Says:
    details = {"type": "failed", "error": {"type": "server_error", "code": code, "message": "No."}}
    response: Json = {"id": "r1", "status": "failed", "status_details": details, "output": []}
    return Says({"type": "response.done", "event_id": "e", "response": response})


PASSES = [Drop(), Close(1000), Close(1001), Close(1011), Close(1012), Close(1013), Handshake(500), Handshake(503)]

OPENAI: list[tuple[Event, str | None]] = [
    *((event, None) for event in PASSES),
    (Handshake(401, openai_body("invalid_api_key")), "authentication"),
    (Handshake(403), "authentication"),
    (Handshake(404, openai_body("model_not_found")), "model"),
    (Handshake(429, openai_body("insufficient_quota")), "quota"),
    (Handshake(429, openai_body("rate_limit_exceeded")), None),
    (Handshake(400, openai_body(None)), "configuration"),
    (error("invalid_api_key"), "authentication"),
    (error("model_not_found"), "model"),
    (error("insufficient_quota"), "quota"),
    (failed("insufficient_quota"), "quota"),
    (error("session_expired", "Your session hit the maximum duration of 60 minutes."), None),
    (Close(1001, "Your session hit the maximum duration of 60 minutes."), None),
    (Close(1008, "policy"), "protocol"),
]
TABLE: dict[str, list[tuple[Event, str | None]]] = {
    "openai": [
        *OPENAI,
        (error("beta_api_shape_disabled"), "protocol"),
        (Close(4000, "invalid_request_error.beta_api_shape_disabled", accepted=False), "protocol"),
        (Close(4000, "invalid_request_error.model_not_found", accepted=False), "model"),
        (Close(3000, "invalid_request_error.invalid_api_key", accepted=False), "authentication"),
    ],
    "azure": [
        *OPENAI,
        (Handshake(404, {"error": {"code": "DeploymentNotFound", "message": "No such deployment."}}), "model"),
        (Handshake(401, {"error": {"code": "401", "message": "Access denied due to invalid key."}}), "authentication"),
        (Handshake(429, {"error": {"code": "429", "message": "Too many requests."}}), None),
    ],
    "gemini": [
        *((event, None) for event in PASSES),
        (Close(1008, "API key not valid. Please pass a valid API key.", accepted=False), "authentication"),
        (Close(1008, "Method doesn't allow unregistered callers", accepted=False), "authentication"),
        (Close(1011, "Token has been used too many times", accepted=False), "authentication"),
        (Close(1008, "models/x is not found for API version v1beta", accepted=False), "model"),
        (Close(1007, "Request contains an invalid argument.", accepted=False), "protocol"),
        (Close(1011, "You exceeded your current quota, please check your plan and billing"), "quota"),
        (Close(1008, "Operation is not implemented, or supported, or enabled."), "protocol"),
        (Close(1011, "Deadline expired before operation could complete."), None),
        (Handshake(404, "<html>"), "model"),
        (Handshake(400, {"error": {"code": 400, "message": "API key expired."}}), "authentication"),
        (Handshake(429, {"error": {"code": 429, "message": "Resource has been exhausted."}}), None),
    ],
    "dashscope": [
        *((event, None) for event in PASSES),
        (Handshake(401, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}), "authentication"),
        (Handshake(403, {"code": "AccessDenied", "message": "Access denied."}), "model"),
        (Handshake(400, {"code": "Arrearage", "message": "Overdue payment."}), "quota"),
        (Handshake(429, {"code": "Throttling.RateQuota", "message": "Requests throttled."}), None),
        (Close(1007, "<400> InternalError.Algo.InvalidParameter: voice", accepted=False), "configuration"),
        (Close(1007, "The free tier of the model has been exhausted.", accepted=False), "quota"),
        (Close(1007, "<50002> InternalError.Algo.ModelServingError"), None),
        (Close(1000, "session exceeded 120 minutes"), None),
        (error("ModelNotFound"), "model"),
    ],
    "xai": [
        *((event, None) for event in PASSES),
        # No close codes are documented: whatever closes, the conversation can be gone on with.
        (Close(1008, "policy"), None),
        (Handshake(401, openai_body(None)), "authentication"),
        (Handshake(404), "model"),
        (Handshake(402), "quota"),
        (Handshake(429), None),
        (error("invalid_api_key"), "authentication"),
        (error("insufficient_quota"), "quota"),
    ],
}
CASES = [
    pytest.param(provider, event, kind, id=f"{provider}-{number}-{kind or 'passes'}")
    for provider, cases in TABLE.items()
    for number, (event, kind) in enumerate(cases)
]


@attrs.define
class Server:
    """Something happens to the first connections, and the others go well."""

    provider: str
    event: Event
    times: int = 1
    attempts: list[float] = attrs.field(factory=list[float])

    async def respond(self, _: Request) -> Response | Upgrade:
        self.attempts.append(trio.current_time())
        event = self.event if len(self.attempts) <= self.times else None
        if isinstance(event, Handshake):
            body = event.body.encode() if isinstance(event.body, str) else orjson.dumps(event.body)
            return Response(status=event.status, headers=event.headers, body=body)
        return Upgrade(partial(self._talk, event))

    async def _talk(self, event: Event | None, websocket: WebSocket) -> None:
        if isinstance(event, Close) and not event.accepted:
            await websocket.receive()
            await websocket.aclose(event.code, event.reason)
            return
        await self._accept(websocket)
        await trio.sleep(60)
        match event:
            case Close(code, reason):
                await websocket.aclose(code, reason)
            case Says(message):
                await websocket.send(orjson.dumps(message).decode())
            case Drop():
                with trio.CancelScope() as at_once:
                    at_once.cancel()
                    await websocket.aclose()
            case _:
                pass
        await trio.sleep_forever()

    async def _accept(self, websocket: WebSocket) -> None:
        if self.provider == "gemini":
            await websocket.receive()
            await websocket.send('{"setupComplete": {}}')
            return
        await websocket.send('{"type": "session.created", "event_id": "e", "session": {"id": "s"}}')
        await websocket.receive()
        await websocket.send('{"type": "session.updated", "event_id": "e", "session": {}}')


@attrs.define
class Outcome:
    """What became of a connection after some time."""

    server: Server
    told: list[Any]
    ended: Terminated | None


async def outcome_of(
    provider: str, event: Event, *, times: int = 1, seconds: float = 120, reconnection: Reconnection = STEADY
) -> Outcome:
    server = Server(provider, event, times)
    model: RealtimeModel = attrs.evolve(MODELS[provider], reconnection=reconnection)
    told: list[tuple[float, object]] = []
    connections: list[Ref] = []
    ended: Terminated | None = None
    async with open_runtime(lane_held_after=None) as runtime:
        owner = await runtime.spawn(Owner(told, connections=connections), name="owner")
        prototype = ProviderConnection(model, owner, MemoryTransport(server.respond))
        connection = await runtime.spawn(prototype, name="connection")
        connections.append(connection)
        connection.tell(Configure("first", "Be brief."))
        with trio.move_on_after(seconds):
            ended = await connection.wait_stopped()
    return Outcome(server, [event for _, event in told], ended)


@pytest.mark.parametrize(("provider", "event", "kind"), CASES)
async def test_what_is_fatal_ends_it_at_once_and_what_passes_is_followed_by_a_new_session(
    provider: str, event: Event, kind: str | None, autojump_clock: MockClock
) -> None:
    """Fatal errors must not reconnect for ever: not once."""
    outcome = await outcome_of(provider, event)
    if kind is not None:
        assert outcome.ended is not None
        assert isinstance(outcome.ended.cause, ProviderRefused)
        assert outcome.ended.cause.kind == kind
        assert MODELS[provider].key_variable in str(outcome.ended.cause) or kind != "authentication"
        assert len(outcome.server.attempts) == 1
    else:
        assert outcome.ended is None
        assert len(outcome.server.attempts) == 2
        readies = [each.number for each in outcome.told if isinstance(each, ConnectionReady)]
        losses = [each.number for each in outcome.told if isinstance(each, ConnectionLost)]
        assert (readies, losses) == (([1], []) if isinstance(event, Handshake) else ([1, 2], [1]))


@pytest.mark.parametrize("provider", list(MODELS))
async def test_what_never_passes_is_given_up_as_well(provider: str, autojump_clock: MockClock) -> None:
    outcome = await outcome_of(provider, Handshake(503), times=1000)
    assert outcome.ended is not None
    assert isinstance(outcome.ended.cause, ProviderUnavailable)
    assert len(outcome.server.attempts) == 5


@pytest.mark.parametrize("provider", list(MODELS))
@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [(429, "7", 7), (503, "20", 20), (429, "3600", 30), (500, "7", 0.25), (429, "x", 0.25)],
)
async def test_a_server_that_is_busy_is_left_alone_for_as_long_as_it_asks_for_up_to_a_bound(
    provider: str, status: int, said: str, seconds: float, autojump_clock: MockClock
) -> None:
    outcome = await outcome_of(provider, Handshake(status, headers={"Retry-After": said}))
    began, again = outcome.server.attempts
    assert again - began == seconds


async def test_a_lost_socket_is_no_crash_and_no_traceback(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    outcome = await outcome_of("openai", Drop())
    assert outcome.ended is None
    assert [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info] == []


async def test_a_refusal_is_told_in_words_and_without_a_traceback(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    await outcome_of("openai", error("insufficient_quota", "You exceeded your quota."))
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "You exceeded your quota." in record.getMessage()
    assert not record.exc_info
