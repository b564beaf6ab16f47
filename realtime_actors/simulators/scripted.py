"""The scripted brain: says what a script says, the same every time."""

import re
import zlib
from collections.abc import AsyncGenerator, Sequence

import attrs
import numpy as np
import trio

from realtime_actors.simulators.brain import Part, Say, Turn
from realtime_actors.simulators.errors import ScriptError

__all__ = ["Reply", "ScriptedBrain", "buzz"]


@attrs.frozen
class Reply:
    """What to answer, and when.

    A reply with `when` (searched in the user's last turn, whatever the case), `after` (the name of the tool whose
    result is the last turn) or `knows` (searched in all that was said before that, and in the instructions) answers
    every time that fits, before those without, which are used once, in order.
    """

    parts: Sequence[Part]
    when: str | None = None
    after: str | None = None
    knows: str | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether it answers only what it fits."""
        return (self.when, self.after, self.knows) != (None, None, None)


@attrs.define(kw_only=True)
class ScriptedBrain:
    """A brain that follows a script. One script serves all connections of a simulator, in the order they ask.

    Raises:
        ScriptError: a `when` or `knows` is not a regular expression, or `ms_per_character` is negative.
    """

    replies: Sequence[Reply] = ()
    default: Sequence[Part] = (Say("I have nothing more to say."),)
    transcripts: Sequence[str] = ()
    """What the user says, one for each transcription, in order; then nothing ("")."""
    ms_per_character: int = 60
    """How long a character takes to say."""
    heard: list[Turn] = attrs.field(factory=list[Turn], init=False)
    """The turns of the last request for a reply."""
    tools: list[str] = attrs.field(factory=list[str], init=False)
    """The tools of the last request for a reply."""
    _replies_used: int = attrs.field(default=0, init=False)
    _transcripts_used: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.ms_per_character < 0:
            raise ScriptError(f"ms_per_character must be 0 or more, not {self.ms_per_character}.")
        for index, reply in enumerate(self.replies):
            for name, expression in (("when", reply.when), ("knows", reply.knows)):
                try:
                    re.compile(expression or "")
                except re.error as error:
                    raise ScriptError(
                        f"replies[{index}].{name} is not a regular expression: {error}. Escape special characters."
                    ) from error

    async def transcribe(self, pcm: bytes, rate: int) -> str:
        """The script's next transcript, whatever the audio."""
        await trio.lowlevel.checkpoint()
        index = self._transcripts_used
        self._transcripts_used += 1
        return self.transcripts[index] if index < len(self.transcripts) else ""

    async def reply(self, turns: Sequence[Turn], tools: Sequence[str]) -> Sequence[Part]:
        """The script's answer to these turns."""
        await trio.lowlevel.checkpoint()
        self.heard, self.tools = list(turns), list(tools)
        last = next((turn for turn in reversed(turns) if turn.role in ("user", "tool")), None)
        for reply in self.replies:
            if last is not None and _fits(reply, last, [turn for turn in turns if turn is not last]):
                return reply.parts
        in_order = [reply for reply in self.replies if not reply.is_conditional]
        if self._replies_used < len(in_order):
            self._replies_used += 1
            return in_order[self._replies_used - 1].parts
        return self.default

    def audio(self, text: str, rate: int) -> bytes:
        """What `speak` says: a buzz (PCM16 mono at `rate` Hz) of a pitch and a length that follow the text."""
        return buzz(len(text) * self.ms_per_character, rate, pitch=90 + zlib.crc32(text.encode()) % 90)

    async def speak(self, text: str, rate: int) -> AsyncGenerator[bytes, None]:
        """`audio` in pieces of a second."""
        audio = self.audio(text, rate)
        for start in range(0, len(audio), rate * 2):
            await trio.lowlevel.checkpoint()
            yield audio[start : start + rate * 2]


def buzz(ms: float, rate: int, *, pitch: float = 120.0) -> bytes:
    """A buzz like a sustained vowel: PCM16 mono at `rate` Hz, which voice activity detectors take for speech.

    The harmonics of `pitch` (Hz), the strongest near the formants of an "a".
    """
    period = round(rate / pitch)
    phase = np.arange(period) * (2 * np.pi / period)
    wave = np.zeros(period)
    for number in range(1, int(min(4000.0, rate / 2) / pitch)):
        distances = [(number * pitch - formant) / 120 for formant in (700, 1200, 2500)]
        wave += sum(1 / (1 + distance**2) for distance in distances) * np.sin(number * phase)
    wave *= 8000 / float(np.abs(wave).max())
    return np.resize(wave, int(ms * rate / 1000)).astype("<i2").tobytes()


def _fits(reply: Reply, last: Turn, before: Sequence[Turn]) -> bool:
    if not reply.is_conditional:
        return False
    if reply.knows is not None and not any(re.search(reply.knows, turn.text, re.IGNORECASE) for turn in before):
        return False
    if last.role == "tool":
        return reply.when is None if reply.after is None else reply.after == last.name
    if reply.when is None:
        return reply.after is None
    return re.search(reply.when, last.text, re.IGNORECASE) is not None
