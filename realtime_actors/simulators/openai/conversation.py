"""The conversation of one session: its items in order, and what a client may do to them."""

from collections.abc import Iterable, Sequence
from typing import Literal, cast

import attrs
import pybase64

from realtime_actors.simulators.brain import Turn
from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_base64,
    check_choice,
    check_integer,
    check_keys,
    check_list,
    check_object,
    check_string,
    require,
)
from realtime_actors.simulators.openai.formats import duration_ms
from realtime_actors.simulators.openai.stamp import Stamp

__all__ = ["Conversation", "Item", "read_item", "read_truncate", "turns"]

MAX_ITEMS = 4096
MAX_BYTES = 64 * 1024 * 1024
"""Beyond either bound the oldest items fall out of the conversation (the wire's `truncation: auto`)."""

_IMAGE_PREFIXES = ("data:image/png;base64,", "data:image/jpeg;base64,")
_PARTS_OF_ROLE = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text", "output_audio"),
}


@attrs.define(eq=False)
class Item:
    """One item. `wire` is what clients see of it, without audio."""

    wire: Json
    text: str = ""
    """What a brain reads: of user audio the transcript, once there is one."""
    audio: bytes = b""
    """A user's audio, as it came (in the session's input format)."""
    audio_ms: float = 0.0
    """The audio there is of this item, the user's or generated, in milliseconds."""
    images: int = 0
    size: int = 0
    """Bytes it takes, roughly."""

    @property
    def id(self) -> str:
        return cast(str, self.wire["id"])


def turns(items: Iterable[Item], instructions: str) -> list[Turn]:
    """The items as a brain reads them, after the instructions as the system's first turn."""
    result = [Turn("system", instructions)] if instructions else []
    calls: dict[str, str] = {}
    for item in items:
        wire = item.wire
        match wire["type"]:
            case "message":
                role = cast(Literal["user", "assistant", "system"], wire["role"])
                result.append(Turn(role, item.text))
            case "function_call":
                calls[wire["call_id"]] = wire["name"]
                result.append(Turn("assistant", wire["arguments"], wire["name"], wire["call_id"]))
            case _:
                name = calls.get(wire["call_id"], "")
                result.append(Turn("tool", wire["output"], name, wire["call_id"]))
    return result


