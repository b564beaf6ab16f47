"""What waits to be mixed, of one source: a jitter buffer for people, a playout buffer for agents. Plain code, no clock.

Audio comes in as PCM16 mono of any usual rate, in chunks of any size, at any pace. It goes out in frames of
`FRAME_MS` at `ROOM_RATE`, one for each tick of the mixer. A *stream* is what comes between two calls of `finish` or
`flush`: it has one rate and one resampler.
"""

from __future__ import annotations

from collections import deque
from math import ceil

import attrs

from realtime_actors.audio import Resampler, byte_length, check_pcm16, check_rate, duration_ms

from .errors import ChunkTooLong, RateChanged

__all__ = ["FRAME_BYTES", "FRAME_MS", "ROOM_RATE", "BufferStatistics", "JitterBuffer", "Played", "PlayoutBuffer"]

ROOM_RATE = 24000
"""The sample rate, in Hz, in which rooms mix."""

FRAME_MS = 20
"""How long a frame is, in ms: what a tick of the mixer takes from each source and gives to each listener."""

FRAME_BYTES = byte_length(FRAME_MS, ROOM_RATE)
"""The bytes of a frame at `ROOM_RATE`."""

_MS_BYTES = byte_length(1, ROOM_RATE)


@attrs.frozen
class BufferStatistics:
    """Where the audio of one source went: received = played + dropped + flushed + buffered, but for rounding."""

    received_ms: float
    """What was taken in."""
    played_ms: float
    """What was taken out by the mixer; the silence put in for what was missing is not counted."""
    dropped_ms: float
    """What came too late: the oldest of what did not fit into a `JitterBuffer`."""
    flushed_ms: float
    """What `flush` threw away."""
    buffered_ms: float
    """What waits."""
    underruns: int
    """How often it ran dry in the middle of a stream."""


@attrs.frozen
class Played:
    """How much of an item was played: `played_ms`, of the `received_ms` that came."""

    item: str
    played_ms: float
    received_ms: float


class _Buffer:
    """A stream in, frames out. Positions are counted in samples at `ROOM_RATE`, from where it was last empty."""

    def __init__(self, start_ms: int, depth_ms: int) -> None:
        if start_ms < 0 or depth_ms < max(start_ms, FRAME_MS):
            raise ValueError(
                f"start_ms is {start_ms}, depth_ms {depth_ms}: start_ms may not be less than 0, "
                f"and depth_ms neither less than start_ms nor than {FRAME_MS} ms."
            )
        self._start_bytes = start_ms * _MS_BYTES
        self._start_ticks = ceil(start_ms / FRAME_MS)
        self._depth_bytes = depth_ms * _MS_BYTES
        self._pcm = bytearray()
        self._rate = 0  # of the stream; 0 between streams
        self._resampler = Resampler(ROOM_RATE, ROOM_RATE)
        self._began = 0  # where in what was written the stream began
        self._in = 0  # samples of the stream, at its own rate
        self._taken = 0  # up to here what was written is gone
        self._is_finished = True
        self._is_playing = False
        self._waited = 0  # ticks since there is something to play
        self._received_ms = 0.0
        self._played_bytes = 0
        self._dropped_bytes = 0
        self._flushed_bytes = 0
        self._underruns = 0

    @property
    def buffered_ms(self) -> float:
        """How much waits, in ms, with what the resampler holds back."""
        return (self._end() - self._taken) * 1000 / ROOM_RATE

    @property
    def is_over(self) -> bool:
        """Whether all that came has been played, and no more is to come: `finish` was called."""
        return self._is_finished and not self._pcm

    def finish(self) -> None:
        """Nothing more comes for now: what there is is played to its end, and running dry then is no underrun."""
        self._pcm += self._end_stream()
        self._began = self._taken + len(self._pcm) // 2

    def take(self) -> bytes | None:
        """The next `FRAME_BYTES`, filled up with silence; `None` if there is nothing to play. For the mixer."""
        pcm = self._pcm
        size = len(pcm)
        if not self._is_playing:
            if not size:
                return None
            self._waited += 1
            # What is too short to reach the threshold is not left lying: it is played when the time is over.
            if size < self._start_bytes and self._waited <= self._start_ticks and not self._is_finished:
                return None
            self._is_playing = True
        if size >= FRAME_BYTES:
            frame = bytes(pcm[:FRAME_BYTES])
            del pcm[:FRAME_BYTES]
            self._taken += FRAME_BYTES // 2
            self._played_bytes += FRAME_BYTES
            return frame
        self._is_playing = False
        self._waited = 0
        if not self._is_finished:
            self._underruns += 1
        if not size:
            return None
        frame = bytes(pcm).ljust(FRAME_BYTES, b"\0")
        pcm.clear()
        self._taken += size // 2
        self._played_bytes += size
        return frame

    def statistics(self) -> BufferStatistics:
        """Where the audio went so far."""
        return BufferStatistics(
            self._received_ms,
            self._played_bytes / _MS_BYTES,
            self._dropped_bytes / _MS_BYTES,
            self._flushed_bytes / _MS_BYTES,
            self.buffered_ms,
            self._underruns,
        )

    def _check(self, pcm: bytes, rate: int) -> None:
        check_pcm16(pcm)
        check_rate(rate)
        if self._rate not in (0, rate):
            raise RateChanged(
                f"Audio of {rate} Hz came in the middle of a stream of {self._rate} Hz. "
                "Keep to one rate, or end the stream first with `finish` or `flush`."
            )

    def _write(self, pcm: bytes, rate: int) -> None:
        self._rate = rate
        self._is_finished = False
        if self._resampler.from_rate != rate:
            self._resampler = Resampler(rate, ROOM_RATE)
        self._pcm += self._resampler.process(pcm)
        self._in += len(pcm) // 2
        self._received_ms += duration_ms(len(pcm), rate)

    def _end(self, samples: int = 0, rate: int = 0) -> int:
        """Where the stream ends, or would with so many samples more at that rate."""
        return self._began + (self._in + samples) * ROOM_RATE // (rate or self._rate or ROOM_RATE)

    def _end_stream(self) -> bytes:
        self._is_finished = True
        self._rate = self._in = 0
        return self._resampler.flush()

    def _clear(self) -> None:
        self._flushed_bytes += 2 * (self._end() - self._taken)
        self._end_stream()
        self._pcm.clear()
        self._began = self._taken = self._waited = 0
        self._is_playing = False


