"""Bounds: the ratios that were reached, kept in a file, so that a change that makes one much worse is seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import orjson

from .runner import Result

__all__ = ["BOUNDS", "SLACK", "Bounds", "Verdict", "check", "load", "of", "save"]

Bounds = dict[str, dict[str, dict[str, float]]]
"""Ratios to the baseline by benchmark, contestant and measure."""

BOUNDS = Path(__file__).with_name("bounds.json")
SLACK = 1.5
"""A ratio is too bad when it is more than this many times its bound (or, where more is better, less by as much)."""


@attrs.define
class Verdict:
    """What a check found, in sentences."""

    broken: list[str] = attrs.field(factory=list[str])
    """What is worse than its bound by half, or was not done at all."""
    unmeasured: list[str] = attrs.field(factory=list[str])
    """What nothing can be said of: the machine was too busy in each round."""
    held: int = 0
    """How many bounds hold."""

    @property
    def problems(self) -> list[str]:
        """Why the check fails, or nothing. A busy machine is a reason only when nothing at all could be measured."""
        if self.unmeasured and not self.held and not self.broken:
            return ["nothing could be measured: the machine was too busy all the time"]
        return self.broken


def load(path: Path) -> Bounds:
    """The stored bounds. Raises `OSError`, or `ValueError` for what is no JSON."""
    return orjson.loads(path.read_bytes())


def save(path: Path, bounds: Bounds) -> None:
    """Store them."""
    path.write_bytes(orjson.dumps(bounds, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def of(results: Sequence[Result]) -> Bounds:
    """The ratios of our contestants in the first measure, as bounds for later runs."""
    bounds: Bounds = {}
    for result in results:
        for contestant in result.ours:
            ratio = result.ratio(contestant, result.main)
            if ratio is not None and contestant != result.baseline:
                bounds.setdefault(result.label, {}).setdefault(contestant, {})[result.main] = round(ratio.median, 2)
    return bounds


def check(results: Sequence[Result], bounds: Bounds) -> Verdict:
    """Compare the results with their bounds, and with the targets that are no ratios."""
    verdict = Verdict()
    for result in results:
        _check_ratios(result, bounds.get(result.label, {}), verdict)
        _check_targets(result, verdict)
    return verdict


def _check_ratios(result: Result, bounds: dict[str, dict[str, float]], verdict: Verdict) -> None:
    for contestant, measures in bounds.items():
        for measure, bound in measures.items():
            what = f"{result.label}: {measure} of {contestant}"
            ratio = result.ratio(contestant, measure)
            if ratio is None:
                _miss(result, (contestant, result.baseline), what, verdict)
            elif ratio.median < bound / SLACK if result.more_is_better else ratio.median > bound * SLACK:
                verdict.broken.append(
                    f"{what} is {ratio.median:.2f} times {result.baseline}, {bound:.2f} were reached before"
                )
            else:
                verdict.held += 1


def _check_targets(result: Result, verdict: Verdict) -> None:
    for outcome in result.outcomes():
        target = outcome.target
        if target.most is None:
            continue
        what = f"{result.label}: {target.measure} of {target.contestant}"
        if outcome.value is None and result.values(target.contestant, result.main) is not None:
            continue  # not looked for with --quick
        if outcome.value is None:
            _miss(result, (target.contestant,), what, verdict)
        elif not outcome.met:
            unit = result.measures[target.measure]
            verdict.broken.append(f"{what} is {outcome.value:.4g} {unit}, more than {target.most:g}")
        else:
            verdict.held += 1


def _miss(result: Result, contestants: Sequence[str], what: str, verdict: Verdict) -> None:
    reasons = [each for each in result.failed if each.startswith(tuple(f"{name}, " for name in contestants))]
    if reasons:
        verdict.broken.append(f"{what} could not be measured: {reasons[-1]}")
    elif result.thrown_out:
        verdict.unmeasured.append(f"{what}: not measured: machine too busy")
    else:
        verdict.broken.append(f"{what} has no value: the bound is of something that is not there any more")
