"""A worker as its supervisor sees it."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from realtime_actors.cli.workers.channel import ask_to_drain, pass_on, read_announcement

__all__ = ["Worker"]


@attrs.define(eq=False)
class Worker:
    """A place for a process, which may be filled again and again: sessions belong to places."""

    number: int
    command: Sequence[str]
    """What runs the process; the file descriptor of its end of the channel is added to its last word."""
    ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set while a process is here that takes connections; another one each time."""
    announcement: str = attrs.field(init=False, default="")
    _channel: socket.socket | None = attrs.field(init=False, default=None)
    _process: trio.Process | None = attrs.field(init=False, default=None)
    _was_ready: bool = attrs.field(init=False, default=False)
    _is_leaving: bool = attrs.field(init=False, default=False)

    async def live(self) -> tuple[int, bool]:
        """Run a process until it ends, killed when cancelled.

        Gives its return code, which is negative for a signal, and whether it was ready at all. Raises `OSError` where
        no process can be started.
        """
        self._was_ready = False
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            *words, last = self.command
            # A session of its own: Ctrl-C in a terminal is for the supervisor, which tells the workers.
            process = await trio.lowlevel.open_process(
                [*words, f"{last}{theirs.fileno()}"],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            self._channel, self._process = ours, process
            try:
                if self._is_leaving:
                    self.kill()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._listen, ours)
                    code = await process.wait()
                    nursery.cancel_scope.cancel()
            finally:
                self.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
                self._channel, self._process = None, None
                self._lose()
                trio.lowlevel.notify_closing(ours)
            return code, self._was_ready

    async def _listen(self, channel: socket.socket) -> None:
        announcement = await read_announcement(channel)
        if announcement is not None:
            self.announcement, self._was_ready = announcement, True
            self.ready.set()

    async def take(self, connection: int) -> bool:
        """Give it a connection, once it is ready; False if it is gone, or goes meanwhile."""
        await self.ready.wait()
        if self._channel is None:
            return False
        try:
            await pass_on(self._channel, connection)
        except (OSError, trio.ClosedResourceError):
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        if self.ready.is_set():  # who waits for it may as well wait for the next process
            self.ready = trio.Event()

    async def drain(self) -> None:
        """Ask it to end for good; one that is not ready has no conversations, and is killed."""
        self._is_leaving = True
        if self._channel is None or not self.ready.is_set():
            self.kill()
            return
        with suppress(OSError, trio.ClosedResourceError):  # else it is on its way out
            await ask_to_drain(self._channel)

    def kill(self) -> None:
        """End it at once. May be called in a signal handler."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send its process a signal, if there is one."""
        process = self._process
        if process is not None and process.returncode is None:
            os.kill(process.pid, number)

    @property
    def pid(self) -> int | None:
        """Of its process, if there is one."""
        return None if self._process is None else self._process.pid
