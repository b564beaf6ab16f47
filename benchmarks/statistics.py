"""Medians, percentiles and ratios. Nothing else: no clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

__all__ = ["Spread", "percentile", "ratios", "slope", "spread"]


@attrs.frozen
class Spread:
    """The median of what the rounds gave, and the least and the most."""

    median: float
    low: float
    high: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` (0 to 100) of the values lie, interpolated. Raises `ValueError` for none."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is no percentile: it must be from 0 to 100")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that fits the points best (least squares); 0 for points of one place."""
    if not points:
        raise ValueError("there is no line through no points")
    across = sum(x for x, _ in points) / len(points)
    up = sum(y for _, y in points) / len(points)
    width = sum((x - across) ** 2 for x, _ in points)
    return sum((x - across) * (y - up) for x, y in points) / width if width else 0.0


def spread(values: Sequence[float]) -> Spread | None:
    """None where there are no values."""
    return Spread(percentile(values, 50), min(values), max(values)) if values else None


def ratios(
    rounds: Sequence[Mapping[str, Mapping[str, float]]], measure: str, contestant: str, baseline: str
) -> list[float]:
    """The contestant's value over the baseline's, of each round in which both have one.

    Each is taken within its round, so that what slowed the machine down for a while slowed both. A baseline of 0
    has no ratio.
    """
    found: list[float] = []
    for each in rounds:
        ours, theirs = each.get(contestant, {}).get(measure), each.get(baseline, {}).get(measure)
        if ours is not None and theirs:
            found.append(ours / theirs)
    return found
