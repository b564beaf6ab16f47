"""The conversation of one session, as the model reads it, and what it costs."""

from collections.abc import Sequence
from typing import Literal

import attrs

from realtime_actors.simulators.brain import Turn
from realtime_actors.simulators.gemini.messages import (
    Json,
    Refused,
    check_keys,
    check_list,
    check_object,
    check_text,
    read_media,
)
from realtime_actors.simulators.steps import text_tokens

__all__ = ["Entry", "History", "read_output", "read_turn"]

MAX_ENTRIES = 4096
"""Beyond these the oldest fall out of the conversation."""

_IMAGE_TOKENS = 258


@attrs.define(eq=False)
class Entry:
    """One turn of the conversation, a call, or the result of a call."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    name: str = ""
    call_id: str = ""
    id: str = ""
    """Of what a user said: to come back with its words."""
    audio_ms: float = 0.0
    images: int = 0


class History:
    """The entries in order."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._entries = list(entries)

    @property
    def entries(self) -> Sequence[Entry]:
        return self._entries

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[0]

    def turns(self, instructions: str) -> list[Turn]:
        """What a brain is to answer."""
        told = [Turn("system", instructions)] if instructions else []
        return told + [Turn(each.role, each.text, each.name, each.call_id) for each in self._entries]

    def usage(self, instructions: str, spoken_ms: float, written: int, thoughts: int) -> Json:
        """The tokens of a turn: the whole conversation each time, and what was generated.

        Audio counts 25 tokens a second, a picture 258.
        """
        audio = round(sum(each.audio_ms for each in self._entries if each.role == "user") / 40)
        images = _IMAGE_TOKENS * sum(each.images for each in self._entries)
        words = [each.text for each in self._entries if not each.audio_ms]
        text = text_tokens(instructions) + sum(map(text_tokens, words))
        prompt = [("TEXT", text), ("AUDIO", audio), ("IMAGE", images)]
        answer = [("TEXT", 0 if spoken_ms else written), ("AUDIO", round(spoken_ms / 40))]
        spent, generated = sum(count for _, count in prompt), sum(count for _, count in answer)
        usage: Json = {
            "promptTokenCount": spent,
            "responseTokenCount": generated,
            "totalTokenCount": spent + generated,
            "promptTokensDetails": [_detail(*each) for each in prompt if each[1]],
            "responseTokensDetails": [_detail(*each) for each in answer if each[1]],
        }
        if thoughts:
            usage["thoughtsTokenCount"] = thoughts
        return usage


def _detail(modality: str, count: int) -> Json:
    return {"modality": modality, "tokenCount": count}


def read_turn(value: object) -> Entry:
    """A Content of a client. Raises `Refused`."""
    path = "client_content.turns"
    turn = check_object(value, path)
    check_keys(turn, ("role", "parts"), path)
    role = turn.get("role") or "user"
    if role not in ("user", "model"):
        raise Refused("Please use a valid role: user, model.")
    entry = Entry("user" if role == "user" else "assistant")
    for each in check_list(turn.get("parts"), f"{path}.parts"):
        part = check_object(each, f"{path}.parts")
        check_keys(part, ("text", "inlineData", "thought", "thoughtSignature"), f"{path}.parts")
        if "inlineData" in part:
            read_media(part["inlineData"], f"{path}.parts.inline_data")
            entry.images += 1
        else:
            entry.text += check_text(part.get("text"), f"{path}.parts.text")
    return entry


def read_output(response: Json) -> str:
    """What a result says: by convention in one of two keys."""
    told = response.get("output", response.get("error", response))
    return told if isinstance(told, str) else str(told)
