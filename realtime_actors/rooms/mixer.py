"""The mixer of a room: everybody hears everybody else. Plain code, no clock.

`tick` takes a frame of `FRAME_MS` from each source and gives one to each listener: the saturating sum, in 32 bits, of
all that the listener hears, at `ROOM_RATE`; then at the listener's own rate. Whoever has the same name as a source
never hears it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from realtime_actors.audio import Resampler, check_rate, level_dbfs

from .buffers import FRAME_BYTES, FRAME_MS, ROOM_RATE
from .errors import AlreadyInRoom, NotInRoom

__all__ = ["Frame", "Mixer", "Source"]

MOST_GAIN = 8.0
"""The most that a source can be amplified: 18 dB."""

_SILENCE = bytes(FRAME_BYTES)

_Samples = npt.NDArray[np.int32]
_LEAST = np.array(-32768, np.int32)
_MOST = np.array(32767, np.int32)


class Source(Protocol):
    """What a `Mixer` takes frames from: a `JitterBuffer`, a `PlayoutBuffer`, or one of your own."""

    def take(self) -> bytes | None:
        """The next `FRAME_BYTES` of PCM16 mono at `ROOM_RATE`; `None` if there is nothing to play."""
        ...


@attrs.frozen
class Frame:
    """What one listener hears during one tick."""

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    """`FRAME_MS` of PCM16 mono, at the listener's rate."""

    is_silent: bool
    """Whether nobody is heard: each sample is 0, and nothing need be sent to those who can do without."""


