"""What goes out of a connection, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CommitAudio,
    CreateResponse,
    DeleteItem,
    ModelCommand,
    RequestFailed,
    TruncateItem,
)
from realtime_actors.transports import ConnectionClosed

from .line import Line
from .model import WireProtocol
from .outbox import Outbox

__all__ = ["Said", "Sender"]

Said = CommitAudio | AppendText | AppendImage | AppendToolResult | CreateResponse | TruncateItem | DeleteItem
"""Commands for the conversation, which belong to one session."""

_OVERLOADED = ("overloaded_error", "overloaded", "too much waits for the provider: this was not sent; try again later")


@attrs.define(eq=False)
class Sender:
    """Sends commands to the session that is ready, and keeps them while there is none.

    `queued_control` says how many commands wait that go first. `set_timer` is given the seconds after which to look
    whether a command was answered. `lost` is called when a send finds that the session is gone.
    """

    outbox: Outbox
    queued_control: Callable[[], int]
    set_timer: Callable[[float, ModelCommand, WireProtocol], object]
    lost: Callable[[], None]
    line: Line | None = None
    """The socket that is served, or was until the next one is."""
    ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set while there is a session."""
    number: int = attrs.field(init=False, default=0)
    """Of the last session that was ready."""
    _resumed_after: int = attrs.field(init=False, default=0)
    # Set while no control command is being sent: other frames begin only then.
    _calm: trio.Event = attrs.field(init=False, factory=trio.Event)
    # Set while the wire takes the next command: some lose what comes before they have answered the last.
    _free: trio.Event = attrs.field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._calm.set()
        self._free.set()

    async def append(self, command: AppendAudio) -> None:
        """Audio waits for a session, and is sent again if that is lost under it."""
        if self.outbox:
            await self.flush()
        if self.outbox or not (await self._clear() and await self.send(command)):
            self.outbox.put(command)

    async def say(self, command: Said) -> RequestFailed | None:
        """What the owner sends again after a loss, so that it goes to one session only. Returns why it cannot be."""
        if self.outbox:
            await self.flush()
        if self._resumed_after != (self.number - 1 if self.ready.is_set() else self.number):
            return None
        if not self.outbox and await self._clear():
            await self.send(command)
        elif not self.outbox.put(command):
            return RequestFailed(_id_of(command), *_OVERLOADED)
        return None

    async def say_first(self, command: ModelCommand) -> None:
        """Send this before every frame that is not yet begun. Without a session it is said to nobody."""
        if not self.ready.is_set():
            return
        self._calm = trio.Event()
        try:
            await self.send(command)
        finally:
            self._calm.set()

    async def flush(self) -> None:
        """Send what has waited, as far as there is a session for it."""
        while self.outbox and await self._clear():
            command = self.outbox.take()
            if not await self.send(command) and isinstance(command, AppendAudio):
                self.outbox.put_back(command)

    def resume(self, after: int) -> None:
        """What follows is for the session after the one with this number."""
        self._resumed_after = after
        self.outbox.keep_audio()

    async def send(self, command: ModelCommand) -> bool:
        """Send a command now. False when the socket was lost: whoever reads from it sees that as well."""
        line = self.line
        if line is None:
            return False
        protocol = line.protocol
        try:
            for frame in protocol.encode(command):
                await line.socket.send(frame)
        except ConnectionClosed:
            if line is self.line:
                self.lost()
            return False
        if protocol.holds and line is self.line:
            self._free = trio.Event()
        patience = protocol.patience(command)
        if patience is not None:
            self.set_timer(patience, command, protocol)
        return True

    def release(self) -> None:
        """Let the next command go, if the wire takes it."""
        if not self._free.is_set() and not (self.line is not None and self.line.protocol.holds):
            self._free.set()

    async def _clear(self) -> bool:
        """Wait for the control commands that go first. False when there is no session."""
        for _ in range(3):  # not for ever: a lane that is stopping takes no more commands
            while not (self._calm.is_set() and self._free.is_set()):
                await self._calm.wait()
                await self._free.wait()
            if not self.ready.is_set():
                return False
            if not self.queued_control():
                return True
            await trio.lowlevel.checkpoint()  # one was told just now, and is in hand after this
        return self.ready.is_set()


def _id_of(command: Said) -> str:
    if isinstance(command, AppendText | AppendImage | AppendToolResult):
        return command.item_id
    return command.request_id
