"""Keeping what else runs on the machine out of a measurement."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["AUDIENCE", "CONTESTANT", "GENERATOR", "go_first"]

CONTESTANT, AUDIENCE, GENERATOR = 1, 2, 3


def go_first(level: int) -> None:
    """Have this process run before others, and before those of a lower `level`, where that is allowed (Linux, root).

    What is measured has a core of its own (the last one), and its load the others, where there is more than one.

    Only for what is short and bounded. Where it is not allowed, a busy machine shows in the lateness of the load
    generator and in the time for which what is measured waited for a CPU, and the round is thrown out.
    """
    if hasattr(os, "sched_setaffinity"):
        *others, last = sorted(os.sched_getaffinity(0))
        if others:
            os.sched_setaffinity(0, {last} if level == CONTESTANT else others)
    if hasattr(os, "sched_setscheduler"):
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(level))
