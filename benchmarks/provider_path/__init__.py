"""What it costs to hear a provider, and to speak to it, against bare sockets that do nothing else."""

from __future__ import annotations

from benchmarks.benchmark import Benchmark

__all__ = ["benchmarks"]


def benchmarks() -> list[Benchmark]:
    """All of them."""
    from .catalogue import benchmarks  # noqa: PLC0415 - not in the processes of a round, which import this first

    return benchmarks()
