"""What was said before, as the items of the OpenAI family's wires.

Items and their parts are those of the official SDK (`openai` 3.54.0): a client may create messages of all roles, calls
and their outputs.
"""

from __future__ import annotations

import hashlib

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

from .history import picture_in_words
from .json_wire import Message

__all__ = ["item_of", "wire_id"]

LONGEST_ID = 32
"""Characters of an item's id, which OpenAI's service takes (as others have reported in 2025)."""


def wire_id(item_id: str) -> str:
    """The item's own id, or one made of it where that is another provider's and longer than it may be."""
    if len(item_id) <= LONGEST_ID:
        return item_id
    return f"ra_{hashlib.sha256(item_id.encode(errors='replace')).hexdigest()[:24]}"


def item_of(item: HistoryItem, *, words: str = "output_text", images: bool = True) -> Message | None:  # noqa: PLR0911 - one for each kind
    """The item without its id; `None` for speech of which no word is known.

    `words` is what an assistant's text is called, `images` whether the model sees pictures.
    """
    match item:
        case UserText(text=text) | UserSpeech(transcript=str() as text):
            return _message("user", {"type": "input_text", "text": text})
        case UserImage(image=Blob() as image) if images:
            url = f"data:{item.media_type};base64,{image.base64}"
            return _message("user", {"type": "input_image", "image_url": url})
        case UserImage():
            return _message("system", {"type": "input_text", "text": picture_in_words(item)})
        case AgentSpeech(transcript=text):
            message = _message("assistant", {"type": words, "text": text})
            return {**message, "status": "incomplete"} if item.interrupted else message
        case ToolCallItem(call_id=call_id, name=name, arguments=arguments):
            return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        case ToolResultItem(call_id=call_id, output=output):
            return {"type": "function_call_output", "call_id": call_id, "output": output}
        case Note(text=text):
            return _message("system", {"type": "input_text", "text": text})
        case UserSpeech():
            return None


def _message(role: str, part: Message) -> Message:
    return {"type": "message", "role": role, "content": [part]}
