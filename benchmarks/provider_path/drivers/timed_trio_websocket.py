"""The relay of trio-websocket, in whose process a further session's replies are cancelled, and timed."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import trio
import trio_websocket

from benchmarks.provider_path.passes import Interruption, interrupt
from benchmarks.provider_path.wire import message

from .bare_trio_websocket import serve

__all__ = ["relay"]


async def _relay(port: int, listening: Callable[[int], None]) -> None:
    url = f"ws://127.0.0.1:{port}/"
    async with (
        trio.open_nursery() as nursery,
        trio_websocket.open_websocket_url(url, receive_buffer_size=65536, message_queue_size=16) as socket,
    ):
        nursery.start_soon(serve, port, listening)
        await socket.send_message(message("session.update", session={"type": "realtime"}).decode())

        async def come(kind: str) -> None:
            while orjson.loads(await socket.get_message())["type"] != kind:
                pass

        async def begin() -> None:
            await socket.send_message(message("response.create").decode())
            await come("response.output_audio.delta")

        async def cut() -> Interruption:
            interruption = Interruption()
            interruption.handled = interruption.told
            await socket.send_message(message("response.cancel").decode())
            interruption.arrived()
            await come("response.done")
            return interruption

        await interrupt(begin, cut)
        await trio.sleep_forever()


def relay(port: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_relay, port, listening)
