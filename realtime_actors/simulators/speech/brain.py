"""The speech brain: understands what is said, answers, and speaks, all on this machine."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from copy import copy
from datetime import datetime
from typing import Self

import attrs
import trio

from realtime_actors.simulators.brain import Call, Say, Turn
from realtime_actors.simulators.speech.answers import answer
from realtime_actors.simulators.speech.company import answer_in_company
from realtime_actors.simulators.speech.recognizer import Recognizer
from realtime_actors.simulators.speech.voice import Voice

__all__ = ["SpeechBrain"]


class SpeechBrain:
    """A brain for the simulators that hears with PocketSphinx and speaks with eSpeak NG.

    It understands hello, the time, the date, the weather in a city (a call of the tool `get_weather`), counting,
    repeating, thanks and goodbye, and says so when it did not understand. One brain serves any number of
    conversations: it keeps none of them, and recognition and synthesis each run one at a time in a thread. No call
    in a thread takes long, and none is abandoned: a cancelled task waits for it.

    In a room it answers what it is asked by its name ("Bob, what time is it"), and asks others ("ask Bob for the
    date").

    Args:
        voice: the name of a voice of eSpeak NG.
        now: gives the time of day that it tells.
        names: of all who are in a room with it, as they may be spoken to: English words. Nobody, outside of rooms.
    """

    def __init__(
        self, *, voice: str = "en-us+f3", now: Callable[[], datetime] = datetime.now, names: Sequence[str] = ()
    ) -> None:
        self._voice_name = voice
        self._now = now
        self._names = tuple(names)
        self._voice: Voice | None = None
        # Others wait here, in their tasks, not in threads that everybody needs.
        self._speaking = trio.CapacityLimiter(1)
        self._ears = _Ears(self._names)

    def another(self, voice: str) -> Self:
        """The same with another voice: for another one in the room. The two share a recogniser."""
        other = copy(self)
        other._voice_name, other._voice = voice, None
        return other

    async def prepare(self) -> None:
        """Load voice and recogniser, at the same time, in some 0.3 s; otherwise the first use does.

        Raises:
            MissingExtra: the packages for local speech are not installed.
            VoiceFailed: eSpeak NG cannot be loaded, or has no voice of this name.
        """
        failed: list[Exception] = []

        async def load(what: Callable[[], object], limiter: trio.CapacityLimiter) -> None:
            try:
                await trio.to_thread.run_sync(what, limiter=limiter)
            except Exception as error:  # noqa: BLE001  # raised below, as itself and not as a group
                failed.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(load, self._load_voice, self._speaking)
            nursery.start_soon(load, self._ears.load, self._ears.limiter)
        if failed:
            raise failed[0]

    async def transcribe(self, pcm: bytes, rate: int) -> str:
        """The sentence in `pcm` (PCM16 mono at `rate` Hz) in lower case, `""` if it was not understood.

        Raises:
            AudioError: it is no PCM16, or `rate` is not supported.
            MissingExtra: pocketsphinx is not installed.
        """
        return await trio.to_thread.run_sync(self._transcribe, pcm, rate, limiter=self._ears.limiter)

    async def reply(self, turns: Sequence[Turn], tools: Sequence[str]) -> Sequence[Say | Call]:
        """The answer to the conversation so far (oldest turn first), when tools of these names may be called."""
        await trio.lowlevel.checkpoint()
        if self._names:
            return answer_in_company(turns, tools, self._now(), self._names)
        return answer(turns, tools, self._now())

    def speak(self, text: str, rate: int) -> AsyncIterator[bytes]:
        """`text` as PCM16 mono at `rate` Hz, sentence by sentence. To stop early, stop asking.

        Raises:
            UnsupportedRate: `rate` is not supported.
            MissingExtra: espeakng-loader is not installed.
            VoiceFailed: eSpeak NG cannot speak the text.
        """
        return _Speech(self._load_voice, text, rate, self._speaking)

    def _transcribe(self, pcm: bytes, rate: int) -> str:
        return self._ears.load().transcribe(pcm, rate)

    def _load_voice(self) -> Voice:
        if self._voice is None:
            self._voice = Voice(self._voice_name)
        return self._voice


@attrs.define(eq=False)
class _Ears:
    """A recogniser, loaded when it is first needed."""

    names: Sequence[str]
    limiter: trio.CapacityLimiter = attrs.field(init=False, factory=lambda: trio.CapacityLimiter(1))
    recognizer: Recognizer | None = attrs.field(init=False, default=None)

    def load(self) -> Recognizer:
        if self.recognizer is None:
            self.recognizer = Recognizer(self.names)
        return self.recognizer


@attrs.define(eq=False)
class _Speech:
    """The pieces of a text as they are spoken. No generator: nothing has to be closed when one stops early."""

    load: Callable[[], Voice]
    text: str
    rate: int
    limiter: trio.CapacityLimiter
    pieces: Iterator[bytes] | None = attrs.field(default=None, init=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        pcm = await trio.to_thread.run_sync(self._next, limiter=self.limiter)
        if not pcm:
            raise StopAsyncIteration
        return pcm

    def _next(self) -> bytes:
        if self.pieces is None:
            self.pieces = filter(None, self.load().synthesize(self.text, self.rate))
        return next(self.pieces, b"")
