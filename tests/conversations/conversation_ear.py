"""Who hears what the agent says: plays it as it comes, and stops where a frontend does."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable

import attrs
from conversation_brain import ENDLESS, MS_PER_CHARACTER

from realtime_actors.events import AgentSpeech

__all__ = ["Ear", "Played"]

LOOSE_MS = 260
"""By how much an estimate of what was heard may be wrong: it looks at the clock for each 200 ms."""
LONGEST_WORD = 8
"""A word that was heard in part is not remembered."""


@attrs.define(eq=False)
class Played:
    """An item, as far as it was played."""

    response_id: str
    item_id: str
    received_ms: float = 0.0
    heard_ms: float = 0.0
    words: str | None = None
    """Those that had come when it was cut off; None if it was not."""
    is_muddled: bool = False
    """Whether it was said at the same time as another: nobody knows what is heard then."""


@attrs.define
class Ear:
    """A listener. `lag` is how long speech that comes after a silence waits before it is heard, in seconds."""

    lag: float = 0.0
    items: dict[str, Played] = attrs.field(init=False, factory=dict[str, Played])
    _queue: deque[tuple[Played, float]] = attrs.field(init=False, factory=deque[tuple[Played, float]])
    """What is to be played: items, and ms."""
    _played_until: float = attrs.field(init=False, default=0.0)
    _last: str = attrs.field(init=False, default="")

    def hears(self, response_id: str, item_id: str, ms: float, now: float) -> None:
        """A piece of speech."""
        item = self.items.get(item_id)
        if item is None:
            item = self.items[item_id] = Played(response_id, item_id)
            item.is_muddled = any(before.is_muddled for before, _ in self._queue)
        elif self._last != item_id:
            item.is_muddled = self.items[self._last].is_muddled = True
        self._last = item_id
        item.received_ms += ms
        if item.words is not None:
            return  # it comes after the cut, and is not played
        self._play(now)
        if not self._queue:
            self._played_until = now + self.lag
        self._queue.append((item, ms))

    def stops(self, words: dict[str, str], now: float, response_id: str | None = None) -> None:
        """Of this reply, or of all, nothing more is played. `words` are those that have come, by item."""
        self._play(now)
        cut = {item for item, _ in self._queue if response_id in (None, item.response_id)}
        if response_id is not None:  # it may be that all that came of it was heard, and more would have come
            cut |= {item for item in self.items.values() if item.response_id == response_id}
        for item in cut:
            if item.words is None:
                item.words = words.get(item.item_id, "")
        self._queue = deque((item, ms) for item, ms in self._queue if item not in cut)

    def position(self, now: float) -> Played | None:
        """The item that is being played."""
        self._play(now)
        return self._queue[0][0] if self._queue else None

    def _play(self, now: float) -> None:
        left = (now - self._played_until) * 1000
        if left <= 0:
            return
        self._played_until = now
        while self._queue and left > 0:
            item, ms = self._queue.popleft()
            item.heard_ms += min(ms, left)
            if ms > left:
                self._queue.appendleft((item, ms - left))
            left -= ms

    def differs(self, remembered: Iterable[AgentSpeech], words: dict[str, str], broken: Container[str]) -> list[str]:
        """What is remembered of what was not heard, and what was heard and is not remembered.

        `broken` are the replies that were neither said to their end nor interrupted.
        """
        wrong: list[str] = []
        kept = {item.id: item for item in remembered}
        for item_id, played in self.items.items():
            all_words = words.get(item_id, "").strip()
            if played.is_muddled or not all_words:
                continue
            speech = kept.get(item_id)
            said = speech.transcript.strip() if speech is not None else ""
            least, most = self._bounds(
                played,
                is_broken=played.response_id in broken or all_words.startswith(ENDLESS),
                all_of_it=len(all_words),
            )
            if not all_words.startswith(said) or not least <= len(said) <= most:
                wrong.append(
                    f"of {all_words!r} ({played.received_ms:.0f} ms) {played.heard_ms:.0f} ms were heard when it was "
                    f"cut off: {least} to {most} characters, and {said!r} is remembered"
                    if played.words is not None
                    else f"all of {all_words!r} was heard, and {said!r} is remembered"
                )
        return wrong

    def _bounds(self, played: Played, all_of_it: int, *, is_broken: bool) -> tuple[float, float]:
        """How many characters may be remembered."""
        if played.words is None:
            return all_of_it, all_of_it
        said, received_ms = len(played.words), played.received_ms
        paced_ms = max(received_ms, said * MS_PER_CHARACTER)  # words may be ahead of their sound
        least = (played.heard_ms - LOOSE_MS) * said / paced_ms - LONGEST_WORD if said else 0.0
        whole_ms = received_ms if is_broken or played.heard_ms >= received_ms - 1 else paced_ms
        latest = played.heard_ms + LOOSE_MS + self.lag * 1000  # nobody has said yet that it is not heard
        return max(0.0, least), said if latest >= whole_ms else latest * said / whole_ms + 1
