"""A session over one WebSocket: the tasks that carry out the session's effects."""

import math
from collections.abc import Sequence
from typing import Any, cast

import orjson
import trio

from realtime_actors.simulators.brain import Brain, Part, Say
from realtime_actors.simulators.effects import (
    After,
    Cancel,
    Close,
    Effect,
    Generate,
    Reply,
    Send,
    Transcribe,
    WireSession,
)
from realtime_actors.simulators.errors import TranscriptionFailed
from realtime_actors.simulators.outbox import Closing, Outbox
from realtime_actors.simulators.speaker import Speaker
from realtime_actors.transports.errors import ConnectionClosed
from realtime_actors.transports.websocket import WebSocket

__all__ = ["Connection"]

_GENERATE_BOUND = 16
"""A response waits when this many frames wait to be sent."""

_RECEIVE_BOUND = 64
"""Nothing more is read from a client that has left this many frames unread."""

_TRANSCRIPTIONS = 8
"""Nothing more is read while this many transcriptions are under way."""

_MAX_DEPTH = 64


class Connection:
    """Runs one session. Every response is a task with a cancel scope of its own.

    Args:
        lifetime: seconds until the session expires.
        speed: see `Speaker`.
        idle: seconds without a frame from the client after which it is closed.
        binary: whether the server's messages go in binary frames.
    """

    def __init__(
        self,
        websocket: WebSocket,
        session: WireSession,
        brain: Brain,
        *,
        speed: float,
        lifetime: float,
        idle: float = math.inf,
        binary: bool = False,
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._brain = brain
        self._speed = speed
        self._lifetime = lifetime
        self._idle = idle
        self._binary = binary
        self._scopes: dict[str, trio.CancelScope] = {}
        self._hearing: dict[str, trio.Event] = {}
        self._closing = False
        self.outbox = Outbox()
        self.received = 0
        """Frames received."""

    async def run(self) -> None:
        """Serve the client until one side closes."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._write)
            nursery.start_soon(self._expire)
            self.carry_out(self._session.start())
            await self._read()

    # -- the outlet of the speakers --------------------------------------------------------------------------------

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Do these effects: nothing here waits."""
        for effect in effects:
            match effect:
                case Send(event):
                    self.outbox.put(_encode(event, binary=self._binary))
                case Generate(response, parts):
                    self._start(response, parts)
                case Cancel(response_id):
                    if response_id in self._scopes:
                        self._scopes[response_id].cancel()
                case Transcribe():
                    self._hearing[effect.item_id] = trio.Event()
                    self._nursery.start_soon(self._transcribe, effect)
                case After():
                    self._nursery.start_soon(self._wait, effect)
                case Close(code, reason):
                    self.close(code, reason)

    def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        self.outbox.put(frame)

    def close(self, code: int | None, reason: str) -> None:
        """Close after what was sent until now."""
        self.outbox.put(Closing(code, reason))

    async def wait_for_room(self) -> None:
        """Wait while the client is behind. Always a checkpoint."""
        await self.outbox.wait_for_room(_GENERATE_BOUND)

    def overlap(self, response: Reply, text: str) -> None:
        """Start a second response that says `text`."""
        for effect in self._session.overlap(response):
            if isinstance(effect, Generate):
                self._start(effect.response, [Say(text)])
            else:
                self.carry_out([effect])

    # -- tasks -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while True:
                message = None
                with trio.move_on_after(self._idle):
                    message = await self._websocket.receive()
                if message is None:
                    self.close(1000, "idle for too long")
                    await trio.sleep_forever()
                self._take(message)
                await self.outbox.wait_for_room(_RECEIVE_BOUND)
                while len(self._hearing) > _TRANSCRIPTIONS:
                    await next(iter(self._hearing.values())).wait()
        except ConnectionClosed:
            if not self._closing:  # else the writer waits for the peer's part of the close
                self._nursery.cancel_scope.cancel()

    def _take(self, message: str | bytes) -> None:
        self.received += 1
        if isinstance(message, bytes):
            self.carry_out(self._session.refuse("Events are JSON in text frames; this frame is binary."))
            return
        try:
            event = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            self.carry_out(self._session.refuse(f"The event is not valid JSON: {error}."))
            return
        if message.count("[") + message.count("{") > _MAX_DEPTH and _is_deep(event):
            self.carry_out(self._session.refuse("The event is nested too deeply."))
            return
        self.carry_out(self._session.receive(event))

    async def _write(self) -> None:
        try:
            while not isinstance(frame := await self.outbox.get(), Closing):
                await self._websocket.send(frame)
            await self._close(frame)
        except ConnectionClosed:
            pass
        self._nursery.cancel_scope.cancel()

    async def _close(self, closing: Closing) -> None:
        self._closing = True
        with trio.CancelScope() as scope:
            if closing.code is None:
                scope.cancel()  # a close that is cancelled cuts the connection: the peer sees it break
            await self._websocket.aclose(closing.code or 1000, closing.reason)

    async def _expire(self) -> None:
        await trio.sleep(self._lifetime)
        self.carry_out(self._session.expire(self._lifetime))

    async def _wait(self, effect: After) -> None:
        await trio.sleep(effect.seconds)
        self.carry_out(effect.then())

    async def _transcribe(self, effect: Transcribe) -> None:
        try:
            text = await self._brain.transcribe(effect.pcm, effect.rate)
        except TranscriptionFailed as error:
            told = self._session.transcription_failed(effect.item_id, str(error))
        else:
            told = self._session.transcribed(effect.item_id, text)
        self.carry_out(told)
        self._hearing.pop(effect.item_id).set()

    def _start(self, response: Reply, parts: Sequence[Part] | None) -> None:
        self._scopes[response.id] = trio.CancelScope()
        self._nursery.start_soon(self._respond, response, parts)

    async def _respond(self, response: Reply, parts: Sequence[Part] | None) -> None:
        try:
            with self._scopes[response.id]:
                if parts is None:
                    for item_id in self._session.unheard(response):
                        await self._hearing[item_id].wait()
                    parts = await self._brain.reply(response.turns(), response.tools)
                speaker = Speaker(response, self._session, self._brain, self, speed=self._speed)
                await speaker.run(parts)
        finally:
            del self._scopes[response.id]


def _encode(event: dict[str, Any], *, binary: bool) -> str | bytes:
    frame = orjson.dumps(event)
    return frame if binary else frame.decode()


def _is_deep(value: object, depth: int = 0) -> bool:
    if isinstance(value, dict):
        children = list(cast(dict[str, object], value).values())
    elif isinstance(value, list):
        children = cast(list[object], value)
    else:
        return False
    return depth >= _MAX_DEPTH or any(_is_deep(child, depth + 1) for child in children)
