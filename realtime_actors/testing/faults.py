"""A network that fails as a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, get_args

import attrs
import trio

from realtime_actors.transports import (
    ConnectFailed,
    ConnectionClosed,
    HandshakeRejected,
    Transport,
    WebSocket,
)

from .errors import InvalidExpectation
from .matching import short
from .wrapped import WrappedTransport, WrappedWebSocket

__all__ = ["Cut", "Delay", "Direction", "Fault", "FaultyTransport", "Garbage", "Refuse"]

Direction = Literal["received", "sent"]
"""Which frames, as the side that connects sees them."""


def _positive(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise InvalidExpectation(f"{attribute.name} counts from 1; it is {value!r}")


def _not_negative(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value >= 0:
        raise InvalidExpectation(f"{attribute.name} is {value!r}; a frame cannot come before it is sent")


def _known(_: object, attribute: attrs.Attribute[Direction], value: Direction) -> None:
    if value not in get_args(Direction):
        raise InvalidExpectation(f"{attribute.name} is 'received' or 'sent', not {short(value)}")


@attrs.frozen(kw_only=True)
class Refuse:
    """Refuse connections: as if nothing listened there, or with an HTTP `status` and `body`."""

    connections: int = attrs.field(default=1, validator=_positive)
    """How many attempts in a row."""
    first: int = attrs.field(default=1, validator=_positive)
    """The first attempt that is refused."""
    status: int | None = None
    body: bytes = b""


@attrs.frozen(kw_only=True)
class _FrameFault:
    direction: Direction = attrs.field(default="received", validator=_known)
    containing: str = ""
    """Only frames with this text in them count."""
    frame: int = attrs.field(default=1, validator=_positive)
    """The first frame, of those that count, that it happens to."""
    connection: int | None = attrs.field(default=1, validator=attrs.validators.optional(_positive))
    """Which connection, of those that came about; None for all."""


@attrs.frozen(kw_only=True)
class Cut(_FrameFault):
    """Cut the connection (1006) instead of passing this frame on."""


@attrs.frozen(kw_only=True)
class Garbage(_FrameFault):
    """Pass this on before that frame."""

    garbage: str | bytes = '{"type": \x00'


@attrs.frozen(kw_only=True)
class Delay(_FrameFault):
    """Hold this frame and all that follow it for so many seconds each, one after the other.

    Frames received pile up behind each other, which the peer feels as the back pressure of a slow reader.
    """

    seconds: float = attrs.field(validator=_not_negative)


Fault = Refuse | Cut | Garbage | Delay
"""What can go wrong."""


class FaultyTransport(WrappedTransport):
    """A transport that fails where it is told to, the same every time; for the rest it is `inner`."""

    def __init__(self, inner: Transport, faults: Sequence[Fault]) -> None:
        super().__init__(inner)
        for fault in faults:
            if not isinstance(fault, Fault):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
                raise InvalidExpectation(f"{short(fault)} is no fault: use Refuse, Cut, Garbage or Delay")
        self.faults = tuple(faults)
        self.attempts = 0
        """How often it was asked to connect."""
        self.connections = 0
        """How many connections came about."""

    async def connecting(self) -> None:
        """Refuse, if it is to be so."""
        self.attempts += 1
        await trio.lowlevel.checkpoint()
        for fault in self.faults:
            if isinstance(fault, Refuse) and fault.first <= self.attempts < fault.first + fault.connections:
                if fault.status is None:
                    raise ConnectFailed("cannot open a WebSocket: connection refused, by a fault", stage="tcp")
                raise HandshakeRejected("the faulty transport", fault.status, {}, fault.body)

    def wrap(self, websocket: WebSocket) -> WebSocket:
        """A connection with the faults that are to befall it."""
        self.connections += 1
        frame_faults = [fault for fault in self.faults if not isinstance(fault, Refuse)]
        return _FaultyWebSocket(
            websocket, [_Armed(fault) for fault in frame_faults if fault.connection in (None, self.connections)]
        )


@attrs.define(eq=False)
class _Armed:
    """A fault of one connection, and the frames that counted so far."""

    fault: _FrameFault
    seen: int = 0

    def strikes(self, direction: Direction, frame: str | bytes) -> bool:
        fault = self.fault
        if fault.direction != direction:
            return False
        found = fault.containing in frame if isinstance(frame, str) else fault.containing.encode() in frame
        self.seen += found
        if isinstance(fault, Delay):
            return self.seen >= fault.frame
        return found and self.seen == fault.frame


class _FaultyWebSocket(WrappedWebSocket):
    def __init__(self, inner: WebSocket, faults: list[_Armed]) -> None:
        super().__init__(inner)
        self._faults = faults
        self._turn = trio.StrictFIFOLock()
        self._held: deque[str | bytes] = deque()  # received, and not passed on before `_held_until`
        self._held_until = 0.0
        self._is_cut = False

    @property
    def closed(self) -> ConnectionClosed | None:
        return _cut() if self._is_cut else self.inner.closed

    async def send(self, message: str | bytes) -> None:
        async with self._turn:
            frames, delay = await self._suffer("sent", message)
            if delay:
                await trio.sleep(delay)
            for frame in frames:
                await self.inner.send(frame)

    async def receive(self) -> str | bytes:
        if not self._held:
            try:
                frame = await self.inner.receive()
            except ConnectionClosed:
                if self._is_cut:
                    raise _cut() from None
                raise
            frames, delay = await self._suffer("received", frame)
            self._held.extend(frames)
            self._held_until = trio.current_time() + delay
        if self._held_until > trio.current_time():
            await trio.sleep_until(self._held_until)
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
        return self._held.popleft()

    async def _suffer(self, direction: Direction, frame: str | bytes) -> tuple[list[str | bytes], float]:
        """What becomes of a frame, and after how many seconds. Raises `ConnectionClosed` for one that a cut keeps."""
        frames, delay = [frame], 0.0
        # Each counts every frame, whatever the others do to it.
        for fault in [armed.fault for armed in self._faults if armed.strikes(direction, frame)]:
            match fault:
                case Delay(seconds=seconds):
                    delay += seconds
                case Garbage(garbage=garbage):
                    frames.insert(0, garbage)
                case _:
                    self._is_cut = True
        if self._is_cut:
            with trio.CancelScope() as at_once:
                at_once.cancel()
                await self.inner.aclose()
            raise _cut()
        return frames, delay


def _cut() -> ConnectionClosed:
    return ConnectionClosed(1006, "the connection was cut, by a fault", local=False)
