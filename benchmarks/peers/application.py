"""An application of one peer, in the peer's environment: what all drivers do, given how a session is opened.

A driver has `open_session(port, application, start_soon)`: it opens a session with the provider at
`ws://127.0.0.1:<port>/`, ready to be spoken to, and from then on tells the application of what is heard.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
import orjson

from benchmarks.provider_path.meter import Pace
from benchmarks.provider_path.watched import Watched
from benchmarks.provider_path.wire import AUDIO_SIZE, TURN

__all__ = ["Application", "Host", "Loop", "Session", "on_asyncio"]

Heard = Callable[[bytes], None]
StartSoon = Callable[..., None]

_BEFORE_INTERRUPTION = 500  # deltas
_QUIET, _PATIENCE = 1.0, 20.0  # seconds without a delta after which none comes, and of waiting at most
_CONSUMED_EACH = 0.05  # seconds for a delta: 20 a second
_FLOOD = 8.0  # seconds
_WARM, _WARM_ROUNDS = 10, 2
_APPENDS = 50  # pieces of audio that a user says in a turn: a second
_SETTLE = 1.0  # seconds


class Application:
    """What a peer tells: audio that is heard (PCM16), and that a reply has ended or was interrupted."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    async def audio(self, pcm: bytes) -> None:
        """A delta's audio."""
        self._heard(pcm)

    def ended(self) -> None:
        """The reply is over: completed, cancelled or interrupted."""


class Session(Protocol):
    """One conversation of a peer."""

    async def ask(self) -> None:
        """Ask for a reply."""
        ...

    async def append(self, pcm: bytes) -> None:
        """Give a piece of audio (PCM16, 24 kHz)."""
        ...

    async def interrupt(self) -> None:
        """Interrupt the reply, in the way that the peer has for its users."""
        ...


@attrs.frozen
class Loop:
    """What of an event loop is needed here."""

    sleep: Callable[[float], Awaitable[Any]]
    start_soon: StartSoon


Open = Callable[[int, Application, StartSoon], Awaitable[Session]]
Run = Callable[[Callable[[Loop], Awaitable[None]]], None]


