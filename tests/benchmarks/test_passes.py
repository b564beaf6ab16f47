"""The loop's passes, and interruptions in terms of them."""

import time

import orjson
import pytest
import trio
from trio.testing import MockClock

from benchmarks.catalogue import select
from benchmarks.provider_path import passes
from benchmarks.provider_path.passes import Interruption, Passes, interrupt

_MS = 1_000_000


async def test_a_pass_is_as_long_as_its_tasks_take_and_waiting_is_no_part_of_one() -> None:
    seen = Passes()
    trio.lowlevel.add_instrument(seen)
    await trio.lowlevel.checkpoint()
    time.sleep(0.02)  # noqa: ASYNC251 - a task that takes long
    await trio.sleep(0.06)
    trio.lowlevel.remove_instrument(seen)
    assert 20 * _MS <= max(seen.lengths) < 60 * _MS


async def test_interruptions_in_passes(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], autojump_clock: MockClock
) -> None:
    """What takes longer than a pass is more than one."""
    monkeypatch.setattr(passes, "SECONDS", 1.0)

    async def begin() -> None:
        await trio.sleep(0.01)

    async def cut() -> Interruption:
        interruption = Interruption()
        interruption.handled = interruption.told + _MS
        interruption.on_wire = interruption.told + 51 * _MS
        return interruption

    await interrupt(begin, cut)
    values = orjson.loads(capfdbinary.readouterr().out)
    assert values["p50"] == pytest.approx(50)
    assert values["p99 from tell"] == pytest.approx(51)
    assert values["passes"] == pytest.approx(50 / values["pass p99"])
    assert 15 < values["interruptions"] < 60


def test_at_most_three_passes_are_the_bound() -> None:
    (benchmark,) = select(["interruption in passes"])
    (target,) = benchmark.targets
    assert (target.contestant, target.measure, target.most) == ("gateway", "passes", 3)
    assert next(iter(benchmark.measures)) == "passes"
