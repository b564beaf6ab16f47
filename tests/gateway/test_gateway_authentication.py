"""Who a frontend is: the hook, TLS, and that no secret is ever shown."""

import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trio
import trustme
from gateway_client import Frontend, Served, open_gateway, parrot
from trio.testing import MockClock

from realtime_actors.actors import Actor, open_runtime
from realtime_actors.events import AgentResponseDone, ClientTextAppend
from realtime_actors.gateway import (
    AccessDenied,
    AgentRequest,
    BearerToken,
    Gateway,
    GatewaySettings,
    bearer_tokens,
)
from realtime_actors.transports import (
    InvalidCertificate,
    Request,
    TrioWebSocketTransport,
    WebSocketOptions,
)

SECRET = "s3cret-t0ken+x"
ENCODED = quote(SECRET, safe="")


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 20 ms: the loopback takes its time."""
    return MockClock(autojump_threshold=0.02)


async def by_header(request: Request) -> str:
    """A hook: names the user by a header."""
    match request.headers.get("x-user"):
        case None:
            raise AccessDenied("who are you?")
        case "slow":
            await trio.sleep_forever()
        case "broken":
            raise LookupError(f"no user shows {request.headers}")
        case "nobody":
            return None  # pyright: ignore[reportReturnType] - what a hook might do that is not type-checked
        case user:
            return user
    raise AssertionError


async def test_the_user_that_the_hook_names() -> None:
    """It takes the place of the path's."""
    seen: list[AgentRequest] = []

    def agent(request: AgentRequest) -> Actor:
        seen.append(request)
        return parrot(request)

    async with (
        open_gateway(agent, authenticate=by_header, max_sessions_per_user=1) as served,
        served.connect("a", user_id="x", headers=[("X-User", "bob")]) as frontend,
        served.connect("b", user_id="y", headers=[("X-User", "bob")]) as second,
        served.connect("c", user_id="x", headers=[("X-User", "eve")]) as other,
    ):
        await frontend.create()
        await other.create()
        assert [request.user_id for request in seen] == ["bob", "eve"]
        assert (await second.closed()).code == 1013


