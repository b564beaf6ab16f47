"""How many sessions one core carries: the most of whose deltas 99 % arrive in time."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from benchmarks.benchmark import ThrownOut, Values

from .load import Load
from .processes import Driver
from .trial import trial

__all__ = ["MOST_MS", "Search", "most_carried"]

MOST_MS = 20.0
"""A delta that is longer under way comes after the next one was due."""
_FIRST_STEP, _STEP = 1.3, 1.1
_PRECISION = 1.06
_TRIES = 8
_WARM, _COUNT = 25, 75  # deltas of each session
_MOST_OF_A_CORE = 0.95
"""The generator may take more of its core here than elsewhere: it has one alone, and how late it was is known."""
_AGAIN = 2


def most_carried(carries: Callable[[int], bool], start: int, step: float) -> int:
    """The most sessions that are carried, to 6 %: by steps from `start` until one is too many, then by halves.

    Raises `ThrownOut` when that is not found with eight tries.
    """
    most, least_too_many, sessions = 0, 0, start
    for _ in range(_TRIES):
        if carries(sessions):
            most = sessions
        else:
            least_too_many = sessions
        if not least_too_many:
            sessions = max(most + 1, round(most * step))
        elif not most:
            if least_too_many == 1:
                break
            sessions = max(1, round(least_too_many / step))
        elif least_too_many <= max(most + 1, most * _PRECISION):
            return most
        else:
            sessions = min(max(round((most * least_too_many) ** 0.5), most + 1), least_too_many - 1)
    raise ThrownOut(f"{_TRIES} tries did not find how many sessions are carried: at least {most}")


@attrs.define(eq=False)
class Search:
    """A contestant's search; each round begins where the last one ended."""

    driver: Driver | str
    start: int
    """How many sessions it may carry, about."""
    _step: float = attrs.field(init=False, default=_FIRST_STEP)

    def play(self, quick: bool) -> Values:
        """One round."""
        found = most_carried(self._carries, self.start, self._step)
        self.start, self._step = found, _STEP
        return {"sessions": found}

    def _carries(self, sessions: int) -> bool:
        load = Load("stream", sessions, _WARM, _COUNT, most_cpu=_MOST_OF_A_CORE)
        for attempt in range(_AGAIN, -1, -1):
            try:
                return trial(load, self.driver)["p99"] < MOST_MS
            except ThrownOut:
                if not attempt:
                    raise
        raise AssertionError
