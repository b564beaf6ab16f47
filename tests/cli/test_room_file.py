"""The file of `serve --config`: what it makes, and what it says of mistakes."""

import re
import shlex
from pathlib import Path

import click
import pytest

import realtime_actors
from realtime_actors.cli.commands import commands
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.servers.room_file import LINGER, RoomFile, read_room_file
from realtime_actors.cli.servers.serving_rooms import configured_rooms
from realtime_actors.rooms import Addressed, Everyone, FloorLimits, Moderated, RaisedHands, RoundRobin

ROOT = Path(realtime_actors.__file__).parent.parent
EXAMPLE = ROOT / "examples" / "room.toml"
AGENT = 'agents = [{ name = "Alice" }]'


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's only."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


def written(directory: Path, content: str) -> Path:
    path = directory / "room.toml"
    path.write_text(content)
    return path


def read(directory: Path, content: str) -> RoomFile:
    return read_room_file(written(directory, content))


def mistakes(directory: Path, content: str) -> list[str]:
    path = written(directory, content)
    with pytest.raises(CommandFailed) as caught:
        configured_rooms(path)
    assert "sk-" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path} cannot be used:").removeprefix(f"{path}:").strip().split("\n  ")


def test_the_example() -> None:
    rooms = configured_rooms(EXAMPLE)
    assert list(rooms) == ["lobby", "panel"]
    lobby = rooms["lobby"].make()
    assert isinstance(lobby.policy, Addressed)
    assert isinstance(lobby.policy.fallback, RoundRobin)
    assert lobby.policy is not rooms["lobby"].make().policy  # it remembers what was
    assert lobby.limits == FloorLimits(agent_turns=2, silence=30)
    assert (lobby.settings.most_people, lobby.settings.return_within, lobby.settings.linger) == (8, 60, 300)
    assert lobby.turn_detection.silence_ms == 600
    assert [model.voice for model in rooms["lobby"].models] == ["marin", "cedar"]
    panel = rooms["panel"].make()
    assert isinstance(panel.policy, Moderated)
    assert panel.moderator is not None
    assert configured_rooms(EXAMPLE, 5.0)["lobby"].settings.return_within == 5.0


def test_the_one_in_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "rooms.md").read_text()
    [snippet] = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("GEMINI_API_KEY", "AIza")
    path = written(tmp_path, snippet)
    assert [agent.hears for agent in configured_rooms(path)["lobby"].agents()] == ["audio", "transcripts"]


