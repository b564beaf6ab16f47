"""One response being generated: the brain's parts, at the pace of speech, as steps of the session."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import trio

from realtime_actors.simulators.brain import (
    BareCall,
    Brain,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midway,
    NoUsage,
    Overlap,
    Part,
    Raw,
    Say,
    Stall,
    Twice,
)
from realtime_actors.simulators.effects import Effect, Reply, Send, WireSession
from realtime_actors.simulators.steps import (
    AddArguments,
    AddText,
    BareArguments,
    CloseItem,
    Finish,
    ForgetUsage,
    OpenCall,
    OpenMessage,
    Step,
    split_words,
)

__all__ = ["Outlet", "Speaker"]

CHUNK_MS = 100
"""Audio in one delta."""

_WRITTEN_MS = 15
"""A written character takes as long as this much audio."""

_MAX_ENDLESS_TEXT = 4000
"""An endless message goes on without words from here on: the transcript must not grow for ever."""

_ARGUMENTS_PIECE = 12


class Outlet(Protocol):
    """Where a speaker's effects go."""

    def carry_out(self, effects: Sequence[Effect]) -> None: ...

    def send_raw(self, frame: str | bytes) -> None: ...

    def close(self, code: int | None, reason: str) -> None: ...

    async def wait_for_room(self) -> None: ...

    def overlap(self, response: Reply, text: str) -> None: ...


class Speaker:
    """Generates one response. Cancelling `run` leaves nothing to clean up.

    Args:
        speed: seconds of audio generated in a second; `math.inf` is as fast as the client reads.
    """

    def __init__(self, response: Reply, session: WireSession, brain: Brain, outlet: Outlet, *, speed: float) -> None:
        self._response = response
        self._session = session
        self._brain = brain
        self._outlet = outlet
        self._speed = speed
        self._copies = 1
        self._due = -math.inf

    async def run(self, parts: Sequence[Part]) -> None:
        """Do these parts one after another, and end the response."""
        for part in parts:
            await self._do(part)
            if not self._response.active:
                return
        await self._step(Finish())

    async def _do(self, part: Part) -> None:
        match part:
            case Say(text):
                await self._message(text)
            case Endless(text):
                await self._message(text, endless=True)
            case Midway(text, at_ms, then):
                await self._message(text, at_ms=at_ms, then=then)
            case Call(name, arguments):
                await self._call(name, arguments)
            case BareCall(name, arguments):
                await self._step(BareArguments(name, arguments))
            case NoUsage():
                await self._step(ForgetUsage())
            case Overlap(text):
                self._outlet.overlap(self._response, text)
            case Twice(inner):
                self._copies = 2
                await self._do(inner)
                self._copies = 1
            case _:
                await self._go_wrong(part)

    async def _go_wrong(self, part: Stall | Drop | Raw | ErrorEvent | Fail | Incomplete) -> None:
        match part:
            case Stall(seconds):
                await trio.sleep(math.inf if seconds is None else seconds)
            case Drop(code, reason):
                self._outlet.close(code, reason)
                await trio.sleep_forever()
            case Raw(frame):
                if isinstance(frame, str):
                    frame = frame.replace("$response_id", self._response.id)
                for _ in range(self._copies):
                    self._outlet.send_raw(frame)
                await self._outlet.wait_for_room()
            case ErrorEvent(message, code, kind):
                await self._emit(self._session.fault(message, code, kind))
            case Fail(message, code, kind):
                error = {"type": kind, "code": code, "message": message}
                await self._step(Finish("failed", error=error))
            case Incomplete(reason):
                await self._step(Finish("incomplete", reason=reason))

    async def _step(self, step: Step) -> None:
        await self._emit(self._session.generate(self._response.id, step))

    async def _emit(self, effects: Sequence[Effect]) -> None:
        copies = [effect for effect in effects for _ in range(self._copies if isinstance(effect, Send) else 1)]
        self._outlet.carry_out(copies)
        await self._outlet.wait_for_room()

    async def _pace(self, ms: float) -> None:
        if math.isinf(self._speed):
            return
        self._due = max(self._due, trio.current_time()) + ms / 1000 / self._speed
        await trio.sleep_until(self._due)

    async def _call(self, name: str, arguments: str) -> None:
        await self._step(OpenCall(name))
        for start in range(0, len(arguments), _ARGUMENTS_PIECE):
            piece = arguments[start : start + _ARGUMENTS_PIECE]
            await self._step(AddArguments(piece))
            await self._pace(_WRITTEN_MS * len(piece))
        await self._step(CloseItem())

    async def _message(self, text: str, *, endless: bool = False, at_ms: int = 0, then: Part | None = None) -> None:
        await self._step(OpenMessage())
        words = split_words(text)
        written = len(text)
        position = 0.0
        if self._response.spoken:  # the transcript runs ahead of the audio
            await self._step(AddText("".join(words[:2])))
            del words[:2]
        while True:
            async with aclosing(self._pieces(text, words)) as pieces:
                async for word, pcm, ms in pieces:
                    if then is not None and position >= at_ms:
                        await self._do(then)
                        then = None
                    await self._step(AddText(word, pcm))
                    if not self._response.active:
                        return
                    position += ms
                    await self._pace(ms)
            if words:
                await self._step(AddText("".join(words)))
            if not endless:
                break
            words = split_words(text) if written < _MAX_ENDLESS_TEXT else []
            written += len(text)
            await trio.lowlevel.checkpoint()
        if then is not None:
            await self._do(then)
        await self._step(CloseItem())

    async def _pieces(self, text: str, words: list[str]) -> AsyncGenerator[tuple[str, bytes, float], None]:
        """What to send next: a word off `words`, audio, and how long that is in ms."""
        if not self._response.spoken:
            while words:
                word = words.pop(0)
                yield word, b"", _WRITTEN_MS * len(word)
            return
        rate = self._response.rate
        size = rate * CHUNK_MS // 1000 * 2
        waiting = bytearray()
        async with _closing(self._brain.speak(text, rate)) as audio:
            async for piece in audio:
                waiting += piece
                while len(waiting) >= size:
                    chunk = bytes(waiting[:size])
                    del waiting[:size]
                    yield words.pop(0) if words else "", chunk, CHUNK_MS
        if waiting:
            yield "", bytes(waiting), len(waiting) / 2 / rate * 1000


@asynccontextmanager
async def _closing(audio: AsyncIterator[bytes]) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """A brain's audio: if it is a generator, it is closed here and now, not by the garbage collector."""
    try:
        yield audio
    finally:
        if isinstance(audio, AsyncGenerator):
            await audio.aclose()
