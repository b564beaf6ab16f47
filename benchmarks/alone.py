"""Doing one thing at a time, whichever processes do it."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROUND", "alone"]

ROUND = Path(tempfile.gettempdir()) / "realtime-actors-benchmarks.lock"
"""Held for a round: two runs on a machine would be each other's load."""


@contextmanager
def alone(lock: Path) -> Generator[None]:
    """Wait until no other process is here with this lock, where the system has such locks."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
