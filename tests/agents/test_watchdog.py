"""When a model is taken to have fallen silent, in plain code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agents.watchdog import Patience, Watchdog


def looks(watchdog: Watchdog, count: int, *, generating: bool = True, playing: bool = False) -> list[str | None]:
    return [watchdog.check(generating=generating, playing=playing) for _ in range(count)]


def test_silence_within_a_reply() -> None:
    watchdog = Watchdog(Patience(goes_on=20))
    assert watchdog.interval == 5
    assert looks(watchdog, 4) == [None, None, None, "the model has said nothing for 20 s in the middle of a reply"]


def test_a_reply_that_does_not_begin() -> None:
    watchdog = Watchdog(Patience(begins=40, goes_on=20))
    assert looks(watchdog, 7, generating=False) == [None] * 7
    problem = "the model has not begun the reply that it was asked for 40 s ago"
    assert watchdog.check(generating=False, playing=False) == problem


def test_every_piece_and_all_that_is_played_begin_the_count_anew() -> None:
    watchdog = Watchdog(Patience(goes_on=20))
    looks(watchdog, 3)
    watchdog.heard = True
    assert looks(watchdog, 4) == [None] * 4
    assert looks(watchdog, 1, playing=True) == [None]
    assert looks(watchdog, 3) == [None] * 3
    watchdog.begin()
    assert looks(watchdog, 3) == [None] * 3
    assert looks(watchdog, 1) != [None]


def test_either_patience_can_be_endless() -> None:
    assert Watchdog(Patience(begins=None, goes_on=None)).interval is None
    watchdog = Watchdog(Patience(begins=None, goes_on=20))
    assert looks(watchdog, 100, generating=False) == [None] * 100
    watchdog = Watchdog(Patience(begins=10, goes_on=None))
    assert looks(watchdog, 100) == [None] * 100


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_patience_that_makes_no_sense(seconds: float) -> None:
    with pytest.raises(ValueError, match="begins"):
        Patience(begins=seconds)
    with pytest.raises(ValueError, match="goes_on"):
        Patience(goes_on=seconds)


@given(st.floats(0.1, 1000), st.lists(st.booleans(), max_size=40))
def test_it_never_speaks_too_early_and_never_much_too_late(seconds: float, heard: list[bool]) -> None:
    """`heard` is whether there was anything between two looks."""
    watchdog = Watchdog(Patience(begins=None, goes_on=seconds))
    interval = watchdog.interval
    assert interval is not None
    silent = 0
    for each in heard:
        watchdog.heard = each
        silent = 0 if each else silent + 1
        problem = watchdog.check(generating=True, playing=False)
        assert (problem is not None) == (silent * interval >= seconds - 1e-6)
        if problem is not None:
            return
