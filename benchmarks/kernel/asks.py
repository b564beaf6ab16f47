"""A question and its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from realtime_actors.actors import Actor, open_runtime, receives

from .timing import Operate

__all__ = [
    "actor_ask",
    "actor_ask_with_timeout",
    "bare_channel",
    "bare_channel_with_timeout",
    "bare_one_shot",
    "bare_one_shot_with_timeout",
]

_TIMEOUT = 5.0


@attrs.frozen
class Question:
    """Asks for a number."""


_QUESTION = Question()


@attrs.define(eq=False)
class _Oracle(Actor):
    @receives
    async def answer(self, _: Question) -> int:
        return 42


@asynccontextmanager
async def _ask(timeout: float | None) -> AsyncGenerator[Operate]:  # noqa: ASYNC109 - it is what is measured
    async with open_runtime() as runtime:
        oracle = await runtime.spawn(_Oracle())

        async def operate(count: int) -> None:
            for _ in range(count):
                await oracle.ask(_QUESTION, timeout=timeout)

        yield operate


@asynccontextmanager
async def actor_ask() -> AsyncGenerator[Operate]:
    """An `ask` of an idle actor, without timeout."""
    async with _ask(None) as operate:
        yield operate


@asynccontextmanager
async def actor_ask_with_timeout() -> AsyncGenerator[Operate]:
    """An `ask` of an idle actor, with a timeout."""
    async with _ask(_TIMEOUT) as operate:
        yield operate


@asynccontextmanager
async def _with_channel() -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    sender, receiver = trio.open_memory_channel[tuple[Question, trio.MemorySendChannel[int]]](256)

    async def answer() -> None:
        while True:
            _, reply = await receiver.receive()
            reply.send_nowait(42)

    async def ask() -> int:
        reply, answer = trio.open_memory_channel[int](1)
        sender.send_nowait((_QUESTION, reply))
        return await answer.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        yield ask
        nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class _OneShot:
    task: trio.lowlevel.Task
    value: int = 0


@asynccontextmanager
async def _with_one_shot() -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    sender, receiver = trio.open_memory_channel[tuple[Question, _OneShot]](256)

    async def answer() -> None:
        while True:
            _, reply = await receiver.receive()
            reply.value = 42
            trio.lowlevel.reschedule(reply.task)

    def abort(_: object) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.FAILED

    async def ask() -> int:
        reply = _OneShot(trio.lowlevel.current_task())
        sender.send_nowait((_QUESTION, reply))
        await trio.lowlevel.wait_task_rescheduled(abort)
        return reply.value

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        yield ask
        nursery.cancel_scope.cancel()


async def _repeat(ask: Callable[[], Awaitable[int]], count: int) -> None:
    for _ in range(count):
        await ask()


async def _repeat_with_timeout(ask: Callable[[], Awaitable[int]], count: int) -> None:
    for _ in range(count):
        with trio.fail_after(_TIMEOUT):
            await ask()


@asynccontextmanager
async def bare_channel() -> AsyncGenerator[Operate]:
    """A channel for questions, and a new channel for each answer."""
    async with _with_channel() as ask:
        yield lambda count: _repeat(ask, count)


@asynccontextmanager
async def bare_channel_with_timeout() -> AsyncGenerator[Operate]:
    """As `bare_channel`, each under `fail_after`."""
    async with _with_channel() as ask:
        yield lambda count: _repeat_with_timeout(ask, count)


@asynccontextmanager
async def bare_one_shot() -> AsyncGenerator[Operate]:
    """A channel for questions, and a task that is woken with the answer: the least that Trio can do."""
    async with _with_one_shot() as ask:
        yield lambda count: _repeat(ask, count)


@asynccontextmanager
async def bare_one_shot_with_timeout() -> AsyncGenerator[Operate]:
    """As `bare_one_shot`, each under `fail_after`."""
    async with _with_one_shot() as ask:
        yield lambda count: _repeat_with_timeout(ask, count)
