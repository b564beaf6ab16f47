"""The texts of a history's items: how long they are, and how they are made shorter."""

from __future__ import annotations

import attrs

from realtime_actors.events import (
    AgentSpeech,
    HistoryItem,
    Note,
    ToolCallItem,
    ToolResultItem,
    UserImage,
    UserSpeech,
    UserText,
)

__all__ = ["Pace", "call_id_of", "is_whole", "length", "shortened", "words_up_to"]

_MS_PER_CHARACTER = 60.0
"""How long it takes to say a character, as long as nothing was said: some 165 words of English a minute."""
_FIRST_CHARACTERS = 50
"""How many characters that counts for, beside what was said."""


@attrs.define
class Pace:
    """How long it takes somebody to say something, by what was said before."""

    _characters: float = attrs.field(init=False, default=_FIRST_CHARACTERS)
    _ms: float = attrs.field(init=False, default=_FIRST_CHARACTERS * _MS_PER_CHARACTER)

    def said(self, characters: int, ms: float) -> None:
        """So long it took to say so much."""
        self._characters += characters
        self._ms += ms

    def ms(self, characters: int) -> float:
        """How long it takes to say so much, in ms."""
        return characters * self._ms / self._characters


def call_id_of(item: HistoryItem) -> str | None:
    """The call that an item is, or is the result of."""
    return item.call_id if isinstance(item, ToolCallItem | ToolResultItem) else None


def is_whole(item: HistoryItem) -> bool:
    """Whether the item says all there was: no picture that is gone, no speech without words."""
    match item:
        case UserSpeech():
            return item.transcript is not None
        case UserImage():
            return item.image is not None
        case _:
            return True


def length(item: HistoryItem) -> int:
    """Characters of its texts."""
    return len(_text(item)) + (len(item.name) if isinstance(item, ToolCallItem) else 0)


def shortened(item: HistoryItem, longest: int) -> HistoryItem:
    """The item with at most so many characters of text. Arguments that are longer go: half of them is no JSON."""
    text = _text(item)
    if len(text) <= longest:
        return item
    match item:
        case UserText() | Note():
            return attrs.evolve(item, text=text[:longest])
        case UserSpeech() | AgentSpeech():
            return attrs.evolve(item, transcript=text[:longest])
        case ToolCallItem():
            return attrs.evolve(item, arguments="{}")
        case ToolResultItem():
            return attrs.evolve(item, output=text[:longest])
        case UserImage():
            return item


def words_up_to(text: str, end: int) -> str:
    """The first `end` characters, without the word that they end in the middle of."""
    while 0 < end < len(text) and _is_joined(text[end - 1]) and _is_joined(text[end]):
        end -= 1
    return text[:end].rstrip()


def _text(item: HistoryItem) -> str:
    match item:
        case UserText(text=text) | Note(text=text):
            return text
        case UserSpeech() | AgentSpeech():
            return item.transcript or ""
        case ToolCallItem():
            return item.arguments
        case ToolResultItem():
            return item.output
        case UserImage():
            return ""


def _is_joined(character: str) -> bool:
    """Whether it is part of a word. From U+2E80 on a character is one: scripts that put no blanks between words."""
    return not character.isspace() and character < "\u2e80"
