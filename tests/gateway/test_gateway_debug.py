"""Who may see a gateway's actors, and what is shown of them."""

import json
from typing import Any

import msgspec
import pytest
import trio
from gateway_client import Served, open_gateway

from realtime_actors.actors import ActorTree
from realtime_actors.events import AgentResponseDone, ClientTextAppend
from realtime_actors.gateway import AccessDenied, GatewaySettings
from realtime_actors.gateway.debug import show_actors
from realtime_actors.transports import Request

PATH = "/debug/actors"


async def get(
    served: Served, path: str = PATH, *lines: str, host: str | None = None
) -> tuple[int, dict[str, str], str]:
    """One HTTP request: status, headers, body."""
    address = served.url.removeprefix("ws://")
    name, _, port = address.partition(":")
    head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host or address}", *lines])
    async with await trio.open_tcp_stream(name, int(port)) as stream:
        await stream.send_all(f"{head}\r\n\r\n".encode())
        answer = b"".join([data async for data in stream])
    top, _, body = answer.decode().partition("\r\n\r\n")
    status, *fields = top.split("\r\n")
    return int(status.split()[1]), dict(field.lower().split(": ", 1) for field in fields), body


async def test_the_actors_as_json_and_as_a_table() -> None:
    async with open_gateway() as served, served.connect("first") as frontend:
        await frontend.create()
        await frontend.say(ClientTextAppend("first", "the words of a person"))
        await frontend.until(AgentResponseDone)
        status, headers, body = await get(served)
        assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/json", "no-store")
        actors = {actor["path"]: actor for actor in json.loads(body)["actors"]}
        assert list(actors) == ["gateway", "gateway.first", "gateway.first.gateway-first"]
        assert actors["gateway.first.gateway-first"]["kind"] == "Parrot"
        assert actors["gateway.first.gateway-first"]["handled"] == 1
        assert {actor.path for actor in msgspec.json.decode(body, type=ActorTree).actors} == set(actors)
        for path, lines in ((PATH, ["Accept: text/plain"]), (f"{PATH}?format=text", [])):
            status, headers, table = await get(served, path, *lines)
            assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
            assert [line.split()[:2] for line in table.splitlines()] == [
                ["actor", "class"],
                ["gateway", "Gateway"],
                ["first", "FrontendSession"],
                ["gateway-first", "Parrot"],
            ]
        assert "words of a person" not in body + table


async def test_only_get() -> None:
    async with open_gateway() as served:
        async with await trio.open_tcp_stream("127.0.0.1", int(served.url.rpartition(":")[2])) as stream:
            await stream.send_all(f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            answer = b"".join([data async for data in stream])
        assert answer.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("lines", "host", "says"),
    [
        (["X-Forwarded-For: 203.0.113.7"], None, "came through a proxy"),
        (["Forwarded: for=203.0.113.7"], None, "came through a proxy"),
        (["Via: 1.1 vegur"], None, "came through a proxy"),
        ([], "rebound.example.com:8000", "another name than this machine's"),
        ([], "voice.example.com", "another name than this machine's"),
        (["Origin: https://evil.example"], None, "another site's page"),
        (["Origin: null"], None, "another site's page"),
    ],
)
async def test_what_may_come_from_elsewhere_sees_nothing(lines: list[str], host: str | None, says: str) -> None:
    async with open_gateway() as served:
        status, _, body = await get(served, PATH, *lines, host=host)
        assert status == 403
        assert says in body
        assert "set a token" in body
        assert "Gateway" not in body


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
async def test_names_of_this_machine(host: str) -> None:
    async with open_gateway() as served:
        status, _, _ = await get(served, PATH, f"Origin: http://{host}", host=host)
        assert status == 200


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("127.0.0.1:5", 200),
        ("[::1]:5", 200),
        ("[::ffff:127.0.0.1]:5", 200),
        ("192.0.2.1:5", 403),
        ("[::ffff:192.0.2.1]:5", 403),
        ("[2001:db8::1]:5", 403),
        ("unknown", 403),
        ("", 403),
    ],
)
async def test_whose_address_is_this_machine_s(remote: str, expected: int) -> None:
    request = Request(path=PATH, headers={"host": "127.0.0.1:8000"}, remote=remote)
    answer = await show_actors(request, GatewaySettings(), lambda: ActorTree(()))
    assert answer.status == expected


async def test_a_token_is_needed_where_there_is_one_and_lets_in_from_anywhere() -> None:
    """Behind a proxy every client comes from this machine, so that alone is not enough."""
    async with open_gateway(token="s3cret") as served:
        for lines in ([], ["Authorization: Bearer other"], ["Authorization: Basic s3cret"]):
            status, headers, body = await get(served, PATH, *lines)
            assert (status, headers["www-authenticate"]) == (401, "bearer")
            assert "send it as `Authorization: Bearer" in body
        shown = ["Authorization: Bearer s3cret", "X-Forwarded-For: 203.0.113.7"]
        status, _, body = await get(served, PATH, *shown, host="voice.example.com")
        assert status == 200
        assert "s3cret" not in body


async def test_users_of_a_hook_see_nothing() -> None:
    """A hook says who a user is, not who may look inside."""

    async def authenticate(request: Request) -> str:
        if "authorization" in request.headers:
            return "ann"
        raise AccessDenied("sign in")

    settings: dict[str, Any] = {"authenticate": authenticate}
    async with open_gateway(**settings) as served:
        proxied = ["Authorization: Bearer ann", "X-Forwarded-For: 203.0.113.7"]
        assert (await get(served, PATH, *proxied))[0] == 403
        assert (await get(served))[0] == 200
