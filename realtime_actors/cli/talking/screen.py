"""What `talk` shows: lines of who said what on stdout, and progress on the terminal that stderr is."""

import sys

import attrs
import click

__all__ = ["Screen"]

_WIDTH = 10
_CLEAR = "\r\x1b[K"


@attrs.define
class Screen:
    """Prints a conversation. `live` shows words as they come, else each thing said is one line when it is complete;
    `progress` shows a line that changes, on stderr."""

    live: bool = attrs.field(factory=sys.stdout.isatty)
    progress: bool = attrs.field(factory=sys.stderr.isatty)
    _words: dict[str, list[str]] = attrs.field(init=False, factory=dict[str, list[str]])
    _open: str | None = attrs.field(init=False, default=None)
    _status: str = attrs.field(init=False, default="")

    def line(self, label: str, text: str, **style: object) -> None:
        """A line: who or what, and what of it."""
        self._close()
        click.echo(_label(label, style) + text)

    def words(self, label: str, key: str, text: str) -> None:
        """More words of what has this key (an item's id)."""
        self._words.setdefault(key, []).append(text)
        if not self.live:
            return
        if self._open != key:
            self._close()
            text = _label(label, {"fg": "green"}) + text.lstrip()
            self._open = key
        else:
            self._hide()
        click.echo(text, nl=False)

    def end_words(self, label: str, key: str, whole: str | None = None, note: str = "") -> None:
        """What has this key is complete; `whole` is all of it where that is known, `note` is put behind it."""
        text = whole or "".join(self._words.get(key, ()))
        is_open = self._open == key
        self._words.pop(key, None)
        if is_open:
            click.echo(f" {note}" if note else "", nl=False)
            self._close()
        elif text and not self.live:
            self.line(label, f"{text.strip()} {note}".rstrip(), fg="green")
        elif note:
            self.line(label, note, fg="green")

    def status(self, text: str) -> None:
        """Show this, in place of what was shown so before, until the next line; only on a terminal."""
        if not self.progress or text == self._status or self._open is not None:
            return
        self._status = text
        click.echo(_CLEAR + text, nl=False, err=True, color=True)

    def end(self) -> None:
        """Leave the terminal at the beginning of a line."""
        self._close()

    def _close(self) -> None:
        self._hide()
        if self._open is not None:
            self._open = None
            click.echo()

    def _hide(self) -> None:
        if self._status:
            self._status = ""
            click.echo(_CLEAR, nl=False, err=True, color=True)


def _label(label: str, style: dict[str, object]) -> str:
    shown = f"{label:<{_WIDTH - 1}} "
    return click.style(shown, bold=True, fg=style.get("fg"))  # pyright: ignore[reportArgumentType] - a colour's name
