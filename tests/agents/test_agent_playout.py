"""How much of an agent's speech was heard: by the clock, and as frontends report it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from realtime_actors.agents.playout import MOST_ITEMS, Heard, Playout, cutting, is_cutting
from realtime_actors.events import (
    Blob,
    DeleteItem,
    ModelResponseAudioDelta,
    ModelResponseAudioTranscriptDelta,
    TruncateItem,
)
from realtime_actors.providers import Capabilities

ALL = Capabilities(text=True, images=True, tools=True, cancel=True, truncate=True, delete=True, manual_turns=True)


def receive(playout: Playout, ms: float, now: float, item: str = "i1", response: str = "r1") -> None:
    """So much audio of an item comes, in one piece."""
    size = playout.received(ModelResponseAudioDelta(response, item, bytes(int(24 * ms) * 2)))
    if size:
        playout.look(size, now)


def heard(cut: list[Heard]) -> list[tuple[str, int, int]]:
    return [(each.item_id, each.heard_ms, each.received_ms) for each in cut]


def test_nothing_was_received() -> None:
    assert Playout().cut(0.0) == []


def test_by_the_clock_what_came_at_once_is_heard_at_its_pace() -> None:
    playout = Playout()
    receive(playout, 5000, 10.0)
    assert heard(playout.cut(11.25)) == [("i1", 1250, 5000)]
    assert playout.cut(11.25) == []


def test_never_more_than_was_received_though_the_clock_goes_on() -> None:
    """The rest may be on its way: the model is told where it was cut even if all that came was heard."""
    playout = Playout()
    receive(playout, 500, 0.0)
    assert heard(playout.cut(60.0)) == [("i1", 500, 500)]


def test_what_is_complete_and_was_heard_to_its_end_is_not_cut() -> None:
    playout = Playout()
    receive(playout, 500, 0.0)
    playout.item_done("i1")
    assert playout.cut(0.6) == []


def test_nothing_was_heard_in_the_moment_in_which_it_came() -> None:
    playout = Playout()
    receive(playout, 500, 1.0)
    assert heard(playout.cut(1.0)) == [("i1", 0, 500)]


def test_a_pause_in_what_comes_is_a_pause_in_what_is_heard() -> None:
    playout = Playout()
    receive(playout, 300, 0.0)
    receive(playout, 300, 2.0)  # the first 300 ms were over long before
    assert heard(playout.cut(2.1)) == [("i1", 400, 600)]


def test_items_are_heard_one_after_the_other() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    playout.item_done("i1")
    receive(playout, 1000, 0.1, "i2")
    receive(playout, 1000, 0.2, "i3", "r2")
    assert heard(playout.cut(1.4)) == [("i2", 400, 1000), ("i3", 0, 1000)]


def test_pieces_of_any_size_add_up() -> None:
    """The clock is not looked at for each of them."""
    playout = Playout()
    for index in range(100):
        receive(playout, 20, index * 0.004)
    assert heard(playout.cut(1.0)) == [("i1", 1000, 2000)]


@pytest.mark.parametrize("size", [2, 4, 6, 640, 642])
def test_base64_counts_as_its_bytes(size: int) -> None:
    playout = Playout()
    for _ in range(240):
        piece = ModelResponseAudioDelta("r1", "i1", Blob(base64=Blob(data=bytes(size)).base64))
        playout.look(playout.received(piece), 0.0)
    [cut] = playout.cut(600.0)
    assert cut.received_ms == 240 * size // 48


def test_what_a_frontend_reports_is_what_was_heard() -> None:
    playout = Playout()
    receive(playout, 5000, 0.0)
    playout.reported("i1", 700, False, 1.0)
    assert heard(playout.cut(1.5)) == [("i1", 700, 5000)]


def test_between_reports_it_goes_on() -> None:
    playout = Playout()
    receive(playout, 5000, 0.0)
    playout.reported("i1", 700, True, 1.0)
    assert heard(playout.cut(1.15)) == [("i1", 850, 5000)]


def test_what_is_held_stays_until_it_goes_on() -> None:
    playout = Playout()
    receive(playout, 5000, 0.0)
    playout.reported("i1", 700, False, 1.0)
    playout.reported("i1", 700, True, 3.0)
    receive(playout, 1000, 3.05)
    assert heard(playout.cut(3.1)) == [("i1", 800, 6000)]


def test_a_report_says_when_the_next_item_begins() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    receive(playout, 1000, 0.0, "i2")
    playout.reported("i1", 500, True, 2.0)
    assert heard(playout.cut(2.75)) == [("i1", 1000, 1000), ("i2", 250, 1000)]


def test_a_report_of_an_item_says_that_the_one_before_it_is_over() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    playout.item_done("i1")
    receive(playout, 1000, 0.0, "i2")
    playout.reported("i1", 400, False, 0.4)
    playout.reported("i2", 100, False, 0.5)
    assert heard(playout.cut(0.6)) == [("i2", 100, 1000)]


def test_reports_never_go_back_nor_beyond_what_came() -> None:
    """Of several frontends the furthest counts."""
    playout = Playout()
    receive(playout, 1000, 0.0)
    playout.reported("i1", 400, False, 1.0)
    playout.reported("i1", 300, False, 1.1)
    playout.reported("i1", -5, True, 1.1)
    playout.reported("unknown", 800, True, 1.1)
    assert heard(playout.cut(1.2)) == [("i1", 400, 1000)]
    receive(playout, 1000, 2.0, "i2")
    playout.reported("i2", 2**40, True, 2.0)
    assert heard(playout.cut(2.0)) == [("i2", 1000, 1000)]


def test_a_report_beyond_what_came_says_no_more_than_that_all_of_it_was_heard() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    playout.reported("i1", 2**40, True, 0.5)
    receive(playout, 1000, 0.5)
    playout.reported("i1", 1200, False, 0.8)
    assert heard(playout.cut(1.0)) == [("i1", 1200, 2000)]


def test_what_waits_behind_an_item_that_is_held_was_not_heard() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    receive(playout, 1000, 0.0, "i2")
    playout.reported("i1", 300, False, 0.3)
    assert heard(playout.cut(10.0)) == [("i1", 300, 1000), ("i2", 0, 1000)]


def test_one_reply_is_cut_and_another_goes_on() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0, "i1", "r1")
    receive(playout, 1000, 0.0, "i2", "r2")
    receive(playout, 1000, 0.0, "i3", "r3")
    assert heard(playout.cut(0.5, "r2")) == [("i2", 0, 1000)]
    assert heard(playout.cut(1.25)) == [("i1", 1000, 1000), ("i3", 250, 1000)]


def test_the_one_that_is_heard_is_cut_and_the_next_begins_at_once() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0, "i1", "r1")
    receive(playout, 1000, 0.0, "i2", "r2")
    assert heard(playout.cut(0.5, "r1")) == [("i1", 500, 1000)]
    assert heard(playout.cut(0.75)) == [("i2", 250, 1000)]


def test_who_was_told_the_end_of_a_reply_is_to_be_told_that_it_is_over() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0, "i1", "r1")
    playout.response_done("r1")
    receive(playout, 1000, 0.0, "i2", "r2")
    assert [(each.item_id, each.is_told) for each in playout.cut(0.5)] == [("i1", True), ("i2", False)]


def test_a_new_session_knows_nothing_of_what_is_still_heard() -> None:
    playout = Playout()
    receive(playout, 1000, 0.0)
    playout.session_lost()
    receive(playout, 1000, 0.0, "i2", "r2")
    lost, kept = playout.cut(0.5)
    assert (lost.is_told, lost.is_kept, cutting(lost, ALL, str)) == (True, False, None)
    assert (kept.is_told, kept.is_kept) == (False, True)


def word(playout: Playout, item: str = "i1", response: str = "r1") -> None:
    playout.worded(ModelResponseAudioTranscriptDelta(response, item, "Once "))


def test_of_words_that_are_ahead_of_their_sound_nothing_was_heard() -> None:
    playout = Playout()
    word(playout)
    word(playout, "i2")
    receive(playout, 1000, 0.0)
    assert heard(playout.cut(0.5)) == [("i1", 500, 1000), ("i2", 0, 0)]
    assert playout.cut(0.5) == []


def test_words_behind_their_sound_or_of_a_reply_that_is_over_say_nothing() -> None:
    playout = Playout()
    receive(playout, 100, 0.0)
    playout.item_done("i1")
    word(playout)
    word(playout, "i2", "r2")
    playout.response_done("r2")
    word(playout, "i3", "r3")
    assert heard(playout.cut(0.5, "r3")) == [("i3", 0, 0)]
    word(playout, "i4", "r4")
    playout.session_lost()
    assert playout.cut(0.5) == []


def test_only_so_many_items_are_kept() -> None:
    playout = Playout()
    for index in range(MOST_ITEMS + 3):
        receive(playout, 1000, 0.0, f"i{index}")
        word(playout, f"w{index}")
    cut = playout.cut(0.0)
    assert (len(cut), cut[0].item_id, cut[MOST_ITEMS].item_id) == (2 * MOST_ITEMS, "i3", "w3")


@pytest.mark.parametrize(
    ("heard_ms", "can", "told"),
    [
        (640, {"truncate": True, "delete": True}, TruncateItem("cut_1", "i1", 640)),
        (0, {"truncate": True, "delete": True}, DeleteItem("cut_1", "i1")),
        (0, {"truncate": True, "delete": False}, TruncateItem("cut_1", "i1", 0)),
        (0, {"truncate": False, "delete": True}, DeleteItem("cut_1", "i1")),
        (640, {"truncate": False, "delete": True}, None),
        (0, {"truncate": False, "delete": False}, None),
    ],
)
def test_the_model_is_told_what_it_can_be_told(heard_ms: int, can: dict[str, bool], told: object) -> None:
    capabilities = attrs.evolve(ALL, **can)
    command = cutting(Heard("r1", "i1", heard_ms, 900, False, True), capabilities, lambda: "1")
    assert command == told
    assert command is None or is_cutting(command.request_id)
    assert not is_cutting("ra_1")


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes and is reported: what was heard is within what came, and only grows until it is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout()
        self.now = 0.0
        self.received: dict[str, int] = {}
        self.furthest: dict[str, int] = {}
        self.count = 0

    @rule(ms=st.integers(0, 700), new=st.booleans(), seconds=st.floats(0, 1))
    def receive(self, ms: int, new: bool, seconds: float) -> None:
        self.now += seconds
        if new or not self.received:
            self.count += 1
            self.received[f"i{self.count}"] = 0
        item = f"i{self.count}"
        if item not in self.received:
            return
        self.received[item] += ms
        receive(self.playout, ms, self.now, item, f"r{self.count // 3}")

    @rule(data=st.data(), ms=st.integers(-100, 3000), playing=st.booleans(), seconds=st.floats(0, 1))
    def report(self, data: Any, ms: int, playing: bool, seconds: float) -> None:
        self.now += seconds
        item = data.draw(st.sampled_from([*self.received, "unknown"]))
        self.playout.reported(item, ms, playing, self.now)
        passed = [int(each[1:]) for each in self.furthest if self.furthest[each] > 0]
        if self.received.get(item) and int(item[1:]) >= max(passed, default=0):
            self.furthest[item] = max(self.furthest.get(item, 0), min(ms, self.received[item]))

    @rule(data=st.data(), some=st.booleans(), seconds=st.floats(0, 1))
    def cut(self, data: Any, some: bool, seconds: float) -> None:
        self.now += seconds
        response = f"r{self.count // 3}" if some else None
        cut = self.playout.cut(self.now, response)
        silent = False
        for each in cut:
            assert 0 <= each.heard_ms <= each.received_ms <= self.received[each.item_id]
            assert each.received_ms >= self.received[each.item_id] - 1
            assert not silent or each.heard_ms == 0, "something was heard after what was not heard to its end"
            assert each.heard_ms >= self.furthest.get(each.item_id, 0)
            silent = silent or each.heard_ms < each.received_ms - 1
        if response is None:
            assert self.playout.cut(self.now) == []
            self.received, self.furthest = {}, {}
        else:
            for item in [item for item in self.received if int(item[1:]) // 3 == self.count // 3]:
                del self.received[item]
                self.furthest.pop(item, None)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(
    pieces=st.lists(st.tuples(st.integers(1, 400), st.floats(0, 0.5)), min_size=1, max_size=40),
    later=st.floats(0, 10),
)
def test_the_clock_estimates_what_a_listener_hears(pieces: list[tuple[int, float]], later: float) -> None:
    """Within the audio for which the clock is looked at once, for each time that there was nothing to play."""
    playout, now, ends, played, dry = Playout(), 0.0, 0.0, 0.0, 0
    for ms, pause in pieces:
        now += pause
        dry += now > ends
        ends = max(ends, now) + ms / 1000
        played += ms
        receive(playout, ms, now)
    now += later
    expected = played - max(0.0, ends - now) * 1000
    [cut] = playout.cut(now)
    assert abs(cut.heard_ms - expected) <= 1 + 200 * dry
