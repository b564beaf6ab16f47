"""An actor's mailbox: two bounded Trio memory channels, and what happens when one is full.

It belongs to the actor's slot, so that what is queued survives a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import attrs
import trio

from .errors import MailboxFull
from .messages import Lane, is_droppable
from .reply import message_of

__all__ = ["CONTROL_CAPACITY", "WAKE", "LaneQueue", "Mailbox", "Overflow"]

Overflow = Literal["wait", "fail", "drop_oldest", "drop_newest"]
"""What a full data lane does.

`wait`: `send` waits for room, `tell` raises `MailboxFull`. `fail`: both raise. `drop_oldest`, `drop_newest`: a
message whose type is marked `@droppable` goes, the oldest or the newest; both raise when there is none.
"""

CONTROL_CAPACITY = 256
"""Room in the control lane. When it is full, `tell` and `send` raise `MailboxFull`."""

WAKE: object = object()
"""Wakes an idle lane so that it looks at its state. Only ever handed over, never queued and never handled."""


@attrs.define(eq=False)
class LaneQueue:
    """The channel of one lane, and the one message that was taken from it and is not begun."""

    sender: trio.MemorySendChannel[object]
    receiver: trio.MemoryReceiveChannel[object]
    send_nowait: Callable[[object], None] = attrs.field(init=False, repr=False)
    returned: object | None = None
    peak: int = 0
    """The most messages that waited in it at a time."""
    fill: int = 0
    awaited: bool = False
    """Whether the lane waits for a message, or was handed one and has not run since."""

    def __attrs_post_init__(self) -> None:
        self.send_nowait = self.sender.send_nowait

    @classmethod
    def open(cls, capacity: int) -> LaneQueue:
        """A queue with room for `capacity` messages."""
        return cls(*trio.open_memory_channel[object](capacity))

    def __len__(self) -> int:
        channel = self.receiver.statistics()
        handed_over = self.awaited and not channel.tasks_waiting_receive
        return channel.current_buffer_used + (self.returned is not None) + handed_over

    def wake(self) -> None:
        """Make a lane that waits look at its state. One that does not wait does so before its next message."""
        if self.receiver.statistics().tasks_waiting_receive:
            self.sender.send_nowait(WAKE)

    def take_all(self) -> list[object]:
        """Empty the queue, and take what waits for room in it."""
        taken = [] if self.returned is None else [self.returned]
        self.returned = None
        taken.extend(self.take_channel())
        return taken

    def take_channel(self) -> list[object]:
        """Empty the channel."""
        taken: list[object] = []
        while True:
            try:
                taken.append(self.receiver.receive_nowait())
            except trio.WouldBlock:
                return taken

    def close(self) -> None:
        """Let nobody wait for room any more."""
        self.receiver.close()
        self.sender.close()


@attrs.define(eq=False)
class Mailbox:
    """Both lanes of an actor. `capacity` and `overflow` are the data lane's."""

    path: str
    capacity: int
    overflow: Overflow
    on_drop: Callable[[object, object], None]
    """Told of what was put, and of what was dropped for it."""
    dropped: int = attrs.field(init=False, default=0)
    data: LaneQueue = attrs.field(init=False)
    control: LaneQueue | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if not (isinstance(self.capacity, int) and self.capacity >= 1):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
            raise ValueError(f"{self.path}: a mailbox needs a capacity of 1 or more messages, not {self.capacity!r}")
        self.data = LaneQueue.open(self.capacity)

    def queue(self, lane: Lane) -> LaneQueue:
        """The queue of a lane; the control lane's is made when it is first needed."""
        if lane == "data":
            return self.data
        if self.control is None:
            self.control = LaneQueue.open(CONTROL_CAPACITY)
        return self.control

    def put_data(self, item: object) -> None:
        """Queue a message, or an envelope, in the data lane. Raises `MailboxFull`."""
        queue = self.data
        try:
            queue.send_nowait(item)
        except trio.WouldBlock:
            self.on_drop(item, self._push_out(item))
            return
        fill = queue.fill = queue.fill + 1
        if fill > queue.peak:  # noqa: PLR1730 - half the time of max()
            queue.peak = fill

    def put_control(self, item: object) -> None:
        """As `put_data`, in the control lane."""
        queue = self.queue("control")
        try:
            queue.send_nowait(item)
        except trio.WouldBlock:
            raise self._full("control") from None
        queue.fill += 1
        queue.peak = max(queue.peak, queue.fill)

    async def put_data_when_room(self, item: object) -> None:
        """As `put_data`, waiting for room where the policy says so; where there is room it is no checkpoint."""
        try:
            self.put_data(item)
        except MailboxFull:
            if self.overflow != "wait":
                raise
        else:
            return
        await self.data.sender.send(item)
        self.data.fill += 1
        self.data.peak = self.capacity

    def _push_out(self, item: object) -> object:
        """Make room in a full data lane by the drop policy (nobody waits for room there, so order is kept)."""
        if self.overflow in ("wait", "fail"):
            raise self._full("data") from None
        if self.overflow == "drop_newest" and is_droppable(message_of(item)):
            self.dropped += 1
            return item
        first = self.data.receiver.receive_nowait()
        if self.overflow == "drop_oldest" and is_droppable(message_of(first)):
            self.data.sender.send_nowait(item)
            self.dropped += 1
            return first
        queued = [first, *self.data.take_channel(), item]
        order = range(len(queued)) if self.overflow == "drop_oldest" else range(len(queued) - 1, -1, -1)
        victim = next((place for place in order if is_droppable(message_of(queued[place]))), None)
        dropped = queued.pop(-1 if victim is None else victim)
        for kept in queued:
            self.data.sender.send_nowait(kept)
        if victim is None:
            raise self._full("data")
        self.dropped += 1
        return dropped

    def _full(self, lane: Lane) -> MailboxFull:
        room = self.capacity if lane == "data" else CONTROL_CAPACITY
        return MailboxFull(
            f"the {lane} lane of {self.path} is full ({room} messages): use send() to wait for room, "
            "give it more capacity, or choose another overflow policy"
        )
