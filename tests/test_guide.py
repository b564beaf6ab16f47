"""Every snippet of the guide runs, and does what the guide says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import realtime_actors
from realtime_actors import open_runtime

DOCS = Path(realtime_actors.__file__).parent.parent / "docs"
TEXT = (DOCS / "guide.md").read_text()


@pytest.fixture(scope="module")
def guide() -> dict[str, Any]:
    """All its snippets, as one file."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    for number, snippet in enumerate(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), 1):
        exec(compile(snippet, f"guide.md, snippet {number}", "exec"), namespace)  # noqa: S102 - it is our own
    return namespace


@pytest.mark.parametrize(
    ("function", "returns"),
    [
        ("captions_by_hand", ["Good morning."]),
        ("budget", ["crashed", True]),
        ("tree", ["desk", "desk.captions", "desk.reminder"]),
    ],
)
def test_what_trio_runs_returns_what_the_guide_says(guide: dict[str, Any], function: str, returns: list[Any]) -> None:
    assert f"`trio.run({function})` returns `{str(returns).replace(chr(39), chr(34))}`" in TEXT
    assert trio.run(guide[function]) == returns


def test_the_guide_s_test_passes_and_can_fail(guide: dict[str, Any]) -> None:
    guide["test_a_reminder_asks_every_minute"]()
    reminder = guide["Reminder"]

    def late(captions: str, seconds: float) -> Any:
        return reminder(captions, seconds + 2)

    guide["Reminder"] = late
    with pytest.raises(AssertionError, match="expected GetCaptions"):
        guide["test_a_reminder_asks_every_minute"]()
    guide["Reminder"] = reminder


def test_the_guide_s_actor_runs_beside_asyncio(guide: dict[str, Any]) -> None:
    assert asyncio.run(guide["in_a_service"]()) == ["Good morning."]


def test_the_guide_s_group_restarts_what_comes_after(guide: dict[str, Any]) -> None:
    guide["Captions"], captions = guide["Clumsy"], guide["Captions"]

    async def crash() -> list[int]:
        async with open_runtime() as runtime:
            await runtime.spawn(guide["Desk"]("friday"), name="desk")
            clumsy = runtime.find("desk.captions")
            assert clumsy is not None
            clumsy.tell(guide["Stumble"]())
            await trio.testing.wait_all_tasks_blocked()
            return [actor.restarts for actor in runtime.tree().actors]

    try:
        assert trio.run(crash) == [0, 1, 1]
    finally:
        guide["Captions"] = captions


def test_everything_it_defines_is_run(guide: dict[str, Any]) -> None:
    functions = set(re.findall(r"^(?:async )?def (\w+)", TEXT, re.MULTILINE))
    assert functions == {
        "captions_by_hand",
        "budget",
        "tree",
        "test_a_reminder_asks_every_minute",
        "in_a_service",
    }


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
