"""What cannot be done is said in one sentence, with exit code 1, or 2 for wrong usage."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from console import DATA, Run, Start, environment

from realtime_actors.cli.commands import commands
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.servers.tools import load_tools
from realtime_actors.cli.talking.conversation import Plan, hold
from realtime_actors.cli.talking.frontend import address_of, connect, in_words
from realtime_actors.events import ClientSessionCreate, ServerSessionCreated, decode_server, encode_json
from realtime_actors.gateway import GatewaySettings
from realtime_actors.simulators.script import read_script
from realtime_actors.transports import ConnectionClosed, TrioWebSocketTransport, WebSocket

HELLO = str(DATA / "hello.wav")
SOMEWHERE = "ws://127.0.0.1:9"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no file"),
        (b"ID3 this is no WAV", "is not a WAV file"),
    ],
)
def test_a_file_that_is_no_wav(run: Run, tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "speech.wav"
    if content is not None:
        path.write_bytes(content)
    ended = run("talk", str(path), "--url", SOMEWHERE)
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.error


def test_no_server_at_the_url(run: Run) -> None:
    ended = run("talk", HELLO, "--url", SOMEWHERE)
    assert ended.code == 1
    assert ended.error.startswith("no server answers at 127.0.0.1:9: start `realtime-actors demo`")


def test_an_address_that_is_no_conversation(run: Run, demo: str) -> None:
    ended = run("talk", HELLO, "--url", f"{demo}/elsewhere")
    assert ended.code == 1
    assert "a gateway's is ws://HOST:PORT/ws/USER/SESSION" in ended.error


@pytest.mark.parametrize("url", ["", "127.0.0.1:eight", "ws://[", "ftp://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/"])
async def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(CommandFailed, match="WebSocket URL"):
        async with connect(address_of(url), None, connect_timeout=1):
            pass


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://127.0.0.1:8000/", r"ws://127\.0\.0\.1:8000/ws/cli/\w{12}"),
        ("127.0.0.1:8000", r"ws://127\.0\.0\.1:8000/ws/cli/\w{12}"),
        ("example.org/ws/me/first", r"ws://example\.org/ws/me/first"),
        ("https://example.org", r"wss://example\.org/ws/cli/\w{12}"),
        ("ws://127.0.0.1:8000/ws/me/first", r"ws://127\.0\.0\.1:8000/ws/me/first"),
    ],
)
def test_the_address_of_a_page_will_do(given: str, address: str) -> None:
    assert re.fullmatch(address, address_of(given))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1001, "is stopping"),
        (1006, "broke"),
        (1008, "closed the conversation: origin"),
        (1009, "takes no messages of this size"),
        (1013, "can take no more for now: origin; try again later"),
        (4999, "closed the conversation with code 4999: origin"),
    ],
)
def test_every_close_has_its_words(code: int, says: str) -> None:
    failed = in_words(ConnectionClosed(code, "origin"), "ws://host:1/ws/a/b?key=secret", None)
    assert says in str(failed)
    assert "secret" not in str(failed)


@pytest.mark.parametrize("option", ["--save", "--events"])
@pytest.mark.parametrize(("where", "says"), [("nowhere/file", "no such"), (".", "directory")], ids=str)
def test_files_that_cannot_be_written_are_refused_before_anything_is_said(
    run: Run, tmp_path: Path, option: str, where: str, says: str
) -> None:
    path = str(tmp_path / where)
    ended = run("talk", HELLO, "--url", SOMEWHERE, option, path)
    assert ended.code == 1
    assert f"{path} cannot be written" in ended.error
    assert says in ended.error.lower()
    assert option in ended.error


@pytest.mark.parametrize("name", ["reply.wav", "new.wav"])
async def test_a_reply_that_may_not_be_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # For root, as in a container, everything may be written: what is asked of the system is made up.
    (tmp_path / "reply.wav").touch()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(CommandFailed, match=r"cannot be written: it may not be written to; .* --save"):
        await hold(Plan(url=SOMEWHERE, text="hello", save=tmp_path / name))


def test_a_token_that_is_missing_or_wrong(start: Start, run: Run) -> None:
    secret = "a-secret-that-is-nowhere-shown"
    served = start("serve", "--port", "0", OPENAI_API_KEY="sk-also-secret", REALTIME_ACTORS_TOKEN=secret)
    url = served.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/")[1]
    missing = run("talk", HELLO, "--url", url)
    assert missing.code == 1
    assert "wants a token: give it with --token or in REALTIME_ACTORS_TOKEN" in missing.error
    wrong = run("talk", HELLO, "--url", url, "--token", "guessed")
    assert wrong.code == 1
    assert "does not accept this token" in wrong.error
    assert secret not in served.output + missing.err + wrong.err
    assert "sk-also-secret" not in served.output


def test_a_conversation_that_somebody_else_is_in(start: Start, run: Run, demo: str) -> None:
    url = f"{demo}/ws/me/taken"
    first = start("talk", "--text", "count to thirty", "--url", url)
    first.wait_for("you +count")
    ended = run("talk", "--text", "hello", "--url", url)
    assert ended.code == 1
    assert "somebody else is in this conversation" in ended.error


@pytest.mark.parametrize("command", ["demo", "serve"])
async def test_who_may_connect_and_how_many(start: Start, command: str) -> None:
    process = start(
        command, "--port", "0", "--allow-origin", "https://one.example", "--allow-origin", "https://two.example/",
        "--max-sessions", "1", OPENAI_API_KEY="any",
    )  # fmt: skip
    gateway = process.wait_for(r"(ws://127\.0\.0\.1:\d+)/ws/")[1]

    def connection(name: str, origin: str) -> AbstractAsyncContextManager[WebSocket]:
        return TrioWebSocketTransport().connect(f"{gateway}/ws/me/{name}", headers=[("Origin", origin)])

    with trio.fail_after(15):
        async with connection("a", "https://three.example") as websocket:
            with pytest.raises(ConnectionClosed, match="may not connect"):
                await websocket.receive()
        async with connection("b", "https://one.example") as websocket:
            await websocket.send(encode_json(ClientSessionCreate()))
            assert isinstance(decode_server(await websocket.receive()), ServerSessionCreated)
            async with connection("c", "https://two.example") as another:
                with pytest.raises(ConnectionClosed, match="all sessions are taken"):
                    await another.receive()


def test_as_many_may_talk_as_a_gateway_takes_by_itself() -> None:
    for command in ("demo", "serve"):
        option = next(each for each in commands.commands[command].params if each.name == "max_sessions")
        assert option.default == GatewaySettings().max_sessions


def test_a_busy_port(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in (["demo"], ["simulate", "openai", "--brain", "scripted"]):
            ended = run(*command, "--port", port)
            assert ended.code == 1
            assert ended.error == (
                f"cannot listen on 127.0.0.1:{port}: the port is in use; stop what listens there, or choose another "
                "with --port."
            )


def test_no_key(run: Run) -> None:
    ended = run("serve")
    assert ended.code == 1
    assert ended.error.startswith("OPENAI_API_KEY is not set")
    assert "realtime-actors demo" in ended.error


def test_a_provider_that_refuses_the_key_is_told_to_who_talks(start: Start, run: Run) -> None:
    simulator = start("simulate", "openai", "--port", "0", "--brain", "scripted")
    wire = simulator.wait_for(r"(ws://127\.0\.0\.1:\d+/v1/realtime)")[1]
    served = start("serve", "--port", "0", "--url", wire, OPENAI_API_KEY="bad-key-never-shown")
    url = served.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/")[1]
    ended = run("talk", "--text", "hello", "--url", url)
    assert ended.code == 1
    assert "OpenAI refuses: Incorrect API key provided" in ended.err
    assert "bad-key-never-shown" not in ended.err + ended.out + served.output


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere.at.all:tools", "nowhere.at.all cannot be imported"),
        ("realtime_actors.cli.servers.demo_tools", "write it as MODULE:NAME"),
        ("realtime_actors.cli.servers.demo_tools:_SKIES", "_SKIES is no tool"),
        ("realtime_actors.cli.servers.demo_tools:missing", "missing is no tool"),
    ],
)
def test_tools_that_cannot_be_loaded(path: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(CommandFailed, match=re.escape(says)):
        load_tools([path])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError: "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise RuntimeError", "RuntimeError"),
        ("raise ValueError('several\\nlines')", "ValueError: several lines"),
        ("import nowhere.at.all", "No module named 'nowhere'"),
    ],
)
def test_a_module_of_tools_that_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: str) -> None:
    (tmp_path / "broken_tools.py").write_text(source)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed, match=re.escape(f"broken_tools cannot be imported: {says}")):
        load_tools(["broken_tools:x"])


def test_the_traceback_of_tools_is_shown_with_v(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken_tools.py").write_text("raise SystemExit")
    command = ("serve", "--port", "0", "--tools", "broken_tools:x")
    ended = run(*command, cwd=tmp_path, OPENAI_API_KEY="any")
    assert (ended.code, ended.error) == (
        1, "--tools broken_tools:x: broken_tools cannot be imported: SystemExit.",
    )  # fmt: skip
    verbose = run(*command, "-v", cwd=tmp_path, OPENAI_API_KEY="any")
    assert verbose.code == 1
    assert 'broken_tools.py", line 1' in verbose.err


def test_tools_are_loaded_one_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert [tool.name for tool in load_tools(["realtime_actors.cli.servers.demo_tools:DEMO_TOOLS"])] == [
        "get_weather", "get_time", "get_date", "order_taxi",
    ]  # fmt: skip
    assert [tool.name for tool in load_tools(["realtime_actors.cli.servers.demo_tools:get_time"])] == ["get_time"]


def test_a_script_that_is_none(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text("[[replies]]\nparts = [{ sing = 'la' }]\n")
    ended = run("simulate", "openai", "--port", "0", "--script", str(script))
    assert ended.code == 1
    assert "replies[0].parts[0]" in ended.error


def test_a_missing_extra_is_named_with_the_line_that_installs_it() -> None:
    without = (
        "import sys; sys.modules['pocketsphinx'] = None; sys.argv = ['realtime-actors', *sys.argv[1:]]; "
        "import importlib.util as u; find = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'pocketsphinx' else find(name, *a); "
        "from realtime_actors.cli import main; main()"
    )
    for command in (["demo"], ["simulate", "openai"]):
        ended = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", without, *command, "--port", "0"],
            capture_output=True, text=True, env=environment(), timeout=20, check=False,
        )  # fmt: skip
        assert ended.returncode == 1
        assert "pip install 'realtime_actors[demo]'" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["talk", HELLO, "--sav", "x.wav"], "Did you mean"),
        (["tlk"], "Did you mean 'talk'"),
        (["demo", "--prot", "1"], "Did you mean"),
        (["demo", "--port", "65536"], "65536 is not in the range"),
        (["demo", "--speed", "nan"], "nan is not a number"),
        (["demo", "--allow-origin", "example.com"], "'example.com' is no site"),
        (["serve", "--allow-origin", "https://example.com/page"], "without a path"),
        (["serve", "--max-sessions", "0"], "0 is not in the range"),
        (["talk"], "Give a WAV file to say, or --text"),
        (["talk", HELLO, "--text", "hello"], "and not both"),
        (["talk", "--text", " "], "The text is empty"),
        (["talk", HELLO, "--timeout", "0"], "0"),
        (["serve", "--provider", "acme"], "'acme' is not"),
        (["simulate", "openai", "--brain", "speech", "--script", "x.toml"], "--script is for --brain scripted"),
    ],
)
def test_wrong_usage(args: list[str], says: str) -> None:
    ended = CliRunner().invoke(commands, args, env={"OPENAI_API_KEY": "sk-secret"})
    assert ended.exit_code == 2
    assert says in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("args", [[], ["demo"], ["serve"], ["simulate"], ["simulate", "openai"], ["talk"]])
def test_help_has_examples(args: list[str]) -> None:
    ended = CliRunner().invoke(commands, [*args, "--help"])
    assert ended.exit_code == 0
    assert "  realtime-actors " in ended.stdout


def test_the_script_in_the_help_is_one() -> None:
    shown = CliRunner().invoke(commands, ["simulate", "openai", "--help"]).stdout
    script = read_script(tomllib.loads(shown.partition("has all that it can hold):\n")[2]))
    assert (len(script.replies), len(script.default)) == (2, 1)


def test_the_console_script_answers_wrong_usage_with_2_and_help_with_0(run: Run) -> None:
    wrong = run("demo", "--prot", "1")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Did you mean" in wrong.err
    helped = run("--help")
    assert (helped.code, helped.err) == (0, "")


def test_help_loads_nothing_heavy() -> None:
    # The rest is for `realtime_actors/__init__.py` to hold.
    code = (
        "import sys, realtime_actors; before = set(sys.modules); import realtime_actors.cli.commands; "
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith('realtime_actors')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())  # noqa: S603
    loaded = {name.removeprefix("realtime_actors.cli").removeprefix(".commands") for name in done.stdout.split()}
    assert loaded == {"", ".demo", ".options", ".providers", ".serve", ".signals", ".simulate", ".talk", ".top"}


def test_a_reader_that_goes_away_is_no_error(demo: str) -> None:
    read, write = os.pipe()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "realtime_actors", "talk", "--text", "hello", "--url", demo],
        stdout=write, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    os.close(write)
    os.close(read)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == b""
