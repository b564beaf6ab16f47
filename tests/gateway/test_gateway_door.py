"""Who gets in, what each refusal looks like, and what plain HTTP gets."""

import json
import logging
import re
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import trio
from gateway_client import Parrot, open_gateway
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import __version__
from realtime_actors.actors import ActorStopped, open_runtime
from realtime_actors.actors.names import actor_name
from realtime_actors.events import AgentResponseDone, ClientTextAppend, ServerSessionEnded
from realtime_actors.gateway import AccessDenied, BearerToken, Gateway, GatewaySettings, InvalidSettings
from realtime_actors.gateway.admission import Admission, Refusal, admit, choose_subprotocol, is_loopback
from realtime_actors.transports import HandshakeRejected, PortInUse, Request

TOKEN = "s3cret/with=odd chars"


async def get(url: str, path: str, *, method: str = "GET", headers: str = "") -> tuple[int, dict[str, str], str]:
    """One HTTP request, byte by byte."""
    host, _, port = url.removeprefix("ws://").partition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n".encode())
        answer = b""
        async for data in stream:
            answer += data
    head, _, body = answer.decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, body


async def test_health() -> None:
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        status, headers, body = await get(served.url, "/healthz")
        assert (status, headers["content-type"]) == (200, "application/json")
        expected: dict[str, Any] = {"status": "ok", "sessions": 1, "max_sessions": 200, "providers": []}
        assert json.loads(body) == {**expected, "version": __version__}


async def test_the_page() -> None:
    """All its parts come from here, small, with their types, and may load nothing from elsewhere."""
    async with open_gateway() as served:
        _, _, index = await get(served.url, "/")
        links = re.findall(r"(?:src|href)=\"(?!#)([^\"]+)\"", index)
        assert {"page.js", "style.css"} <= set(links)
        types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}
        parts = ["/", *(f"/{link}" for link in links)]
        total = 0
        for path in parts:
            status, headers, body = await get(served.url, path)
            assert status == 200
            assert (
                headers["content-type"].partition(";")[0] == types[path.rpartition(".")[2] if path != "/" else "html"]
            )
            assert headers["cache-control"] == "no-cache"
            assert headers["x-content-type-options"] == "nosniff"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            # A namespace and the example in a comment are names, nothing that is loaded.
            assert re.findall(r"https?://[^\s\"]+", body) in ([], ["http://www.w3.org/2000/svg"])
            total += len(body.encode())
            parts += [f"/{name}" for name in re.findall(r"\"(?:\./)?([\w-]+\.js)\"", body) if f"/{name}" not in parts]
        assert {"/realtime.js", "/microphone-worklet.js"} <= set(parts)
        assert total < 150_000
        _, _, nothing = await get(served.url, "/", method="HEAD")
        assert nothing == ""


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/favicon.ico", "GET", 404),
        ("/page/index.html", "GET", 404),
        ("/../plain_http.py", "GET", 404),
        ("/realtime.js", "POST", 405),
        ("/ws", "GET", 404),
        ("/ws/ann", "GET", 404),
        ("/ws/ann/s1/more", "GET", 404),
        ("/ws//s1", "GET", 404),
        ("/ws/ann/s1", "GET", 426),
        ("/healthz", "DELETE", 405),
        ("/", "POST", 405),
    ],
)
async def test_plain_http_that_is_refused(path: str, method: str, expected: int) -> None:
    async with open_gateway() as served:
        status, _, body = await get(served.url, path, method=method)
        assert status == expected
        assert body.strip()


