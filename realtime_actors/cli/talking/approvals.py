"""Whether a tool may run: what `talk` answers."""

import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Literal

import attrs
import orjson
import trio

from realtime_actors.cli.talking.screen import Screen
from realtime_actors.events import AgentToolApprovalRequested, ClientToolApproval, ToolUse

__all__ = ["Approvals", "Approve", "read_lines"]

Approve = Literal["ask", "all", "none"]

_LONGEST = 300


@attrs.define(eq=False)
class Approvals:
    """Answers by rule, or asks on the terminal, one call after the other: only `y` and Enter allows it."""

    rule: Approve
    session_id: str
    screen: Screen
    send: Callable[[ClientToolApproval], Awaitable[None]]
    start_soon: Callable[..., None]
    """Starts a task that ends with the conversation."""
    lines: trio.MemoryReceiveChannel[str] | None = None
    """Where the answers that are typed come from, if somebody else reads what is typed."""
    is_asking: bool = attrs.field(init=False, default=False)
    """Whether the next line is an answer."""
    _open: dict[str, trio.CancelScope] = attrs.field(init=False, factory=dict[str, trio.CancelScope])
    _one: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    def ask(self, asked: AgentToolApprovalRequested) -> None:
        """A call waits to be allowed."""
        self.start_soon(self._decide, asked.tool_use)

    def over(self, call_id: str) -> None:
        """A call is over: nobody need answer any more."""
        scope = self._open.pop(call_id, None)
        if scope is not None:
            scope.cancel()

    async def _decide(self, use: ToolUse) -> None:
        with trio.CancelScope() as self._open[use.id]:
            if self.rule == "ask":
                async with self._one:
                    approved = await self._asked(use)
            else:
                approved = self.rule == "all"
                self.screen.line("approve", f"{use.name}: {'yes' if approved else 'no'} (--approve)", fg="yellow")
            await self.send(ClientToolApproval(self.session_id, use.id, approved))
        self._open.pop(use.id, None)

    async def _asked(self, use: ToolUse) -> bool:
        lines = self._typed()
        arguments = " ".join((use.raw_input or orjson.dumps(use.input).decode()).split())[:_LONGEST]
        self.screen.line("approve", f"may {use.name}({arguments}) run? [y/N]", fg="yellow")
        self.is_asking = True
        try:
            return (await lines.receive()).strip().lower() in ("y", "yes")
        except trio.EndOfChannel:
            return False
        finally:
            self.is_asking = False

    def _typed(self) -> trio.MemoryReceiveChannel[str]:
        """What is typed from now on: what was typed before answers nothing that is asked now."""
        if self.lines is None:
            send, self.lines = trio.open_memory_channel[str](0)
            self.start_soon(read_lines, send)
        with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                self.lines.receive_nowait()
        return self.lines


async def read_lines(send: trio.MemorySendChannel[str]) -> None:
    """Send each line that is typed, to the end of them."""
    with send:
        # Nothing can end a thread that waits for the terminal: it ends with the process.
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            await send.send(line)
