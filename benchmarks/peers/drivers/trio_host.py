"""The same work on Trio: for this package and the floors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from benchmarks.peers.application import Loop

__all__ = ["on_trio"]


def on_trio(main: Callable[[Loop], Awaitable[None]]) -> None:
    """Run it on Trio."""

    async def whole() -> None:
        async with trio.open_nursery() as nursery:

            def start_soon(function: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
                nursery.start_soon(partial(function, *arguments))

            await main(Loop(trio.sleep, start_soon))

    trio.run(whole)
