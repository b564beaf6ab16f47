"""The runtime for asyncio hosts: Trio in a thread of its own, driven from the host's event loop."""

from .errors import CrossingFull, WrongLoop
from .ref import AsyncioRef
from .runtime import AsyncioRuntime, CrossingStatistics, open_runtime
from .subscription import AsyncioSubscription

__all__ = [
    "AsyncioRef",
    "AsyncioRuntime",
    "AsyncioSubscription",
    "CrossingFull",
    "CrossingStatistics",
    "WrongLoop",
    "open_runtime",
]
