"""What a listener hears of the replies: played as they come, silenced when they are interrupted. Pure."""

import attrs

from realtime_actors.audio import Resampler, byte_length, duration_ms

__all__ = ["Playout"]

_LONGEST_S = 15 * 60


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
    _resampler: Resampler | None = attrs.field(init=False, default=None)

    def play(self, pcm: bytes, rate: int, at: float) -> None:
        """Audio comes at the time `at`. Raises `UnsupportedRate` when the rate changes to an unusual one."""
        if not self.rate:
            self.rate, self._began = rate, at
        self.received_ms += duration_ms(len(pcm), rate)
        pcm = self._converted(pcm, rate)
        gap = byte_length(max(0.0, at - self.ends) * 1000, self.rate)
        if len(self._audio) + gap + len(pcm) > _LONGEST_S * self.rate * 2:
            self.overlong_ms += duration_ms(len(pcm), self.rate)
            return
        self._audio += bytes(gap)
        self._audio += pcm

    def flush(self, at: float) -> float:
        """Silence from the time `at` on: what was not heard until then is discarded. Returns how much, in ms."""
        kept = byte_length(max(0.0, at - self._began) * 1000, self.rate)
        lost = duration_ms(max(0, len(self._audio) - kept), self.rate) if self.rate else 0.0
        del self._audio[kept:]
        self.discarded_ms += lost
        return lost

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

    def _converted(self, pcm: bytes, rate: int) -> bytes:
        if rate == self.rate:
            return pcm
        if self._resampler is None or self._resampler.from_rate != rate:
            self._resampler = Resampler(rate, self.rate)
        return self._resampler.process(pcm)
