"""What a listener hears of the replies: played as they come, silenced when they are interrupted. Pure."""

import attrs

from realtime_actors.audio import Resampler, byte_length, duration_ms

__all__ = ["Playout", "Position"]

_LONGEST_S = 15 * 60


@attrs.frozen
class Position:
    """So much of an item was heard, and it goes on from there or not."""

    response_id: str
    item_id: str
    played_ms: int
    playing: bool


@attrs.define
class _Item:
    """When an item is heard: from when to when, and again after each pause."""

    ids: tuple[str, str]
    times: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])

    def position(self, at: float) -> Position:
        heard = sum(max(0.0, min(at, end) - begin) for begin, end in self.times)
        return Position(*self.ids, round(heard * 1000), playing=at < self.times[-1][1])


@attrs.define
class Playout:
    """A simulated loudspeaker. Times are seconds of one clock; audio is PCM16 mono.

    Audio is played at the pace of speech from the moment it comes, or after what still waits. Where nothing is
    there to be played, there is silence, in the recording as well: it begins with the first sound, and a moment of
    the clock has one place in it.
    """

    rate: int = attrs.field(init=False, default=0)
    """Of the recording, in Hz: that of the first audio. 0 before there is any."""
    received_ms: float = attrs.field(init=False, default=0.0)
    """How much audio has come."""
    discarded_ms: float = attrs.field(init=False, default=0.0)
    """How much of it was never heard, because it was interrupted."""
    overlong_ms: float = attrs.field(init=False, default=0.0)
    """How much of it was left out, because 15 minutes are the most that is kept."""
    _audio: bytearray = attrs.field(init=False, factory=bytearray)
    _began: float = attrs.field(init=False, default=0.0)
    _items: list[_Item] = attrs.field(init=False, factory=list[_Item])
    """Those of which it was not told that they were heard to their end."""
    _told: Position | None = attrs.field(init=False, default=None)
    _resampler: Resampler | None = attrs.field(init=False, default=None)

    def play(self, pcm: bytes, rate: int, at: float, ids: tuple[str, str] = ("", "")) -> None:
        """Audio of the response and item of these `ids` comes at the time `at`.

        Raises `UnsupportedRate` when the rate changes to an unusual one.
        """
        if not self.rate:
            self.rate, self._began = rate, at
        self.received_ms += duration_ms(len(pcm), rate)
        pcm = self._converted(pcm, rate)
        gap = byte_length(max(0.0, at - self.ends) * 1000, self.rate)
        if len(self._audio) + gap + len(pcm) > _LONGEST_S * self.rate * 2:
            self.overlong_ms += duration_ms(len(pcm), self.rate)
            return
        self._audio += bytes(gap)
        begins = self.ends
        self._audio += pcm
        self._place(ids, begins)

    def flush(self, at: float) -> float:
        """Silence from the time `at` on: what was not heard until then is discarded. Returns how much, in ms."""
        kept = byte_length(max(0.0, at - self._began) * 1000, self.rate)
        lost = duration_ms(max(0, len(self._audio) - kept), self.rate) if self.rate else 0.0
        del self._audio[kept:]
        self.discarded_ms += lost
        for item in self._items[1:]:
            item.times = [(begin, end) for begin, end in item.times if begin < at]
        for item in self._items:
            item.times = [(begin, max(begin, min(end, at))) for begin, end in item.times]
        self._items = [item for item in self._items if item.times]
        return lost

    def positions(self, at: float) -> list[Position]:
        """How far the item is that is heard at the time `at`, and those before it, where that is news."""
        told: list[Position] = []
        while self._items:
            position = self._items[0].position(at)
            if position != self._told:
                told.append(position)
                self._told = position
            if position.playing or len(self._items) == 1:
                break
            del self._items[0]
        return told

    @property
    def ends(self) -> float:
        """When what has come so far is over."""
        return self._began + (duration_ms(len(self._audio), self.rate) / 1000 if self.rate else 0.0)

    def heard_ms(self, at: float) -> float:
        """How long it has been playing at the time `at`, pauses included."""
        return max(0.0, min(at, self.ends) - self._began) * 1000 if self.rate else 0.0

    def recording(self) -> bytes:
        """All that is heard when it is played to its end: PCM16 mono at `rate`."""
        return bytes(self._audio)

    def _place(self, ids: tuple[str, str], begins: float) -> None:
        if not self._items or self._items[-1].ids != ids:
            self._items.append(_Item(ids))
        times = self._items[-1].times
        if times and begins - times[-1][1] < 0.001:
            begins = times.pop()[0]
        times.append((begins, self.ends))

    def _converted(self, pcm: bytes, rate: int) -> bytes:
        if rate == self.rate:
            return pcm
        if self._resampler is None or self._resampler.from_rate != rate:
            self._resampler = Resampler(rate, self.rate)
        return self._resampler.process(pcm)
