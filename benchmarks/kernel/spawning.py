"""Actors that begin and end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from realtime_actors.actors import Actor, open_runtime, receives

from .timing import Operate

__all__ = ["Idler", "Nudge", "actor_spawn", "bare_spawn", "bare_task"]


@attrs.frozen
class Nudge:
    """A message with nothing in it."""


@attrs.define(eq=False)
class Idler(Actor):
    """An actor that hardly does anything."""

    @receives
    async def nudge(self, _: Nudge) -> None:
        """Nothing."""


async def bare_task(
    receiver: trio.MemoryReceiveChannel[Nudge], ended: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    """A task that reads a channel until it is closed."""
    task_status.started()
    async for _ in receiver:
        pass
    ended.set()


@asynccontextmanager
async def actor_spawn() -> AsyncGenerator[Operate]:
    """Spawn an actor, and stop it."""
    async with open_runtime() as runtime:

        async def operate(count: int) -> None:
            for _ in range(count):
                ref = await runtime.spawn(Idler())
                await ref.stop()

        yield operate


@asynccontextmanager
async def bare_spawn() -> AsyncGenerator[Operate]:
    """Start a task with a channel, and close the channel and wait for the task."""
    async with trio.open_nursery() as nursery:

        async def operate(count: int) -> None:
            for _ in range(count):
                sender, receiver = trio.open_memory_channel[Nudge](256)
                ended = trio.Event()
                await nursery.start(bare_task, receiver, ended)
                sender.close()
                await ended.wait()

        yield operate
