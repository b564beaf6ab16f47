"""What a benchmark is: contestants that do the same, each in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

__all__ = ["Benchmark", "Contestant", "Failed", "Target", "ThrownOut", "Values"]

Values = Mapping[str, float]
"""What one round of one contestant gave: a number for each measure, in the measure's unit."""


class ThrownOut(Exception):
    """A round that says nothing of the contestant: the load generator was late, or had no CPU left. Says why."""


class Failed(Exception):
    """A contestant crashed, or has not done all of its work: no busy machine is to blame for that. Says what it did."""


@attrs.frozen
class Contestant:
    """One way to do what a benchmark measures. `play(quick)` does one round; it may raise `ThrownOut` or `Failed`."""

    name: str
    play: Callable[[bool], Values]
    ours: bool = False
    quick: bool = True
    """Whether it takes part with `--quick`."""


@attrs.frozen
class Target:
    """What a contestant must reach: at most `ratio` times what `to` takes, or, without `to`, at most `most`.

    Where more is better, `ratio` is the least.
    """

    contestant: str
    measure: str
    ratio: float | None = None
    to: str | None = None
    most: float | None = None


@attrs.frozen(kw_only=True)
class Benchmark:
    """One number, or a few from the same rounds, for contestants that do the same."""

    group: str
    name: str
    case: str = ""
    """What is varied within the name: how many sessions, how many busy tasks."""
    about: str
    measures: Mapping[str, str]
    """Their units. The first one is what bounds are kept of, and what is drawn."""
    baseline: str
    """The contestant that the others are compared to."""
    contestants: Sequence[Contestant]
    targets: Sequence[Target] = ()
    more_is_better: bool = False
    """Whether that is so of its measures. Of most benchmarks', less is better."""
    quick: bool = True
    """Whether `--quick` runs it."""
    quick_rounds: int = 3
    """How many rounds it then has at most."""

    @property
    def label(self) -> str:
        """Its name with its case."""
        return f"{self.name} · {self.case}" if self.case else self.name
