"""What was said before, for wires that take it as words: as turns, or as a transcript in the instructions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from realtime_actors.events import (
    AgentSpeech,
    Blob,
    HistoryItem,
    Note,
    ToolCallItem,
    ToolResultItem,
    UserImage,
    UserSpeech,
    UserText,
)

__all__ = ["LONGEST_TRANSCRIPT", "Said", "picture_in_words", "result_in_words", "said", "with_history"]

LONGEST_TRANSCRIPT = 20_000
"""Characters of a transcript in the instructions; of a longer one the end is told."""

_HEADING = "What was said so far, oldest first. Go on from there; do not greet again, and do not repeat it."
_LABELS = {"user": "User", "agent": "You", "note": "Note"}


@attrs.frozen
class Said:
    """Something of a conversation, in words."""

    role: Literal["user", "agent", "note"]
    text: str
    interrupted: bool = False
    picture: Blob | None = None
    """What was shown, where it was kept; the text stands for it where it cannot be shown."""
    media_type: str = ""


def said(history: Iterable[HistoryItem]) -> Iterator[Said]:
    """The items in words. A call is told with its result; speech of which no word is known is left out."""
    calls: dict[str, ToolCallItem] = {}
    for item in history:
        match item:
            case UserText(text=text):
                yield Said("user", text)
            case UserSpeech(transcript=transcript):
                if transcript:
                    yield Said("user", transcript)
            case UserImage():
                yield Said("note", picture_in_words(item), picture=item.image, media_type=item.media_type)
            case AgentSpeech(transcript=transcript, interrupted=interrupted):
                yield Said("agent", transcript, interrupted)
            case ToolCallItem():
                calls[item.call_id] = item
            case ToolResultItem(call_id=call_id, name=name, output=output):
                arguments = calls[call_id].arguments if call_id in calls else ""
                yield Said("note", result_in_words(name, output, arguments))
            case Note(text=text):
                yield Said("note", text)


def picture_in_words(item: UserImage) -> str:
    """A picture that is not there any more."""
    return f"The user showed a picture ({item.media_type}), which cannot be shown again."


def result_in_words(name: str, output: str, arguments: str = "") -> str:
    """The result of a call, for a session that knows nothing of the call."""
    return f"The tool {name}, which you called{' with ' + arguments if arguments else ''}, answered: {output}"


def with_history(instructions: str, history: Iterable[HistoryItem]) -> str:
    """The instructions, and a transcript after them: a line for each item, so that none can pass for another."""
    lines: list[str] = []
    left = LONGEST_TRANSCRIPT
    for each in reversed(list(said(history))):
        label = _LABELS[each.role] + (" (interrupted)" if each.interrupted else "")
        line = f"{label}: {' '.join(each.text.split())}"
        left -= len(line) + 1
        if left < 0:
            break
        lines.insert(0, line)
    return "\n".join([*([instructions, ""] if instructions else []), _HEADING, *lines]) if lines else instructions
