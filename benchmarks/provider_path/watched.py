"""Another process, as the system sees it (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

__all__ = ["Watched"]


@attrs.frozen
class Watched:
    """The process that is measured, seen by one that loads it."""

    process: int

    @property
    def _where(self) -> Path:
        return Path("/proc") / str(self.process)

    def spent(self) -> tuple[float, float]:
        """The CPU time of the process so far, and how long its main thread waited for a CPU, in ns."""
        spent = waited = 0.0
        for task in (self._where / "task").iterdir():
            on_cpu, on_queue, _ = map(int, (task / "schedstat").read_text().split())
            spent += on_cpu
            if task.name == str(self.process):
                waited = float(on_queue)
        return spent, waited

    def resident_kb(self) -> float:
        """Its resident memory, in KB."""
        return int((self._where / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1024

    def unique_kb(self) -> float:
        """The memory that nobody else has a part in, in KB; the resident memory where the system does not say."""
        rollup = self._where / "smaps_rollup"
        if not rollup.exists():
            return self.resident_kb()
        private = (line.split()[1] for line in rollup.read_text().splitlines() if line.startswith("Private_"))
        return float(sum(map(int, private)))
