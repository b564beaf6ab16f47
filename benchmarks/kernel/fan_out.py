"""One message to many."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from realtime_actors.actors import open_runtime

from .timing import Countdown, Operate

__all__ = ["bare_fan_out", "bus_fan_out"]

_TOPIC = "agents.friday.agent_response_audio_delta"


@attrs.frozen
class News:
    """A message with nothing in it."""


_NEWS = News()


def bus_fan_out(subscribers: int) -> AbstractAsyncContextManager[Operate]:
    """A message published on the bus and read by each subscriber's task; an operation is one delivery."""
    return _bus_fan_out(subscribers)


@asynccontextmanager
async def _bus_fan_out(subscribers: int) -> AsyncGenerator[Operate]:
    countdown = Countdown()
    async with open_runtime() as runtime, trio.open_nursery() as nursery:
        bus = runtime.bus

        async def read(*, task_status: trio.TaskStatus[None]) -> None:
            async with bus.subscribe("agents.friday.>") as events:
                task_status.started()
                async for _ in events:
                    countdown.count()

        for _ in range(subscribers):
            await nursery.start(read)

        async def operate(count: int) -> None:
            for _ in range(0, count, subscribers):
                countdown.begin(subscribers)
                bus.publish(_TOPIC, _NEWS)
                await countdown.over.wait()

        yield operate
        nursery.cancel_scope.cancel()


def bare_fan_out(subscribers: int) -> AbstractAsyncContextManager[Operate]:
    """A message sent to a channel for each of the reading tasks."""
    return _bare_fan_out(subscribers)


@asynccontextmanager
async def _bare_fan_out(subscribers: int) -> AsyncGenerator[Operate]:
    countdown = Countdown()
    channels = [trio.open_memory_channel[News](256) for _ in range(subscribers)]
    senders = [sender for sender, _ in channels]

    async def read(receiver: trio.MemoryReceiveChannel[News]) -> None:
        while True:
            await receiver.receive()
            countdown.count()

    async def operate(count: int) -> None:
        for _ in range(0, count, subscribers):
            countdown.begin(subscribers)
            for sender in senders:
                sender.send_nowait(_NEWS)
            await countdown.over.wait()

    async with trio.open_nursery() as nursery:
        for _, receiver in channels:
            nursery.start_soon(read, receiver)
        yield operate
        nursery.cancel_scope.cancel()
