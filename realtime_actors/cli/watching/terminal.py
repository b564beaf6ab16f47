"""A terminal that is drawn over and over, and put back as it was."""

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import trio

try:
    import termios
    import tty
except ImportError:  # Windows: Ctrl-C is the only key there
    termios = tty = None

__all__ = ["Terminal"]

_ENTER = "\x1b[?1049h\x1b[?25l"  # the alternate screen, without the cursor
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_CLEAR_LINE = "\x1b[K"
_CLEAR_REST = "\x1b[J"
_REVERSE = "\x1b[7m{}\x1b[0m"


class Terminal:
    """The terminal that stdout is, for as long as a `with` block lasts: a screen of its own, and single keys."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return shutil.get_terminal_size()

    def __enter__(self) -> Self:
        if termios is not None and tty is not None and sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSADRAIN)
        _write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _write(_LEAVE)
        if termios is not None and self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def draw(self, lines: list[str], *, reverse: int) -> None:
        """Show these lines and nothing else, one of them in reverse."""
        shown = [_REVERSE.format(line) if index == reverse else line for index, line in enumerate(lines)]
        # Cleared before it is written: after a line that is full, some terminals would clear its last character.
        *lines, last = shown
        _write("".join([_HOME, *(f"{_CLEAR_LINE}{line}\n" for line in lines), _CLEAR_REST, last]))

    async def keys(self) -> AsyncIterator[str]:
        """The keys that are pressed; none where stdin is no terminal."""
        while self._before is not None:
            await trio.lowlevel.wait_readable(sys.stdin)
            pressed = os.read(sys.stdin.fileno(), 64)
            if not pressed:
                return
            for key in pressed.decode("utf-8", "replace"):
                yield key

    async def heed_signals(
        self, redraw: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Call `redraw` whenever all has to be drawn again: in another size, or back from Ctrl-Z."""
        numbers = [getattr(signal, name) for name in ("SIGWINCH", "SIGTSTP") if hasattr(signal, name)]
        if not numbers:  # Windows
            task_status.started()
            return
        with trio.open_signal_receiver(*numbers) as signals:
            task_status.started()
            async for number in signals:
                if number != signal.SIGWINCH:
                    self.__exit__(None, None, None)
                    os.kill(os.getpid(), signal.SIGSTOP)
                    self.__enter__()
                redraw()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
