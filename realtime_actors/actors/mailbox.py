"""An actor's mailbox: two bounded Trio memory channels, and what happens when one is full.

It belongs to the actor's slot, so that what is queued survives a restart.
"""

from __future__ import annotations

from typing import Literal

import attrs
import trio

from .errors import MailboxFull
from .messages import Lane, is_droppable
from .reply import Envelope

__all__ = ["CONTROL_CAPACITY", "WAKE", "LaneQueue", "Mailbox", "Overflow"]

Overflow = Literal["wait", "fail", "drop_oldest", "drop_newest"]
"""What a full data lane does.

`wait`: `send` waits for room, `tell` raises `MailboxFull`. `fail`: both raise. `drop_oldest`, `drop_newest`: a
message whose type is marked `@droppable` goes, the oldest or the newest; both raise when there is none.
"""

CONTROL_CAPACITY = 256
"""Room in the control lane. When it is full, `tell` and `send` raise `MailboxFull`."""

WAKE = Envelope(None)
"""Wakes an idle lane so that it looks at its state; never handled."""


@attrs.define(eq=False)
class LaneQueue:
    """The channel of one lane, and the one message it gives back when a life ends before handling it."""

    sender: trio.MemorySendChannel[Envelope]
    receiver: trio.MemoryReceiveChannel[Envelope]
    returned: Envelope | None = None

    @classmethod
    def open(cls, capacity: int) -> LaneQueue:
        """A queue with room for `capacity` messages."""
        return cls(*trio.open_memory_channel[Envelope](capacity))

    def __len__(self) -> int:
        return self.receiver.statistics().current_buffer_used + (self.returned is not None)

    def wake(self) -> None:
        """Make an idle lane look at its state. A lane with messages queued does that anyway."""
        try:
            self.sender.send_nowait(WAKE)
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            return

    def take_all(self) -> list[Envelope]:
        """Empty the queue."""
        taken = [] if self.returned is None else [self.returned]
        self.returned = None
        while True:
            try:
                envelope = self.receiver.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                return taken
            if envelope is not WAKE:
                taken.append(envelope)

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
    dropped: int = attrs.field(init=False, default=0)
    data: LaneQueue = attrs.field(init=False)
    control: LaneQueue | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"{self.path}: a mailbox needs a capacity of 1 or more, not {self.capacity}")
        self.data = LaneQueue.open(self.capacity)

    def queue(self, lane: Lane) -> LaneQueue:
        """The queue of a lane; the control lane's is made when it is first needed."""
        if lane == "data":
            return self.data
        if self.control is None:
            self.control = LaneQueue.open(CONTROL_CAPACITY)
        return self.control

    def put(self, lane: Lane, envelope: Envelope) -> Envelope | None:
        """Queue a message. Returns the one that had to be dropped for it, if any. Raises `MailboxFull`."""
        try:
            self.queue(lane).sender.send_nowait(envelope)
        except trio.WouldBlock:
            if lane == "control" or self.overflow in ("wait", "fail"):
                raise self._full(lane) from None
            return self._push_out(envelope)
        return None

    async def put_when_room(self, lane: Lane, envelope: Envelope) -> Envelope | None:
        """As `put`, waiting for room where the policy says so."""
        try:
            dropped = self.put(lane, envelope)
        except MailboxFull:
            if lane == "control" or self.overflow != "wait":
                raise
            await self.queue(lane).sender.send(envelope)
            return None
        await trio.lowlevel.checkpoint()
        return dropped

    def _push_out(self, envelope: Envelope) -> Envelope:
        """Make room in a full data lane by the drop policy (nobody waits for room there, so order is kept)."""
        receiver = self.data.receiver
        first = None
        if self.overflow == "drop_oldest":
            first = receiver.receive_nowait()
            if is_droppable(first.message):
                return self._dropped(first, envelope)
        elif is_droppable(envelope.message):
            self.dropped += 1
            return envelope
        queued = [first] if first is not None else []
        queued.extend(self.data.take_all())
        order = range(len(queued)) if self.overflow == "drop_oldest" else range(len(queued) - 1, -1, -1)
        victim = next((i for i in order if is_droppable(queued[i].message)), None)
        dropped = queued.pop(victim) if victim is not None else None
        for kept in queued:
            self.data.sender.send_nowait(kept)
        if dropped is None:
            if self.overflow == "drop_oldest" and is_droppable(envelope.message):
                self.dropped += 1
                return envelope
            raise self._full("data")
        return self._dropped(dropped, envelope)

    def _dropped(self, victim: Envelope, envelope: Envelope) -> Envelope:
        self.data.sender.send_nowait(envelope)
        self.dropped += 1
        return victim

    def _full(self, lane: Lane) -> MailboxFull:
        room = self.capacity if lane == "data" else CONTROL_CAPACITY
        return MailboxFull(
            f"the {lane} lane of {self.path} is full ({room} messages): use send() to wait for room, "
            "give it more capacity, or choose another overflow policy"
        )