def on_asyncio(main: Callable[[Loop], Awaitable[None]]) -> None:
    """Run it on asyncio as it comes. A task that fails ends the process."""
    tasks: set[asyncio.Future[Any]] = set()

    def done(task: asyncio.Future[Any]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error)
            os._exit(1)

    def start_soon(function: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        task = asyncio.ensure_future(function(*arguments))
        tasks.add(task)
        task.add_done_callback(done)

    async def whole() -> None:
        await main(Loop(asyncio.sleep, start_soon))

    asyncio.run(whole())


class Host:
    """The kinds of work that a driver is asked for."""

    def __init__(self, open_session: Open, run: Run = on_asyncio) -> None:
        self._open = open_session
        self._run = run

    def listen(self, port: int, sessions: int, heard: Heard) -> None:
        """Hear a reply in each session."""

        async def main(loop: Loop) -> None:
            for _ in range(sessions):
                session = await self._open(port, Application(heard), loop.start_soon)
                await session.ask()
            await loop.sleep(3600)

        self._run(main)

    def speak(self, port: int, sessions: int, pace: Pace) -> None:
        """Give each session the pieces of audio that there are for it."""

        async def speaker(loop: Loop, session: Session, number: int) -> None:
            for pause in pace.pauses(number):
                await loop.sleep(pause)
                await session.append(pace.piece())

        async def main(loop: Loop) -> None:
            opened = [await self._open(port, Application(_unheard), loop.start_soon) for _ in range(sessions)]
            await loop.sleep(0.5)
            for number, session in enumerate(opened):
                loop.start_soon(speaker, loop, session, number)
            await loop.sleep(3600)

        self._run(main)

    def interrupt(self, port: int) -> None:
        """While the provider floods, interrupt the reply, and count what is heard after that."""

        async def main(loop: Loop) -> None:
            application = _Interrupted()
            session = await self._open(port, application, loop.start_soon)
            await session.ask()
            while application.count < _BEFORE_INTERRUPTION:
                await loop.sleep(0.001)
            application.interrupting, handed_in = True, application.count
            await session.interrupt()
            last, quiet_since, end = -1, time.monotonic(), time.monotonic() + _PATIENCE
            while (now := time.monotonic()) < min(end, quiet_since + _QUIET):
                if application.count != last:
                    last, quiet_since = application.count, now
                await loop.sleep(0.02)
            # Where no end is told, what the application has is its own call.
            since = handed_in if application.at_end is None else application.at_end
            _say({"after the end": application.count - since, "after the call": application.count - handed_in})

        self._run(main)

    def consume(self, port: int) -> None:
        """Take 20 deltas a second while the provider floods for eight, and see how the memory grows."""

        async def main(loop: Loop) -> None:
            watched, application = Watched(os.getpid()), _Slow(loop)
            session = await self._open(port, application, loop.start_soon)
            before = most = watched.unique_kb()
            await session.ask()
            while not application.count:
                await loop.sleep(0.01)
            end = time.monotonic() + _FLOOD
            while time.monotonic() < end:
                await loop.sleep(0.25)
                most = max(most, watched.unique_kb())
            _say({"growth": (most - before) / 1024, "consumed": application.count})

        self._run(main)

    def stay(self, port: int, sessions: int) -> None:
        """Weigh sessions: when nothing was said in them, and after a turn in each."""

        async def main(loop: Loop) -> None:
            warm = [await self._weighed(port, loop) for _ in range(_WARM)]
            for _ in range(_WARM_ROUNDS):
                await self._turns(loop, warm)
            before = await _weigh(loop)
            opened = [await self._weighed(port, loop) for _ in range(sessions)]
            idle = await _weigh(loop)
            await self._turns(loop, opened)
            after = await _weigh(loop)
            _say({"idle": (idle - before) / sessions, "after a turn": (after - before) / sessions})

        self._run(main)

    async def _weighed(self, port: int, loop: Loop) -> tuple[Session, _Turns]:
        turns = _Turns()
        return await self._open(port, turns, loop.start_soon), turns

    async def _turns(self, loop: Loop, opened: list[tuple[Session, _Turns]]) -> None:
        for session, turns in opened:
            turns.deltas = 0
            for _ in range(_APPENDS):
                await session.append(bytes(AUDIO_SIZE))
            await session.ask()
            await loop.sleep(0.005)
        deadline = time.monotonic() + _PATIENCE
        while min(turns.deltas for _, turns in opened) < _Turns.EACH:
            if time.monotonic() > deadline:
                raise TimeoutError("not all sessions heard all of their replies")
            await loop.sleep(0.05)


class _Interrupted(Application):
    def __init__(self) -> None:
        self.count = 0
        self.at_end: int | None = None
        """How many were heard when the end was told."""
        self.interrupting = False

    async def audio(self, pcm: bytes) -> None:
        self.count += 1

    def ended(self) -> None:
        if self.interrupting and self.at_end is None:
            self.at_end = self.count


class _Slow(Application):
    def __init__(self, loop: Loop) -> None:
        self.count = 0
        self._loop = loop

    async def audio(self, pcm: bytes) -> None:
        self.count += 1
        await self._loop.sleep(_CONSUMED_EACH)


class _Turns(Application):
    EACH = TURN

    def __init__(self) -> None:
        self.deltas = 0

    async def audio(self, pcm: bytes) -> None:
        self.deltas += 1


def _unheard(pcm: bytes) -> None:
    """Where nobody is to hear anything."""


async def _weigh(loop: Loop) -> float:
    """The memory that the process has for itself (KB), when what was done has settled."""
    await loop.sleep(_SETTLE)
    gc.collect()
    return Watched(os.getpid()).unique_kb()


def _say(values: dict[str, float]) -> None:
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()
    os._exit(0)