class Mixer:
    """Mixes what sources say, for each listener. Call `tick` once for each `FRAME_MS` of time."""

    def __init__(self) -> None:
        self._sources: dict[str, _Voice] = {}
        self._listeners: dict[str, _Ear] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of those who can be heard, in the order in which they were added."""
        return tuple(self._sources)

    @property
    def listeners(self) -> tuple[str, ...]:
        """The names of those who hear, in the order in which they were added."""
        return tuple(self._listeners)

    def add_source(self, name: str, source: Source) -> None:
        """Let `source` be heard, by all who do not have its name and are willing to hear it.

        Raises:
            AlreadyInRoom: there is a source of this name.
        """
        if name in self._sources:
            raise AlreadyInRoom(f"There is a source named {name!r} already. Remove it first, or choose another name.")
        used = 0
        for voice in self._sources.values():
            used |= voice.bit
        voice = self._sources[name] = _Voice(source, ~used & (used + 1))
        for listener, ear in self._listeners.items():
            ear.set_gain(name, voice, float(name != listener and ear.hears(name)))

    def remove_source(self, name: str) -> None:
        """Let a source be heard no more. What it has not played is its own affair.

        Raises:
            NotInRoom: there is no source of this name.
        """
        voice = self._voice(name)
        del self._sources[name]
        for ear in self._listeners.values():
            ear.set_gain(name, voice, 1.0)

    def add_listener(self, name: str, rate: int, hears: Callable[[str], bool] = lambda source: True) -> None:
        """Give `name` the mix at `rate` Hz, of those sources for whose names `hears` is true when they meet.

        Raises:
            AlreadyInRoom: there is a listener of this name.
            UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
        """
        if name in self._listeners:
            raise AlreadyInRoom(f"There is a listener named {name!r} already. Remove it first, or choose another name.")
        ear = _Ear(_Outlet(rate), hears)
        for source, voice in self._sources.items():
            ear.set_gain(source, voice, float(source != name and hears(source)))
        self._listeners[name] = ear

    def remove_listener(self, name: str) -> None:
        """Give this one no more frames.

        Raises:
            NotInRoom: there is no listener of this name.
        """
        self._ear(name)
        del self._listeners[name]

    def set_gain(self, source: str, gain: float, listener: str | None = None) -> None:
        """How loud a source is, for all or (on top of that) for one listener: 1.0 as it is, 0.0 mute, 0.5 at half.

        What a muted source says is played to nobody, but it passes: it is not heard later. For one listener this
        overrules `hears`. It is forgotten when one of the two is removed.

        Raises:
            NotInRoom: there is no source or no listener of this name.
            ValueError: `gain` is not from 0 to 8, or the listener is the source itself.
        """
        if not 0.0 <= gain <= MOST_GAIN:
            raise ValueError(f"The gain is {gain!r}; it must be from 0 (mute) to {MOST_GAIN:g}.")
        voice = self._voice(source)
        if listener is None:
            voice.gain = gain
        elif listener == source:
            raise ValueError(f"{source!r} never hears itself. Set the gain for another listener, or for all.")
        else:
            self._ear(listener).set_gain(source, voice, gain)

    def level_dbfs(self, source: str) -> float:
        """How loud a source was in the last tick, before any gain, in dBFS; `-inf` for silence.

        Raises:
            NotInRoom: there is no source of this name.
        """
        return level_dbfs(self._voice(source).frame or b"")

    def is_heard(self, source: str) -> bool:
        """Whether a source was to be heard in the last tick, by those who hear it.

        Raises:
            NotInRoom: there is no source of this name.
        """
        frame = self._voice(source).frame
        return frame is not None and frame != _SILENCE

    def is_playing(self, source: str) -> bool:
        """Whether a source had something to play in the last tick, silence included.

        Raises:
            NotInRoom: there is no source of this name.
        """
        return self._voice(source).frame is not None

    def tick(self) -> dict[str, Frame]:
        """Take `FRAME_MS` from each source, and give each listener its frame, by name.

        After a stall call it as often as it was missed, or less often: what waits in a `JitterBuffer` is bounded.
        """
        mix = _Mix()
        for voice in self._sources.values():
            pcm = voice.frame = voice.source.take()
            if pcm is not None and pcm != _SILENCE and voice.gain > 0.0:
                mix.add(voice, pcm)
        return {name: ear.outlet.frame(mix.heard_by(ear)) for name, ear in self._listeners.items()}

    def _voice(self, name: str) -> _Voice:
        voice = self._sources.get(name)
        if voice is None:
            raise NotInRoom(f"There is no source named {name!r}. Add it first.")
        return voice

    def _ear(self, name: str) -> _Ear:
        ear = self._listeners.get(name)
        if ear is None:
            raise NotInRoom(f"There is no listener named {name!r}. Add it first.")
        return ear


@attrs.define(eq=False)
class _Voice:
    source: Source
    bit: int
    """Stands for it in sets of sources."""
    gain: float = 1.0
    frame: bytes | None = None
    """Of the last tick."""


@attrs.define(eq=False)
class _Ear:
    outlet: _Outlet
    hears: Callable[[str], bool]
    deaf: int = 0
    """The bits of sources that are not heard as they are: itself, muted ones, and those in `gains`."""
    gains: dict[str, tuple[_Voice, float]] = attrs.field(init=False, factory=dict[str, "tuple[_Voice, float]"])
    """The sources whose gain for this listener is neither 0 nor 1."""

    def set_gain(self, name: str, voice: _Voice, gain: float) -> None:
        self.gains.pop(name, None)
        self.deaf &= ~voice.bit
        if gain != 1.0:
            self.deaf |= voice.bit
        if gain not in (0.0, 1.0):
            self.gains[name] = voice, gain


class _Mix:
    """One tick: what is heard, and the sums of it that were needed so far."""

    def __init__(self) -> None:
        self._active: list[tuple[_Voice, bytes]] = []
        self._bits = 0
        self._samples: dict[int, _Samples] = {}
        self._mixed: dict[int, bytes] = {}
        self._total: _Samples | None = None

    def add(self, voice: _Voice, pcm: bytes) -> None:
        self._active.append((voice, pcm))
        self._bits |= voice.bit

    def heard_by(self, ear: _Ear) -> bytes | None:
        """The mix for one listener, at `ROOM_RATE`; `None` if it hears nobody."""
        heard = self._bits & ~ear.deaf
        if ear.gains:
            louder = [(voice, gain) for voice, gain in ear.gains.values() if voice.bit & self._bits]
            if louder:
                return _clipped(self._with(heard, louder))
        if not heard:
            return None
        mixed = self._mixed.get(heard)
        if mixed is None:
            mixed = self._mixed[heard] = self._mix(heard)
        return mixed

    def _mix(self, heard: int) -> bytes:
        if heard.bit_count() == 1:  # the usual case: one speaks, and is heard as he is
            voice, pcm = next(active for active in self._active if active[0].bit == heard)
            return pcm if voice.gain == 1.0 else _clipped(self._of(voice, pcm))
        return _clipped(self._sum(heard))

    def _sum(self, heard: int) -> _Samples:
        """The sum of these: of all, less those who are not heard, if these are fewer."""
        missing = self._bits & ~heard
        if missing.bit_count() < heard.bit_count():
            if self._total is None:
                self._total = self._added(self._bits)
            total = self._total
            for voice, pcm in self._active:
                if voice.bit & missing:
                    total = total - self._of(voice, pcm)
            return total
        return self._added(heard)

    def _added(self, heard: int) -> _Samples:
        total = np.zeros(FRAME_BYTES // 2, np.int32)
        for voice, pcm in self._active:
            if voice.bit & heard:
                total += self._of(voice, pcm)
        return total

    def _with(self, heard: int, louder: list[tuple[_Voice, float]]) -> _Samples:
        total = self._added(heard)
        for voice, gain in louder:
            total += _amplified(voice.frame or _SILENCE, voice.gain * gain)
        return total

    def _of(self, voice: _Voice, pcm: bytes) -> _Samples:
        samples = self._samples.get(voice.bit)
        if samples is None:
            samples = self._samples[voice.bit] = _amplified(pcm, voice.gain)
        return samples


def _amplified(pcm: bytes, gain: float) -> _Samples:
    """As 32 bits, and not clipped: that is done once, with the sum."""
    samples = np.frombuffer(pcm, "<i2")
    if gain == 1.0:
        return samples.astype(np.int32)
    return np.rint(samples * gain).astype(np.int32)


def _clipped(total: _Samples) -> bytes:
    # `np.clip` takes three times as long for so few samples.
    return np.minimum(np.maximum(total, _LEAST), _MOST).astype("<i2").tobytes()


class _Outlet:
    """The way out to one listener: frames at its rate, each as long as the tick.

    A resampler gives what it has in bursts; `_delay` is how much silence goes before, so that there is always a frame
    to give. While nobody is heard it rests: its stream ends when all that it held back has gone out.
    """

    def __init__(self, rate: int) -> None:
        self._rate = check_rate(rate)
        self._ticks = 0
        self._silent_ticks = 0
        self._ready: bytearray | None = None  # at the listener's rate; None while it rests
        if rate != ROOM_RATE:
            self._resampler = Resampler(ROOM_RATE, rate)
            self._delay = _delay(rate)
            self._tail_ticks = ceil(self._delay / 2 / rate * 1000 * 2 / FRAME_MS)

    def frame(self, pcm: bytes | None) -> Frame:
        if self._rate == ROOM_RATE:
            return _SILENT_FRAME if pcm is None else Frame(pcm, False)
        size = _frame_bytes(self._ticks, self._rate)
        self._ticks += 1
        if pcm is not None:
            self._silent_ticks = 0
            if self._ready is None:
                self._ready = bytearray(self._delay)
        elif self._ready is not None:
            self._silent_ticks += 1
            if self._silent_ticks > self._tail_ticks:
                self._ready = None
                self._resampler.flush()
        if self._ready is None:
            return Frame(bytes(size), True)
        self._ready += self._resampler.process(pcm or _SILENCE)
        out = bytes(self._ready[:size])
        del self._ready[:size]
        return Frame(out, False)


_SILENT_FRAME = Frame(_SILENCE, True)


def _frame_bytes(ticks: int, rate: int) -> int:
    """The bytes of the frame of this tick: 20 ms at 11,025 Hz are 220 samples and 221, in turn."""
    return ((ticks + 1) * rate * FRAME_MS // 1000 - ticks * rate * FRAME_MS // 1000) * 2


@cache
def _delay(rate: int) -> int:
    """By how many bytes what a resampler has given is behind the clock, at most."""
    resampler = Resampler(ROOM_RATE, rate)
    behind = most = 0
    for tick in range(100):  # it repeats itself after a few, and does not depend on which of them is the first
        behind += _frame_bytes(tick, rate) - len(resampler.process(_SILENCE))
        most = max(most, behind)
    return most
