"""How often and how soon a lost session is opened again: decided in plain code, without I/O.

Times are seconds on any monotonic clock.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import attrs

from realtime_actors.actors import Backoff
from realtime_actors.actors.supervision import at_least

__all__ = ["Attempts", "Reconnection", "Spent", "retry_after"]


_STEADY = Backoff(min=0.25, max=8.0, factor=2.0, jitter=0.5)


@attrs.frozen(kw_only=True)
class Reconnection:
    """How hard a connection tries to have a session with its provider. Raises `ValueError` for what is out of range."""

    backoff: Backoff = _STEADY
    """The pauses between attempts. A session that lasts `reset_after` s begins them, and `attempts`, anew."""
    attempts: int = attrs.field(default=5, validator=at_least(1))
    """How many attempts in a row may fail: those after one drop."""
    most: int = attrs.field(default=30, validator=at_least(1))
    """How many attempts there may be within `within` s, whatever became of them: those of one conversation."""
    within: float = attrs.field(default=600.0, validator=at_least(0))
    """Seconds; see `most`."""
    ready_timeout: float = attrs.field(default=10.0, validator=at_least(0))
    """Seconds that the provider may take to accept the configuration of a session."""
    longest_wait: float = attrs.field(default=30.0, validator=at_least(0))
    """Seconds: a provider that asks for a longer pause (`Retry-After`) gets this one."""
    rotate_ahead: float = attrs.field(default=120.0, validator=at_least(0))
    """Seconds before the end of a session, half of a shorter one, from when on the end of a turn is awaited at which a
    new session can take over unnoticed."""
    keep_audio: float = attrs.field(default=10.0, validator=at_least(0))
    """Seconds of the user's speech that wait for a session; the oldest makes room."""


@attrs.frozen
class Spent:
    """No attempt is left: `reason` says which bound was reached."""

    reason: str


@attrs.define
class Attempts:
    """The attempts of one connection. `uniform` gives numbers from 0 to 1."""

    policy: Reconnection
    uniform: Callable[[], float] = random.random
    in_a_row: int = attrs.field(init=False, default=0)
    """Those since the last session that lasted."""
    _began: deque[float] = attrs.field(init=False, factory=deque[float])

    def begin(self, now: float) -> None:
        """An attempt begins."""
        self.in_a_row += 1
        self._began.append(now)

    def lasted(self) -> None:
        """The session that the last attempt led to has lasted."""
        self.in_a_row = 0

    def recent(self, now: float) -> int:
        """How many began within the last `within` s."""
        while self._began and self._began[0] <= now - self.policy.within:
            self._began.popleft()
        return len(self._began)

    def are_spent(self, now: float) -> bool:
        """Whether there were too many within `within` s."""
        return self.recent(now) >= self.policy.most

    def next(self, now: float, asked_for: float | None = None) -> float | Spent:
        """Seconds to wait before the next attempt. `asked_for` are those that the provider wants to be left alone."""
        if self.in_a_row >= self.policy.attempts:
            return Spent(f"in {self.in_a_row} attempts")
        if self.are_spent(now):
            return Spent(f"in {self.policy.most} attempts within {self.policy.within:g} s")
        delay = self.policy.backoff.delay(max(self.in_a_row - 1, 0), self.uniform)
        return delay if asked_for is None else max(delay, min(asked_for, self.policy.longest_wait))


def retry_after(status: int, headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds for which a server that is busy (429, 503) wants to be left alone; `None` if it does not say.

    `headers` have lower-case names. The header is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    said = headers.get("retry-after", "").strip()
    if status not in (429, 503) or not said:
        return None
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
