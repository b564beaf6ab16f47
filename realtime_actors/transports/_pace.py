"""How fast a peer may send."""

import attrs

__all__ = ["Pace", "TokenBucket"]

_LEAST_READ = 256  # bytes that a read counts at least, so that a stream in single bytes is not cheap


@attrs.define
class TokenBucket:
    """So much a second in the long run, `burst` at once. Pure: it is told the time, in seconds."""

    rate: float
    burst: float
    level: float
    """What there is, less than none when more was taken."""
    _at: float | None = attrs.field(init=False, default=None)

    def take(self, amount: float, now: float) -> float:
        """Take `amount`, more than there is if need be; gives the seconds until that is paid back, 0 for none."""
        passed = 0.0 if self._at is None else max(now - self._at, 0)
        self.level = min(self.burst, self.level + passed * self.rate) - amount
        self._at = now
        return max(-self.level / self.rate, 0.0)


@attrs.define
class Pace:
    """Says how long to stop reading from a peer, and when it has been over its rates for too long. Pure.

    Rates are for a second, None for any; `burst` is how many seconds' worth may come at once.
    """

    frames: float | None
    bytes: float | None
    burst: float
    patience: float
    """Seconds for which a peer may be over a rate without a break."""
    held: int = attrs.field(init=False, default=0)
    """How often reading stopped."""
    _of_frames: TokenBucket | None = attrs.field(init=False)
    _of_bytes: TokenBucket | None = attrs.field(init=False)
    _new_frames: int = attrs.field(init=False, default=0)
    _new_bytes: int = attrs.field(init=False, default=0)
    _over_since: float | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._of_frames = self._bucket(self.frames)
        self._of_bytes = self._bucket(self.bytes)

    def _bucket(self, rate: float | None) -> TokenBucket | None:
        if rate is None:
            return None
        # A second's worth at first: who connects again and again shall not get a whole burst each time.
        return TokenBucket(rate, rate * self.burst, min(rate, rate * self.burst))

    def count_read(self, size: int) -> None:
        """So many bytes were read."""
        self._new_bytes += max(size, _LEAST_READ)

    def count_frame(self) -> None:
        """A frame has come: a message, a piece of one, a ping."""
        self._new_frames += 1

    def pause(self, now: float) -> float:
        """How many seconds to wait before more is read or parsed."""
        frames = 0.0 if self._of_frames is None else self._of_frames.take(self._new_frames, now)
        size = 0.0 if self._of_bytes is None else self._of_bytes.take(self._new_bytes, now)
        self._new_frames = self._new_bytes = 0
        pause = max(frames, size)
        if not pause:
            self._over_since = None
        else:
            self.held += 1
            if self._over_since is None:
                self._over_since = now
        return pause

    def complaint(self, now: float) -> str | None:
        """Why the peer is to be closed, if it is."""
        if self._over_since is None or now - self._over_since < self.patience:
            return None
        limits = [
            f"{limit:g} {what}" for limit, what in ((self.frames, "frames"), (self.bytes, "bytes")) if limit is not None
        ]
        return f"sent too fast: {' or '.join(limits)} a second are allowed"
