"""The `async with` block in which a WebSocket on a stream is open."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from realtime_actors.transports.websocket import WebSocket

__all__ = ["lifetime"]


@asynccontextmanager
async def lifetime(
    websocket: WebSocket,
    run: Callable[[trio.TaskStatus[None]], Awaitable[None]],
    stream: trio.abc.Stream,
) -> AsyncGenerator[None, None]:
    """Run the WebSocket's tasks while the block lasts, then close it with the code that says how the block ended.

    The stream is closed whatever happens, and what the block raises comes out as it is.
    """
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope(shield=True):  # at once; so that even then the peer gets its Close
                await nursery.start(run)
            code = 1000
            try:
                yield
            except BaseException as error:  # noqa: BLE001 (raised again, as it is)
                raised = error
                code = 1011 if isinstance(error, Exception) else 1001
            with trio.CancelScope(shield=True):  # bounded: aclose takes close_timeout at most
                await websocket.aclose(code)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
    if raised is not None:
        raise raised
