"""Users who come and go, and what is left of them."""

from __future__ import annotations

import pytest

from benchmarks.benchmark import ThrownOut
from benchmarks.provider_path.hour import flatness, hour_trial
from benchmarks.provider_path.inventory import Inventory


def test_memory_that_stays_is_flat_though_it_goes_up_and_down() -> None:
    found = flatness([(users, 1000.0 + users % 2) for users in range(100)])
    assert found["growth"] == pytest.approx(0, abs=0.11)
    assert found["slope"] == pytest.approx(0, abs=0.5)


def test_a_leak_of_a_kilobyte_for_each_user_is_seen() -> None:
    found = flatness([(users, 1000.0 + users) for users in range(100)])
    assert found["slope"] == pytest.approx(1000)
    assert found["growth"] == pytest.approx((1087 / 1012 - 1) * 100, abs=0.1)


def test_what_is_left_over_is_counted_of_each_kind() -> None:
    before = Inventory(tasks=5, actors=2, files=10, objects=1000)
    assert Inventory(tasks=5, actors=2, files=9, objects=2000).left_over(before) == 0
    assert Inventory(tasks=7, actors=3, files=9, objects=1000).left_over(before) == 3


@pytest.mark.parametrize("driver", ["agents", "bare_trio_websocket"])
def test_users_are_answered_and_leave_nothing(driver: str) -> None:
    """Each way to go is gone: ending the session, closing, breaking off, cancelling."""
    try:
        values = hour_trial(driver, 0.5, 1.5)
    except ThrownOut:
        return  # something else had the CPU; what was left is not said then
    assert values["users"] == 25
    assert values["left over"] == 0
