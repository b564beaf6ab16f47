"""Being in the demo's room, each person in a process of its own."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from console import DATA, Process, Start, environment

from realtime_actors.audio import level_dbfs, read_wav
from realtime_actors.cli.commands import commands

PATIENCE = 60.0


@pytest.fixture(scope="module")
def room() -> Iterator[str]:
    """A demo's room, lobby; its gateway's URL."""
    process = Process("demo", "--room", "--port", "0", "--return-within", "1")
    try:
        found = process.wait_for(r"\n  (http://127\.0\.0\.1:\d+)/\?room=lobby&as=Ann\n  (\S+)\n", PATIENCE)
        assert found[2] == f"{found[1]}/?room=lobby&as=Ben"
        yield found[1]
        process.interrupt()
        assert (process.end().code, process.output.count("Traceback")) == (130, 0)
    finally:
        process.kill()


def test_two_people_and_two_agents(start: Start, room: str, tmp_path: Path) -> None:
    """One listens, another one speaks and writes; the agents answer, and one asks the other, aloud."""
    ann = start(
        "talk", "--room", "lobby", "--as", "Ann", "--url", room, "--hear-people", "--save", tmp_path / "ann.wav"
    )
    ann.wait_for(r"room +lobby: Alice, Bob \(agents\); Ann \(you\)\n", PATIENCE)
    ben = start("talk", str(DATA / "time.wav"), "--room", "lobby", "--as", "Ben", "--url", room).end(PATIENCE)
    assert (ben.code, ben.err) == (0, "")
    assert re.search(
        r"^room +lobby: Alice, Bob \(agents\); Ann, Ben \(you\)\nfloor +Ben speaks\n(?s:.*)^floor +Alice\n(?s:.*)"
        r"^Alice +It is \d+:\d\d in the ",
        ben.out,
        re.MULTILINE,
    )
    assert re.search(r"^Ben +what time is it$", ben.out, re.MULTILINE)
    ask = "Alice, ask Bob what time it is"
    cid = start(
        "talk", "--text", ask, "--room", "lobby", "--as", "Cid", "--url", room, "--save", tmp_path / "cid.wav"
    ).end(PATIENCE)
    assert (cid.code, cid.err) == (0, "")
    assert "room      this was said before:\nBen       what time is it\n" in cid.out
    assert f"Cid       {ask}\nfloor     Alice\nAlice     Bob, what time is it?\nfloor     Bob\n" in cid.out
    assert re.search(r"^Bob +It is \d+:\d\d in the ", cid.out, re.MULTILINE)
    ann.interrupt()
    ended = ann.end()
    assert (ended.code, ended.err) == (130, "")
    assert ended.seconds < 5
    for words in ("Ben has joined", "Ben has left", "Cid has joined", "Cid has left"):
        assert f"room      {words}\n" in ended.out
    assert "sound " in ended.out
    heard, of_cid = read_wav(tmp_path / "ann.wav"), read_wav(tmp_path / "cid.wav")
    assert (heard.rate, of_cid.rate) == (24000, 24000)
    assert 3000 < of_cid.duration_ms < heard.duration_ms  # which has the silences between, and Ben
    assert level_dbfs(heard.pcm[:24000]) > -40  # Ben, in the first half second
    assert level_dbfs(of_cid.pcm) > -35


def test_who_loses_the_connection_has_a_while_to_come_back(start: Start, room: str) -> None:
    ann = start("talk", "--room", "lobby", "--as", "Ann", "--url", room)
    ann.wait_for("Ann .you.", PATIENCE)
    ben = start("talk", "--room", "lobby", "--as", "Ben", "--url", room)
    ann.wait_for("Ben has joined", PATIENCE)
    ben.kill()
    ann.wait_for("room      Ben has lost the connection\nroom      Ben has(?: not come back| left)\n", PATIENCE)
    ann.interrupt()
    assert ann.end().code == 130


def test_what_is_typed_is_said_and_ctrl_d_leaves(room: str) -> None:
    command = [sys.executable, "-m", "realtime_actors", "talk", "--room", "lobby", "--as", "Dora", "--url", room]
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=slave, stdout=subprocess.PIPE, env=environment(), text=True
        ) as process:
            assert process.stdout is not None
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                if "Dora (you)" in line:
                    os.write(master, b"Bob, thanks\n")
                if line.startswith("Bob ") and "You are welcome." in line:
                    os.write(master, b"\x04")
            assert process.wait(5) == 0
        assert "Dora      Bob, thanks\n" in said
    finally:
        os.close(master)
        os.close(slave)


def test_an_unknown_room_and_a_name_that_is_taken(start: Start, room: str) -> None:
    ann = start("talk", "--room", "lobby", "--as", "Ann", "--url", room)
    ended = start("talk", "--room", "loby", "--as", "Ben", "--text", "hello", "--url", room).end(PATIENCE)
    assert (ended.code, ended.out) == (1, "")
    assert ended.error == "there is no room 'loby'; there is: lobby."
    ann.wait_for("Ann .you.", PATIENCE)
    ended = start("talk", "--room", "lobby", "--as", "Ann", "--text", "hello", "--url", room).end(PATIENCE)
    assert ended.code == 1
    assert ended.error == "somebody is in the room lobby as Ann already: come by another name (--as)."


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--room", "lobby", "--text", "hi"], "Say who you are in the room, for example --as Ann."),
        (["--room", "a/b", "--as", "Ann"], "'a/b' is no name of a room"),
        (["--as", "Ann", "--text", "hi"], "--as is not for one agent: it is for --room."),
        (["--room", "lobby", "--as", "Ann", "--interrupt-with", "x.wav"], "--interrupt-with is not for --room"),
    ],
)
def test_wrong_usage(args: list[str], says: str) -> None:
    result = CliRunner().invoke(commands, ["talk", *args])
    assert result.exit_code == 2
    assert says in result.output
