"""What waits to be sent to one client."""

from collections import deque

import attrs
import trio

__all__ = ["Closing", "Outbox"]


@attrs.frozen
class Closing:
    """Close the connection with this code when what is before it has gone out; None breaks it."""

    code: int | None
    reason: str = ""


class Outbox:
    """Frames in order, put at once and sent by one writer.

    Putting never waits, so that all events of one step stay together. Instead, whoever puts calls `wait_for_room`
    between its steps: the bound is exceeded by what one step of each task makes.
    """

    def __init__(self) -> None:
        self._frames: deque[str | bytes | Closing] = deque()
        self._arrived = trio.lowlevel.ParkingLot()
        self._taken = trio.lowlevel.ParkingLot()
        self.sent = 0
        """Frames taken to be sent."""
        self.stalls = 0
        """How often a task had to wait because the client did not read."""
        self.peak = 0
        """The most frames that ever waited."""

    def put(self, frame: str | bytes | Closing) -> None:
        """Add a frame at the end."""
        self._frames.append(frame)
        self.peak = max(self.peak, len(self._frames))
        self._arrived.unpark()

    async def get(self) -> str | bytes | Closing:
        """Take the oldest frame."""
        while not self._frames:
            await self._arrived.park()
        frame = self._frames.popleft()
        self.sent += 1
        self._taken.unpark_all()
        return frame

    async def wait_for_room(self, bound: int) -> None:
        """Return when fewer than `bound` frames wait. Always a checkpoint."""
        if len(self._frames) < bound:
            await trio.lowlevel.checkpoint()
            return
        self.stalls += 1
        while len(self._frames) >= bound:
            await self._taken.park()
