"""Runtimes for tests: a crash that no test expects fails it, and time need not pass."""

from __future__ import annotations

import gc
import importlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, TypeVar, TypeVarTuple, cast

import trio
from trio.testing import MockClock

from realtime_actors.actors import (
    ActorRestarting,
    ActorTerminated,
    Bus,
    DeadLetter,
    Instrument,
    Lost,
    Runtime,
    Subscription,
    open_runtime,
)

from .errors import ExpectationFailed, InvalidExpectation
from .matching import listed, short

__all__ = ["Failures", "open_test_runtime", "run_virtual"]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

MOST_KEPT = 1024
_TOPICS = ("runtime.terminated.>", "runtime.restarting.>", "runtime.dead_letter.>")


class Failures:
    """What goes wrong in a runtime while a test runs.

    That is an actor that crashes (whether it is restarted or not), and a message that an actor has no handler or no
    room for. What is left in the mailbox of an actor that stops is none, nor is an answer that comes too late.
    """

    def __init__(self, *causes: type[Exception]) -> None:
        """`causes` are allowed."""
        self._causes: tuple[type[Exception], ...] = ()
        self._messages: tuple[type, ...] = ()
        self._subscriptions: list[Subscription] = []
        self.allow(*causes)

    def allow(self, *causes: type[Exception]) -> None:
        """Let actors crash because of errors of these types, whatever supervisors make of them."""
        for cause in causes:
            if not (isinstance(cause, type) and issubclass(cause, Exception)):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
                raise InvalidExpectation(f"allow takes types of errors, not {short(cause)}")
        self._causes += causes

    def allow_dead_letters(self, *messages: type) -> None:
        """Let messages of these types remain unhandled."""
        self._messages += messages

    def watch(self, bus: Bus) -> None:
        """Begin to look."""
        # What is dropped is the newest: the first failure is the one to begin with.
        self._subscriptions += [bus.subscribe(topic, capacity=MOST_KEPT, overflow="drop_newest") for topic in _TOPICS]

    def found(self) -> ExpectationFailed | None:
        """What has gone wrong since the last call, as an error whose cause is the first crash; None if all is well."""
        crashes: list[BaseException] = []
        letters: list[Any] = []
        problems: list[str] = []
        for subscription in self._subscriptions:
            for event in _read(subscription):
                match event:
                    case ActorTerminated(path, "crashed", BaseException() as cause) | ActorRestarting(
                        path, _, _, BaseException() as cause
                    ) if not self._allowed(cause):
                        crashes.append(cause)
                        problems.append(f"{path} crashed: {short(cause)}")
                    case DeadLetter(path, message, "unhandled") if not isinstance(message, self._messages):
                        letters.append(message)
                        problems.append(f"{path} has no handler for {short(message)}")
                    case DeadLetter(path, message, "mailbox_full") if not isinstance(message, self._messages):
                        letters.append(message)
                        problems.append(f"{path} had no room for {short(message)}")
                    case Lost(count):
                        problems.append(f"{count} more, which were too many to be looked at")
                    case _:
                        pass
        if not problems:
            return None
        advice = f"allow({_types(crashes)})" if crashes else f"allow_dead_letters({_types(letters)})"
        error = ExpectationFailed(
            f"something went wrong in the runtime that the test does not expect:{listed(problems)}\n"
            f"If it is to be so, say it in the test: failures.{advice}"
        )
        error.__cause__ = crashes[0] if crashes else None
        return error

    def _allowed(self, cause: BaseException | None) -> bool:
        if isinstance(cause, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", cause).exceptions
            return all(map(self._allowed, inner))
        while cause is not None:
            if isinstance(cause, self._causes):
                return True
            cause = cause.__cause__
        return False


def _types(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(type(value).__qualname__ for value in values))


def _read(subscription: Subscription) -> list[Any]:
    found: list[Any] = []
    while True:
        try:
            found.append(subscription.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return found


@asynccontextmanager
async def open_test_runtime(
    *, failures: Failures | None = None, shutdown_timeout: float = 10.0, instruments: Sequence[Instrument] = ()
) -> AsyncGenerator[Runtime]:
    """As `open_runtime`; leaving the block raises `ExpectationFailed` if an actor crashed, or had no handler or room.

    `failures` says what may. When the block itself raises, that comes out, with a note on what went wrong beside it.
    """
    failures = failures or Failures()
    try:
        async with open_runtime(
            shutdown_timeout=shutdown_timeout,
            instruments=instruments,
            lane_held_after=None,  # on a virtual clock a handler holds its lane for hours
        ) as runtime:
            failures.watch(runtime.bus)
            yield runtime
    except BaseException as error:
        beside = failures.found()
        if beside is not None:
            error.add_note(str(beside))
        raise
    found = failures.found()
    if found is not None:
        raise found


def run_virtual(
    function: Callable[[Runtime, *Ts], Awaitable[R]],
    *args: *Ts,
    failures: Failures | None = None,
    seed: int | str | None = None,
) -> R:
    """Run `await function(runtime, *args)` and return its result, in no time: whenever all wait, the clock jumps.

    For tests without a plugin of pytest, and for scripts. The runtime is one of `open_test_runtime`. The clock is
    Trio's `MockClock`: nothing in it may wait for threads, processes or other machines, for which it would not wait.

    Trio runs tasks that are ready at the same time in an order of chance. With a `seed`, this order, and what `random`
    gives, are the same every time: what happens then happens again. Python's collector of garbage is off until the end,
    since what it does wakes tasks, at moments that depend on what the process did before.
    """

    async def main() -> R:
        async with open_test_runtime(failures=failures) as runtime:
            return await function(runtime, *args)

    with nullcontext() if seed is None else _seeded(seed):
        return trio.run(main, clock=MockClock(autojump_threshold=0))


@contextmanager
def _seeded(seed: int | str) -> Generator[None]:
    """Chance, Trio's included, follows from the seed; afterwards it is as it was."""
    # Trio has no public way to it. This is the one that it has for Hypothesis, which wants the same.
    scheduler: Any = importlib.import_module("trio._core._run")
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate(), random.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    random.seed(seed)
    collects = gc.isenabled()
    gc.collect()  # what is garbage by now, asynchronous generators that Trio would end among it
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before[0]
        scheduler._r.setstate(before[1])
        random.setstate(before[2])
