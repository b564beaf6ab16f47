"""Notices that a model has fallen silent. Plain code: whoever has a clock calls `check` every `interval` seconds."""

from __future__ import annotations

import math

import attrs

__all__ = ["Patience", "Watchdog"]

_LOOKS = 4
"""How often the clock is looked at within the shorter patience: the silence that is noticed is up to so much longer."""


def _seconds(_: object, attribute: attrs.Attribute[float | None], value: float | None) -> None:
    if value is not None and not (0 < value < math.inf):
        raise ValueError(f"Patience.{attribute.name} must be more than 0 s, or None, not {value!r:.80}")


@attrs.frozen(kw_only=True)
class Patience:
    """For how many seconds a model may be silent before its session is given up; `None`: for ever.

    `begins`: until a reply that was asked for begins. `goes_on`: within a reply, counted from what it said last, or
    from when that will have been played. Raises `ValueError`.
    """

    # Some wires give up a request by themselves, after 20 s and what they hold it back for.
    begins: float | None = attrs.field(default=25.0, validator=_seconds)
    goes_on: float | None = attrs.field(default=20.0, validator=_seconds)


@attrs.define
class Watchdog:
    """Looks whether the model goes on while something is expected of it."""

    patience: Patience
    heard: bool = False
    """Set for each piece of a reply: that is all that a piece costs."""
    _silent: float = attrs.field(init=False, default=0.0)

    @property
    def interval(self) -> float | None:
        """Seconds between two checks; `None` if nothing is ever to be checked."""
        limits = [limit for limit in (self.patience.begins, self.patience.goes_on) if limit is not None]
        return min(limits) / _LOOKS if limits else None

    def begin(self) -> None:
        """From now on something is expected."""
        self.heard, self._silent = False, 0.0

    def check(self, *, generating: bool, playing: bool) -> str | None:
        """Another `interval` is over. Says what is wrong, if the model has been silent for too long.

        `generating`: a reply has begun; otherwise one is asked for. `playing`: what was received is still being heard.
        """
        if self.heard or playing:
            self.begin()
            return None
        self._silent += self.interval or 0.0
        limit = self.patience.goes_on if generating else self.patience.begins
        if limit is None or self._silent < limit - 1e-9:
            return None
        if generating:
            return f"the model has said nothing for {self._silent:g} s in the middle of a reply"
        return f"the model has not begun the reply that it was asked for {self._silent:g} s ago"
