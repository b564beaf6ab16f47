"""A full room for a while: no delta lost or repeated, and nothing left of what is over."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from benchmarks.room_ten_minutes import converse


def test_eight_agents_and_eight_people_lose_nothing_and_leave_nothing() -> None:
    # `python -m benchmarks.room_ten_minutes` is the same for longer.
    report = trio.run(converse, 1.0, clock=MockClock(autojump_threshold=0))
    assert report.turns > 10
    assert report.interrupted > 0
    assert report.deltas > 300
    assert report.heard > 500
    assert report.tasks == 0
    # A thousand measures of turns are kept; of all else there is as much as there was, but for what is under way.
    more = {name: count for name, count in report.more.items() if not name.endswith("AgentTurnMeasured")}
    assert all(count <= 20 for count in more.values()), more
