"""Results as a table, and as JSON."""

from __future__ import annotations

from typing import Any

import attrs
import cattrs
import orjson

from .machine import Machine
from .runner import Result
from .statistics import Spread

__all__ = ["Report", "dump", "load", "table"]

_GENERATOR = {
    "generator cpu": "{:.0%} of a core",
    "generator late_p99": "and was late by at most {:.2f} ms at the 99th percentile",
}
_SATURATED = 0.97
"""Who takes more than this share of a core has none left: what comes waits, and is done in batches, which are cheap."""


@attrs.frozen(kw_only=True)
class Report:
    """A run: where it was made, and what came out."""

    machine: Machine
    rounds: int
    quick: bool
    seconds: float
    load_after: tuple[float, float, float]
    """The load averages at the end. More than the benchmarks' own (1 to 2) is somebody else's."""
    results: list[Result]


def dump(report: Report) -> bytes:
    """As JSON: each round's values, and what follows from them for a reader."""
    data: dict[str, Any] = cattrs.unstructure(report)
    for result, entry in zip(report.results, data["results"], strict=True):
        entry["summary"] = {
            contestant: {
                measure: {
                    "value": _numbers(result.values(contestant, measure)),
                    "ratio": _numbers(result.ratio(contestant, measure)),
                }
                for measure in result.measures
            }
            for contestant in result.contestants
        }
    return orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n"


def load(data: bytes) -> Report:
    """What `dump` made. Raises `ValueError` for what it did not."""
    try:
        return cattrs.structure(orjson.loads(data), Report)
    except (cattrs.ClassValidationError, TypeError) as error:
        raise ValueError("this is no report of the benchmarks") from error


def _numbers(found: Spread | None) -> dict[str, float] | None:
    return None if found is None else attrs.asdict(found)


def table(report: Report) -> str:
    """For people: a line for each contestant and measure, then the targets, then what was thrown out."""
    machine = report.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    lines = [
        f"{machine.cpu}, {machine.cores} cores, {machine.system}, {machine.python}, {machine.date}",
        f"{libraries}; commit {machine.commit or 'unknown'}",
        f"{report.rounds} interleaved rounds{' (quick)' if report.quick else ''} in {report.seconds:.0f} s; "
        f"load {machine.load[0]:.2f} before, {report.load_after[0]:.2f} after",
        "",
    ]
    for result in report.results:
        lines += _lines(result)
    outcomes = [(result, outcome) for result in report.results for outcome in result.outcomes()]
    if outcomes:
        lines.append("Targets")
    for result, outcome in outcomes:
        target = outcome.target
        reached = "not measured" if outcome.value is None else f"{outcome.value:.2f}"
        unit = "x" if target.ratio is not None else f" {result.measures[target.measure]}"
        what = f"{result.label}: {target.measure} of {target.contestant}"
        to = f" of {target.to or result.baseline}" if target.ratio is not None else ""
        lines.append(
            f"  {'met   ' if outcome.met else 'MISSED'} {what}: {reached}, "
            f"at {'least' if result.more_is_better else 'most'} {outcome.bound:.4g}{unit}{to}"
        )
    thrown_out = [f"  {result.label}: {each}" for result in report.results for each in result.thrown_out]
    failed = [f"  {result.label}: {each}" for result in report.results for each in result.failed]
    if failed:
        lines += ["Contestants that did not do their work", *failed]
    if thrown_out:
        lines += ["Rounds that were thrown out", *thrown_out]
    return "\n".join(lines)


def _lines(result: Result) -> list[str]:
    lines = [f"{result.label} ({result.group}): {result.about}"]
    for measure, unit in result.measures.items():
        for contestant in result.contestants:
            values, ratio = result.values(contestant, measure), result.ratio(contestant, measure)
            if values is None and result.values(contestant, result.main) is not None:
                continue  # not looked for: with --quick, or of a baseline
            if values is None:
                lines.append(f"  {measure:16} {contestant:28} no round of it counts")
                continue
            against = "" if ratio is None else f"{ratio.median:7.2f}x ({ratio.low:.2f}-{ratio.high:.2f})"
            if contestant == result.baseline:
                against = "   1     baseline"
            number = f"{values.median:10.2f} {unit:8} ({values.low:.2f}-{values.high:.2f})"
            lines.append(f"  {measure:16} {contestant:28} {number:38} {against}")
    generator = {name for each in result.rounds for values in each.values() for name in values if name in _GENERATOR}
    said = [
        words.format(max(values.get(name, 0.0) for each in result.rounds for values in each.values()))
        for name, words in _GENERATOR.items()
        if name in generator
    ]
    if said:
        lines.append(f"  the load generator took at most {', '.join(said)}")
    lines += _saturated(result)
    lines.append("")
    return lines


def _saturated(result: Result) -> list[str]:
    """Who had no CPU left, where it is looked at how long deltas are under way."""
    if "p99" not in result.measures:
        return []
    shares = {contestant: result.values(contestant, "share") for contestant in result.contestants}
    return [
        f"  saturated: {contestant} took {share.median:.0%} of its core: all was heard, but late and in batches"
        for contestant, share in shares.items()
        if share is not None and share.median >= _SATURATED
    ]
