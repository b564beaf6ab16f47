"""The way from one thread to another, tried in one."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from realtime_actors.asyncio import CrossingFull
from realtime_actors.asyncio.crossing import Crossing


@attrs.define
class Loop:
    """Wakes when the test says so."""

    due: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    wake_ups: int = 0
    is_closed: bool = False

    def wake(self, function: Callable[[], None]) -> None:
        if self.is_closed:
            raise RuntimeError("closed")
        self.wake_ups += 1
        self.due.append(function)

    def turn(self) -> None:
        due, self.due = self.due, []
        for function in due:
            function()


def test_a_burst_takes_one_wake_up_and_keeps_its_order() -> None:
    loop, seen = Loop(), list[int]()
    crossing = Crossing(loop.wake, 1000)
    for number in range(50):
        crossing.put(seen.append, number)
    assert loop.wake_ups == 1
    loop.turn()
    assert seen == list(range(50))
    crossing.put(seen.append, 50)
    assert loop.wake_ups == 2


def test_a_flood_crosses_in_turns() -> None:
    loop, seen = Loop(), list[int]()
    crossing = Crossing(loop.wake, 1000)
    for number in range(150):
        crossing.put(seen.append, number)
    turns: list[int] = []
    while loop.due:
        loop.turn()
        turns.append(len(seen))
    assert turns == [64, 128, 150]
    assert seen == list(range(150))


def test_what_is_put_meanwhile_crosses_too() -> None:
    loop, seen = Loop(), list[str]()
    crossing = Crossing(loop.wake, 1000)

    def put_another(word: str) -> None:
        seen.append(word)
        crossing.put(seen.append, "second")

    crossing.put(put_another, "first")
    while loop.due:
        loop.turn()
    assert seen == ["first", "second"]


def test_the_bound_holds_for_what_asks_for_room() -> None:
    loop, seen = Loop(), list[int]()
    crossing = Crossing(loop.wake, 2)
    for number in range(2):
        crossing.put_if_room(seen.append, number)
    with pytest.raises(CrossingFull, match="2 messages are on their way"):
        crossing.put_if_room(seen.append, 2)
    crossing.put(seen.append, 3)
    assert (len(crossing), crossing.refused) == (3, 1)
    loop.turn()
    assert seen == [0, 1, 3]
    crossing.put_if_room(seen.append, 4)


def test_one_that_fails_is_logged_and_the_others_cross(caplog: pytest.LogCaptureFixture) -> None:
    loop, seen = Loop(), list[int]()
    crossing = Crossing(loop.wake, 1000)
    crossing.put(lambda _: 1 / 0, None)
    crossing.put(seen.append, 1)
    loop.turn()
    assert seen == [1]
    assert "failed on its way" in caplog.text


def test_where_nothing_runs_any_more_it_raises_and_keeps_nothing() -> None:
    loop, seen = Loop(is_closed=True), list[int]()
    crossing = Crossing(loop.wake, 1000)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            crossing.put(seen.append, 1)
        assert len(crossing) == 0
