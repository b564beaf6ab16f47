"""What a message costs on its way from asyncio to the runtime, in a flood.

`python tests/asyncio_hosts/crossing_cost.py` prints it; `measure` gives the numbers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import attrs
import trio

from realtime_actors.actors import Actor, Runtime, receives
from realtime_actors.asyncio import open_runtime


@attrs.frozen
class Piece:
    number: int


@attrs.frozen
class GetCount:
    pass


@attrs.define(eq=False)
class Sink(Actor):
    count: int = attrs.field(init=False, default=0)

    @receives
    def take(self, _: Piece) -> None:
        self.count += 1

    @receives
    def report(self, _: GetCount) -> int:
        return self.count


@attrs.frozen
class Cost:
    """Microseconds for each message: until it is in the other thread, and until an actor there has handled it."""

    batched_us: float
    """As `AsyncioRef.tell` crosses: a deque with one armed wake-up."""
    single_us: float
    """With a `TrioToken.run_sync_soon` for each message."""
    batched_handled_us: float
    single_handled_us: float

    @property
    def ratio(self) -> float:
        """Of the batched crossing to the other."""
        return self.batched_us / self.single_us


def measure(messages: int = 20_000, rounds: int = 5) -> Cost:
    """Flood the runtime from asyncio, in both ways by turns. The best round of each counts."""
    return asyncio.run(_measure(messages, rounds))


async def _measure(messages: int, rounds: int) -> Cost:
    async def token_of(_: Runtime) -> trio.lowlevel.TrioToken:
        return trio.lowlevel.current_trio_token()

    async with open_runtime(capacity=messages + 1, blocked_after=None, lane_held_after=None) as runtime:
        token = await runtime.run(token_of)
        sink = await runtime.spawn(Sink(), capacity=messages + 1)
        crossing = runtime._thread.to_trio  # pyright: ignore[reportPrivateUsage] - what is measured
        loop = asyncio.get_running_loop()
        pieces = [Piece(number) for number in range(messages)]

        async def flood(put: Callable[[Callable[[Piece], object], Piece], object]) -> float:
            arrived = asyncio.Event()

            def arrive(piece: Piece) -> None:
                if piece.number == messages - 1:
                    loop.call_soon_threadsafe(arrived.set)

            begun = time.perf_counter()
            for piece in pieces:
                put(arrive, piece)
            await arrived.wait()
            return (time.perf_counter() - begun) / messages * 1e6

        async def flood_actor(tell: Callable[[Piece], object]) -> float:
            before = await sink.ask(GetCount(), timeout=None)
            begun = time.perf_counter()
            for piece in pieces:
                tell(piece)
            after = await sink.ask(GetCount(), timeout=None)
            took = (time.perf_counter() - begun) / messages * 1e6
            assert after - before == messages
            return took

        def put_singly(function: Callable[[Piece], object], piece: Piece) -> None:
            token.run_sync_soon(function, piece)

        def tell_singly(piece: Piece) -> None:
            token.run_sync_soon(sink.ref.tell_or_dead_letter, piece)

        results = [
            (
                await flood(crossing.put_if_room),
                await flood(put_singly),
                await flood_actor(sink.tell),
                await flood_actor(tell_singly),
            )
            for _ in range(rounds)
        ]
        return Cost(*(min(each) for each in zip(*results, strict=True)))


if __name__ == "__main__":
    cost = measure()
    print(f"to the other thread:  {cost.batched_us:.2f} µs batched, {cost.single_us:.2f} µs each by run_sync_soon")  # noqa: T201
    print(f"until it is handled:  {cost.batched_handled_us:.2f} µs, {cost.single_handled_us:.2f} µs")  # noqa: T201
    print(f"ratio of the crossings: {cost.ratio:.2f}")  # noqa: T201
