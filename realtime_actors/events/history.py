"""What was said in a conversation, as items that can be kept, sent and given to another session."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

import attrs
import orjson

from .content import Blob
from .errors import DecodeError, EncodeError
from .structuring import json_converter, structurer

__all__ = [
    "AgentSpeech",
    "History",
    "HistoryItem",
    "InvalidHistory",
    "Note",
    "ToolCallItem",
    "ToolResultItem",
    "UserImage",
    "UserSpeech",
    "UserText",
    "decode_history",
    "encode_history",
]

LARGEST_HISTORY = 16 * 1024 * 1024
"""Characters (bytes, where it comes as bytes) of a history's JSON; more is not read."""

MOST_HISTORY_ITEMS = 10_000
"""Items of a history that is read."""

VERSION = 1


class InvalidHistory(DecodeError):
    """A text is no history; the message says what is wrong where. Export one with `encode_history`."""


@attrs.frozen
class UserText:
    """What the user wrote."""

    type: ClassVar[str] = "user_text"
    role: ClassVar[Literal["user"]] = "user"
    id: str
    text: str


@attrs.frozen
class UserSpeech:
    """What the user said. `transcript` is `None` while its words are not known, or if they never were."""

    type: ClassVar[str] = "user_speech"
    role: ClassVar[Literal["user"]] = "user"
    id: str
    transcript: str | None = None


@attrs.frozen
class UserImage:
    """A picture that the user showed: `size` is in bytes. `image` is the file itself, which is kept only if asked."""

    type: ClassVar[str] = "user_image"
    role: ClassVar[Literal["user"]] = "user"
    id: str
    media_type: str
    size: int
    image: Blob | None = None


@attrs.frozen
class AgentSpeech:
    """What the agent said (or wrote), as far as it was heard.

    `interrupted`: it was not said to its end, or not heard to its end. `response_id` is the reply that it is of.
    """

    type: ClassVar[str] = "agent_speech"
    role: ClassVar[Literal["agent"]] = "agent"
    id: str
    transcript: str
    interrupted: bool = False
    response_id: str = ""


@attrs.frozen
class ToolCallItem:
    """A call that the model made. `arguments` is JSON text; `call_id` ties it to its result."""

    type: ClassVar[str] = "tool_call"
    role: ClassVar[Literal["agent"]] = "agent"
    id: str
    call_id: str
    name: str
    arguments: str


@attrs.frozen
class ToolResultItem:
    """The result of a call, as the model was told."""

    type: ClassVar[str] = "tool_result"
    role: ClassVar[Literal["tool"]] = "tool"
    id: str
    call_id: str
    name: str
    output: str


@attrs.frozen
class Note:
    """What nobody said, but the model is to know: a summary of what came before, or why another agent takes over."""

    type: ClassVar[str] = "note"
    role: ClassVar[Literal["system"]] = "system"
    id: str
    text: str


HistoryItem = UserText | UserSpeech | UserImage | AgentSpeech | ToolCallItem | ToolResultItem | Note


@attrs.frozen
class History:
    """A conversation so far, oldest first."""

    items: tuple[HistoryItem, ...] = attrs.field(default=(), converter=tuple[HistoryItem, ...])


_converter = json_converter(validate=True)
_structure = structurer(_converter, HistoryItem, "an item")


def encode_history(history: History) -> str:
    """The history as JSON: `{"version": 1, "items": [{"type": "user_text", "id": …, "text": …}, …]}`.

    Pictures that were kept are base64. Raises `EncodeError` for a text that JSON cannot carry.
    """
    items = [_converter.unstructure(item, unstructure_as=type(item)) for item in history.items]
    try:
        return orjson.dumps({"version": VERSION, "items": items}).decode()
    except TypeError as error:
        raise EncodeError(f"the history cannot be written as JSON: {error}") from error


def decode_history(text: str | bytes) -> History:
    """The history that `encode_history` made a text of. Keys that it does not know are ignored.

    Raises `InvalidHistory`: no JSON, not of this version, an item of an unknown type or with wrong fields, or too
    large (16 Mi characters, 10,000 items).
    """
    if len(text) > LARGEST_HISTORY:
        raise InvalidHistory(f"the history has {len(text)} characters: at most {LARGEST_HISTORY} are read")
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidHistory(f"the history is not JSON: {error}") from None
    if not isinstance(document, dict) or "items" not in document:
        raise InvalidHistory('the history is no object with "version" and "items": export one with encode_history')
    fields = cast("dict[str, Any]", document)
    if fields.get("version") != VERSION:
        raise InvalidHistory(f"the history is of version {fields.get('version')!r:.40}: only {VERSION} is read")
    items = fields["items"]
    if not isinstance(items, list):
        raise InvalidHistory("the history's items are no list")
    values = cast("list[object]", items)
    if len(values) > MOST_HISTORY_ITEMS:
        raise InvalidHistory(f"the history has {len(values)} items: at most {MOST_HISTORY_ITEMS} are read")
    return History(tuple(_item(index, value) for index, value in enumerate(values)))


def _item(index: int, value: object) -> HistoryItem:
    try:
        return _structure(value)
    except DecodeError as error:
        raise InvalidHistory(f"items[{index}]: {error}") from None
