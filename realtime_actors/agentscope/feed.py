"""What waits for an application's queue: a bound, a policy, and nothing of a reply that was cancelled."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from typing import Any

import attrs

from .errors import QueueOverflow
from .event import Event
from .model_events import ModelEvents
from .server_events import ServerEvents

__all__ = ["BACKLOG_BYTES", "QUEUE_AHEAD", "Feed", "QueueStatistics", "weight"]

log = logging.getLogger("realtime_actors.agentscope")

QUEUE_AHEAD = 16
"""How many events an application's queue is given before it has read any of them."""
BACKLOG_BYTES = 4 * 1024 * 1024
"""What waits beside the queue, about: two minutes of speech in base64."""

_LOOK_AGAIN = 0.005  # s. A queue without a bound of its own tells nobody that something was taken out of it.
_MOST_REPLIES = 64

_AUDIO = (ServerEvents.AgentResponseAudioDeltaEvent, ModelEvents.ModelResponseAudioDeltaEvent)
_DONE = (ServerEvents.AgentResponseDoneEvent, ModelEvents.ModelResponseDoneEvent)
_DELTAS = (
    *_AUDIO,
    ServerEvents.AgentResponseAudioTranscriptDeltaEvent,
    ServerEvents.AgentResponseToolUseDeltaEvent,
    ModelEvents.ModelResponseAudioTranscriptDeltaEvent,
    ModelEvents.ModelResponseToolUseDeltaEvent,
)


@attrs.frozen
class QueueStatistics:
    """What became of the events for an application's queue."""

    waiting: int
    """Events that wait beside the queue until the application has read some of those in it."""
    waiting_bytes: int
    dropped: int
    """Audio events lost because the application did not read."""
    superseded: int
    """Deltas of cancelled replies, taken back from the queue or from beside it before they were read."""


def weight(event: Any) -> int:
    """About how many bytes an event holds: what counts is audio."""
    payload = getattr(event, "payload", None)
    if payload is not None:
        return 200 + len(payload)
    delta = getattr(event, "delta", "")
    return 200 + len(delta)


def _reply_of(event: Any) -> tuple[str, str]:
    """The agent and the id of the reply that an event belongs to: ids of several models may be the same."""
    return getattr(event, "agent_id", ""), event.response_id


class Feed:
    """Puts events into an application's `asyncio.Queue`, a few ahead of the reader, in order.

    What the queue is not given yet waits here. When that is too much the oldest audio goes, and only audio;
    `QueueOverflow` says that there is none left to go. The queue itself is used by its public methods only, and may
    be used for other things as well.
    """

    def __init__(self, queue: asyncio.Queue[Any], ahead: int = QUEUE_AHEAD, capacity: int = BACKLOG_BYTES) -> None:
        self._queue = queue
        self._ahead = max(1, ahead)
        self.capacity = capacity
        """In bytes."""
        self._backlog: deque[Event] = deque()
        self._bytes = 0
        self._dropped = 0
        self._superseded = 0
        self._is_dropping = False
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        # Whether each of the latest replies was cancelled. Others may share the queue, and have their own.
        self._replies: dict[tuple[str, str], bool] = {}

    def statistics(self) -> QueueStatistics:
        """A snapshot of the counters."""
        return QueueStatistics(len(self._backlog), self._bytes, self._dropped, self._superseded)

    def offer(self, event: Event) -> None:
        """Have the queue given this event when its turn comes. Raises `QueueOverflow`; the event waits all the same.

        The end of a reply that was cancelled takes back what is left of it.
        """
        if isinstance(event, _DONE) and event.metadata.get("status") == "cancelled":
            self.supersede(_reply_of(event))
        elif isinstance(event, _DELTAS):
            if self._replies.setdefault(_reply_of(event), False):
                self._superseded += 1
                return
            while len(self._replies) > _MOST_REPLIES:
                del self._replies[next(iter(self._replies))]
        self._backlog.append(event)
        self._bytes += weight(event)
        self._move()
        if self._bytes > self.capacity:
            self._make_room()

    def supersede(self, reply: tuple[str, str] | None = None) -> None:
        """Take back every delta that the application has not read: of this agent's reply, or of all replies so far."""
        stale = set(self._replies) if reply is None else {reply}
        self._replies.update(dict.fromkeys(stale, True))
        self._take_back(stale)

    def close(self) -> None:
        """Nothing more comes: the queue is given the rest at once, as far as it has room."""
        self._is_closed = True
        self._move()

    # -- the parts

    def _has_room(self) -> bool:
        return not self._queue.full() and (self._is_closed or self._queue.qsize() < self._ahead)

    def _move(self) -> None:
        self._timer = None if self._timer is None else self._timer.cancel()
        while self._backlog and self._has_room():
            event = self._backlog.popleft()
            self._bytes -= weight(event)
            self._queue.put_nowait(event)
        if not self._backlog:
            self._is_dropping = False
        elif not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._move)
        else:
            log.error("%d events are lost: the application's queue is full, and the agent ended", len(self._backlog))
            self._dropped += len(self._backlog)
            self._backlog.clear()

    def _make_room(self) -> None:
        if not self._is_dropping:
            self._is_dropping = True
            log.warning("the application does not read its queue: the oldest audio that waits for it is dropped")
        excess = self._bytes - self.capacity
        kept: deque[Event] = deque()
        for event in self._backlog:
            if excess > 0 and isinstance(event, _AUDIO):
                excess -= weight(event)
                self._bytes -= weight(event)
                self._dropped += 1
            else:
                kept.append(event)
        self._backlog = kept
        if excess > 0:
            raise QueueOverflow(
                f"the application does not read its queue: {len(kept)} events wait, and no audio is left to drop"
            )

    def _take_back(self, replies: Collection[tuple[str, str]]) -> None:
        def is_stale(item: object) -> bool:
            return isinstance(item, _DELTAS) and _reply_of(item) in replies

        waiting = len(self._backlog)
        self._backlog = deque(event for event in self._backlog if not is_stale(event))
        self._superseded += waiting - len(self._backlog)
        self._bytes = sum(map(weight, self._backlog))
        # All out and back in, without an await: whoever reads the queue sees only that the stale ones are gone.
        queue = self._queue
        held = [queue.get_nowait() for _ in range(queue.qsize())]
        for item in held:
            if is_stale(item):
                self._superseded += 1
            else:
                queue.put_nowait(item)
        for _ in held:  # after the puts, or `queue.join()` could return in between
            queue.task_done()