class JitterBuffer(_Buffer):
    """Audio that comes at the pace of speech, more or less: a person's microphone.

    Playing starts when `start_ms` are there (or that time has passed), which is how much jitter is evened out without
    a gap. When it runs dry the listeners hear silence, and it starts anew. It holds `depth_ms` at the most, which is
    how far a person may lag behind: of what does not fit, the oldest is dropped and counted.

    A microphone that is open is never silent, since rooms are not: push only what is speech
    (`realtime_actors.audio.VoiceActivityDetector` tells) where it matters that silence is known as such.

    Raises:
        ValueError: `start_ms` or `depth_ms` is out of its range.
    """

    def __init__(self, start_ms: int = 40, depth_ms: int = 200) -> None:
        super().__init__(start_ms, depth_ms)

    def push(self, pcm: bytes, rate: int) -> None:
        """Take the next chunk, of any size: PCM16 mono at `rate` Hz.

        Raises:
            OddLength: it ends in the middle of a sample.
            UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
            RateChanged: the stream has another rate.
        """
        self._check(pcm, rate)
        if not pcm:
            return
        self._write(pcm, rate)
        excess = len(self._pcm) - self._depth_bytes
        if excess > 0:
            del self._pcm[:excess]
            self._taken += excess // 2
            self._dropped_bytes += excess

    def flush(self) -> None:
        """Throw away what waits, at once. The next chunk begins a new stream, which may have another rate."""
        self._clear()


class PlayoutBuffer(_Buffer):
    """Audio that comes faster than it is heard: an agent's speech.

    It holds `depth_ms` at the most. Nothing is dropped: a chunk for which there is no room is refused, for the caller
    to push again when `room_ms` is enough. Each chunk may name the item that it belongs to, so that it is known how
    much of each was played. That is counted when the mixer takes it: what listeners buffer comes on top.

    Raises:
        ValueError: `start_ms` or `depth_ms` is out of its range.
    """

    def __init__(self, start_ms: int = 20, depth_ms: int = 60_000) -> None:
        super().__init__(start_ms, depth_ms)
        self._items: deque[_Item] = deque()  # those that are not played to their end, and the last one

    @property
    def room_ms(self) -> float:
        """How much more it takes now, in ms."""
        return self._depth_bytes / _MS_BYTES - self.buffered_ms

    def push(self, pcm: bytes, rate: int, item: str = "") -> bool:
        """Take the next chunk, of any size: PCM16 mono at `rate` Hz. `False` if there is no room: nothing was taken.

        Raises:
            OddLength: it ends in the middle of a sample.
            UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
            RateChanged: the stream has another rate.
            ChunkTooLong: the chunk alone is more than `depth_ms`.
        """
        self._check(pcm, rate)
        if not pcm:
            return True
        end = self._end(len(pcm) // 2, rate)
        if 2 * (end - self._taken) > self._depth_bytes:
            if duration_ms(len(pcm), rate) > self._depth_bytes / _MS_BYTES:
                raise ChunkTooLong(
                    f"A chunk of {duration_ms(len(pcm), rate):.0f} ms never fits into a buffer of "
                    f"{self._depth_bytes // _MS_BYTES} ms. Push it in shorter chunks, or make the buffer deeper."
                )
            return False
        self._forget_played()
        if self._items and self._items[-1].name == item:
            self._items[-1].end = end
        else:
            self._items.append(_Item(item, self._end(), end))
        self._write(pcm, rate)
        return True

    def finish(self) -> None:
        """The reply is complete: what there is is played to its end, and running dry then is no underrun."""
        super().finish()
        if self._items:  # resamplers round
            self._items[-1].end = self._began

    def position(self) -> Played | None:
        """The item that is being played, or the last one that was, and how much of it; `None` before there is one."""
        self._forget_played()
        return self._items[0].played(self._taken) if self._items else None

    def flush(self) -> tuple[Played, ...]:
        """Throw away what waits, at once, and return how much was played of each item, in order.

        Items that were played to their end are not among them. The last one is, unless `finish` was called: more of
        it could have come. The next chunk begins a new stream, which may have another rate.
        """
        self._forget_played()
        cut = [item.played(self._taken) for item in self._items if item.end > self._taken or not self._is_finished]
        self._items.clear()
        self._clear()
        return tuple(cut)

    def _forget_played(self) -> None:
        while len(self._items) > 1 and self._items[0].end <= self._taken:
            self._items.popleft()


@attrs.define(eq=False)
class _Item:
    name: str
    start: int
    end: int

    def played(self, taken: int) -> Played:
        played = min(max(taken - self.start, 0), self.end - self.start)
        return Played(self.name, played * 1000 / ROOM_RATE, (self.end - self.start) * 1000 / ROOM_RATE)
