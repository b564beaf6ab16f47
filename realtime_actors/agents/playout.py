"""How much of an agent's speech was heard. Plain code: times are seconds of one clock, given as numbers.

A provider makes speech faster than it is heard, so what was received says little of what was heard. Frontends report
how far they are. Between their reports, and as long as there are none, the clock says it: what is received is played
from its first piece on, one item after the other, and pauses where nothing is left to play.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from realtime_actors.audio import duration_ms
from realtime_actors.events import (
    DeleteItem,
    ModelResponseAudioDelta,
    ModelResponseAudioTranscriptDelta,
    TruncateItem,
)
from realtime_actors.providers import Capabilities

__all__ = ["Heard", "Playout", "cutting", "is_cutting"]

MOST_ITEMS = 64
"""Items that may be played at a time: the oldest of more count as heard."""

_LOOK_MS = 200
"""The clock is looked at for each so much audio, not for each piece of it."""

_FUZZ = 1e-6
"""Milliseconds that are lost in calculating with seconds."""

_CUT = "cut_"
"""How ids of requests begin that cut what was not heard."""


@attrs.frozen
class Heard:
    """How much of an item was heard when it was interrupted: `heard_ms`, of the `received_ms` that were passed on."""

    response_id: str
    item_id: str
    heard_ms: int
    received_ms: int
    is_told: bool
    """Whether the end of its reply was told before, so that frontends do not know that it is over."""
    is_kept: bool
    """Whether the provider has the item: the session that it was said in goes on."""
    is_whole: bool = True
    """Whether all of its speech was received: otherwise its words may be ahead of that."""


@attrs.define(eq=False)
class _Item:
    response_id: str
    item_id: str
    rate: int
    size: int = 0
    """Bytes received."""
    look_at: int = 0
    """The size at which to look at the clock again."""
    placed: int = 0
    """Bytes of it that `ends` allows for."""
    ends: float = 0.0
    """When what was placed will have been played."""
    reported_ms: int = 0
    """The furthest position that was reported; 0 before there is one."""
    is_held: bool = False
    """Whether it stays there until the next report."""
    is_complete: bool = False
    """Whether no more of it will come."""
    is_whole: bool = False
    """Whether all of it has come."""
    is_told: bool = False
    is_kept: bool = True

    @property
    def received_ms(self) -> float:
        return duration_ms(self.size, self.rate)

    def place(self) -> None:
        """What came since the last look is played after what came before it."""
        self.ends += (self.size - self.placed) / (2 * self.rate)
        self.placed = self.size

    def look(self, last: int, now: float) -> None:
        """The same, and its `last` bytes, which came now, are not played before now."""
        self.place()
        in_a_second = 2 * self.rate
        earliest = now + last / in_a_second
        self.ends = max(self.ends, earliest)
        self.look_at = self.size + in_a_second * _LOOK_MS // 1000

    def heard_ms(self, now: float) -> float:
        """What is placed, but for what will be played after now."""
        if self.is_held:
            return min(self.reported_ms, self.received_ms)
        heard = self.received_ms - max(0.0, self.ends - now) * 1000
        return min(max(heard, self.reported_ms), self.received_ms)


@attrs.define
class Playout:
    """The speech of one agent that may not be heard yet, in the order in which it is played."""

    _items: dict[str, _Item] = attrs.field(init=False, factory=dict[str, _Item])
    _last: _Item = attrs.field(init=False, factory=lambda: _NOTHING)
    """The item that was received last."""
    _silent: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    """Items of which words came and no sound yet, and the reply that each is of."""

    def received(self, event: ModelResponseAudioDelta) -> int:
        """A piece is passed on to be played. Its bytes when `look` is to be told the time, else 0."""
        item = self._last
        if item.item_id != event.item_id:
            item = self._find(event)
        payload = event.payload
        text = payload._base64  # pyright: ignore[reportPrivateUsage] - the hot path: `len` takes four times as long
        size = len(text) * 3 // 4 if text and text[-1] != "=" else len(payload)
        item.size += size
        return size if item.size >= item.look_at else 0

    def worded(self, event: ModelResponseAudioTranscriptDelta) -> None:
        """Words of a spoken reply came. They may be ahead of their sound, without which nobody has heard them."""
        if event.item_id != self._last.item_id and event.item_id not in self._items:
            self._silent[event.item_id] = event.response_id
            if len(self._silent) > MOST_ITEMS:
                del self._silent[next(iter(self._silent))]

    def look(self, size: int, now: float) -> None:
        """What was received last, of this size, came at this time."""
        self._last.look(size, now)

    def is_playing(self, now: float) -> bool:
        """Whether something of what was received is still to be heard."""
        return any(item.ends > now for item in self._items.values())

    def is_heard(self, now: float) -> bool:
        """Whether somebody listens to speech: there is some to be heard, or more of it comes."""
        if not self._items:
            return False
        last = self._items[next(reversed(self._items))]
        last.place()
        return last.ends > now or not last.is_complete

    def item_done(self, item_id: str) -> None:
        """The provider has no more of this item."""
        item = self._items.get(item_id)
        if item is not None:
            item.is_complete = True

    def response_done(self, response_id: str, *, is_whole: bool = True) -> dict[str, float]:
        """The end of this reply was told, and not that it was cancelled: what was received is played to its end.

        If it `is_whole`, this returns how long each of its items takes, in ms.
        """
        items = [item for item in self._items.values() if item.response_id == response_id]
        for item in items:
            item.is_complete = item.is_told = True
            item.is_whole = is_whole
        self._silent = {item_id: of for item_id, of in self._silent.items() if of != response_id}
        return {item.item_id: item.received_ms for item in items} if is_whole else {}

    def session_lost(self) -> None:
        """The provider's session is gone, and its items with it. What was received is played all the same."""
        for item in self._items.values():
            item.is_complete = item.is_told = True
            item.is_kept = False
        self._silent.clear()

    def reported(self, item_id: str, played_ms: int, playing: bool, now: float) -> None:
        """A frontend has played so much of an item, and goes on with it or not.

        Of several frontends the furthest counts, and none goes back: whoever is behind what was reported before says
        nothing. Nobody is further than what was received. Items that are over, or not known, are passed over.
        """
        item = self._items.get(item_id)
        if item is None or played_ms < item.reported_ms:
            return
        items = list(self._items.values())
        position = items.index(item)
        if any(each.reported_ms for each in items[position + 1 :]):
            return
        for each in items[:position]:  # it has been played, or passed over
            each.place()
            each.ends, each.is_held = min(each.ends, now), False
        item.place()
        item.reported_ms = min(played_ms, int(item.received_ms))
        item.is_held = not playing and item.reported_ms < int(item.received_ms)
        moved = now + (item.received_ms - item.reported_ms) / 1000 - item.ends
        for each in items[position:]:
            each.ends += moved

    def cut(self, now: float, response_id: str | None = None) -> list[Heard]:
        """What is not heard yet of this reply, or of all, is played no more. Returns what was, of each such item.

        What was heard to its end is not among them.
        """
        cut: list[Heard] = []
        removed = 0.0
        is_silent = False
        for item in list(self._items.values()):
            item.place()
            item.ends -= removed
            received_ms = item.received_ms
            heard_ms = 0.0 if is_silent else item.heard_ms(now)
            is_heard = received_ms - heard_ms < 1
            is_silent = is_silent or not is_heard
            if response_id not in (None, item.response_id):
                continue
            del self._items[item.item_id]
            removed += (received_ms - heard_ms) / 1000
            if not (is_heard and item.is_complete):
                whole_ms = int(received_ms)
                ids = item.response_id, item.item_id
                heard_ms = min(int(heard_ms + _FUZZ), whole_ms)
                cut.append(Heard(*ids, heard_ms, whole_ms, item.is_told, item.is_kept, item.is_whole))
        if self._last.item_id not in self._items:
            self._last = _NOTHING
        for item_id, of in list(self._silent.items()):
            if response_id in (None, of):
                del self._silent[item_id]
                cut.append(Heard(of, item_id, 0, 0, is_told=False, is_kept=True))
        return cut

    def _find(self, event: ModelResponseAudioDelta) -> _Item:
        item = self._items.get(event.item_id)
        if item is None:
            item = _Item(event.response_id, event.item_id, event.format.rate)
            self._silent.pop(event.item_id, None)
            if self._items:
                before = self._items[next(reversed(self._items))]
                before.place()
                item.ends = before.ends
            self._items[event.item_id] = item
            if len(self._items) > MOST_ITEMS:
                del self._items[next(iter(self._items))]
        self._last = item
        return item


_NOTHING = _Item("", "", 24000)


def cutting(heard: Heard, capabilities: Capabilities, new_id: Callable[[], str]) -> TruncateItem | DeleteItem | None:
    """What the model is told of an item that was cut; nothing where it cannot be told, or has the item no more."""
    if not heard.is_kept:
        return None
    if heard.heard_ms == 0 and capabilities.delete:
        return DeleteItem(_CUT + new_id(), heard.item_id)
    return TruncateItem(_CUT + new_id(), heard.item_id, heard.heard_ms) if capabilities.truncate else None


def is_cutting(request_id: str) -> bool:
    """Whether a request is one of `cutting`: that it is refused is nobody's error, since the item may be gone."""
    return request_id.startswith(_CUT)
