"""What to do when a child ends: decided in plain code, with no Trio in it.

The rules are those of Erlang/OTP's `supervisor`: restart types, strategies, and a budget of restarts within a
sliding window. Times are seconds on any monotonic clock.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import attrs

__all__ = [
    "Backoff",
    "Budget",
    "GiveUp",
    "Member",
    "Outcome",
    "Plan",
    "RestartType",
    "Strategy",
    "Supervision",
    "at_least",
    "one_of",
    "plan",
]

RestartType = Literal["permanent", "transient", "temporary"]
"""When a child is started again: always, after a crash only, never."""

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is restarted with a child: it alone, all its siblings, or those started after it."""


def one_of(allowed: Sequence[str | None]) -> Callable[[object, Any, object], None]:
    """A check for attrs fields: the value is one of these words. It raises `ValueError`, which names them."""

    def check(_: object, attribute: Any, value: object) -> None:
        if value not in allowed:
            words = ", ".join(word for word in allowed if word is not None)
            raise ValueError(f"{attribute.name} is {value!r}: it must be one of {words}")

    return check


def at_least(least: float, most: float = math.inf) -> Callable[[object, Any, float], None]:
    """A check for attrs fields: the value is in this range, and no nan. It raises `ValueError`, which says so."""

    def check(_: object, attribute: Any, value: float) -> None:
        if not least <= value <= most:
            up_to = "or more" if most == math.inf else f"to {most:g}"
            raise ValueError(f"{attribute.name} is {value!r}: it must be {least:g} {up_to}")

    return check


class Outcome(enum.Enum):
    """How a life of a child ended."""

    NORMAL = "normal"
    """It stopped by itself."""
    STOPPED = "stopped"
    """It was asked to stop."""
    CRASHED = "crashed"
    """It raised."""
    START_FAILED = "start_failed"
    """A restart of it raised before the child was running."""


@attrs.frozen
class Member:
    """A child as its supervisor sees it."""

    name: str
    restart: RestartType
    running: bool


@attrs.frozen
class Budget:
    """At most `max_restarts` within `within` seconds."""

    max_restarts: int = attrs.field(default=3, validator=at_least(0))
    within: float = attrs.field(default=5.0, validator=at_least(0))


@attrs.frozen
class Backoff:
    """How long to wait before a restart: `min` s, then `factor` times more each time, up to `max` s.

    `jitter` is the part of the delay by which it is shortened at random (0 to 1). Raises `ValueError` for what is out
    of range. After `reset_after` s without
    a restart it begins at `min` again.
    """

    min: float = attrs.field(default=0.0, validator=at_least(0))
    max: float = attrs.field(default=10.0, validator=at_least(0))
    factor: float = attrs.field(default=2.0, validator=at_least(0))
    jitter: float = attrs.field(default=0.0, validator=at_least(0, 1))
    reset_after: float = attrs.field(default=10.0, validator=at_least(0))

    def delay(self, attempt: int, uniform: Callable[[], float] = random.random) -> float:
        """Seconds to wait before the attempt with this number (the first is 0)."""
        # A power beyond the largest float is beyond `max` as well.
        try:
            delay = min(self.max, self.min * self.factor**attempt)
        except OverflowError:
            delay = self.max if self.min else 0.0
        return delay * (1 - self.jitter * uniform())


@attrs.frozen
class Plan:
    """What to do: stop (in this order), forget for good, then after `delay` s start (in this order)."""

    stop: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    delay: float = 0.0


@attrs.frozen
class GiveUp:
    """The budget is spent."""

    max_restarts: int
    within: float


def plan(strategy: Strategy, members: Sequence[Member], name: str, outcome: Outcome) -> Plan:
    """The plan for the end of one member, budget and backoff apart. `members` are in their order of start."""
    index = next(i for i, member in enumerate(members) if member.name == name)
    ended = members[index]
    due = outcome is Outcome.START_FAILED or (
        outcome is not Outcome.STOPPED
        and (ended.restart == "permanent" or (ended.restart == "transient" and outcome is Outcome.CRASHED))
    )
    if not due:
        return Plan(forget=(name,))
    match strategy:
        case "one_for_one":
            affected: Sequence[Member] = (ended,)
        case "one_for_all":
            affected = members
        case "rest_for_one":
            affected = members[index:]
    others = [member for member in affected if member.name != name]
    return Plan(
        stop=tuple(member.name for member in reversed(others) if member.running),
        # One that is not running has ended at the same time: its own end will say how.
        forget=tuple(member.name for member in others if member.restart == "temporary" and member.running),
        start=tuple(member.name for member in affected if member.name == name or member.restart != "temporary"),
    )


@attrs.define
class Supervision:
    """The plans of one group over time: `plan` with the budget and the backoff applied."""

    strategy: Strategy = attrs.field(default="one_for_one", validator=one_of(get_args(Strategy)))
    budget: Budget = attrs.field(factory=Budget)
    backoff: Backoff = attrs.field(factory=Backoff)
    uniform: Callable[[], float] = random.random
    _restarts: tuple[float, ...] = attrs.field(init=False, default=())
    _attempt: int = attrs.field(init=False, default=0)
    _last: float = attrs.field(init=False, default=float("-inf"))

    def exited(self, members: Sequence[Member], name: str, outcome: Outcome, now: float) -> Plan | GiveUp:
        """What to do now that `name` has ended."""
        decided = plan(self.strategy, members, name, outcome)
        if not decided.start:
            return decided
        recent = tuple(at for at in self._restarts if now - at <= self.budget.within)
        if len(recent) >= self.budget.max_restarts:
            return GiveUp(self.budget.max_restarts, self.budget.within)
        self._restarts = (*recent, now)
        # A start that took long to fail was no quiet time.
        if outcome is not Outcome.START_FAILED and now - self._last >= self.backoff.reset_after:
            self._attempt = 0
        delay = self.backoff.delay(self._attempt, self.uniform)
        self._attempt += 1
        self._last = now + delay
        return attrs.evolve(decided, delay=delay)
