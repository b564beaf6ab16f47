"""All benchmarks there are."""

from __future__ import annotations

from collections.abc import Sequence

from . import decoding, kernel, provider_path
from .benchmark import Benchmark

__all__ = ["UnknownBenchmark", "every", "select"]


class UnknownBenchmark(Exception):
    """There is no benchmark of this name. Says which there are."""


def every() -> list[Benchmark]:
    """All of them, in the order in which they run."""
    return [*kernel.benchmarks(), *decoding.benchmarks(), *provider_path.benchmarks()]


def select(names: Sequence[str], *, quick: bool = False, among: Sequence[Benchmark] | None = None) -> list[Benchmark]:
    """The benchmarks of these groups, names or labels, all for none. Raises `UnknownBenchmark`."""
    benchmarks = every() if among is None else among
    known = {word for each in benchmarks for word in (each.group, each.name, each.label)}
    for name in names:
        if name not in known:
            there_are = ", ".join(
                dict.fromkeys([each.group for each in benchmarks] + [each.name for each in benchmarks])
            )
            raise UnknownBenchmark(f"there is no benchmark {name!r}; there are {there_are}")
    chosen = [each for each in benchmarks if not names or {each.group, each.name, each.label} & set(names)]
    # What is asked for by its name is run in any case, only faster.
    return [each for each in chosen if each.quick or not quick or {each.name, each.label} & set(names)]
