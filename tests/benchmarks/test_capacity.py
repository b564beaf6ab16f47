"""How the most sessions that a core carries are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.benchmark import ThrownOut
from benchmarks.provider_path.capacity import most_carried


@given(st.integers(1, 2000), st.floats(0.5, 2.0), st.sampled_from([1.1, 1.3]))
def test_what_is_found_is_carried_and_little_more_is_not(truth: int, guess: float, step: float) -> None:
    """From any guess that is not far off; to 6 %, or one session."""
    tried: list[int] = []

    def carries(sessions: int) -> bool:
        tried.append(sessions)
        return sessions <= truth

    try:
        found = most_carried(carries, max(1, round(truth * guess)), step)
    except ThrownOut:
        assert not 0.7 < guess < 1.4  # too far for eight tries
        return
    assert found <= truth <= max(found, found * 1.06)
    assert len(tried) == len(set(tried)) <= 8


def test_a_search_from_the_last_answer_takes_three_tries() -> None:
    tried: list[int] = []

    def carries(sessions: int) -> bool:
        tried.append(sessions)
        return sessions <= 300

    assert most_carried(carries, 300, 1.1) == 300
    assert tried == [300, 330, 315]


@pytest.mark.parametrize("carried", [True, False])
def test_a_search_that_leads_nowhere_ends(carried: bool) -> None:
    with pytest.raises(ThrownOut, match="did not find"):
        most_carried(lambda _: carried, 100, 1.3)
