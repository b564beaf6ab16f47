"""Ctrl-C and SIGTERM, from the first line of a command to the last."""

import os
import signal
from collections.abc import Callable
from types import FrameType

__all__ = ["Signals"]


class Signals:
    """Handles SIGINT and SIGTERM for a command.

    Before `on_stop` is set, nothing of ours runs yet, and a signal ends the process at once. From then on the first
    one calls it, and a SIGINT after it ends the process at once. These are plain handlers and not
    `trio.open_signal_receiver`, because they also act while modules are imported, and while code that blocks keeps
    Trio's loop from running.

    The exit codes are those that a shell gives: 128 and the signal's number.
    """

    def __init__(self) -> None:
        self.on_stop: Callable[[], None] | None = None
        """Called in a signal handler, once."""
        self.at_once: Callable[[], None] | None = None
        """Called in a signal handler before the process ends at once."""
        self.received: signal.Signals | None = None
        """The signal that stopped the command."""

    def install(self) -> None:
        """Handle the signals from now on, also where the parent had them ignored. Main thread only."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.on_stop is None or (self.received is not None and number == signal.SIGINT):
            if self.at_once is not None:
                self.at_once()
            os._exit(128 + number)
        if self.received is None:
            self.received = signal.Signals(number)
            self.on_stop()
