"""Messages that were received and not yet read."""

from collections import deque

import trio

from realtime_actors.transports.errors import ConnectionClosed

__all__ = ["Inbox", "payload_size"]

MAX_MESSAGES = 1024


class Inbox:
    """First in, first out; bounded in bytes and in messages; remembers how the connection ended.

    `put` never refuses: whoever fills the inbox calls `wait_for_room` before it takes in more, so that the
    bound is exceeded by one read (or one message) at most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.messages: deque[tuple[str | bytes, int]] = deque()
        """Each with its size; only to be looked at."""
        self._arrived = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self.closed = False
        """Nothing can be put any more."""
        self._ending: tuple[int, str, bool] | None = None
        self.unread_bytes = 0
        self.messages_received = 0
        self.bytes_received = 0
        self.stalls = 0

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def full(self) -> bool:
        """The bound is reached. A closed inbox is never full: what comes is discarded."""
        return self._ending is None and (self.unread_bytes >= self._max_bytes or len(self.messages) >= MAX_MESSAGES)

    def put(self, message: str | bytes, size: int) -> None:
        """Add a message of `size` bytes; discarded when closed."""
        if self._ending is not None:
            return
        self.messages.append((message, size))
        self.unread_bytes += size
        self.messages_received += 1
        self.bytes_received += size
        if self._arrived:
            self._arrived.unpark()

    def pass_by(self, size: int) -> None:
        """Count a message that is received as soon as it is read."""
        self.messages_received += 1
        self.bytes_received += size

    async def get(self) -> str | bytes:
        """The oldest message; raises `ConnectionClosed` when closed and empty."""
        # No full checkpoint when a message is there: a pass of the scheduler costs more than all the rest.
        # The bound keeps a greedy reader from starving others: the inbox cannot be refilled meanwhile.
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self.messages:
            await self.wait()
        return self.take()

    async def wait(self) -> None:
        """Return when there may be a message, or after `wake`; raises `ConnectionClosed` when closed and empty."""
        if self._ending is not None and not self.messages:
            raise self.error()
        await self._arrived.park()

    def wake(self) -> bool:
        """Have one who waits for a message look again; whether there is one."""
        return bool(self._arrived and self._arrived.unpark())

    def take(self) -> str | bytes:
        """The oldest message; there has to be one."""
        was_full = self.full
        message, size = self.messages.popleft()
        self.unread_bytes -= size
        if was_full and not self.full:
            self._room.unpark_all()
        return message

    async def wait_for_room(self) -> None:
        """Return as soon as the inbox is not full, counting a stall if it was."""
        if self.full:
            self.stalls += 1
            while self.full:
                await self._room.park()

    def close(self, code: int, reason: str, *, local: bool) -> None:
        """Record how the connection ended; the first call wins. A local close discards what is unread."""
        if self._ending is not None:
            return
        self.closed = True
        self._ending = (code, reason, local)
        if local:
            self.messages.clear()
            self.unread_bytes = 0
        self._arrived.unpark_all()
        self._room.unpark_all()

    def error(self) -> ConnectionClosed:
        """A new error that says how the connection ended (one raised twice would collect tracebacks)."""
        code, reason, local = self._ending or (1006, "", False)
        return ConnectionClosed(code, reason, local=local)


def payload_size(message: str | bytes) -> int:
    """Bytes that a message takes on the wire, framing not counted."""
    # str.isascii is O(1): only text beyond ASCII is encoded to be measured.
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())
