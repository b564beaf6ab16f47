"""Fixtures of pytest, for tests run by pytest-trio.

In `conftest.py`, or in a test module: `from realtime_actors.testing.fixtures import *`, or
`pytest_plugins = ["realtime_actors.testing.fixtures"]`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from pytest_trio import trio_fixture  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType] - it has none
from trio.testing import MockClock

from realtime_actors.actors import Runtime

from .probe import Probe
from .runtime import Failures, open_test_runtime
from .simulated import SimulatedOpenAI, simulate_openai

__all__ = ["failures", "openai_in_memory", "openai_simulator", "probe", "runtime", "virtual_clock"]


@pytest.fixture
def virtual_clock() -> MockClock:
    """Time that jumps whenever everything waits. The test itself has to take it, not only a fixture of it."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def failures() -> Failures:
    """Says what may go wrong in `runtime`: `failures.allow(ValueError)`."""
    return Failures()


@trio_fixture
async def runtime(failures: Failures) -> AsyncGenerator[Runtime]:
    """A runtime. The test fails when an actor crashes, or has no handler or no room for a message."""
    async with open_test_runtime(failures=failures) as runtime:
        yield runtime


@trio_fixture
async def probe(runtime: Runtime) -> Probe:
    """A probe named `probe` in `runtime`."""
    return await Probe.spawn(runtime, name="probe")


@trio_fixture
async def openai_simulator() -> AsyncGenerator[SimulatedOpenAI]:
    """A simulator of OpenAI's wire on a loopback socket: tell it what to answer by its `replies`."""
    async with simulate_openai(in_memory=False) as openai:
        yield openai


@trio_fixture
async def openai_in_memory() -> AsyncGenerator[SimulatedOpenAI]:
    """A simulator of OpenAI's wire in memory, for the virtual clock."""
    async with simulate_openai() as openai:
        yield openai
