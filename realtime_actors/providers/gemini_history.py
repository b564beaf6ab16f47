"""What was said before, as the turns of a `clientContent`.

Parts of function calls are refused there (as users report), and there is no role but the user's and the model's: calls
and notes are told in words, as the user's.
"""

from __future__ import annotations

from collections.abc import Sequence

from realtime_actors.events import HistoryItem

from .history import said
from .json_wire import Message

__all__ = ["turns_of"]


def turns_of(history: Sequence[HistoryItem]) -> list[Message]:
    """The items as turns, which alternate."""
    turns: list[Message] = []
    for each in said(history):
        role = "model" if each.role == "agent" else "user"
        part: Message = {"text": f"({each.text})" if each.role == "note" else each.text}
        if each.picture is not None:
            part = {"inlineData": {"mimeType": each.media_type, "data": each.picture.base64}}
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"].append(part)
        else:
            turns.append({"role": role, "parts": [part]})
    return turns