@pytest.mark.parametrize(
    ("user", "code", "words"),
    [
        (None, 4401, "who are you?"),
        ("slow", 1013, "could not be found out in time"),
        ("broken", 1011, "an internal error"),
        ("nobody", 1011, "an internal error"),
    ],
)
async def test_a_hook_that_does_not_let_in(
    user: str | None, code: int, words: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """It refuses, takes too long or fails; the frontend is told which, the log where, and neither what was shown."""
    caplog.set_level(logging.DEBUG)
    headers = [("Authorization", f"Bearer {SECRET}"), *([("X-User", user)] if user else [])]
    async with (
        open_gateway(authenticate=by_header, authenticate_timeout=3) as served,
        served.connect(headers=headers) as frontend,
    ):
        error = await frontend.closed()
        assert error.code == code
        assert words in error.reason
        assert (await served.status()).refused == 1
    assert ("in by_header" in caplog.text) is (user == "broken")
    assert ("TypeError" in caplog.text) is (user == "nobody")
    assert SECRET not in caplog.text


async def test_the_hook_is_asked_once_the_origin_is_right() -> None:
    asked: list[Request] = []

    async def authenticate(request: Request) -> str:
        asked.append(request)
        return "ann"

    async with open_gateway(authenticate=authenticate) as served:
        async with served.connect(headers=[("Origin", "https://evil.example")]) as frontend:
            assert (await frontend.closed()).code == 1008
        assert asked == []
        async with served.connect() as frontend:
            await frontend.create()
        assert [request.path for request in asked] == ["/ws/ann/s1"]


def test_tokens_that_a_request_shows() -> None:
    headers = {"authorization": "Bearer  one ", "sec-websocket-protocol": "x, realtime-actors.token.t%2Fwo"}
    assert bearer_tokens(Request(path="/", headers=headers)) == ["one", "t%2Fwo", "t/wo"]
    assert bearer_tokens(Request(path="/", headers={"authorization": "Basic x"})) == []


WAYS: list[dict[str, Any]] = [
    {"headers": [("Authorization", f"Bearer {SECRET}")]},
    {"subprotocols": ["realtime-actors.json", f"realtime-actors.token.{ENCODED}"]},
    {"subprotocols": [f"realtime-actors.token.{ENCODED}"]},
]
REFUSALS: dict[str, dict[str, Any]] = {
    "another token": {"token": "another"},
    "a foreign origin": {"token": SECRET, "origin": "https://evil.example"},
    "a bad id": {"token": SECRET, "session_id": "x" * 200},
    "no room": {"token": SECRET, "max_sessions": 1, "first": True},
    "no room for the user": {"token": SECRET, "max_sessions_per_user": 1, "first": True},
    "no room for the address": {"token": SECRET, "max_connections_per_address": 1, "first": True},
    "a session that is taken": {"token": SECRET, "first": True, "session_id": "first"},
    "a hook that fails": {"authenticate": by_header, "user": "broken"},
    "a hook that is slow": {"authenticate": by_header, "user": "slow", "authenticate_timeout": 0.01},
    "no first message": {"token": SECRET, "first_message_timeout": 0.01},
    "idle": {"token": SECRET, "idle_timeout": 0.01},
    "a session's time": {"token": SECRET, "session_timeout": 0.01},
    "a message that is too large": {"token": SECRET, "message": "x" * 2_000_000},
    "too fast": {"token": SECRET, "message": "?", "max_messages_per_second": 1, "rate_burst": 1, "rate_patience": 0},
    "not WebSocket": {"token": SECRET, "session_id": "s1/more"},
    "a factory that fails": {"token": SECRET, "message": '{"type": "client_session_create"}'},
}


@pytest.mark.parametrize("way", WAYS, ids=["header", "subprotocol", "subprotocol alone"])
@pytest.mark.parametrize("refusal", list(REFUSALS.values()), ids=list(REFUSALS))
async def test_a_token_is_never_shown(
    refusal: dict[str, Any], way: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log at any level, not in an event, a close or an error, whatever a frontend is refused for."""
    caplog.set_level(logging.DEBUG)
    settings = dict(refusal)
    origin, user, message = (settings.pop(name, None) for name in ("origin", "user", "message"))
    session_id, first = settings.pop("session_id", "s1"), settings.pop("first", False)
    headers = [
        *way.get("headers", []),
        *([("X-User", user)] if user else []),
        *([("Origin", origin)] if origin else []),
    ]

    def agent(request: AgentRequest) -> Actor:
        raise LookupError("no agent")

    shown: list[str] = []
    async with open_gateway(agent, **settings) as served, served.runtime.bus.subscribe(">") as everything:
        try:
            async with (
                served.connect("first", **way) if first else _nothing(),
                served.connect(session_id, headers=headers, subprotocols=way.get("subprotocols", [])) as frontend,
            ):
                shown.append(await _refused(frontend, message))
        except Exception as error:  # noqa: BLE001 - whatever the refusal is, it is looked at
            shown.append(repr(error) + str(error) + repr(vars(error)))
        shown.append(repr(await served.status()))
    shown += [repr(event) async for event in everything]
    shown += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert shown[0]
    for text in shown:
        assert SECRET not in text
        assert ENCODED not in text


@asynccontextmanager
async def _nothing() -> AsyncGenerator[None]:
    yield


async def _refused(frontend: Frontend, message: str | None) -> str:
    if message is not None:
        for _ in range(5):
            await frontend.socket.send(message)
    with trio.move_on_after(0.3):
        return repr(await frontend.closed())
    return "still open"


# -- TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Settings with a certificate for 127.0.0.1, and its key."""
    issued = authority.issue_cert("127.0.0.1")
    paths = {"certificate": tmp_path / "certificate.pem", "private_key": tmp_path / "key.pem"}
    paths["certificate"].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    paths["private_key"].write_bytes(issued.private_key_pem.bytes())
    return paths


@asynccontextmanager
async def connect(served: Served, authority: trustme.CA) -> AsyncGenerator[Frontend]:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = WebSocketOptions(ping_interval=None)
    async with TrioWebSocketTransport(ssl_context=context).connect(
        f"{served.url}/ws/ann/s1", options=options
    ) as socket:
        yield Frontend(socket)


async def test_tls(files: dict[str, Any], authority: trustme.CA) -> None:
    async with open_gateway(**files) as served:
        assert served.url.startswith("wss://127.0.0.1:")
        async with connect(served, authority) as frontend:
            await frontend.create()
            await frontend.say(ClientTextAppend("s1", "hello"))
            await frontend.until(AgentResponseDone)
            await served.gateway.stop()
            assert (await frontend.closed()).code == 1001


async def test_a_wrong_certificate(files: dict[str, Any], tmp_path: Path) -> None:
    """Spawning raises a clear sentence."""
    settings = GatewaySettings(certificate=tmp_path / "none.pem", private_key=files["private_key"])
    async with open_runtime() as runtime:
        with pytest.raises(InvalidCertificate, match=r"none.pem cannot be read"):
            await runtime.spawn(Gateway(parrot, settings))


def test_what_settings_show() -> None:
    assert SECRET not in repr(GatewaySettings(authenticate=BearerToken(SECRET)))
    assert SECRET not in repr(BearerToken(SECRET))
