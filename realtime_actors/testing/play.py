"""A script as it is played: the model's end of the wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import trio

from realtime_actors.events import (
    AppendImage,
    AppendText,
    AppendToolResult,
    Configure,
    ItemAdded,
    ModelCommand,
    ModelSessionCreated,
    SessionConfigured,
)
from realtime_actors.transports import (
    ConnectionClosed,
    MemoryTransport,
    Request,
    Transport,
    Upgrade,
    WebSocket,
    WebSocketOptions,
)

from .errors import ExpectationFailed, InvalidExpectation
from .matching import short
from .script import Disconnect, Emit, Expect, Pause, Said, Step

__all__ = ["URL", "Play"]

URL = "scripted://model"
"""Where the script is played; no other transport takes that."""


class Play(Transport):
    """Plays a script to whoever connects, one connection at a time.

    What goes over the wire are numbers; what they stand for is handed over in memory.
    """

    def __init__(self, script: Sequence[Step], ignore: tuple[type, ...], acknowledges: bool) -> None:
        self.over = trio.Event()
        """Set when the script is done, or has failed."""
        self.received: list[ModelCommand] = []
        self.failure: ExpectationFailed | None = None
        self.scope: trio.CancelScope | None = None
        """What a failure cancels."""
        self._script = script
        self._ignore = ignore
        self._acknowledges = acknowledges
        self._done = 0
        self._connected = False
        self._sessions = 0
        self._memory = MemoryTransport(self._respond)
        self._numbers = 0
        self._in_flight: dict[str, Any] = {}

    @asynccontextmanager
    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AsyncGenerator[WebSocket, None]:
        if url != URL:
            raise InvalidExpectation("the transport of a ScriptedModel leads to that model only: give its agent both")
        async with self._memory.connect("ws://scripted/", options=options) as websocket:
            yield websocket

    def show(self) -> str:
        """The script, and how far it is."""
        lines = ["\nThe script:"]
        for index, step in enumerate(self._script):
            mark = "done" if index < self._done else "--->" if index == self._done else "    "
            lines.append(f"  {mark} {index + 1}. {short(step)}")
        if self._done == len(self._script):
            lines.append("  ---> its end")
        return "\n".join(lines)

    def wrap(self, what: object) -> str:
        """The frame that stands for something."""
        self._numbers += 1
        frame = str(self._numbers)
        self._in_flight[frame] = what
        return frame

    def unwrap(self, frame: str | bytes) -> Any:
        """What a frame stands for."""
        try:
            return self._in_flight.pop(cast("str", frame))
        except KeyError:
            raise InvalidExpectation(
                "a ScriptedModel has no frames that could be garbage: make that of a provider's simulator"
            ) from None

    def _fail(self, problem: str, cause: BaseException | None = None) -> None:
        if self.failure is None:
            self.failure = ExpectationFailed(problem + self.show())
            self.failure.__cause__ = cause
            self.over.set()
            if self.scope is not None:
                self.scope.cancel()

    # -- the model's side

    async def _respond(self, _: Request) -> Upgrade:
        await trio.lowlevel.checkpoint()
        if self._connected:
            self._fail("a second connection was opened beside the first: give each agent a ScriptedModel of its own.")
        self._connected = True
        return Upgrade(self._talk)

    async def _talk(self, websocket: WebSocket) -> None:
        try:
            if self._acknowledges:
                await self._open(websocket)
            await self._follow(websocket)
            while True:  # the test has failed, and will close it
                self.unwrap(await websocket.receive())
        except ConnectionClosed:
            return
        finally:
            self._connected = False

    async def _open(self, websocket: WebSocket) -> None:
        """Accept the configuration that opens a session, which the script may expect or not."""
        self._sessions += 1
        await self._say(websocket, ModelSessionCreated(f"session-{self._sessions}"))
        command: ModelCommand = self.unwrap(await websocket.receive())
        step = self._step()
        if not isinstance(command, Configure) or (isinstance(step, Expect) and step.pattern.kind is Configure):
            await self._take(websocket, command)
        else:
            await self._acknowledge(websocket, command)

    async def _follow(self, websocket: WebSocket) -> None:
        """Play the steps that are left; returns when the test has failed."""
        while self.failure is None:
            match self._step():
                case Emit(events=events):
                    for event in events:
                        said = self._made(event)
                        if said is None:
                            return
                        await self._say(websocket, said)
                    self._step_done()
                case Pause(seconds):
                    await trio.sleep(seconds)
                    self._step_done()
                case Disconnect(code, reason):
                    self._step_done()
                    await websocket.aclose(code, reason)
                case Expect() | None:
                    await self._take(websocket, self.unwrap(await websocket.receive()))

    async def _take(self, websocket: WebSocket, command: ModelCommand) -> None:
        """Compare a command with what is expected."""
        step = self._step()
        problem = step.pattern.mismatch(command) if isinstance(step, Expect) else ""
        if problem is None:
            self.received.append(command)
            self._step_done()
            await self._acknowledge(websocket, command)
        elif isinstance(command, self._ignore):
            return
        elif isinstance(step, Expect):
            expected = f"step {self._done + 1} of the script expected\n  {step.pattern}"
            self._fail(f"{expected}\nbut the agent sent\n  {short(command)}\n({problem})")
        else:
            self._fail(f"the agent sent what the script does not foresee:\n  {short(command)}")

    async def _acknowledge(self, websocket: WebSocket, command: ModelCommand) -> None:
        if not self._acknowledges:
            return
        if isinstance(command, Configure):
            await self._say(websocket, SessionConfigured())
        elif isinstance(command, (AppendText, AppendImage, AppendToolResult)):
            await self._say(websocket, ItemAdded(command.item_id))

    async def _say(self, websocket: WebSocket, event: Said) -> None:
        await websocket.send(self.wrap(event))

    def _made(self, event: Said | Callable[[Any], Said]) -> Said | None:
        """The event, made by a function where it is one. None when that has failed, and the test with it."""
        if isinstance(event, Said):
            return event
        try:
            made = event(self.received[-1] if self.received else None)
        except Exception as error:  # noqa: BLE001 - the test is told
            self._fail(f"step {self._done + 1} of the script raised {error!r}.", error)
            return None
        if isinstance(made, Said):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
            return made
        self._fail(f"step {self._done + 1} of the script made {short(made)}, which is nothing that a model says.")
        return None

    def _step(self) -> Step | None:
        return self._script[self._done] if self._done < len(self._script) else None

    def _step_done(self) -> None:
        self._done += 1
        if self._done == len(self._script):
            self.over.set()
