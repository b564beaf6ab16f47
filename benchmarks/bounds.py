"""Bounds: the ratios that were reached, kept in a file, so that a change that makes one much worse is seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from .runner import Result

__all__ = ["BOUNDS", "SLACK", "Bounds", "broken", "load", "of", "save"]

Bounds = dict[str, dict[str, dict[str, float]]]
"""Ratios to the baseline by benchmark, contestant and measure."""

BOUNDS = Path(__file__).with_name("bounds.json")
SLACK = 1.5
"""A ratio is too bad when it is more than this many times its bound."""


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


def broken(results: Sequence[Result], bounds: Bounds) -> list[str]:
    """A sentence for each ratio that is worse than its bound by half, or could not be measured."""
    found: list[str] = []
    for result in results:
        for contestant, measures in bounds.get(result.label, {}).items():
            for measure, bound in measures.items():
                ratio = result.ratio(contestant, measure)
                what = f"{result.label}: {measure} of {contestant}"
                if ratio is None:
                    found.append(f"{what} could not be measured: no round of it counts")
                elif ratio.median > bound * SLACK:
                    found.append(
                        f"{what} is {ratio.median:.2f} times {result.baseline}, {bound:.2f} were reached before"
                    )
    return found