class Conversation:
    """The items in order. Its methods return the events of what changed."""

    def __init__(self, stamp: Stamp) -> None:
        self.id = stamp.id("conv")
        self._stamp = stamp
        self._items: list[Item] = []
        self._by_id: dict[str, Item] = {}
        self._bytes = 0

    @property
    def items(self) -> Sequence[Item]:
        """The items, first to last."""
        return self._items

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    def get(self, item_id: str) -> Item | None:
        return self._by_id.get(item_id)

    def added(self, item: Item, after: str | None = None) -> Json:
        """Put `item` behind the item of that id (None: at the end, "root": at the beginning) and tell."""
        position = len(self._items)
        if after == "root":
            position = 0
        elif after is not None:
            position = self._items.index(self._by_id[after]) + 1
        self._items.insert(position, item)
        self._by_id[item.id] = item
        self._bytes += item.size
        while len(self._items) > MAX_ITEMS or (self._bytes > MAX_BYTES and len(self._items) > 1):
            self._remove(self._items[0])
        return self._stamp.event("conversation.item.added", previous_item_id=self._previous(item), item=dict(item.wire))

    def done(self, item: Item) -> Json:
        """The event that ends an item. Recordings show null for a predecessor that is the first item."""
        previous = self._previous(item)
        if self._items and previous == self._items[0].id:
            previous = None
        return self._stamp.event("conversation.item.done", previous_item_id=previous, item=dict(item.wire))

    def create(self, event: Json, input_format: Json) -> tuple[Item, list[Json]]:
        """Add the item of a `conversation.item.create` event.

        Raises:
            Rejected: the item, its id or its place is not allowed.
        """
        after = event.get("previous_item_id")
        if after is not None and after != "root" and check_string(after, "previous_item_id") not in self._by_id:
            raise Rejected("invalid_value", f"Previous item with id {after!r:.80} not found.", "previous_item_id")
        item = read_item(require(event, "item"), "item", self._stamp, input_format)
        if item.id in self._by_id:
            raise Rejected("invalid_value", f"An item with id {item.id!r:.80} already exists.", "item.id")
        if item.wire["type"] == "function_call_output" and not self._has_call(item.wire["call_id"]):
            raise Rejected(
                "invalid_tool_call_id",
                f"Tool call ID {item.wire['call_id']!r:.80} not found in conversation.",
                "item.call_id",
            )
        return item, [self.added(item, after), self.done(item)]

    def delete(self, item_id: str) -> Json:
        """Take an item out.

        Raises:
            Rejected: there is no item of this id.
        """
        self._remove(self._find(item_id, "item_delete_invalid_item_id", "deleting"))
        return self._stamp.event("conversation.item.deleted", item_id=item_id)

    def retrieve(self, item_id: str) -> Json:
        """Tell all of an item, a user's audio included.

        Raises:
            Rejected: there is no item of this id.
        """
        item = self._find(item_id, "item_retrieve_invalid_item_id", "retrieving")
        wire = dict(item.wire)
        if item.audio:
            encoded = pybase64.b64encode(item.audio).decode()
            wire["content"] = [
                {**part, "audio": encoded} if part["type"] == "input_audio" else part for part in wire["content"]
            ]
        return self._stamp.event("conversation.item.retrieved", item=wire)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> Json:
        """Forget an assistant's audio from `audio_end_ms` on, and its transcript.

        Raises:
            Rejected: there is no such audio, or it is already shorter.
        """
        item = self._find(item_id, "item_truncate_invalid_item_id", "truncating")
        content: list[Json] = item.wire.get("content", [])
        if item.wire.get("role") != "assistant" or not content or content[0]["type"] != "output_audio":
            raise Rejected(None, "Only model output audio messages can be truncated", "item_id")
        if content_index >= len(content):
            raise Rejected("invalid_value", f"Item has no content at index {content_index}.", "content_index")
        if audio_end_ms > item.audio_ms:
            raise Rejected(
                "invalid_value",
                f"Audio content of {item.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms",
                "audio_end_ms",
            )
        # The text goes from the wire, but a model still has what was heard of the audio.
        item.text = item.text[: round(len(item.text) * audio_end_ms / item.audio_ms)] if item.audio_ms else ""
        item.audio_ms = audio_end_ms
        item.wire["content"] = [{**content[0], "transcript": ""}]
        return self._stamp.event(
            "conversation.item.truncated",
            item_id=item_id,
            content_index=content_index,
            audio_end_ms=audio_end_ms,
        )

    def _has_call(self, call_id: str) -> bool:
        return any(item.wire["type"] == "function_call" and item.wire["call_id"] == call_id for item in self._items)

    def _find(self, item_id: str, code: str, doing: str) -> Item:
        item = self._by_id.get(item_id)
        if item is None:
            raise Rejected(code, f"Error {doing} item: the item with id {item_id!r:.80} does not exist.", "item_id")
        return item

    def _previous(self, item: Item) -> str | None:
        if self._by_id.get(item.id) is not item:
            return None
        position = self._items.index(item)
        return self._items[position - 1].id if position else None

    def _remove(self, item: Item) -> None:
        self._items.remove(item)
        del self._by_id[item.id]
        self._bytes -= item.size