@pytest.mark.parametrize("page", ["README.md", "docs/rooms.md", "examples/room.toml"])
def test_commands_in_the_documents(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are understood as they stand; what they do is tried elsewhere."""
    monkeypatch.chdir(ROOT)
    lines = re.findall(r"^(?:#   )?(?:\w+=\S+ )*realtime-actors (.*)", (ROOT / page).read_text(), re.MULTILINE)
    assert lines
    for line in lines:
        group: click.Command = commands
        name, *args = shlex.split(line, comments=True)
        while isinstance(group, click.Group):
            found = group.get_command(click.Context(group), name)
            assert found is not None
            group = found
            if isinstance(group, click.Group):
                name, *args = args
        group.make_context(name, args)


def test_what_is_left_out_and_said_elsewhere(tmp_path: Path) -> None:
    rooms = f"[rooms.a]\n{AGENT}\n[rooms.b]\n{AGENT}\nsettings = {{ linger = inf }}"
    file = read(tmp_path, f"[models.openai]\nvoice = 'ash'\n{rooms}")
    assert (file.rooms["a"].settings.linger, file.rooms["b"].settings.linger) == (LINGER, None)
    [model] = configured_rooms(tmp_path / "room.toml")["a"].models
    assert model.voice == "ash"


@pytest.mark.parametrize(
    ("policy", "kind"),
    [("everyone", Everyone), ("round_robin", RoundRobin), ("addressed", Addressed), ("raised_hands", RaisedHands)],
)
def test_policies(tmp_path: Path, policy: str, kind: type) -> None:
    path = written(tmp_path, f"[rooms.lobby]\npolicy = '{policy}'\n{AGENT}")
    assert isinstance(configured_rooms(path)["lobby"].make().policy, kind)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            f"[rooms.lobby]\npolcy = 'addressed'\n{AGENT}",
            "rooms.lobby.polcy is no setting; there are: agents, policy, fallback, moderator, limits, settings, "
            "turn_detection (did you mean policy?)",
        ),
        (
            f"[rooms.lobby]\npolicy = 'adressed'\n{AGENT}",
            "rooms.lobby.policy is 'adressed'; it must be one of: everyone, round_robin, addressed, raised_hands, "
            "moderated (did you mean addressed?)",
        ),
        ("[rooms.lobby]", "rooms.lobby.agents is missing"),
        ("[rooms.lobby]\nagents = [{}]", "rooms.lobby.agents[0].name is missing"),
        ("[rooms.lobby]\nagents = []", "rooms.lobby.agents is empty: a room has at least one agent"),
        ("[rooms.lobby]\nagents = 'Alice'", "rooms.lobby.agents is 'Alice'; it must be a list"),
        ("rooms = 3", "rooms is 3; it must be a table"),
        ("[models.openai]", "rooms is missing"),
        (f"[rooms.'a/b']\n{AGENT}", "rooms.'a/b' is no name of a room"),
        (
            f"[rooms.lobby]\n{AGENT}\nlimits = {{ agent_turns = 4.5 }}",
            "rooms.lobby.limits.agent_turns is 4.5; it must be a whole number",
        ),
        (
            f"[rooms.lobby]\n{AGENT}\nlimits = {{ silence = -1 }}",
            "rooms.lobby.limits.silence is -1.0; it must be 0 or more",
        ),
        (
            f"[rooms.lobby]\n{AGENT}\nturn_detection = {{ silence_ms = 3 }}",
            "rooms.lobby.turn_detection.silence_ms must be",
        ),
        (
            "[rooms.lobby]\nagents = [{ name = 'Bob', hears = 'all' }]",
            "rooms.lobby.agents[0].hears is 'all'; it must be one of: audio, transcripts",
        ),
        (
            "[rooms.lobby]\nagents = [{ name = 'Bob' }, { name = 'bob' }]",
            "rooms.lobby.agents[1].name is 'bob', as that of agents[0]",
        ),
        (f"[rooms.lobby]\npolicy = 'moderated'\n{AGENT}", "rooms.lobby.moderator is missing"),
        (f"[rooms.lobby]\nmoderator = {{}}\n{AGENT}", "rooms.lobby.moderator is for the policy moderated"),
        (f"[rooms.lobby]\nfallback = 'everyone'\n{AGENT}", "rooms.lobby.fallback is for the policies addressed and"),
        (f"[models.opnai]\n[rooms.lobby]\n{AGENT}", "models.opnai is no provider; there are: openai,"),
        (
            f"[models.openai]\napi_key = 'sk-1'\n[rooms.lobby]\n{AGENT}",
            "models.openai.api_key holds a key, and keys are not for this file: take it out, and set it in the "
            "environment: OPENAI_API_KEY",
        ),
        (
            "[rooms.lobby]\nagents = [{ name = 'A', provider = 'xai', url = 'wss://x.example/?api_key=sk-1' }]",
            "rooms.lobby.agents[0].url holds a key, and keys are not for this file: take it out, and set it in the "
            "environment: XAI_API_KEY",
        ),
        (
            "[rooms.lobby]\nagents = [{ name = 'Bob', provider = 'gemini' }]",
            "Bob of the room lobby: GEMINI_API_KEY or GOOGLE_API_KEY is not set",
        ),
        (
            "[rooms.lobby]\nagents = [{ name = 'Bob', tools = ['nowhere:tools'] }]",
            "Bob of the room lobby: tools nowhere:tools: nowhere cannot be imported",
        ),
        (
            f"[rooms.lobby]\n{AGENT}\nsettings = {{ most_agents = 0 }}",
            "the room lobby has 1 agents, more than rooms.lobby.settings.most_agents (0)",
        ),
    ],
)
def test_a_mistake(tmp_path: Path, content: str, says: str) -> None:
    [told] = mistakes(tmp_path, content)
    assert told.startswith(says)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = mistakes(tmp_path, "[rooms.lobby]\npolicy = 3\nagents = [{ name = 1 }, 2]\n[room.lobby]")
    assert sorted(told) == [
        "room is no setting; there are: rooms, models (did you mean rooms?)",
        "rooms.lobby.agents[0].name is 1; it must be a text",
        "rooms.lobby.agents[1] is 2; it must be a table",
        "rooms.lobby.policy is 3; it must be one of: everyone, round_robin, addressed, raised_hands, moderated",
    ]


def test_what_is_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="cannot be read: No such file"):
        read_room_file(tmp_path / "none.toml")
    with pytest.raises(CommandFailed, match=r"is no TOML: .*line 1"):
        read(tmp_path, "a = =")
