"""The runtime that all agents of one event loop share: there while it has users."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from realtime_actors.asyncio import AsyncioRuntime, open_runtime

__all__ = ["shared_runtime"]


class _Host:
    """A task that holds a runtime open: entering and leaving it are the same task's business."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.users = 0
        self._opened: asyncio.Future[AsyncioRuntime] = loop.create_future()
        self._unused = asyncio.Event()
        self._task = loop.create_task(self._hold(), name="realtime_actors")

    async def runtime(self) -> AsyncioRuntime:
        """The runtime, when it is there."""
        return await asyncio.shield(self._opened)

    async def end(self) -> None:
        """Let go of it, and wait until its thread has ended."""
        self._unused.set()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _hold(self) -> None:
        try:
            async with open_runtime() as runtime:
                self._opened.set_result(runtime)
                await self._unused.wait()
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(error)
                self._opened.exception()  # whoever waits for it has it; asyncio need not complain if nobody does
            raise


# Agents are made without naming a runtime, as AgentScope's are: the loop they run in is all that they have in common.
_hosts: WeakKeyDictionary[asyncio.AbstractEventLoop, _Host] = WeakKeyDictionary()


@asynccontextmanager
async def shared_runtime() -> AsyncGenerator[AsyncioRuntime]:
    """`async with shared_runtime() as runtime:` the runtime of this event loop.

    The first who enters opens it, in a thread of its own; the last who leaves ends it, and waits for the thread.
    """
    loop = asyncio.get_running_loop()
    host = _hosts.get(loop)
    if host is None:
        host = _hosts[loop] = _Host(loop)
    host.users += 1
    try:
        yield await host.runtime()
    finally:
        host.users -= 1
        if not host.users:
            if _hosts.get(loop) is host:
                del _hosts[loop]
            await host.end()
