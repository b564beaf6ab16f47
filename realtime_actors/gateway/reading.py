"""How a session reads what its frontend says, over one socket or several, and whatever else it waits for."""

from __future__ import annotations

import abc
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import trio

from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientAudioAppend,
    ClientEvent,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientSessionEnd,
    DecodeError,
)
from realtime_actors.rooms import SeatAway, SeatBack
from realtime_actors.transports import ConnectionClosed

from .base import BaseSession

__all__ = ["ReadingSession"]

log = logging.getLogger("realtime_actors.gateway")

T = TypeVar("T")

_EVENT_SIZE = 500  # bytes that an event takes beside what it carries, about
_LOOK_AGAIN = 0.25  # seconds
_LARGE_FRAME = 64 * 1024
_NORMAL = 1000  # the code of a frontend that closes because it is done
_STALE_AFTER = 5.0  # seconds


@attrs.define(eq=False)
class ReadingSession(BaseSession, abc.ABC):
    """Reads. What came is taken one after the other, by `_take`; what overtakes the rest, by `_pass_at_once`."""

    @abc.abstractmethod
    async def _take(self, event: ClientEvent) -> None: ...

    @abc.abstractmethod
    def _pass_at_once(self, event: ClientResponseCancel | ClientPlayoutUpdate) -> None: ...

    async def _read(self) -> None:
        while True:
            try:
                with self._without_session:
                    while True:
                        await self._take(await self._next())
            except ConnectionClosed as error:
                log.info("session %s: %s", self.context.name, error)
                if error.code == _NORMAL or not await self._comes_back():
                    break
            else:
                await self.socket.websocket.aclose(1008, self._missing())
                break
        self.context.stop()

    async def _comes_back(self) -> bool:
        """The socket is lost: whether the frontend is there again in time."""
        if self._agent is None or not self._is_open or self._is_last or self.return_within <= 0:
            return False
        lost_at = trio.current_time()
        self._tell_seat(SeatAway())
        if not await self.socket.wait(self.return_within):
            log.info("session %s: the frontend has not come back", self.context.name)
            return False
        if trio.current_time() - lost_at > _STALE_AFTER:
            self._drop_stale()
        self._last_heard = trio.current_time()
        self._is_back = True
        self._without_session = trio.CancelScope()
        self._tell_seat(SeatBack())
        log.info("session %s: the frontend is back", self.context.name)
        return True

    def _drop_stale(self) -> None:
        """Nobody wants to hear speech so late of which the end is known."""
        done = {event.response_id for event in self.outgoing.waiting() if isinstance(event, AgentResponseDone)}
        self.outgoing.drop(lambda event: isinstance(event, AgentResponseAudioDelta) and event.response_id in done)

    def _tell_seat(self, message: SeatAway | SeatBack) -> None:
        if self._agent is not None and self._is_seated:
            self.context.tell(self._agent, message)

    def _missing(self) -> str:
        if self._last_heard is None and self.settings.first_message_timeout < self.settings.hello_timeout:
            return f"no message within {self.settings.first_message_timeout:g} s"
        return f"no client_session_create within {self.settings.hello_timeout:g} s"

    async def _receive(self) -> str | bytes:
        frame = await self.socket.websocket.receive()
        if self._last_heard is None:
            self._without_session.deadline = self._opened_at + self.settings.hello_timeout
        self._last_heard = trio.current_time()
        return frame

    async def _next(self) -> ClientEvent:
        if self._ahead:
            event, size = self._ahead.popleft()
            self._ahead_bytes -= size
            return event
        while True:
            event = await self._decode(await self._receive())
            if event is not None:
                return event
            # An agent's control and data lanes are read by two tasks, in any order when both wake at once: what
            # follows a cancel in the same packet must not get before it.
            await trio.lowlevel.checkpoint()

    async def _decode(self, frame: str | bytes) -> ClientEvent | None:
        """The frame's event; None when it is dealt with already: one that is no event, or one that does not wait."""
        if len(frame) < _LARGE_FRAME:
            return self._decode_now(frame)
        # Shielded, since the frame would be lost: those that are before it have but milliseconds of work each.
        event: ClientEvent | None = None
        with trio.CancelScope(shield=True):
            async with self.large_frames:
                event = self._decode_now(frame)
                await trio.lowlevel.checkpoint()
        return event

    def _decode_now(self, frame: str | bytes) -> ClientEvent | None:
        try:
            event = self.admission.wire.decode_client(frame)
        except DecodeError as error:
            self._complain(str(error))
            return None
        if isinstance(event, ClientResponseCancel | ClientPlayoutUpdate):
            self._pass_at_once(event)
            return None
        return event

    async def _keeping_in_touch(self, wait: Callable[[], Awaitable[T]], *, breakable: bool = True) -> T | None:
        """Wait for something slow, and go on reading: what comes is kept, but a cancel acts at once.

        None when a `breakable` wait was broken off because the frontend wants to end. Raises `ConnectionClosed`
        when it was because the frontend is gone.
        """
        result: T | None = None
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_ahead, nursery.cancel_scope, breakable)
            try:
                result = await wait()
            except Exception as error:  # noqa: BLE001 - raised below, outside the nursery, which would wrap it
                failure = error
            nursery.cancel_scope.cancel()
        if self.socket.websocket.closed is not None:
            raise self.socket.websocket.closed
        if failure is not None:
            raise failure
        return result

    async def _read_ahead(self, waiting: trio.CancelScope, breakable: bool) -> None:
        while self.socket.websocket.closed is None:
            if self._ahead_bytes >= self.settings.max_message_bytes and not self._drop_audio():
                # No more is read, so a close must be looked for.
                await trio.sleep(_LOOK_AGAIN)
                continue
            try:
                frame = await self._receive()
            except ConnectionClosed:
                break
            event = await self._decode(frame)
            if event is not None:
                size = len(frame) + _EVENT_SIZE
                self._ahead.append((event, size))
                self._ahead_bytes += size
            if breakable and isinstance(event, ClientSessionEnd):
                break
        waiting.cancel()

    def _drop_audio(self) -> bool:
        """Drop the oldest audio that was read ahead; False if there is none."""
        for index, (event, size) in enumerate(self._ahead):
            if isinstance(event, ClientAudioAppend):
                del self._ahead[index]
                self._ahead_bytes -= size
                self._audio_dropped += 1
                message = f"the agent cannot take it yet: the oldest audio was dropped ({self._audio_dropped} so far)"
                self._error("audio_dropped", message, audio=True)
                return True
        return False
