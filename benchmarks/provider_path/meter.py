"""What the process that is measured knows of its own work."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import orjson

from benchmarks.statistics import percentile

from .wire import AUDIO_SIZE, DELTA_MS, STAMP_SIZE, stamp, stamp_of

__all__ = ["Meter", "Pace"]

_LEAVE = 0.3  # seconds


@attrs.define(eq=False)
class Meter:
    """Counts what arrives, and measures it: the CPU time of this process, and how long each piece was under way.

    When the last piece has come it prints the values and ends the process: how a contestant shuts down is not what
    is measured here, and not all of them do it.
    """

    warm: int
    """Pieces that are not counted, at first."""
    total: int
    over: Callable[[], None] = attrs.field(init=False)
    """What to do after the last piece: `finish`, or `finish_soon` where pieces go out."""
    _count: int = attrs.field(init=False, default=0)
    _cpu: float = attrs.field(init=False, default=0.0)
    _began: float = attrs.field(init=False, default=0.0)
    _waited: int = attrs.field(init=False, default=0)
    _ways: list[int] = attrs.field(init=False, factory=list[int])

    def __attrs_post_init__(self) -> None:
        self.over = self.finish

    def heard(self, audio: bytes) -> None:
        """A delta's audio has arrived at the application."""
        self._ways.append(time.monotonic_ns() - stamp_of(audio))
        self.count()

    def count(self) -> None:
        """A piece is done with."""
        self._count += 1
        if self._count == self.warm:
            self._ways.clear()
            self._began, self._cpu, self._waited = time.monotonic(), time.process_time(), _waited_for_cpu()
        elif self._count == self.total:
            self.over()

    def finish_soon(self) -> None:
        """End when what is still on its way out of this process has had time to leave."""
        signal.signal(signal.SIGALRM, self._alarm)
        signal.setitimer(signal.ITIMER_REAL, _LEAVE)

    def _alarm(self, number: int, frame: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Print what was measured, and end."""
        cpu, seconds = time.process_time() - self._cpu, time.monotonic() - self._began
        pieces = self.total - self.warm
        values = {
            "cpu": cpu / pieces * 1e6,
            "share": cpu / seconds,
            "waited": (_waited_for_cpu() - self._waited) / 1e9 / seconds,
        }
        if self._ways:
            ways = [each / 1e6 for each in self._ways]
            values |= {"p50": percentile(ways, 50), "p99": percentile(ways, 99)}
        sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
        sys.stdout.buffer.flush()
        os._exit(0)


class Pace:
    """When each session has a piece of audio for the provider: one every 20 ms, the sessions evenly spread."""

    def __init__(self, meter: Meter, sessions: int) -> None:
        self._meter = meter
        self._sessions = sessions
        self._rest = bytes(range(256)) * (AUDIO_SIZE // 256 + 1)
        meter.over = meter.finish_soon

    def pauses(self, session: int) -> Iterator[float]:
        """The seconds to wait before each of the session's pieces, counted from when the next one is asked for."""
        period = DELTA_MS / 1000
        due = time.monotonic() + period * session / self._sessions
        for _ in range(self._meter.total // self._sessions):
            yield max(0.0, due - time.monotonic())
            due += period

    def piece(self) -> bytes:
        """The next piece of audio (PCM16, 24 kHz, 20 ms), with the time in it. Ask for it when it is to go."""
        audio = stamp(time.monotonic_ns()) + self._rest[: AUDIO_SIZE - STAMP_SIZE]
        self._meter.count()
        return audio


def _waited_for_cpu() -> int:
    """How long (ns) this process was ready to run while something else had the CPU; 0 where the system does not say."""
    statistics = Path("/proc/self/schedstat")
    return int(statistics.read_text().split()[1]) if statistics.exists() else 0
