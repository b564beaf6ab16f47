"""The actors of a runtime, printed when a signal comes."""

from __future__ import annotations

import contextlib
import sys
import time

import trio

from realtime_actors.actors import Runtime

__all__ = ["dump_on_signal"]


async def dump_on_signal(
    runtime: Runtime,
    number: int,
    *,
    label: str = "",
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Print the runtime's actors to stderr whenever signal `number` comes, until cancelled.

    `await nursery.start(dump_on_signal, runtime, signal.SIGUSR1)`, in the main thread. It is Trio's loop that prints:
    while a call blocks that, the watchdog's log says more. `label` says whose they are, where several processes print.
    """
    with trio.open_signal_receiver(number) as signals:
        task_status.started()
        async for _ in signals:
            tree = runtime.tree()
            whose = f"{label}, " if label else ""
            with contextlib.suppress(OSError):  # nobody reads stderr any more: no reason to end what runs
                print(  # noqa: T201 - for whoever sent the signal
                    f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, {whose}actors: {len(tree.actors)}\n{tree}",
                    file=sys.stderr,
                    flush=True,
                )