def read_item(value: object, param: str, stamp: Stamp, input_format: Json) -> Item:
    """An item as a client gives it; without an id it gets one.

    Raises:
        Rejected: it is not an item that a client may create.
    """
    wire = check_object(value, param)
    kind = check_choice(
        require(wire, "type", param),
        f"{param}.type",
        ("message", "function_call", "function_call_output"),
    )
    item_id = wire.get("id")
    item_id = stamp.id("item") if item_id is None else check_string(item_id, f"{param}.id")
    base: Json = {"id": item_id, "type": kind}
    common = ("id", "type", "object", "status")
    match kind:
        case "message":
            check_keys(wire, (*common, "role", "content"), param)
            item = _read_message(base, wire, param, input_format)
        case "function_call":
            check_keys(wire, (*common, "name", "call_id", "arguments"), param)
            call_id = wire.get("call_id")
            base["status"] = "completed"
            base["name"] = check_string(require(wire, "name", param), f"{param}.name")
            base["call_id"] = stamp.id("call") if call_id is None else check_string(call_id, f"{param}.call_id")
            base["arguments"] = check_string(require(wire, "arguments", param), f"{param}.arguments")
            item = Item(base, size=len(base["arguments"]))
        case _:
            check_keys(wire, (*common, "call_id", "output"), param)
            base["call_id"] = check_string(require(wire, "call_id", param), f"{param}.call_id")
            base["output"] = check_string(require(wire, "output", param), f"{param}.output")
            item = Item(base, size=len(base["output"]))
    item.size += 200
    return item


def _read_message(base: Json, wire: Json, param: str, input_format: Json) -> Item:
    role = check_choice(require(wire, "role", param), f"{param}.role", tuple(_PARTS_OF_ROLE))
    base |= {"status": "completed", "role": role, "content": []}
    item = Item(base)
    texts: list[str] = []
    for index, entry in enumerate(check_list(require(wire, "content", param), f"{param}.content")):
        path = f"{param}.content[{index}]"
        part = check_object(entry, path)
        kind = check_choice(require(part, "type", path), f"{path}.type", _PARTS_OF_ROLE[role])
        match kind:
            case "input_text" | "output_text":
                check_keys(part, ("type", "text"), path)
                texts.append(check_string(require(part, "text", path), f"{path}.text"))
            case "input_image":
                check_keys(part, ("type", "image_url", "detail"), path)
                item.size += _check_image(require(part, "image_url", path), f"{path}.image_url")
                if part.get("detail") is not None:
                    check_choice(part["detail"], f"{path}.detail", ("auto", "low", "high"))
                item.images += 1
            case _:
                check_keys(part, ("type", "audio", "transcript"), path)
                transcript = part.get("transcript")
                if transcript is not None:
                    texts.append(check_string(transcript, f"{path}.transcript"))
                if kind == "input_audio":
                    _take_audio(item, require(part, "audio", path), f"{path}.audio", input_format)
                part = {"type": kind, "transcript": transcript}
        base["content"].append(part)
    item.text = " ".join(texts)
    item.size += len(item.text) + len(item.audio)
    return item


def _check_image(value: object, param: str) -> int:
    url = check_string(value, param)
    for prefix in _IMAGE_PREFIXES:
        if url.startswith(prefix):
            check_base64(url.removeprefix(prefix), param)
            return len(url)
    raise Rejected("invalid_value", f"Invalid '{param}'. Expected a data URI of a PNG or JPEG image.", param)


def _take_audio(item: Item, value: object, param: str, input_format: Json) -> None:
    item.audio += check_base64(value, param)
    item.audio_ms = duration_ms(len(item.audio), input_format)
    if input_format["type"] == "audio/pcm" and len(item.audio) % 2:
        raise Rejected("invalid_value", f"Invalid '{param}'. PCM16 audio has two bytes for every sample.", param)


def read_truncate(event: Json) -> tuple[str, int, int]:
    """Item id, content index and end in ms of a `conversation.item.truncate` event."""
    return (
        check_string(require(event, "item_id"), "item_id"),
        check_integer(require(event, "content_index"), "content_index", 0, 1000),
        check_integer(require(event, "audio_end_ms"), "audio_end_ms", 0, 2**31),
    )
