"""How rounds are played, judged and kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

import attrs
import click.testing
import pytest

from benchmarks import bounds, catalogue, chart, report
from benchmarks.__main__ import main
from benchmarks.benchmark import Benchmark, Contestant, Failed, Target, ThrownOut, Values
from benchmarks.machine import look
from benchmarks.runner import Result, play
from benchmarks.statistics import Spread


def _benchmark(*contestants: Contestant, targets: tuple[Target, ...] = ()) -> Benchmark:
    return Benchmark(
        group="g",
        name="hop",
        case="idle",
        about="A hop.",
        measures={"time": "µs", "p99": "ms"},
        baseline="bare",
        contestants=contestants,
        targets=targets,
    )


def _takes(name: str, *times: float, ours: bool = False) -> Contestant:
    rest = iter(times)
    return Contestant(name, lambda _: {"time": next(rest)}, ours)


def _result(*contestants: Contestant, rounds: int = 1, targets: tuple[Target, ...] = ()) -> Result:
    (result,) = play([_benchmark(*contestants, targets=targets)], rounds, quick=False, tell=lambda _: None)
    return result


def test_the_rounds_of_contestants_are_interleaved() -> None:
    played: list[str] = []

    def note(name: str) -> Callable[[bool], Values]:
        return lambda _: (played.append(name), {"time": 1.0})[1]

    _result(Contestant("a", note("a")), Contestant("b", note("b")), rounds=3)
    assert played == ["a", "b", "a", "b", "a", "b"]


def test_a_round_that_was_thrown_out_is_played_again_and_reported() -> None:
    numbers = count()

    def late_at_first(_: bool) -> Values:
        if not next(numbers):
            raise ThrownOut("the generator was late")
        return {"time": 2.0}

    result = _result(Contestant("a", late_at_first), _takes("bare", 1.0))
    assert result.thrown_out == ["a, round 1: the generator was late"]
    assert result.ratio("a", "time") == Spread(2.0, 2.0, 2.0)


def test_a_contestant_whose_rounds_were_all_thrown_out_has_no_value() -> None:
    def late(_: bool) -> Values:
        raise ThrownOut("the generator was late")

    result = _result(Contestant("a", late, ours=True), _takes("bare", 1.0), targets=(Target("a", "time", ratio=2.0),))
    assert result.values("a", "time") is None
    assert not result.outcomes()[0].met
    assert "no round of it counts" in report.table(_report(result))
    verdict = bounds.check([result], {result.label: {"a": {"time": 2.0}}})
    assert verdict.unmeasured == ["hop · idle: time of a: not measured: machine too busy"]
    assert verdict.problems == ["nothing could be measured: the machine was too busy all the time"]


@pytest.mark.parametrize(("time", "broken"), [(2.9, False), (3.1, True)])
def test_a_ratio_worse_than_its_bound_by_half_is_broken(time: float, broken: bool) -> None:
    result = _result(_takes("a", time), _takes("bare", 1.0))
    problems = bounds.check([result], {result.label: {"a": {"time": 2.0}}}).problems
    assert problems == (["hop · idle: time of a is 3.10 times bare, 2.00 were reached before"] if broken else [])


@pytest.mark.parametrize(("sessions", "broken"), [(140.0, False), (130.0, True)])
def test_where_more_is_better_a_ratio_less_by_half_is_broken(sessions: float, broken: bool) -> None:
    benchmark = attrs.evolve(_benchmark(_takes("a", sessions), _takes("bare", 100.0)), more_is_better=True)
    (result,) = play([benchmark], 1, quick=False, tell=lambda _: None)
    assert bool(bounds.check([result], {result.label: {"a": {"time": 2.0}}}).problems) is broken


def test_a_busy_machine_breaks_no_bound_where_others_could_be_measured() -> None:
    def late(_: bool) -> Values:
        raise ThrownOut("the generator was late")

    result = _result(Contestant("a", late), _takes("b", 2.0), _takes("bare", 1.0))
    verdict = bounds.check([result], {result.label: {"a": {"time": 2.0}, "b": {"time": 2.0}}})
    assert (len(verdict.unmeasured), verdict.held, verdict.problems) == (1, 1, [])


def test_a_contestant_that_does_not_do_its_work_breaks_its_bound() -> None:
    tries: list[bool] = []

    def crash(quick: bool) -> Values:
        tries.append(quick)
        raise Failed("it ended without a result")

    result = _result(Contestant("a", crash), _takes("b", 2.0), _takes("bare", 1.0))
    problems = bounds.check([result], {result.label: {"a": {"time": 2.0}, "b": {"time": 2.0}}}).problems
    assert problems == ["hop · idle: time of a could not be measured: a, round 1: it ended without a result"]
    assert len(tries) == 1
    assert "it ended without a result" in report.table(_report(result))


def test_a_target_that_is_no_ratio_is_checked_too() -> None:
    result = _result(_takes("a", 3.0), _takes("bare", 2.0), targets=(Target("a", "time", most=2.0),))
    assert bounds.check([result], {}).problems == ["hop · idle: time of a is 3 µs, more than 2"]


def test_every_benchmark_of_the_quick_check_has_bounds() -> None:
    known = bounds.load(bounds.BOUNDS)
    for benchmark in catalogue.select([], quick=True):
        for contestant in benchmark.contestants:
            if contestant.ours and contestant.quick and contestant.name != benchmark.baseline:
                assert next(iter(benchmark.measures)) in known[benchmark.label][contestant.name]


@pytest.mark.parametrize("quick", [True, False])
def test_the_bounds_of_what_quick_runs_are_those_of_quick(
    quick: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some of it is done in other numbers then, which gives other ratios."""
    benchmark = _benchmark(_takes("a", 3.0, ours=True), _takes("bare", 2.0))
    (result,) = play([benchmark], 1, quick=quick, tell=lambda _: None)
    monkeypatch.setattr(catalogue, "every", lambda: [benchmark])
    monkeypatch.setattr(bounds, "BOUNDS", tmp_path / "bounds.json")
    (tmp_path / "results.json").write_bytes(report.dump(attrs.evolve(_report(result), quick=quick)))
    done = click.testing.CliRunner().invoke(main, ["bounds", str(tmp_path / "results.json")])
    assert done.exit_code == 0
    assert bool(bounds.load(bounds.BOUNDS)) is quick


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., click.testing.Result]:
    """Runs `python -m benchmarks` on benchmarks of the test's own, whose bound is 2."""

    def run(*benchmarks: Benchmark) -> click.testing.Result:
        bounds.save(tmp_path / "bounds.json", {each.label: {"a": {"time": 2.0}} for each in benchmarks})
        monkeypatch.setattr(bounds, "BOUNDS", tmp_path / "bounds.json")
        monkeypatch.setattr(catalogue, "every", lambda: list(benchmarks))
        return click.testing.CliRunner().invoke(main, ["--quick", "--check", "--rounds", "1"])

    return run


