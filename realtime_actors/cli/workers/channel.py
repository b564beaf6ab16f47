"""What a supervisor and a worker say to each other, over a Unix socket.

The supervisor passes connections on, each with one byte (`PASSED`), and asks for the end with another (`DRAIN`). The
worker says once that it is ready, with a text that ends with a NUL. When the socket ends, the other one is gone.
"""

import logging
import os
import socket
from collections.abc import Callable

import attrs
import trio

__all__ = ["WORKER_HEADER", "Passed", "Place", "ask_to_drain", "is_supported", "pass_on", "read_announcement"]

log = logging.getLogger("realtime_actors.cli.workers")

WORKER_HEADER = "realtime-actors-worker"
"""In the answers of a worker: its number, and how many there are, as `0/2`."""

_PASSED = b"+"
_DRAIN = b"-"
_END = b"\0"
_LONGEST = 65536
"""Bytes of an announcement."""


def is_supported() -> bool:
    """Whether processes can pass sockets on here (SCM_RIGHTS, of POSIX)."""
    return hasattr(socket, "AF_UNIX") and hasattr(socket, "send_fds")


async def pass_on(channel: socket.socket, connection: int) -> None:
    """Give a worker a connection, by its file descriptor. Raises `OSError` or `ClosedResourceError` if it is gone."""
    while True:
        try:
            socket.send_fds(channel, [_PASSED], [connection])
        except BlockingIOError:
            await trio.lowlevel.wait_writable(channel)
        else:
            return


async def ask_to_drain(channel: socket.socket) -> None:
    """Tell a worker to end, as it does when the supervisor is gone. Raises what `pass_on` does."""
    while True:
        try:
            channel.send(_DRAIN)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(channel)
        else:
            return


async def read_announcement(channel: socket.socket) -> str | None:
    """Wait until the worker is ready; gives what it has to say, or None if it is gone."""
    read = b""
    while not read.endswith(_END) and len(read) < _LONGEST:
        await trio.lowlevel.wait_readable(channel)
        try:
            part = channel.recv(4096)
        except BlockingIOError:
            continue
        except OSError:
            part = b""
        if not part:
            return None
        read += part
    return read.removesuffix(_END).decode()


@attrs.frozen
class Place:
    """Which one of the workers a process is, and how it hears of its supervisor."""

    number: int
    count: int
    channel: int
    """A file descriptor."""

    @classmethod
    def of(cls, text: str) -> "Place":
        """From the text that a supervisor gives on the command line: `0/2:5`."""
        number, count, channel = map(int, text.replace(":", "/").split("/"))
        return cls(number, count, channel)

    @property
    def headers(self) -> dict[str, str]:
        """By which answers say whose they are."""
        return {WORKER_HEADER: f"{self.number}/{self.count}"}

    @property
    def label(self) -> str:
        """For logs."""
        return f"worker {self.number}"


class Passed(trio.abc.Listener[trio.SocketStream]):
    """The worker's end: gives the connections that are passed to it."""

    def __init__(self, number: int, drain: Callable[[], None]) -> None:
        """`number` is the file descriptor; `drain` is called when the worker is to end."""
        os.set_inheritable(number, False)
        self._channel = socket.socket(fileno=number)
        self._channel.setblocking(False)
        self._drain = drain

    def announce(self, text: str) -> None:
        """Say that the worker is ready."""
        self._channel.send(text.encode()[: _LONGEST // 2] + _END)

    async def accept(self) -> trio.SocketStream:
        """The next connection. When the supervisor is gone there is none any more, and it waits for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._channel)
            try:
                word, numbers, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                continue
            except OSError:
                word, numbers = b"", []
            if numbers:
                try:
                    return _stream(numbers[0])
                except OSError:  # it has ended already
                    os.close(numbers[0])
                    continue
            if not word:
                log.warning("the supervisor is gone: this worker ends too")
                self._drain()
                await trio.sleep_forever()
            if word == _DRAIN:
                self._drain()
            else:
                log.warning("a connection could not be taken: too many files are open (raise `ulimit -n`)")

    async def aclose(self) -> None:
        """Nothing is taken any more; the supervisor notices."""
        trio.lowlevel.notify_closing(self._channel)
        self._channel.close()
        await trio.lowlevel.checkpoint()


def _stream(number: int) -> trio.SocketStream:
    os.set_inheritable(number, False)
    connection = socket.socket(fileno=number)
    return trio.SocketStream(trio.socket.from_stdlib_socket(connection))
