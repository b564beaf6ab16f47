"""A model that says what chance wants, in speech that can be checked, and knows what must have reached it."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence

import attrs
import numpy as np
import trio

from realtime_actors.simulators.brain import (
    BareCall,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midpoint,
    Midway,
    NoUsage,
    Overlap,
    Part,
    Raw,
    Say,
    Stall,
    Turn,
    Twice,
)

__all__ = ["ENDLESS", "MS_PER_CHARACTER", "TOOLS", "ChanceBrain", "Record", "first_sample", "length_of", "marks_in"]

MS_PER_CHARACTER = 60
ENDLESS = "and so on "
_ENDLESS_SAMPLES = 1 << 16  # so that the next round goes on counting where this one ends
TOOLS = ("quick", "slow", "hang", "broken", "paint", "stubborn", "joined", "careful", "unknown", "transfer")
_NUMBER, _MARK = re.compile(r"<(\d+)>"), re.compile(r"#(\d+)#")
_SYLLABLES = ("ba", "lo", "mi", "ne", "ru", "sa", "to", "vi")


def marks_in(text: str) -> set[int]:
    """The numbers by which the results of tools are known."""
    return {int(mark) for mark in _MARK.findall(text)}


def length_of(text: str, rate: int) -> int:
    """Samples of the speech that says this."""
    return len(text.strip()) * MS_PER_CHARACTER * rate // 1000


def first_sample(text: str) -> int:
    """The sample that the speech of this text begins with; each of the others is one more than that before it."""
    return 0 if text.startswith(ENDLESS) else zlib.crc32(text.strip().encode()) % (1 << 16)


@attrs.define
class Record:
    """What the models of a conversation were told, all together."""

    heard: set[int] = attrs.field(factory=set[int])
    """The texts, by their numbers."""
    results: set[int] = attrs.field(factory=set[int])
    """The results, by theirs."""
    problems: list[str] = attrs.field(factory=list[str])
    is_calm: bool = False
    """Whether they only say that they have heard."""


@attrs.define(kw_only=True)
class ChanceBrain:
    """Every reply is by chance, until all is to be calm."""

    chance: random.Random
    record: Record
    may_drop: Callable[[], bool] = lambda: False
    """Whether the connection may be lost once more."""
    one_message: bool
    """Whether the wire has no more than one message in a reply."""
    tells_limit: bool
    """Whether the wire says that a reply was cut off at its limit."""
    failure_closes: bool
    """Whether a reply that fails ends the connection."""
    endless: bool = False
    pace: float = 1.0
    """How long a second is, in seconds."""
    last: Sequence[Turn] = attrs.field(init=False, default=())
    """What it last replied to."""
    _spoken: int = attrs.field(init=False, default=0)

    async def transcribe(self, pcm: bytes, rate: int) -> str:
        """Words of which each is different."""
        await trio.lowlevel.checkpoint()
        self._spoken += 1
        return f"I say this aloud, {self._spoken}."

    async def reply(self, turns: Sequence[Turn], tools: Sequence[str]) -> Sequence[Part]:
        """Look at what it was told, and take a chance."""
        await trio.lowlevel.checkpoint()
        self.last = list(turns)
        self._look(turns)
        if self.record.is_calm:
            return [Say(self._words())]
        return self._parts(follows_result=bool(turns) and turns[-1].role == "tool")

    async def speak(self, text: str, rate: int) -> AsyncGenerator[bytes, None]:
        """Samples that count."""
        size = _ENDLESS_SAMPLES if text == ENDLESS else length_of(text, rate)
        audio = (np.arange(size, dtype=np.uint32) + first_sample(text)).astype("<u2").tobytes()
        for start in range(0, len(audio), rate * 2):
            await trio.lowlevel.checkpoint()
            yield audio[start : start + rate * 2]

    def _look(self, turns: Sequence[Turn]) -> None:
        numbers = [int(number) for turn in turns if turn.role == "user" for number in _NUMBER.findall(turn.text)]
        if numbers != sorted(set(numbers)):
            self.record.problems.append(f"the model was told this in another order, or twice: {numbers}")
        # A session that goes on for another may be told of it in its instructions.
        known = {int(number) for turn in turns for number in _NUMBER.findall(turn.text)}
        forgotten = self.record.heard - known
        if forgotten:
            self.record.problems.append(f"the model knows nothing any more of these texts: {sorted(forgotten)}")
        self.record.heard |= known
        for turn in turns:
            self.record.results |= marks_in(turn.text)
        results = [turn.call_id for turn in turns if turn.role == "tool"]
        if len(set(results)) != len(results):
            self.record.problems.append(f"the model was given the result of a call twice: {results}")
        calls = {turn.call_id for turn in turns if turn.role == "assistant" and turn.name}
        unknown = set(results) - calls
        if unknown:
            self.record.problems.append(f"the model was given results of calls that it did not make: {unknown}")

    def _may_fail(self) -> bool:
        return not self.failure_closes or self.may_drop()

    def _words(self, most: int = 8) -> str:
        words = ["".join(self.chance.choices(_SYLLABLES, k=2)) for _ in range(self.chance.randrange(1, most))]
        return f"{' '.join(words).capitalize()} {self.chance.randrange(10**6)}."

    def _parts(self, *, follows_result: bool) -> Sequence[Part]:  # noqa: PLR0911 - one for each kind
        kinds = ["say"] * 8 + ["midway"] * 6 + ["calls"] * (2 if follows_result else 7)
        kinds += ["fail", "nothing", "no usage", "stall", *(["endless"] * 2 if self.endless else [])]
        match self.chance.choice(kinds):
            case "say" if not self.one_message and self.chance.random() < 0.3:
                return [Say(self._words()), Say(self._words())]
            case "say":
                return [Say(self._words())]
            case "midway":
                return [Midway(self._words(12), self.chance.randrange(0, 1500), self._midpoint())]
            case "calls":
                said: list[Part] = [Say(self._words(4))] if self.chance.random() < 0.5 else []
                goes_on = not said and not self.one_message and self.chance.random() < 0.3
                more: list[Part] = [Say(self._words(4))] if goes_on else []
                return [*said, *(self._call() for _ in range(self.chance.choice([1, 1, 1, 2, 3]))), *more]
            case "fail" if self._may_fail():
                return [Fail("I cannot.")]
            case "nothing" | "fail":
                return []
            case "no usage":
                return [NoUsage(), Say(self._words())]
            case "stall":
                seconds = self.chance.choice([1.0, 5.0, None])
                return [Stall(seconds and seconds * self.pace)]
            case _:
                return [Endless(ENDLESS)]

    def _midpoint(self) -> Midpoint:  # noqa: PLR0911 - one for each kind
        kinds = ["stall"] * 2 + ["raw"] * 3 + ["error", "fail", "incomplete", "overlap"]
        if self.may_drop():
            kinds += ["drop"] * 2
        match self.chance.choice(kinds):
            case "stall":
                return Stall(self.chance.choice([0.2, 2.0, 6.0]) * self.pace)
            case "raw":
                return Raw(self.chance.choice(_GARBAGE))
            case "error":
                return ErrorEvent("Hiccup.")
            case "fail" if self._may_fail():
                return Fail("I cannot go on.")
            case "incomplete" | "fail":
                limit = self.tells_limit and self.chance.random() < 0.5
                return Incomplete("max_output_tokens" if limit else "content_filter")
            case "overlap":
                return Overlap(self._words(5))
            case _:
                return Drop(self.chance.choice([None, 1001, 1011, 1012]))

    def _call(self) -> Part:
        name = self.chance.choice(TOOLS)
        arguments = self.chance.choice(["{}", "{}", "{}", '{"of": 3}', '{"of": "nonsense", "x": 1}', '{"of": '])
        if self.chance.random() < 0.8:
            return Call(name, arguments)
        call = BareCall(name, arguments)
        return Twice(call) if self.chance.random() < 0.5 else call


_GARBAGE: Sequence[str] = (
    "{not json",
    "[1, 2]",
    "null",
    "{}",
    '{"type": 3}',
    '{"type": "response.done"}',
    '{"type": "response.output_audio.delta", "response_id": "$response_id", "delta": 7}',
    '{"type": "response.done", "response": {"id": null}}',
    '{"type": "error", "error": null}',
    '{"serverContent": 7}',
    '{"toolCall": {"functionCalls": [{"name": 1}]}}',
)