def test_the_check_fails_for_what_is_worse_by_half_twice(command: Callable[..., click.testing.Result]) -> None:
    done = command(_benchmark(_takes("a", 3.1, 3.2, ours=True), _takes("bare", 1.0, 1.0)))
    assert done.exit_code == 1
    assert "worse than the stored bound: hop · idle: time of a is 3.20 times bare, 2.00 were reached" in done.stderr


def test_what_was_too_bad_once_is_measured_again(command: Callable[..., click.testing.Result]) -> None:
    done = command(_benchmark(_takes("a", 3.1, 2.1, ours=True), _takes("bare", 1.0, 1.0)))
    assert done.exit_code == 0
    assert "measured again: hop · idle" in done.stderr
    assert "1 bounds hold" in done.stderr


def test_bounds_are_kept_of_our_contestants_first_measure(tmp_path: Path) -> None:
    stored = bounds.of([_result(_takes("a", 3.0, ours=True), _takes("bare", 2.0), _takes("other", 1.0))])
    assert stored == {"hop · idle": {"a": {"time": 1.5}}}
    bounds.save(tmp_path / "bounds.json", stored)
    assert bounds.load(tmp_path / "bounds.json") == stored


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("a", "time", ratio=1.5), True),
        (Target("a", "time", ratio=1.4), False),
        (Target("a", "time", ratio=0.5, to="other"), True),
        (Target("a", "time", most=3.0), True),
        (Target("a", "time", most=2.9), False),
    ],
)
def test_targets(target: Target, met: bool) -> None:
    result = _result(_takes("a", 3.0), _takes("bare", 2.0), _takes("other", 6.0), targets=(target,))
    (outcome,) = result.outcomes()
    assert outcome.met is met
    assert ("met " if met else "MISSED") in report.table(_report(result))


