"""What was said in a room, line by line. Plain code."""

from __future__ import annotations

import attrs

from realtime_actors.events import RoomLine

__all__ = ["Transcript", "labelled"]

MOST_CHARACTERS = 100_000
"""Characters of all lines that are kept, but for the last line."""


def labelled(line: RoomLine) -> str:
    """A line as models are told it: who said what."""
    return f"{line.speaker_name}: {line.text}" + (" (was interrupted)" if line.interrupted else "")


@attrs.define(eq=False)
class Transcript:
    """The last lines, `most` of them, oldest first."""

    most: int
    _lines: dict[str, RoomLine] = attrs.field(init=False, factory=dict[str, RoomLine])
    _characters: int = attrs.field(init=False, default=0)

    @property
    def lines(self) -> list[RoomLine]:
        """All lines that have words."""
        return [line for line in self._lines.values() if line.text]

    def put(self, line: RoomLine) -> None:
        """Add a line, or replace the one of its id, in its place."""
        before = self._lines.get(line.id)
        self._characters += len(line.text) - (0 if before is None else len(before.text))
        self._lines[line.id] = line
        while len(self._lines) > self.most or (self._characters > MOST_CHARACTERS and len(self._lines) > 1):
            oldest = self._lines.pop(next(iter(self._lines)))
            self._characters -= len(oldest.text)

    def told(self, characters: int) -> str:
        """The end of it in words, of so many characters at most."""
        told: list[str] = []
        for line in reversed(self.lines):
            words = labelled(line)
            characters -= len(words) + 1
            if characters < 0:
                break
            told.append(words)
        return "\n".join(reversed(told))
