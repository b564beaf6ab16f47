"""The benchmarks between a provider and an application, or a frontend."""

from __future__ import annotations

from benchmarks.benchmark import Benchmark

from . import interruption, rooms, to_application, to_frontend

__all__ = ["benchmarks"]


def benchmarks() -> list[Benchmark]:
    """All of them."""
    return [*to_application.benchmarks(), *to_frontend.benchmarks(), *interruption.benchmarks(), *rooms.benchmarks()]
