"""A message from one task to another, while both are idle, and many at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from realtime_actors.actors import Actor, Instrument, Ref, open_runtime, receives

from .timing import Countdown, Operate

__all__ = [
    "actors_hop",
    "actors_pipeline",
    "bare_hop",
    "bare_pipeline",
    "instrumented_actors_hop",
    "plain_actors_hop",
]

_BATCH = 128  # messages that are told before the receiver runs: half of what a mailbox holds


@attrs.frozen
class Ball:
    """A message with nothing in it."""


@attrs.frozen
class Opponent:
    """Whom to hit the ball to."""

    ref: Ref


_BALL = Ball()


@attrs.define(eq=False)
class _Player(Actor):
    rally: Countdown
    opponent: Ref = attrs.field(init=False)

    @receives
    def meet(self, message: Opponent) -> None:
        self.opponent = message.ref

    @receives
    async def hit(self, message: Ball) -> None:
        if self.rally.count():
            self.opponent.tell(message)


@attrs.define(eq=False)
class _PlainPlayer(Actor):
    rally: Countdown
    opponent: Ref = attrs.field(init=False)

    @receives
    def meet(self, message: Opponent) -> None:
        self.opponent = message.ref

    @receives
    def hit(self, message: Ball) -> None:
        if self.rally.count():
            self.opponent.tell(message)


@asynccontextmanager
async def _match(
    first: Actor, second: Actor, rally: Countdown, instruments: Sequence[Instrument] = ()
) -> AsyncGenerator[Operate]:
    async with open_runtime(instruments=instruments) as runtime:
        one, other = await runtime.spawn(first), await runtime.spawn(second)
        await one.ask(Opponent(other), timeout=None)
        await other.ask(Opponent(one), timeout=None)

        async def operate(count: int) -> None:
            rally.begin(count)
            one.tell(_BALL)
            await rally.over.wait()

        yield operate


@asynccontextmanager
async def actors_hop() -> AsyncGenerator[Operate]:
    """Two actors tell each other the same message, again and again; an operation is one of these."""
    rally = Countdown()
    async with _match(_Player(rally), _Player(rally), rally) as operate:
        yield operate


@asynccontextmanager
async def instrumented_actors_hop() -> AsyncGenerator[Operate]:
    """As `actors_hop`, with an instrument that does nothing."""
    rally = Countdown()
    async with _match(_Player(rally), _Player(rally), rally, [Instrument()]) as operate:
        yield operate


@asynccontextmanager
async def plain_actors_hop() -> AsyncGenerator[Operate]:
    """As `actors_hop`, with handlers that are plain methods."""
    rally = Countdown()
    async with _match(_PlainPlayer(rally), _PlainPlayer(rally), rally) as operate:
        yield operate


@asynccontextmanager
async def bare_hop() -> AsyncGenerator[Operate]:
    """Two tasks, with a channel each way."""
    rally = Countdown()
    there, there_end = trio.open_memory_channel[Ball](256)
    back, back_end = trio.open_memory_channel[Ball](256)

    async def player(incoming: trio.MemoryReceiveChannel[Ball], outgoing: trio.MemorySendChannel[Ball]) -> None:
        while True:
            ball = await incoming.receive()
            if rally.count():
                outgoing.send_nowait(ball)

    async def operate(count: int) -> None:
        rally.begin(count)
        there.send_nowait(_BALL)
        await rally.over.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(player, there_end, back)
        nursery.start_soon(player, back_end, there)
        yield operate
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class _Counter(Actor):
    countdown: Countdown

    @receives
    async def add(self, _: Ball) -> None:
        self.countdown.count()


@asynccontextmanager
async def actors_pipeline() -> AsyncGenerator[Operate]:
    """An actor is told many messages before it runs; an operation is one message."""
    countdown = Countdown()
    async with open_runtime() as runtime:
        tell = (await runtime.spawn(_Counter(countdown))).tell

        async def operate(count: int) -> None:
            for _ in range(0, count, _BATCH):
                countdown.begin(_BATCH)
                for _ in range(_BATCH):
                    tell(_BALL)
                await countdown.over.wait()

        yield operate


@asynccontextmanager
async def bare_pipeline() -> AsyncGenerator[Operate]:
    """A reader that waits for a message, and then takes what else there is without waiting."""
    countdown = Countdown()
    sender, receiver = trio.open_memory_channel[Ball](256)

    async def read() -> None:
        while True:
            await receiver.receive()
            countdown.count()
            try:
                while True:
                    receiver.receive_nowait()
                    countdown.count()
            except trio.WouldBlock:
                pass

    async def operate(count: int) -> None:
        send = sender.send_nowait
        for _ in range(0, count, _BATCH):
            countdown.begin(_BATCH)
            for _ in range(_BATCH):
                send(_BALL)
            await countdown.over.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield operate
        nursery.cancel_scope.cancel()
