"""Who looks at every event at the moment it is published, and checks it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from typing import Any

import attrs
import numpy as np
import trio
from conversation_brain import ENDLESS, first_sample, length_of, marks_in
from conversation_ear import Ear

from realtime_actors.actors import Subscription
from realtime_actors.events import (
    AgentError,
    AgentInputStarted,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    ServerSessionUpdated,
    encode_json,
    encode_msgpack,
)
from realtime_actors.testing import InvariantBroken, Invariants

__all__ = ["Heard", "Watcher"]


@attrs.define
class Heard:
    """The speech of one item, as far as it came."""

    rate: int
    first: int
    samples: int = 0
    words: str = ""

    def add(self, pcm: bytes) -> str | None:
        """The next piece. Says what is wrong with it."""
        numbers = np.frombuffer(pcm, dtype="<u2").astype(np.int64)
        expected = (np.arange(len(numbers)) + self.first + self.samples) % (1 << 16)
        self.samples += len(numbers)
        if np.array_equal(numbers, expected):
            return None
        place = int(np.argmax(numbers != expected))
        return f"sample {self.samples - len(numbers) + place} is {numbers[place]}, not {expected[place]}"

    def incomplete(self) -> str | None:
        """What is missing of an item that is said to be complete."""
        if self.words.startswith(ENDLESS):
            return None
        if self.first != first_sample(self.words):
            return f"the speech does not begin as that of {self.words!r:.100} does"
        expected = length_of(self.words, self.rate)
        return None if self.samples == expected else f"{self.samples} samples came of {expected}"


@attrs.define(eq=False)
class Watcher(Subscription):
    """Sees an event before anybody can take it back. The first thing that is wrong is kept in `broken`."""

    broken: InvariantBroken | None = attrs.field(init=False, default=None)
    invariants: Invariants = attrs.field(init=False, factory=Invariants)
    items: dict[tuple[str, str], Heard] = attrs.field(init=False, factory=dict[tuple[str, str], Heard])
    """By response and item."""
    ear: Ear = attrs.field(init=False, factory=Ear)
    ends: dict[str, AgentResponseDone] = attrs.field(init=False, factory=dict[str, AgentResponseDone])
    results: dict[int, float] = attrs.field(init=False, factory=dict[int, float])
    """When a call had its result, by the result's number."""
    log: deque[str] = attrs.field(init=False, factory=lambda: deque[str](maxlen=2000))
    forgot_at: float = attrs.field(init=False, default=-math.inf)
    """When the connection was last lost to a session that the agent could tell nothing of what had been said."""
    _lost_at: float = attrs.field(init=False, default=-math.inf)
    counts: dict[str, int] = attrs.field(init=False, factory=dict[str, int])
    """How many events of each type came."""
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)

    def offer(self, message: Any, group: Hashable) -> None:
        kind: str = message.type
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.note(_shown(message))
        if self.broken is None:
            try:
                self._check(message)
            except InvariantBroken as error:
                self.broken = error
        if self.broken is not None or not isinstance(message, AgentResponseAudioDelta):
            changed, self._changed = self._changed, trio.Event()
            changed.set()
        Subscription.offer(self, message, group)

    def note(self, what: str) -> None:
        """Write down what happens, with the time; pieces of one thing in a row as one line."""
        if self.log and self.log[-1][11:].startswith(what):
            what = self.log.pop()[11:]
            first, _, count = what.partition(" * ")
            what = f"{first} * {int(count or 1) + 1}"
        self.log.append(f"{trio.current_time():9.3f}  {what}")

    async def change(self, within: float) -> None:
        """Wait for the next event that is no piece of speech, for so many seconds at most."""
        with trio.move_on_after(within):
            await self._changed.wait()

    @property
    def words(self) -> dict[str, str]:
        """What was said so far, by item."""
        return {item_id: heard.words for (_, item_id), heard in self.items.items()}

    def words_of(self, response_id: str) -> str:
        """What was said in a response."""
        return "".join(heard.words for (owner, _), heard in self.items.items() if owner == response_id)

    def _check(self, event: Any) -> None:  # noqa: PLR0912 - a branch for each type
        self.invariants.see(event)
        match event:
            case AgentResponseAudioDelta(response_id, item_id):
                pcm = event.delta
                heard = self.items.get((response_id, item_id))
                if heard is None:
                    heard = self.items[response_id, item_id] = Heard(event.format.rate, -1)
                if heard.first < 0:
                    heard.first = int.from_bytes(pcm[:2], "little")
                self._expect(heard.add(pcm), item_id)
                self.ear.hears(response_id, item_id, len(pcm) / 2 / heard.rate * 1000, trio.current_time())
            case AgentResponseAudioTranscriptDelta(response_id, item_id, delta):
                heard = self.items.setdefault((response_id, item_id), Heard(24000, -1))
                heard.words += delta
            case AgentResponseDone(response_id, metadata=metadata):
                self.ends[response_id] = event
                if metadata["status"] == "cancelled":
                    self.ear.stops(self.words, trio.current_time(), response_id)
                if metadata["status"] == "completed":
                    for (owner, item_id), heard in self.items.items():
                        if owner == response_id:
                            self._expect(heard.incomplete(), item_id)
            case AgentInputStarted():
                self.ear.stops(self.words, trio.current_time())
            case AgentPlayoutFlush(response_id):
                self.ear.stops(self.words, trio.current_time(), response_id)
            case AgentResponseToolResult(tool_result=result):
                self.results.update(dict.fromkeys(marks_in(str(result.output)), trio.current_time()))
            case AgentError(code="connection_lost"):
                self._lost_at = trio.current_time()
            case ServerSessionUpdated(metadata={"state_restored": "none"}):
                self.forgot_at = self._lost_at
            case _:
                pass
        if not isinstance(event, AgentResponseAudioDelta | AgentResponseCreated):
            encode_json(event)
            encode_msgpack(event)

    def _expect(self, problem: str | None, item_id: str) -> None:
        if problem is not None:
            raise InvariantBroken(f"the item {item_id}: {problem}")


def _shown(event: Any) -> str:
    match event:
        case AgentResponseAudioDelta(response_id, item_id):
            return f"  {event.type} {response_id} {item_id}"
        case _:
            left_out = ("_frames", "agent_id", "agent_name")
            fields = attrs.asdict(event, recurse=False, filter=lambda field, _: field.name not in left_out)
            return f"  {event.type} " + " ".join(f"{name}={value!r:.120}" for name, value in fields.items())