def test_who_had_no_cpu_left_is_named() -> None:
    full = Contestant("full", lambda _: {"time": 3.0, "p99": 900.0, "share": 0.99})
    idle = Contestant("bare", lambda _: {"time": 2.0, "p99": 1.0, "share": 0.5})
    said = [line for line in report.table(_report(_result(full, idle))).splitlines() if "saturated" in line]
    assert said == ["  saturated: full took 99% of its core: all was heard, but late and in batches"]


def test_a_report_is_read_as_it_was_written() -> None:
    written = _report(_result(_takes("a", 3.0), _takes("bare", 2.0), targets=(Target("a", "time", ratio=2.0),)))
    assert report.load(report.dump(written)) == written
    with pytest.raises(ValueError, match="no report"):
        report.load(b'{"rounds": 5}')


def test_benchmarks_are_chosen_by_group_name_or_label() -> None:
    labels = [each.label for each in catalogue.every()]
    assert len(set(labels)) == len(labels)
    assert {each.name for each in catalogue.select(["hop"])} == {"hop"}
    assert [each.label for each in catalogue.select(["hop · idle"])] == ["hop · idle"]
    assert {each.group for each in catalogue.select(["kernel"])} == {"kernel"}
    with pytest.raises(catalogue.UnknownBenchmark, match=r"there is no benchmark 'hup'; there are .*hop"):
        catalogue.select(["hup"])


def test_what_targets_and_baselines_name_is_there() -> None:
    for benchmark in catalogue.every():
        names = {each.name for each in benchmark.contestants}
        assert benchmark.baseline in names
        for target in benchmark.targets:
            assert {target.contestant, target.to or benchmark.baseline} <= names
            assert target.measure in benchmark.measures
            assert (target.ratio is None) != (target.most is None)


def test_a_chart_is_drawn_of_each_benchmark_with_its_machine() -> None:
    result = _result(_takes("a <b>", 3.0, ours=True), _takes("bare", 2.0))
    done = _report(result)
    drawn = chart.charts(done)
    assert list(drawn) == ["hop.svg", "hop-ms.svg"]
    svg = drawn["hop.svg"]
    words = "".join(ElementTree.fromstring(svg).itertext())  # noqa: S314 - our own
    assert "a <b>" in words
    assert "3 (1.50x)" in words
    assert done.machine.date in words
    assert "prefers-color-scheme: dark" in svg
    assert "![hop](hop.svg)" in chart.index(done)


def test_a_contestant_of_some_cases_only_is_drawn_in_those() -> None:
    some = _result(_takes("a", 3.0, ours=True), _takes("bare", 2.0))
    more = _result(_takes("a", 3.0, ours=True), _takes("b", 4.0, ours=True), _takes("bare", 2.0), _takes("c", 5.0))
    svg = chart.charts(_report(some, attrs.evolve(more, case="busy")))["hop.svg"]
    words = list(ElementTree.fromstring(svg).itertext())  # noqa: S314 - our own
    assert [words.count(name) for name in ("a", "b", "bare", "c")] == [2, 1, 2, 1]


def _report(*results: Result) -> report.Report:
    return report.Report(
        machine=look(), rounds=1, quick=False, seconds=1.0, load_after=(0.0, 0.0, 0.0), results=list(results)
    )
