"""What a frontend's session and its gateway both hold."""

from __future__ import annotations

import attrs
import trio

from realtime_actors.actors import Ref
from realtime_actors.transports import WebSocket

__all__ = ["FrontendSocket", "SharedAgent"]


@attrs.define(eq=False)
class FrontendSocket:
    """A frontend's socket, which may be another one later. A session and its gateway both hold this."""

    websocket: WebSocket
    code: int = 1001
    """How it is closed when the session has ended, with `reason`."""
    reason: str = ""
    writing: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Of whoever writes to it."""
    is_awaited: bool = False
    """Whether it is lost, and the session waits for another."""
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def wait(self, within: float) -> bool:
        """It is lost: wait for another. False if none has come."""
        self.writing.cancel()
        self._news = trio.Event()
        self.is_awaited = True
        with trio.move_on_after(within):
            await self._news.wait()
        returned, self.is_awaited = not self.is_awaited, False
        return returned

    def give(self, websocket: WebSocket) -> None:
        """The frontend is back."""
        self.websocket, self.is_awaited = websocket, False
        self._news.set()

    def give_up(self) -> None:
        """It is not to be waited for any longer."""
        self._news.set()


@attrs.frozen
class SharedAgent:
    """The agent of a session that has several frontends: that of the first one."""

    ref: Ref
    name: str
