"""`serve --config`, with real processes, as the example's first lines say."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from console import Process, Start

import realtime_actors
from realtime_actors.cli.commands import commands

EXAMPLE = Path(realtime_actors.__file__).parent.parent / "examples" / "room.toml"
PATIENCE = 60.0
SCRIPT = """
ms_per_character = 10
[[default]]
say = "Hello."
"""


def test_the_example_is_served_by_two_workers(start: Start, tmp_path: Path) -> None:
    """All people of a room meet in one of them."""
    script = tmp_path / "script.toml"
    script.write_text(SCRIPT)
    simulator = start("simulate", "openai", "--port", "0", "--script", str(script), "--speed", "0")
    base = simulator.wait_for(r"(ws://127\.0\.0\.1:\d+/v1)/realtime", PATIENCE)[1]
    server: Process = start(
        "serve", "--config", str(EXAMPLE), "--port", "0", "--workers", "2", OPENAI_API_KEY="any", OPENAI_BASE_URL=base
    )
    url = server.wait_for(rf"The rooms of {EXAMPLE} are at (ws://127\.0\.0\.1:\d+)/ws/PERSON/ROOM:\n", PATIENCE)[1]
    server.wait_for(r"  lobby: Alice \(gpt-realtime\), Bob \(gpt-realtime\); addressed\n", PATIENCE)
    server.wait_for("Ctrl-C ends it", PATIENCE)
    ann = start("talk", "--room", "lobby", "--as", "Ann", "--url", url)
    ann.wait_for(r"lobby: Alice, Bob \(agents\); Ann \(you\)\n", PATIENCE)
    ben = start("talk", "--room", "lobby", "--as", "Ben", "--text", "Good morning, Bob", "--url", url).end(PATIENCE)
    assert (ben.code, ben.err) == (0, "")
    assert "Ben       Good morning, Bob\nfloor     Bob\nBob       Hello.\n" in ben.out
    lost = start("talk", "--room", "attic", "--as", "Cid", "--text", "hello", "--url", url).end(PATIENCE)
    assert (lost.code, lost.error) == (1, "there is no room 'attic'; there are: lobby, panel.")
    ann.wait_for("Ben has joined\nBen       Good morning, Bob\nfloor     Bob\nBob       Hello.\n", PATIENCE)
    server.interrupt()
    assert server.end(PATIENCE).code == 130
    ended = ann.end(PATIENCE)
    assert ended.code == 1
    assert ended.error == "the room has ended: the server is stopping."


def test_a_typo_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "room.toml"
    path.write_text('[rooms.lobby]\nagents = [{ name = "Alice" }]\npolcy = "everyone"\n')
    ended = start("serve", "--config", str(path)).end(PATIENCE)
    assert (ended.code, ended.out) == (1, "")
    assert ended.error == (
        f"{path} cannot be used: rooms.lobby.polcy is no setting; there are: agents, policy, fallback, moderator, "
        "limits, settings, turn_detection (did you mean policy?)."
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["serve", "--config", "room.toml", "--voice", "ash"], "--voice is not for --config"),
        (["serve", "--config", "room.toml", "--provider", "xai"], "--provider is not for --config"),
        (["demo", "--room", "a/b"], "'a/b' is no name of a room"),
        (["demo", "--room", "--turn-detection", "local"], "--turn-detection is not for --room"),
        (["demo", "--return-within", "-1"], "-1.0 is not in the range"),
    ],
)
def test_wrong_usage(args: list[str], says: str) -> None:
    result = CliRunner().invoke(commands, args)
    assert result.exit_code == 2
    assert says in result.output
