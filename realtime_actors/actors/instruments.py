"""Hooks around each message, for traces and metrics."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ref import Ref

__all__ = ["Instrument", "handling", "sending"]

log = logging.getLogger("realtime_actors.actors")


class Instrument:
    """Base class of what is given to `open_runtime(instruments=…)`: override what is needed.

    The methods are called in the runtime's thread and must not wait. What they raise is logged; messages go on.
    Starts, restarts, ends, dead letters and drops are on the bus instead: subscribe to `runtime.>`.
    """

    def sending(self, ref: Ref, message: object, trace: object | None) -> object | None:
        """A message is given to the actor `ref`. Returns the trace context that is to travel with it.

        `trace` is the sender's: what `trace_context` holds.
        """
        return trace

    def handling(
        self, ref: Ref, message: object, trace: object | None, waited: float
    ) -> AbstractContextManager[object]:
        """A context manager that is entered around the handler, and sees its exception.

        `trace` came with the message, which `waited` seconds in the mailbox. What it sets as `trace_context` is
        what the handler's own messages carry.
        """
        return nullcontext()


def sending(instruments: Sequence[Instrument], ref: Ref, message: object, trace: object | None) -> object | None:
    """The trace context for a message, from all instruments."""
    for instrument in instruments:
        try:
            trace = instrument.sending(ref, message, trace)
        except Exception:
            log.exception("%s: the instrument %s failed", ref.path, type(instrument).__name__)
    return trace


@contextmanager
def handling(
    instruments: Sequence[Instrument], ref: Ref, message: object, trace: object | None, waited: float
) -> Generator[None]:
    """Around a handler: all instruments, whose own errors go no further."""
    entered: list[tuple[Instrument, AbstractContextManager[object]]] = []
    for instrument in instruments:
        try:
            manager = instrument.handling(ref, message, trace, waited)
            manager.__enter__()
            entered.append((instrument, manager))
        except Exception:
            log.exception("%s: the instrument %s failed", ref.path, type(instrument).__name__)
    crash: BaseException | None = None
    try:
        yield
    except BaseException as error:
        crash = error
        raise
    finally:
        for instrument, manager in reversed(entered):
            try:
                manager.__exit__(type(crash) if crash else None, crash, crash and crash.__traceback__)
            except Exception as error:
                if error is not crash:
                    log.error("%s: the instrument %s failed", ref.path, type(instrument).__name__, exc_info=error)
