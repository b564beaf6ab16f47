"""How often and how soon a session is opened again, in plain code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.actors import Backoff
from realtime_actors.providers.reconnection import Attempts, Reconnection, Spent, retry_after

STEADY = Reconnection(backoff=Backoff(min=0.25, max=8, factor=2))


def test_the_pauses_grow_and_the_attempts_after_one_drop_are_bounded() -> None:
    attempts = Attempts(STEADY)
    pauses: list[float | Spent] = []
    for now in range(5):
        attempts.begin(now)
        pauses.append(attempts.next(now))
    assert pauses == [0.25, 0.5, 1, 2, Spent("in 5 attempts")]
    attempts.lasted()
    assert attempts.next(5) == 0.25


def test_the_attempts_of_a_conversation_are_bounded_within_a_time() -> None:
    attempts = Attempts(attrs.evolve(STEADY, most=3, within=100))
    for now in (0, 10, 20):
        attempts.begin(now)
        attempts.lasted()
    assert attempts.next(20) == Spent("in 3 attempts within 100 s")
    assert attempts.are_spent(99.9)
    assert attempts.next(100) == 0.25  # the first is forgotten


def test_a_provider_that_wants_to_be_left_alone_is_up_to_a_bound() -> None:
    attempts = Attempts(STEADY)
    attempts.begin(0)
    assert attempts.next(0, 7) == 7
    assert attempts.next(0, 0.1) == 0.25
    assert attempts.next(0, 3600) == 30


@given(
    lasting=st.lists(st.tuples(st.floats(0, 50), st.booleans()), max_size=60),
    attempts=st.integers(1, 6),
    most=st.integers(1, 20),
    within=st.floats(1, 500),
    jitter=st.floats(0, 1),
    uniform=st.floats(0, 1),
    asked_for=st.none() | st.floats(0, 1e9),
)
def test_no_bound_is_ever_exceeded(
    *,
    lasting: list[tuple[float, bool]],
    attempts: int,
    most: int,
    within: float,
    jitter: float,
    uniform: float,
    asked_for: float | None,
) -> None:
    backoff = Backoff(min=0.25, max=8, factor=2, jitter=jitter)
    policy = Reconnection(backoff=backoff, attempts=attempts, most=most, within=within)
    tried = Attempts(policy, lambda: uniform)
    now, in_a_row, began = 0.0, 0, list[float]()
    for seconds, lasted in lasting:
        tried.begin(now)
        in_a_row += 1
        began.append(now)
        now += seconds
        if lasted:
            tried.lasted()
            in_a_row = 0
        recent = sum(begin > now - within for begin in began)
        assert tried.recent(now) == recent
        assert in_a_row <= attempts
        delay = tried.next(now, asked_for)
        if isinstance(delay, Spent):
            assert in_a_row == attempts or recent >= most
            return
        assert in_a_row < attempts
        assert recent < most
        assert 0 <= delay <= max(8, policy.longest_wait)
        assert delay >= min(asked_for or 0, policy.longest_wait)
        now += delay


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (429, "7", 7),
        (503, " 120 ", 120),
        (429, format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (503, format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        (429, "Mon, 23 Nov 2026 12:00:05", 5),
        (429, "", None),
        (429, "soon", None),
        (429, "-1", None),
        (429, "1.5", None),
        (429, "٣", None),
        (500, "7", None),
        (401, "7", None),
    ],
)
def test_what_a_busy_server_asks_for(status: int, said: str, seconds: float | None) -> None:
    assert retry_after(status, {"retry-after": said}, NOW) == seconds


def test_a_server_that_asks_for_nothing() -> None:
    assert retry_after(429, {}) is None


DATES = st.from_regex(r"[A-Za-z]{3}, \d+ [A-Za-z]{3} \d+ [\d:]+ ?\S*")


@given(st.sampled_from([429, 503]), st.text(max_size=60) | DATES)
def test_whatever_a_server_asks_for_makes_sense_or_is_passed_over(status: int, said: str) -> None:
    seconds = retry_after(status, {"retry-after": said})
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize(
    "fields", [{"attempts": 0}, {"most": 0}, {"within": -1}, {"ready_timeout": -1}, {"keep_audio": -1}]
)
def test_bounds_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Reconnection(**fields)  # pyright: ignore[reportArgumentType] - some of them are whole numbers
