"""Plays the rounds of benchmarks, interleaved: A B C, A B C, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import attrs

from .benchmark import Benchmark, Contestant, Failed, Target, ThrownOut, Values
from .statistics import Spread, ratios, spread

__all__ = ["Result", "TargetResult", "play"]

_ATTEMPTS = 3


@attrs.frozen
class TargetResult:
    """What became of a target. `value` is the ratio, or the plain value, and None where there was no valid round."""

    target: Target
    value: float | None
    more_is_better: bool = False

    @property
    def bound(self) -> float:
        """What the value must not exceed, or, where more is better, must reach."""
        bound = self.target.most if self.target.ratio is None else self.target.ratio
        assert bound is not None
        return bound

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.more_is_better else self.value <= self.bound


@attrs.frozen(kw_only=True)
class Result:
    """What the rounds of a benchmark gave."""

    group: str
    name: str
    case: str
    about: str
    measures: dict[str, str]
    baseline: str
    contestants: list[str]
    ours: list[str]
    """Those of the contestants that are this package's."""
    rounds: list[dict[str, dict[str, float]]]
    thrown_out: list[str]
    """Rounds that do not count, and why."""
    failed: list[str] = attrs.field(factory=list[str])
    """Contestants that did not do their work, in which rounds, and what they did instead."""
    targets: list[Target] = attrs.field(factory=list[Target])
    more_is_better: bool = False

    @property
    def label(self) -> str:
        """Its name with its case."""
        return f"{self.name} · {self.case}" if self.case else self.name

    @property
    def main(self) -> str:
        """Its first measure."""
        return next(iter(self.measures))

    def values(self, contestant: str, measure: str) -> Spread | None:
        """What the contestant took."""
        rounds = (each.get(contestant, {}).get(measure) for each in self.rounds)
        return spread([value for value in rounds if value is not None])

    def ratio(self, contestant: str, measure: str, to: str | None = None) -> Spread | None:
        """What the contestant took in terms of another, the baseline unless said otherwise."""
        return spread(ratios(self.rounds, measure, contestant, to or self.baseline))

    def outcomes(self) -> list[TargetResult]:
        """The targets, with what was reached."""
        found: list[TargetResult] = []
        for target in self.targets:
            if target.ratio is None:
                reached = self.values(target.contestant, target.measure)
            else:
                reached = self.ratio(target.contestant, target.measure, target.to)
            found.append(TargetResult(target, None if reached is None else reached.median, self.more_is_better))
        return found


def play(
    benchmarks: Sequence[Benchmark],
    rounds: int,
    *,
    quick: bool,
    tell: Callable[[str], None],
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterable[Result]:
    """Play each benchmark's rounds, and give its result when they are over.

    `tell` hears what is under way; each round is played within a `turn`.
    """
    for number, benchmark in enumerate(benchmarks, 1):
        played: list[dict[str, dict[str, float]]] = []
        thrown_out: list[str] = []
        failed: list[str] = []
        count = min(rounds, benchmark.quick_rounds) if quick else rounds
        contestants = [each for each in benchmark.contestants if each.quick or not quick]
        for index in range(count):
            this: dict[str, dict[str, float]] = {}
            for contestant in contestants:
                tell(f"[{number}/{len(benchmarks)}] {benchmark.label}: round {index + 1} of {count}, {contestant.name}")
                values = _play_one(contestant, index + 1, thrown_out, failed, turn, quick=quick)
                if values is not None:
                    this[contestant.name] = dict(values)
            played.append(this)
        yield Result(
            group=benchmark.group,
            name=benchmark.name,
            case=benchmark.case,
            about=benchmark.about,
            measures=dict(benchmark.measures),
            baseline=benchmark.baseline,
            contestants=[each.name for each in contestants],
            ours=[each.name for each in contestants if each.ours],
            rounds=played,
            thrown_out=thrown_out,
            failed=failed,
            targets=list(benchmark.targets),
            more_is_better=benchmark.more_is_better,
        )


def _play_one(
    contestant: Contestant,
    number: int,
    thrown_out: list[str],
    failed: list[str],
    turn: Callable[[], AbstractContextManager[None]],
    *,
    quick: bool,
) -> Values | None:
    for _ in range(_ATTEMPTS):
        try:
            with turn():
                return contestant.play(quick)
        except ThrownOut as error:
            thrown_out.append(f"{contestant.name}, round {number}: {error}")
        except Failed as error:
            failed.append(f"{contestant.name}, round {number}: {error}")
            break  # once is enough, and may have taken a minute
    return None
