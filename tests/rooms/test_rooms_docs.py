"""What the page on rooms shows runs, and its policy does what it says."""

import re
from pathlib import Path
from typing import Any

from rooms_kit import Voice

import realtime_actors
from realtime_actors.rooms import Floor, FloorLimits, Grant, Played

PAGE = (Path(realtime_actors.__file__).parent.parent / "docs" / "rooms.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(number: int) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "rooms"}
    exec(compile(SNIPPETS[number], "rooms.md", "exec"), namespace)  # noqa: S102 - it is our own
    return namespace


async def test_the_room_s_snippet_runs(autojump_clock: Any) -> None:
    agents = [Voice("Alice").agent().agent, Voice("Bob", ["I agree."], "gemini").agent().agent]
    assert await run(0)["converse"](agents) == ["Ann: Bob, what do you think?", "Bob: I agree."]


def test_what_a_page_links_to_is_there() -> None:
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in PAGE.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_the_mixer_s_snippet_runs() -> None:
    namespace = run(1)
    assert {name: len(frame.pcm) for name, frame in namespace["frames"].items()} == {"ann": 1920, "alice": 640}
    assert namespace["cut"] == (Played("item_1", 20.0, 1000.0),)


def test_the_floor_s_snippet_runs() -> None:
    assert run(2)["floor"].holders == ()


def test_the_policy_does_what_it_says() -> None:
    floor = Floor(run(3)["Panel"](host="host"), FloorLimits(agent_turns=9))
    floor.person_joined("ann", 0.0)
    for agent in ("host", "alice", "bob"):
        floor.agent_joined(agent, 0.0)
    effects = floor.person_wrote("ann", "Alice, what is this?", 1.0)
    order: list[str] = []
    for text in ("Bob and Alice will tell us.", "Well…", "I, Alice, agree.", "Thank you."):
        (grant,) = effects
        assert isinstance(grant, Grant)
        order.append(grant.agent)
        effects = floor.agent_ended(grant.agent, grant.number, 2.0, text)
    assert (order, effects) == (["host", "bob", "alice", "host"], [])
