"""How `top` lays out actors: what is shown first, what goes where there is little room."""

from typing import cast

import attrs
import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.actors import ActorStatistics, ActorTree
from realtime_actors.cli.commands.top import top
from realtime_actors.cli.watching.view import ORDERS, Sample, render

ROOT = ActorStatistics("lobby", "Lobby", "running", 1, 0, 0, 256, 3, 0, None, None, 10, 0)
ANN = attrs.evolve(ROOT, path="lobby.ann", kind="Guest", queued=7, queued_control=2, restarts=1, handled=500)
BOB = attrs.evolve(ROOT, path="lobby.bob", kind="Guest", dropped=9, handled=20, in_hand="Say", in_hand_s=1.25)
TREE = ActorTree((ROOT, ANN, BOB))

numbers = st.integers(0, 10**9)
words = st.text("abcdefgh-_0123", min_size=1, max_size=40)
actors = st.builds(
    ActorStatistics,
    path=st.lists(words, min_size=1, max_size=6).map(".".join),
    kind=words,
    state=st.sampled_from(["starting", "running", "restarting", "stopping"]),
    incarnation=numbers,
    queued=numbers,
    queued_control=numbers,
    capacity=numbers,
    peak=numbers,
    restarts=numbers,
    in_hand=st.none() | words,
    in_hand_s=st.none() | st.floats(0, 1e6),
    handled=numbers,
    dropped=numbers,
)


def test_the_tree_with_all_its_columns() -> None:
    frame = render(Sample(12, TREE), Sample(10, ActorTree((ROOT, attrs.evolve(ANN, handled=300)))))
    assert frame.summary == "3 actors, 3 running, 110 messages/s, 9 queued, 9 dropped, 1 restarts"
    assert frame.heading.split() == [
        *("actor", "class", "state", "msg/s", "handled", "mailbox", "peak", "dropped", "restarts", "in", "hand")
    ]
    assert [row.split() for row in frame.rows] == [
        ["lobby", "Lobby", "running", "0", "10", "0/256", "3", "0", "0"],
        ["ann", "Guest", "running", "100", "500", "+2", "7/256", "3", "0", "1"],
        ["bob", "Guest", "running", "10", "20", "0/256", "3", "9", "0", "Say", "1.2", "s"],
    ]
    assert frame.rows[1].startswith("  ann ")


def test_the_first_look_has_no_rates() -> None:
    assert "msg/s" not in render(Sample(1, TREE), None).heading
    assert "messages/s" not in render(Sample(1, TREE), None).summary


def test_a_name_that_another_actor_has_now_counts_from_zero() -> None:
    before = Sample(0, ActorTree((attrs.evolve(ROOT, handled=1000),)))
    assert render(Sample(2, ActorTree((ROOT,))), before).rows[0].split()[3] == "5.0"


@pytest.mark.parametrize(
    ("order", "first"),
    [("rate", "ann"), ("handled", "ann"), ("mailbox", "ann"), ("restarts", "ann"), ("dropped", "bob"), ("busy", "bob")],
)
def test_the_most_of_something_comes_first(order: str, first: str) -> None:
    rows = render(Sample(1, TREE), Sample(0, ActorTree((ROOT,))), order).rows
    assert rows[0].startswith(f"lobby.{first} ")


def test_what_is_left_out_is_said() -> None:
    frame = render(Sample(1, TREE), None, height=3)
    assert [row.split()[0] for row in frame.rows] == ["lobby", "and"]
    assert frame.rows[1] == "and 2 more"
    assert len(render(Sample(1, TREE), None, height=4).rows) == 3


def test_columns_go_before_names_are_cut_short() -> None:
    long = ActorTree((attrs.evolve(ROOT, path="gateway.0123456789abcdef0123456789abcdef.connection"),))
    frame = render(Sample(1, long), None, "handled", width=60)
    assert frame.rows[0].startswith("…")
    assert frame.rows[0].split()[0].endswith("abcdef.connection")
    assert frame.heading.split()[:2] == ["actor", "msg/s"]
    assert "mailbox" in frame.heading


@given(st.lists(actors, max_size=12), st.sampled_from(list(ORDERS)), st.integers(1, 200), st.integers(1, 15))
def test_it_fits_any_terminal(tree: list[ActorStatistics], order: str, width: int, height: int) -> None:
    sample = Sample(1, ActorTree(tuple(tree)))
    frame = render(sample, Sample(0, ActorTree(())), order, width=width, height=height)
    assert max(map(len, [frame.summary, frame.heading, *frame.rows])) <= width
    assert len(frame.rows) + 1 <= max(height, 2)


def test_the_command_offers_all_orders() -> None:
    """The command's help must not load what runs it, so it has a list of its own."""
    (choice,) = [each.type for each in top.params if each.name == "order"]
    assert isinstance(choice, click.Choice)
    assert [*cast("click.Choice[str]", choice).choices] == list(ORDERS)
