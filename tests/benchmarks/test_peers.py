"""The comparison with peers, with a floor in the peer's place: nothing is installed here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import click.testing
import pytest

from benchmarks import chart, report
from benchmarks.__main__ import main
from benchmarks.benchmark import Failed, ThrownOut
from benchmarks.machine import look
from benchmarks.peers.catalogue import AGENTSCOPE_1, FLOOR, GROUP, OURS, PEERS, Peer, benchmarks
from benchmarks.peers.environments import Environment, default_directory
from benchmarks.peers.goals import BEST_PEER, Goal, comparison, outcomes, table
from benchmarks.peers.trials import conversation_trial, interruption_trial
from benchmarks.provider_path.load import Load
from benchmarks.provider_path.processes import Driver
from benchmarks.provider_path.trial import trial
from benchmarks.runner import Result, play

STUB = Driver("benchmarks.peers.drivers.floor_trio_websocket", lambda: sys.executable)
OWN = Driver("benchmarks.peers.drivers.own")


class _Here(Environment):
    """This one."""

    def python(self, directory: Path, tell: Callable[[str], None]) -> str:
        return sys.executable


class _NotHere(Environment):
    def python(self, directory: Path, tell: Callable[[str], None]) -> str:
        raise Failed("it cannot be installed: no such package")


@pytest.mark.parametrize("load", [Load("stream", 2, 2, 5), Load("hear", 2, 2, 5)])
def test_a_peer_s_driver_hears_and_speaks(load: Load) -> None:
    """What the rest of the machine does may throw it out; a driver that does not do its work is `Failed`."""
    try:
        values = trial(load, STUB)
    except ThrownOut:
        return
    assert values["cpu"] > 0


def test_nothing_of_a_flood_is_heard_after_the_end_of_a_reply_that_was_interrupted() -> None:
    assert interruption_trial(OWN) == {"after the end": 0, "after the call": pytest.approx(0, abs=400), "cancels": 1}


def test_what_comes_after_an_interruption_is_counted() -> None:
    """The floor tells of no end, and gives its reader whatever the socket has."""
    found = interruption_trial(STUB)
    assert found["after the end"] == found["after the call"] > 0
    assert found["cancels"] == 1


@pytest.mark.parametrize("driver", [STUB, OWN])
def test_each_other_agent_of_a_room_is_appended_what_one_says(driver: Driver) -> None:
    try:
        values = conversation_trial(driver, 2, quick=True)
    except ThrownOut:
        return
    assert values["cpu"] > 0


def test_a_driver_s_last_words_are_the_reason_for_its_failure() -> None:
    broken = Driver("benchmarks.peers.drivers.openai_agents", lambda: sys.executable)  # it is not installed here
    with pytest.raises(Failed, match="No module named 'agents'"):
        trial(Load("stream", 1, 1, 1), broken)


def test_a_peer_that_cannot_be_installed_is_reported_with_the_reason_and_has_no_figure(tmp_path: Path) -> None:
    peers = [
        Peer("stub", "floor_trio_websocket", _Here("stub", ()), 10),
        Peer("missing", "openai_agents", _NotHere("missing", ()), 10),
    ]
    (chosen,) = [each for each in benchmarks(tmp_path, print, peers) if each.name == "interruption under a flood"]
    theirs = attrs.evolve(chosen, contestants=[each for each in chosen.contestants if each.name in {"stub", "missing"}])
    (result,) = play([theirs], 1, quick=True, tell=lambda _: None)
    assert result.failed == ["missing, round 1: it cannot be installed: no such package"]
    assert result.values("missing", "after the end") is None
    assert result.values("stub", "after the end") is not None


def test_an_environment_that_is_complete_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    environment = Environment("peer", ("nothing==1.0",))
    place = tmp_path / f"peer-{sys.version_info.major}.{sys.version_info.minor}"
    place.mkdir()
    (place / "complete.txt").write_text(environment.wanted, encoding="utf-8")
    assert environment.python(tmp_path, told.append).startswith(str(place))
    assert not told
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "realtime-actors" / "peers"


# -- the goals

PEER = PEERS[1].name


def _report(*results: Result) -> report.Report:
    return report.Report(
        machine=look(), rounds=2, quick=True, seconds=1.0, load_after=(0.0, 0.0, 0.0), results=list(results)
    )


def _result(name: str, measure: str, more_is_better: bool = False, **values: tuple[float, ...]) -> Result:
    names = {"ours": OURS, "floor": FLOOR, "agentscope": AGENTSCOPE_1, "peer": PEER}
    count = max(map(len, values.values()))
    return Result(
        group=GROUP,
        name=name,
        case="",
        about="It.",
        measures={measure: "µs"},
        baseline=FLOOR,
        contestants=[names[each] for each in values],
        ours=[OURS],
        rounds=[
            {names[who]: {measure: found[index]} for who, found in values.items() if index < len(found)}
            for index in range(count)
        ],
        thrown_out=[],
        more_is_better=more_is_better,
    )


def test_a_goal_is_the_median_of_the_ratios_within_rounds() -> None:
    made = _report(_result("flood", "cpu", ours=(10.0, 30.0, 12.0), agentscope=(20.0, 30.0, 20.0)))
    (near, far) = outcomes(
        made, [Goal("x", "flood", "cpu", 0.6, AGENTSCOPE_1), Goal("x", "flood", "cpu", 0.5, AGENTSCOPE_1)]
    )
    assert near.ratio == pytest.approx(0.6)
    assert (near.met, far.met) == (True, False)


def test_the_best_peer_is_that_of_each_round_and_of_more_the_one_with_most() -> None:
    made = _report(
        _result("carried", "sessions", True, ours=(300.0, 300.0), agentscope=(200.0, 100.0), peer=(100.0, 150.0))
    )
    goals = [Goal("x", "carried", "sessions", bound, BEST_PEER, at_least=True) for bound in (1.5, 2.0)]
    assert [(each.ratio, each.met) for each in outcomes(made, goals)] == [(1.75, True), (1.75, False)]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    made = _report(_result("flood", "cpu", ours=(10.0,)))
    unknown = outcomes(
        made, [Goal("x", "flood", "cpu", 0.5, AGENTSCOPE_1), Goal("x", "room", "cpu", 0.5, AGENTSCOPE_1)]
    )
    assert [each.met for each in unknown] == [None, None]
    assert table(made).count("not measured") > 10
    assert "| 10 µs " in comparison(made)


def test_a_goal_without_a_peer_is_a_plain_bound() -> None:
    made = _report(_result("after", "deltas", ours=(0.0, 0.0), agentscope=(900.0, 800.0)))
    (outcome,) = outcomes(made, [Goal("x", "after", "deltas", 0.0)])
    assert outcome.met


def test_the_page_of_charts_has_the_goals_and_how_to_do_it_again() -> None:
    page = chart.index(_report(_result("flood", "cpu", ours=(10.0,), agentscope=(20.0,))))
    assert "python -m benchmarks --peers --json results.json" in page
    assert "| flood, CPU per delta, 1 session" in page
    assert "![flood](flood.svg)" in page


def test_the_command_says_what_there_is_without_installing_anything(tmp_path: Path) -> None:
    run = click.testing.CliRunner().invoke(main, ["--peers", "--list", "--environments", str(tmp_path / "none")])
    assert "sessions per core" in run.output
    assert not (tmp_path / "none").exists()
    run = click.testing.CliRunner().invoke(main, ["--peers", "--check"])
    assert run.exit_code == 2
    assert "does not go with --peers" in run.output
