"""What a server says when it listens can be done as it stands."""

import re

import pytest
from console import Run, Start

from realtime_actors.cli.servers.addresses import connectable, everywhere


@pytest.mark.parametrize(
    ("url", "address", "version"),
    [
        ("ws://0.0.0.0:8000", "ws://127.0.0.1:8000", "4"),
        ("wss://[::]:8000/v1/realtime", "wss://[::1]:8000/v1/realtime", "6"),
        ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000", None),
        ("ws://[fe80::1]:80", "ws://[fe80::1]:80", None),
        ("ws://voice.example.org:80", "ws://voice.example.org:80", None),
    ],
)
def test_an_address_to_connect_to(url: str, address: str, version: str | None) -> None:
    assert connectable(url) == address
    assert re.findall(r"all IPv(\d) addresses of this machine", everywhere(url)) == ([version] if version else [])


COMMANDS = [
    (["demo"], r"talk --text .* --url (\S+)$"),
    (["serve"], r"talk --text .* --url (\S+)$"),
    (["simulate", "openai", "--brain", "scripted"], r"serve --provider openai --url (\S+)$"),
]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - for the length of a test
@pytest.mark.parametrize(("command", "try_it"), COMMANDS, ids=["demo", "serve", "simulate"])
def test_every_address(start: Start, run: Run, host: str, command: list[str], try_it: str) -> None:
    process = start(*command, "--host", host, "--port", "0", OPENAI_API_KEY="any")
    process.wait_for("Ctrl-C ends it")
    out = "".join(process.lines)
    assert out.count(f"addresses of this machine ({host})") == 1
    assert f"//{host}" not in out
    assert f"[{host}]" not in out
    found = re.search(try_it, out, re.MULTILINE)
    assert found
    assert re.search(r"//(127\.0\.0\.1|\[::1\]):\d+", found[1])
    if command == ["demo"]:
        assert run("talk", "--text", "hello", "--url", found[1]).code == 0
