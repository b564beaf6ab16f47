"""Calls that are cancelled at any moment: nothing is left of them, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

import pytest
from hosts_kit import Add, Counter, GetTotal, Release, Say, Wait, in_asyncio, until

from realtime_actors.actors import ActorStopped
from realtime_actors.asyncio import AsyncioRef, AsyncioRuntime, open_runtime


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left_of_what_was_cancelled(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    @in_asyncio
    async def hammer() -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        async with open_runtime() as runtime:
            steady = await runtime.spawn(Counter(), name="steady")
            tasks = [asyncio.create_task(one_call(runtime, steady, chance, number)) for number in range(300)]
            for task in tasks:
                if chance.random() < 0.5:
                    await asyncio.sleep(chance.random() * 0.002)
                if chance.random() < 0.7:
                    task.cancel()
                steady.tell(Release())
            results = await asyncio.gather(*tasks, return_exceptions=True)
            unexpected = [r for r in results if r is not None and not isinstance(r, asyncio.CancelledError)]
            assert unexpected == []
            assert runtime.statistics().calls == 0
            # A result that came at the very moment of the cancellation is taken back a moment later.
            await until(lambda: runtime.find("steady") is not None and not others(runtime, len(results)))
            assert await steady.ask(GetTotal(), timeout=5) >= 0

    with caplog.at_level(logging.WARNING):
        hammer()
    assert caplog.records == []


def others(runtime: AsyncioRuntime, count: int) -> list[AsyncioRef]:
    return [ref for number in range(count) if (ref := runtime.find(f"actor-{number}")) is not None]


async def one_call(runtime: AsyncioRuntime, steady: AsyncioRef, chance: random.Random, number: int) -> None:
    match chance.randrange(5):
        case 0:
            await steady.ask(Wait(), timeout=5)
        case 1:
            await steady.send(Add(1))
        case 2:
            actor = await runtime.spawn(Counter(), name=f"actor-{number}")
            try:
                await asyncio.sleep(chance.random() * 0.002)
            finally:
                await asyncio.shield(actor.stop())
        case 3:
            async with runtime.subscribe("counters.>") as events:
                steady.tell(Say(str(number)))
                await events.receive()
        case _:
            with contextlib.suppress(TimeoutError, ActorStopped):
                async with asyncio.timeout(chance.random() * 0.002):
                    await steady.wait_stopped()
