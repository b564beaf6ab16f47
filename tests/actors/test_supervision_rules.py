"""The rules of supervision, which are plain code: against a plain model of what OTP's `supervisor` does."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.actors.supervision import (
    Backoff,
    Budget,
    GiveUp,
    Member,
    Outcome,
    Plan,
    RestartType,
    Strategy,
    Supervision,
    plan,
)

STRATEGIES: list[Strategy] = ["one_for_one", "one_for_all", "rest_for_one"]
RESTART_TYPES: list[RestartType] = ["permanent", "transient", "temporary"]


def is_due(restart: RestartType, outcome: Outcome) -> bool:
    """OTP's table of restart types, with a requested end beside its reasons of exit."""
    return {
        (Outcome.NORMAL, "permanent"): True,
        (Outcome.CRASHED, "permanent"): True,
        (Outcome.CRASHED, "transient"): True,
        # Only what had to be restarted can fail at it.
        (Outcome.START_FAILED, "permanent"): True,
        (Outcome.START_FAILED, "transient"): True,
    }.get((outcome, restart), False)


def model(strategy: Strategy, members: list[Member], name: str, outcome: Outcome) -> Plan:
    """The same, member by member."""
    position = [member.name for member in members].index(name)
    if not is_due(members[position].restart, outcome):
        return Plan(forget=(name,))
    stop: list[str] = []
    forget: list[str] = []
    start: list[str] = []
    for i, member in enumerate(members):
        if i == position:
            start.append(member.name)
            continue
        if strategy == "one_for_one" or (strategy == "rest_for_one" and i < position):
            continue
        if member.running:
            stop.insert(0, member.name)
        if member.restart != "temporary":
            start.append(member.name)
        elif member.running:
            # One that ended at the same time says itself how.
            forget.append(member.name)
    return Plan(tuple(stop), tuple(forget), tuple(start))


@st.composite
def ends(draw: st.DrawFn) -> tuple[list[Member], str, Outcome]:
    """A group, which of it has ended, and how."""
    kinds = draw(st.lists(st.tuples(st.sampled_from(RESTART_TYPES), st.booleans()), min_size=1, max_size=6))
    at = draw(st.integers(0, len(kinds) - 1))
    members = [Member(f"m{i}", kind, running and i != at) for i, (kind, running) in enumerate(kinds)]
    outcomes = [o for o in Outcome if o is not Outcome.START_FAILED or members[at].restart != "temporary"]
    return members, f"m{at}", draw(st.sampled_from(outcomes))


@given(st.sampled_from(STRATEGIES), ends())
def test_the_plan_is_that_of_the_model(strategy: Strategy, end: tuple[list[Member], str, Outcome]) -> None:
    members, name, outcome = end
    assert plan(strategy, members, name, outcome) == model(strategy, members, name, outcome)


@given(st.sampled_from(STRATEGIES), ends())
def test_stops_go_backwards_and_starts_forwards(strategy: Strategy, end: tuple[list[Member], str, Outcome]) -> None:
    members, name, outcome = end
    decided = plan(strategy, members, name, outcome)
    order = [member.name for member in members]
    running = {member.name for member in members if member.running}
    assert list(decided.stop) == sorted(decided.stop, key=order.index, reverse=True)
    assert list(decided.start) == sorted(decided.start, key=order.index)
    assert set(decided.stop) <= running
    assert not set(decided.start) & set(decided.forget)
    assert set(decided.stop) <= set(decided.start) | set(decided.forget)


@given(
    st.integers(0, 4),
    st.integers(0, 20),
    st.lists(st.integers(0, 12), max_size=30),
)
def test_the_window_slides(max_restarts: int, within: int, gaps: list[int]) -> None:
    """Never more than `max_restarts` restarts in the last `within` seconds, and none refused that could be."""
    supervision = Supervision(budget=Budget(max_restarts, within))
    members = [Member("a", "permanent", running=False)]
    restarts: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        decision = supervision.exited(members, "a", Outcome.CRASHED, now)
        if sum(now - at <= within for at in restarts) < max_restarts:
            assert decision == Plan(start=("a",))
            restarts.append(now)
        else:
            assert decision == GiveUp(max_restarts, within)


def test_an_end_that_needs_no_restart_costs_no_budget() -> None:
    supervision = Supervision("one_for_one", Budget(1, 10))
    for _ in range(5):
        members = [Member("a", "transient", running=False), Member("b", "permanent", running=True)]
        assert supervision.exited(members, "a", Outcome.NORMAL, 0) == Plan(forget=("a",))
    members = [Member("b", "permanent", running=False)]
    assert supervision.exited(members, "b", Outcome.CRASHED, 0) == Plan(start=("b",))


def test_a_group_restart_costs_one() -> None:
    supervision = Supervision("one_for_all", Budget(1, 10))
    members = [Member(name, "permanent", running=name != "a") for name in "abcdef"]
    assert isinstance(supervision.exited(members, "a", Outcome.CRASHED, 0), Plan)


def test_failed_restarts_cost_too() -> None:
    supervision = Supervision("one_for_one", Budget(2, 10))
    members = [Member("a", "transient", running=False)]
    assert isinstance(supervision.exited(members, "a", Outcome.CRASHED, 0), Plan)
    assert isinstance(supervision.exited(members, "a", Outcome.START_FAILED, 1), Plan)
    assert isinstance(supervision.exited(members, "a", Outcome.START_FAILED, 2), GiveUp)


def a_backoff(least: float, span: float, factor: float, jitter: float) -> Backoff:
    return Backoff(min=least, max=least + span, factor=factor, jitter=jitter)


@given(
    st.builds(
        a_backoff,
        st.floats(0, 100),
        st.floats(0, 1000),
        st.floats(1, 10),
        st.floats(0, 1),
    ),
    st.integers(0, 100_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_stays_between_its_bounds(backoff: Backoff, attempt: int, uniform: float) -> None:
    delay = backoff.delay(attempt, lambda: uniform)
    whole = attrs.evolve(backoff, jitter=0.0).delay(attempt)
    assert backoff.min <= whole <= backoff.max
    assert whole * (1 - backoff.jitter) <= delay <= whole


def delays(supervision: Supervision, ends: Sequence[tuple[float, Outcome]]) -> list[float]:
    found: list[float] = []
    for now, outcome in ends:
        decision = supervision.exited([Member("a", "permanent", running=False)], "a", outcome, now)
        assert isinstance(decision, Plan)
        found.append(decision.delay)
    return found


def test_the_delay_grows_and_begins_anew_after_a_quiet_time() -> None:
    supervision = Supervision(budget=Budget(100, 1), backoff=Backoff(min=1, max=10, reset_after=10))
    crashed = Outcome.CRASHED
    # Each restart comes at the crash plus the delay; quiet is counted from there.
    assert delays(supervision, [(0, crashed), (1, crashed), (3, crashed), (7, crashed)]) == [1, 2, 4, 8]
    assert delays(supervision, [(24.9, crashed)]) == [10]
    assert delays(supervision, [(44.9, crashed)]) == [1]


def test_a_start_that_fails_slowly_is_no_quiet_time() -> None:
    supervision = Supervision(budget=Budget(100, 1), backoff=Backoff(min=1, max=10, reset_after=10))
    slow = [(0, Outcome.CRASHED), (21, Outcome.START_FAILED), (43, Outcome.START_FAILED)]
    assert delays(supervision, slow) == [1, 2, 4]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_only_member_is_its_own_group(strategy: Strategy) -> None:
    decided = plan(strategy, [Member("a", "permanent", running=False)], "a", Outcome.CRASHED)
    assert decided == Plan(start=("a",))
