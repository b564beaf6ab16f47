"""What there is in the process that is measured: asked for by a signal, since a contestant does not know of it."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import attrs
import orjson
import trio

from realtime_actors.actors import Actor

from .processes import Process, line

__all__ = ["Inventory", "ask", "give_when_asked"]

_PATIENCE, _PAUSE = 3.0, 0.2  # seconds for what ends to be over, and between looks


@attrs.frozen
class Inventory:
    """Counted after a garbage collection."""

    tasks: int
    actors: int
    files: int
    """Open ones: sockets, above all."""
    objects: int
    """That the garbage collector knows of."""

    def left_over(self, before: Inventory) -> int:
        """How many more tasks, actors and sockets there are than before."""
        more = (self.tasks - before.tasks, self.actors - before.actors, self.files - before.files)
        return sum(max(0, each) for each in more)


def give_when_asked() -> None:
    """Print an inventory of this process at each SIGUSR1. For contestants that run on Trio in the main thread."""
    signal.signal(signal.SIGUSR1, _give)


def _give(number: int, frame: FrameType | None) -> None:
    gc.collect()
    objects = gc.get_objects()
    found = Inventory(
        tasks=trio.lowlevel.current_statistics().tasks_living,
        actors=sum(isinstance(each, Actor) for each in objects),
        files=len(list(Path("/proc/self/fd").iterdir())),
        objects=len(objects),
    )
    sys.stdout.buffer.write(orjson.dumps(attrs.asdict(found)) + b"\n")
    sys.stdout.buffer.flush()


def ask(process: Process, before: Inventory | None = None) -> Inventory:
    """What there is in a process when nothing changes any more, and, for a while, not more than `before`."""
    deadline = time.monotonic() + _PATIENCE
    last = None
    while True:
        os.kill(process.pid, signal.SIGUSR1)
        found = Inventory(**line(process))
        is_over = found == last and (before is None or not found.left_over(before))
        if is_over or time.monotonic() > deadline:
            return found
        last = found
        time.sleep(_PAUSE)