async def test_websockets_at_other_paths() -> None:
    async with open_gateway() as served:
        served.url += "/elsewhere"
        with pytest.raises(HandshakeRejected) as refusal:
            async with served.connect():
                pass
        assert refusal.value.status == 404


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ([("Authorization", f"Bearer {TOKEN}")], []),
        ([("authorization", f"bearer {TOKEN}")], []),
        ([], ["realtime-actors.json", f"realtime-actors.token.{quote(TOKEN, safe='')}"]),
        ([], [f"realtime-actors.token.{quote(TOKEN, safe='')}"]),
        ([], [f"realtime-actors.token.{quote(TOKEN, safe='')}", "realtime-actors.msgpack"]),
    ],
)
async def test_a_token(headers: list[tuple[str, str]], subprotocols: list[str]) -> None:
    """In both forms; the wire's subprotocol is agreed on, and the token's is not sent back where another will do."""
    async with (
        open_gateway(token=TOKEN) as served,
        served.connect(headers=headers, subprotocols=subprotocols) as frontend,
    ):
        agreed = frontend.socket.subprotocol
        assert agreed == next((name for name in subprotocols if "token" not in name), agreed)
        await frontend.create()


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ([], []),
        ([("Authorization", "Bearer wrong")], []),
        ([("Authorization", f"Basic {TOKEN}")], []),
        ([], ["realtime-actors.json", "realtime-actors.token.wrong"]),
        ([], ["realtime-actors.token."]),
    ],
)
async def test_no_token_or_a_wrong_one(
    headers: list[tuple[str, str]], subprotocols: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The socket opens, so that a browser can see the code, and closes with 4401; no log has the token."""
    caplog.set_level(logging.DEBUG)
    async with (
        open_gateway(token=TOKEN) as served,
        served.connect(headers=headers, subprotocols=subprotocols) as frontend,
    ):
        assert (await frontend.closed()).code == 4401
        assert (await served.status()).refused == 1
        status, _, body = await get(served.url, "/")
        assert status == 200
        assert "token" in body
        assert TOKEN not in body
    assert "4401" in caplog.text
    assert TOKEN not in caplog.text
    assert quote(TOKEN, safe="") not in caplog.text


def test_the_token_is_not_shown() -> None:
    settings = GatewaySettings(token=TOKEN)
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(Gateway(lambda _: NotImplemented, settings))


@pytest.mark.parametrize(
    ("origin", "allowed", "code"),
    [
        ("https://evil.example", (), 1008),
        ("null", (), 1008),
        ("http://localhost:1", (), 1008),
        ("https://voice.example", ("https://voice.example",), None),
        ("https://Voice.Example", "https://voice.example/", None),
        ("https://evil.example", "*", None),
    ],
)
async def test_foreign_origins(origin: str, allowed: Any, code: int | None) -> None:
    """A page from elsewhere is refused with 1008, unless the settings allow it."""
    async with (
        open_gateway(allowed_origins=allowed) as served,
        served.connect(headers=[("Origin", origin)]) as frontend,
    ):
        if code is None:
            await frontend.create()
        else:
            assert (await frontend.closed()).code == code


async def test_our_own_origin() -> None:
    async with open_gateway() as served:
        origin = served.url.replace("ws://", "http://")
        async with served.connect(headers=[("Origin", origin)]) as frontend:
            await frontend.create()


@pytest.mark.parametrize(
    ("listens_on", "host", "admitted"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("::1", "[::1]:8000", True),
        ("127.0.0.1", "rebound.example:8000", False),
        ("0.0.0.0", "voice.example", True),  # noqa: S104 - the setting, not a socket
    ],
)
def test_dns_rebinding(listens_on: str, host: str, admitted: bool) -> None:
    """A page of a foreign name that was made to lead to this machine is foreign, although Host and Origin agree."""
    request = Request(path="/ws/ann/s1", headers={"host": host, "origin": f"http://{host}"})
    judged = admit(request, GatewaySettings(host=listens_on))
    assert isinstance(judged, Admission if admitted else Refusal)


@pytest.mark.parametrize("session_id", ["x" * 129, "a%0Ab", "a%00b", "a%FFb"])
async def test_ids_that_are_none(session_id: str) -> None:
    async with open_gateway() as served, served.connect(session_id) as frontend:
        assert (await frontend.closed()).code == 1008


async def test_a_frontend_that_comes_back() -> None:
    """A page that is loaded again need not wait until the session of its old socket has ended."""

    @attrs.define(eq=False)
    class Slow(Parrot):
        async def stopping(self) -> None:
            await trio.sleep(0.1)

    async with open_gateway(lambda _: Slow()) as served:
        for _ in range(3):
            async with served.connect("a") as frontend:
                await frontend.create()


async def test_full() -> None:
    """Beyond `max_sessions` sockets are closed with 1013, until one of the others is gone."""
    async with open_gateway(max_sessions=2) as served, served.connect("a") as first:
        await first.create()
        async with served.connect("b"):
            async with served.connect("c") as third:
                assert (await third.closed()).code == 1013
            await first.say(ClientTextAppend("a", "hello"))
            await first.until(AgentResponseDone)
        await served.until(lambda status: status.sessions == 1)
        async with served.connect("c") as third:
            await third.create()


async def test_a_port_in_use() -> None:
    """Spawning raises a clear sentence."""
    async with open_gateway() as served, open_runtime() as runtime:
        port = int(served.url.rpartition(":")[2])
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}: the port is in use"):
            await runtime.spawn(Gateway(lambda _: NotImplemented, GatewaySettings(port=port)))


async def test_a_gateway_that_is_stopped() -> None:
    """It ends its sessions, frees its port, and lets the runtime go on."""
    async with open_gateway() as served, served.connect() as frontend:
        await frontend.create()
        await served.gateway.stop()
        assert isinstance(await frontend.until(ServerSessionEnded), ServerSessionEnded)
        assert (await frontend.closed()).code == 1001
        assert served.paths() == []
        port = int(served.url.rpartition(":")[2])
        await served.runtime.spawn(Gateway(lambda _: NotImplemented, GatewaySettings(port=port)))
        with pytest.raises(ActorStopped):
            await served.status()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"port": 70000}, "port is 70000"),
        ({"max_sessions": 0}, "max_sessions is 0"),
        ({"frontend_buffer_bytes": 10}, "frontend_buffer_bytes is 10"),
        ({"token": " "}, "token is empty"),
        ({"max_sessions_per_user": 0}, "max_sessions_per_user is 0"),
        ({"max_bytes_per_second": 1}, "max_bytes_per_second is 1"),
        ({"idle_timeout": float("nan")}, "idle_timeout is nan"),
        ({"token": "t", "authenticate": BearerToken("u")}, "token and authenticate are both given"),
        ({"private_key": "key.pem"}, "private_key is given without certificate"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        GatewaySettings(**wrong)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])  # noqa: S104
async def test_a_warning_when_everybody_may_come_in(host: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with open_gateway(host=host):
        pass
    assert ("without a token" in caplog.text) is warned


@given(st.text(min_size=1), st.text(min_size=1))
def test_actor_names(one: str, other: str) -> None:
    """Every id has a name that an actor may have, and different ids have different ones."""
    names = [actor_name(one), actor_name(other)]
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names)
    assert (names[0] == names[1]) is (one == other)
    assert actor_name(names[0]) == names[0] or names[0].startswith("id--")


@given(
    st.text(),
    st.dictionaries(
        st.sampled_from(["host", "origin", "authorization", "sec-websocket-protocol"]),
        st.text(st.characters(max_codepoint=255)),
    ),
)
def test_any_request_is_judged(path: str, headers: dict[str, str]) -> None:
    """Whatever a request holds, it is admitted or refused; without the token it is refused."""
    request = Request(path=path, headers=headers)
    with pytest.raises(AccessDenied):
        trio.run(BearerToken("\U0001f511"), request)
    judged = admit(request, GatewaySettings())
    assert isinstance(judged, Refusal) or path == f"/ws/{judged.user_id}/{judged.session_id}"
    assert choose_subprotocol(request) in (None, *request.subprotocols)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
