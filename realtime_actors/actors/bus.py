"""The bus: messages by topic, to any number of subscribers that cannot slow each other or the publisher."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import attrs
import trio

from .errors import InvalidName, SubscriptionOverflow, WrongThread
from .messages import is_droppable
from .signals import Lost

if TYPE_CHECKING:
    from .ref import Ref

__all__ = ["Bus", "BusOverflow", "RefSubscription", "Subscriber", "Subscription", "SubscriptionStatistics"]

log = logging.getLogger("realtime_actors.actors")

BusOverflow = Literal["drop_oldest", "drop_newest", "close"]
"""What a full subscription does: drop (first of all what is marked `@droppable`), or end with an error."""

_TOPIC = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PATTERN = re.compile(r"([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*(\.>)?|>")
_CACHED_TOPICS = 10_000
_READS_PER_PASS = 64


@attrs.frozen
class SubscriptionStatistics:
    """A subscription's counters, in messages."""

    pattern: str
    waiting: int
    delivered: int
    dropped: int
    """Lost because the buffer was full."""
    superseded: int
    """Removed by `Bus.discard` before they were read."""


def _one(_: object) -> int:
    return 1


@attrs.define(eq=False)
class Subscription:
    """What a subscriber reads: `async with bus.subscribe(…) as events: async for event in events`.

    Its buffer is bounded. After messages were dropped, a `Lost` with their number is read next; a subscription
    with `overflow="close"` instead raises `SubscriptionOverflow` when what was buffered has been read.
    """

    _bus: Bus
    pattern: str
    capacity: int
    overflow: BusOverflow
    weigh: Callable[[Any], int]
    on_overflow: Callable[[], object] | None = attrs.field(default=None, kw_only=True)
    _patterns: list[str] = attrs.field(init=False, factory=list[str])
    """Those added by `also`."""
    _buffer: deque[tuple[Any, Hashable, int]] = attrs.field(init=False, factory=deque[tuple[Any, Hashable, int]])
    _weight: int = attrs.field(init=False, default=0)
    _reader: trio.lowlevel.Task | None = attrs.field(init=False, default=None)
    _lost: int = attrs.field(init=False, default=0)
    _closed: bool = attrs.field(init=False, default=False)
    _overflowed: bool = attrs.field(init=False, default=False)
    _reads: int = attrs.field(init=False, default=0)
    _delivered: int = attrs.field(init=False, default=0)
    _dropped: int = attrs.field(init=False, default=0)
    _superseded: int = attrs.field(init=False, default=0)

    def statistics(self) -> SubscriptionStatistics:
        """A snapshot of its counters."""
        return SubscriptionStatistics(self.pattern, len(self._buffer), self._delivered, self._dropped, self._superseded)

    def also(self, pattern: str) -> None:
        """Take in what matches this pattern, too. Raises `InvalidName` for a bad one."""
        self._bus.add(self, pattern)
        self._patterns.append(pattern)

    def close(self) -> None:
        """Receive no more. What is buffered can still be read."""
        self._closed = True
        for pattern in (self.pattern, *self._patterns):
            self._bus.remove(self, pattern)
        self._wake()

    def offer(self, message: Any, group: Hashable) -> None:
        """Called by the bus: buffer a message, or drop by the policy."""
        weight = 1 if self.weigh is _one else max(1, self.weigh(message))
        if self._overflowed or (
            self._weight + weight > self.capacity
            and not self._make_room(message, self._weight + weight - self.capacity)
        ):
            self._lose(1)
            return
        self._buffer.append((message, group, weight))
        self._weight += weight
        self._wake()

    def _make_room(self, message: Any, excess: int) -> bool:
        """Drop what has to go for a new message. False when that is the new one."""
        if self.overflow == "close":
            self._overflowed = True
            self._wake()
            if self.on_overflow is not None:
                self.on_overflow()
            return False
        victims: list[int] = []
        for index in self._before(message):
            victims.append(index)
            excess -= self._buffer[index][2]
            if excess <= 0:
                break
        else:
            return False
        for index in sorted(victims, reverse=True):
            self._weight -= self._buffer[index][2]
            del self._buffer[index]
        self._lose(len(victims))
        return True

    def _before(self, message: Any) -> Iterator[int]:
        """The places in the buffer of what goes before a new message has to, in this order."""
        oldest_first = self.overflow == "drop_oldest"
        if is_droppable(message) and not oldest_first:
            return
        places = range(len(self._buffer)) if oldest_first else range(len(self._buffer) - 1, -1, -1)
        yield from (i for i in places if is_droppable(self._buffer[i][0]))
        if oldest_first and not is_droppable(message):
            yield from (i for i in places if not is_droppable(self._buffer[i][0]))

    def _lose(self, count: int) -> None:
        self._lost += count
        self._dropped += count
        # What the runtime says of itself must not make it say more.
        if self.pattern.split(".", 1)[0] not in ("runtime", "*", ">"):
            self._bus.on_drop(self, f"subscription to {self.pattern}", self._dropped)

    def waiting(self) -> list[Any]:
        """What is buffered, oldest first."""
        return [entry[0] for entry in self._buffer]

    def discard(self, group: Hashable) -> None:
        """Called by the bus: remove what waits with this group."""
        self._keep([entry for entry in self._buffer if entry[1] != group])

    def drop(self, is_useless: Callable[[Any], bool]) -> None:
        """Remove what waits and is of no use any more; it is counted as superseded."""
        self._keep([entry for entry in self._buffer if not is_useless(entry[0])])

    def _keep(self, kept: list[tuple[Any, Hashable, int]]) -> None:
        removed = len(self._buffer) - len(kept)
        if removed:
            self._superseded += removed
            self._buffer = deque(kept)
            self._weight = sum(entry[2] for entry in kept)

    def receive_nowait(self) -> Any:
        """The next message. Raises `trio.WouldBlock` when there is none, and as `receive` does."""
        if self._lost and not self._overflowed:
            lost, self._lost = self._lost, 0
            return Lost(lost)
        if self._buffer:
            message, _, weight = self._buffer.popleft()
            self._weight -= weight
            self._delivered += 1
            return message
        if self._overflowed:
            raise SubscriptionOverflow(
                f"the subscription to {self.pattern} ran full ({self.capacity}): its reader is too slow",
                self._lost,
            )
        if self._closed:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    async def receive(self) -> Any:
        """The next message, waiting for one. Raises `SubscriptionOverflow`, or `trio.EndOfChannel` when closed."""
        if self._buffer or self._lost or self._closed or self._overflowed:
            self._reads += 1
            if self._reads % _READS_PER_PASS == 0:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._buffer or self._lost or self._closed or self._overflowed):
            if self._reader is not None:
                raise trio.BusyResourceError("another task is reading this subscription")
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        return self.receive_nowait()

    def _give_up(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@attrs.define(eq=False)
class RefSubscription:
    """A subscription that tells an actor, until it is closed or the actor has ended.

    What the actor's full mailbox refuses becomes a dead letter.
    """

    _bus: Bus
    pattern: str
    ref: Ref
    closed: bool = attrs.field(init=False, default=False)

    def offer(self, message: Any, group: Hashable) -> None:
        """Called by the bus."""
        if self.ref._slot.terminated is not None:  # pyright: ignore[reportPrivateUsage] - a ref is the slot's face
            self.close()
        else:
            self.ref.tell_or_dead_letter(message)

    def discard(self, group: Hashable) -> None:
        """Nothing to do: a mailbox is a channel, which keeps what it holds."""

    def close(self) -> None:
        """Tell it no more."""
        self.closed = True
        self._bus.remove(self)


class Subscriber(Protocol):
    """Whoever is given what is published, by `Bus.add`: a `Subscription` reads it, a `RefSubscription` tells it.

    One of your own must be quick, and hashable by identity: it is called in the middle of `publish`.
    """

    @property
    def pattern(self) -> str:
        """The topics it is for."""
        ...

    def offer(self, message: Any, group: Hashable) -> None:
        """Take a message, and the group by which it may be taken back."""
        ...

    def discard(self, group: Hashable) -> None:
        """What was offered with this group is of no use any more."""
        ...


@attrs.define(eq=False)
class _Node:
    """A word of the patterns subscribed to: those who end with it, and what follows it."""

    here: dict[Subscriber, None] = attrs.field(factory=dict[Subscriber, None])
    words: dict[str, _Node] = attrs.field(factory=dict[str, "_Node"])

    def matching(self, words: list[str], index: int) -> Iterator[Subscriber]:
        if index == len(words):
            yield from self.here
            return
        if (rest := self.words.get(">")) is not None:
            yield from rest.here
        for word in (words[index], "*"):
            if (node := self.words.get(word)) is not None:
                yield from node.matching(words, index + 1)

    def remove(self, words: list[str], subscriber: Subscriber) -> bool:
        """Returns whether nothing is left of this node."""
        if not words:
            self.here.pop(subscriber, None)
        elif (node := self.words.get(words[0])) is not None and node.remove(words[1:], subscriber):
            del self.words[words[0]]
        return not self.here and not self.words


@attrs.define(eq=False)
class Bus:
    """Publish and subscribe by dotted topic. It does not replay: subscribe first.

    A pattern may have `*` for one word and `>` at its end for one or more (as NATS has).
    """

    on_drop: Callable[[object, str, int], None] = attrs.field(kw_only=True)
    thread: int = attrs.field(init=False, factory=get_ident)
    """The runtime's."""
    _root: _Node = attrs.field(init=False, factory=_Node)
    _cache: dict[str, tuple[Subscriber, ...]] = attrs.field(init=False, factory=dict[str, tuple[Subscriber, ...]])

    def publish(self, topic: str, message: Any, group: Hashable = None) -> None:
        """Give `message` to every subscription whose pattern matches. Never waits, never raises for a subscriber.

        `group` is any key by which `discard` may take the message back. Raises `InvalidName` for a bad topic, and
        `WrongThread`.
        """
        if get_ident() != self.thread:
            raise WrongThread(f"{topic} was published")
        subscribers = self._cache.get(topic)
        if subscribers is None:
            subscribers = self._match(topic)
        for subscriber in subscribers:
            try:
                subscriber.offer(message, group)
            except Exception:
                log.exception("a subscriber to %s failed to take what is on %s", subscriber.pattern, topic)

    def discard(self, topic: str, group: Hashable) -> None:
        """Take back what was published on `topic` with `group` and has not been read; counted as superseded.

        `None` is no group: nothing is taken back.
        """
        if group is None:
            return
        for subscriber in self._cache.get(topic) or self._match(topic):
            subscriber.discard(group)

    def subscribe(
        self,
        pattern: str,
        *,
        capacity: int = 1024,
        overflow: BusOverflow = "drop_oldest",
        weigh: Callable[[Any], int] = _one,
        on_overflow: Callable[[], object] | None = None,
    ) -> Subscription:
        """Subscribe from now on. `capacity` bounds the sum of what `weigh` gives (1 at least) for what is buffered.

        With `overflow="close"`, `on_overflow()` is called at once when it runs full: the reader may be stuck where it
        does not see that. Raises `InvalidName` for a bad pattern.
        """
        subscription = Subscription(self, pattern, capacity, overflow, weigh, on_overflow=on_overflow)
        self.add(subscription)
        return subscription

    def subscribe_ref(self, pattern: str, ref: Ref) -> RefSubscription:
        """Tell `ref` what is published from now on, until the result is closed."""
        subscription = RefSubscription(self, pattern, ref)
        self.add(subscription)
        return subscription

    def add(self, subscriber: Subscriber, pattern: str | None = None) -> None:
        """Give a subscriber what is published from now on, until `remove`. `subscribe` does this.

        `pattern` is one besides its own. What matches several is given once.
        """
        pattern = subscriber.pattern if pattern is None else pattern
        if not _PATTERN.fullmatch(pattern):
            raise InvalidName(
                f"{pattern!r} is no pattern: words of letters, digits, _ and - joined by dots; * stands for a word, "
                "> at the end for one or more"
            )
        node = self._root
        for word in pattern.split("."):
            node = node.words.setdefault(word, _Node())
        node.here[subscriber] = None
        self._cache.clear()

    def remove(self, subscriber: Subscriber, pattern: str | None = None) -> None:
        """Forget a subscriber (by one of its patterns). Closing a subscription does this."""
        self._root.remove((subscriber.pattern if pattern is None else pattern).split("."), subscriber)
        self._cache.clear()

    def _match(self, topic: str) -> tuple[Subscriber, ...]:
        if not _TOPIC.fullmatch(topic):
            raise InvalidName(f"{topic!r} is no topic: words of letters, digits, _ and - joined by dots")
        if len(self._cache) >= _CACHED_TOPICS:
            self._cache.clear()
        found = self._cache[topic] = tuple(dict.fromkeys(self._root.matching(topic.split("."), 0)))
        return found
