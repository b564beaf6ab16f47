"""Say honestly whether context was restored: the decision, in all its cases."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from realtime_actors.agents.memory import Seed
from realtime_actors.agents.restoration import known_calls, restored
from realtime_actors.events import HistoryItem, Note, ToolCallItem, UserText
from realtime_actors.providers import Capabilities

MODEL = Capabilities(text=True, images=True, tools=True, cancel=True, truncate=True, manual_turns=True)
TEXT: tuple[HistoryItem, ...] = (UserText("u1", "Hi"),)
CALL: tuple[HistoryItem, ...] = (*TEXT, ToolCallItem("f1", "c1", "look", "{}"))
NOTE: tuple[HistoryItem, ...] = (*TEXT, Note("n1", "So."))


def told(history: Any) -> Capabilities:
    return attrs.evolve(MODEL, history=history)


@pytest.mark.parametrize(
    ("how", "seed", "state"),
    [
        ("items", Seed(CALL), "full"),
        ("items", Seed(CALL, complete=False), "partial"),
        ("items", Seed(), "full"),  # nothing was said
        ("items", Seed(complete=False), "none"),  # and nothing of it is kept
        ("turns", Seed(TEXT), "full"),
        ("turns", Seed(TEXT, complete=False), "partial"),
        ("turns", Seed(CALL), "partial"),
        ("turns", Seed(NOTE), "partial"),
        ("instructions", Seed(TEXT), "partial"),
        ("none", Seed(TEXT), "none"),
        ("none", Seed(), "full"),
    ],
)
def test_a_new_session(how: str, seed: Seed, state: str) -> None:
    assert restored(seed, told(how), remembers=False) == state


def test_a_session_that_the_provider_goes_on_with() -> None:
    assert restored(Seed(CALL, complete=False), told("none"), remembers=True) == "full"
    assert restored(Seed(CALL, since=TEXT), told("turns"), remembers=True) == "partial"


@pytest.mark.parametrize(
    ("how", "known"), [("items", {"c1"}), ("turns", set[str]()), ("instructions", set[str]()), ("none", set[str]())]
)
def test_a_session_knows_the_calls_that_it_is_told_as_such(how: str, known: set[str]) -> None:
    assert known_calls(Seed(CALL), told(how)) == known
