"""The items of a conversation: what a client may add, and what there is."""

import itertools
from collections.abc import Sequence

from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_choice,
    check_flag,
    check_keys,
    check_list,
    check_object,
    check_string,
    require,
)
from realtime_actors.simulators.openai.conversation import Item
from realtime_actors.simulators.xai.stamp import Stamp

__all__ = ["History", "read_item"]

MAX_ITEMS = 1024
"""Beyond this the oldest items fall out of the conversation."""

_PARTS = {
    "system": ("input_text", "text"),
    "user": ("input_text", "text", "input_image"),
    "assistant": ("output_text", "text"),
}


class History:
    """The items of one conversation, which may outlive its session."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._items: dict[str, Item] = {}
        self._billed = 0.0

    @property
    def items(self) -> Sequence[Item]:
        """The items, first to last."""
        return list(self._items.values())

    @property
    def last_id(self) -> str | None:
        return next(reversed(self._items), None)

    def add(self, item: Item) -> None:
        """Put an item at the end."""
        self._items[item.id] = item
        if len(self._items) > MAX_ITEMS:
            del self._items[next(iter(self._items))]

    def replace(self, item: Item, item_id: str) -> None:
        """The item stays where it is, under another id."""
        old, item.wire = item.id, {**item.wire, "id": item_id, "status": "completed"}
        self._items = {item_id if key == old else key: each for key, each in self._items.items()}

    def find(self, item_id: str) -> Item:
        """The item of this id. Raises `Rejected`."""
        item = self._items.get(item_id)
        if item is None:
            raise Rejected("invalid_value", f"The item with id {item_id!r:.80} does not exist.", "item_id")
        return item

    def remove(self, item_id: str) -> None:
        """Take an item out. Raises `Rejected`."""
        del self._items[self.find(item_id).id]

    def has_call(self, call_id: str) -> bool:
        """Whether there is a call of this id."""
        return any(
            item.wire["type"] == "function_call" and item.wire["call_id"] == call_id for item in self._items.values()
        )

    def bill(self, seconds: float) -> int:
        """Count seconds of audio. Returns those of the whole conversation."""
        self._billed += seconds
        return -(-round(self._billed * 100) // 100)


def read_item(value: object, stamp: Stamp, history: History) -> Item:
    """An item as a client gives it; without an id it gets one.

    Raises:
        Rejected: it is not an item that a client may create.
    """
    wire = check_object(value, "item")
    kinds = ("message", "function_call", "function_call_output", "force_message")
    kind = check_choice(require(wire, "type", "item"), "item.type", kinds)
    item_id = stamp.id() if wire.get("id") is None else check_string(wire["id"], "item.id")
    base: Json = {"id": item_id, "object": "realtime.item", "type": kind, "status": "completed"}
    common = ("id", "type", "object", "status")
    match kind:
        case "message" | "force_message":
            check_keys(wire, (*common, "role", "content", "interruptible"), "item")
            role = check_choice(require(wire, "role", "item"), "item.role", tuple(_PARTS))
            texts = list(_texts(require(wire, "content", "item"), role))
            base |= {"role": role, "content": wire["content"]}
            if kind == "force_message":
                base["interruptible"] = check_flag(wire.get("interruptible", True), "item.interruptible")
            return Item(base, " ".join(texts), size=200 + sum(map(len, texts)))
        case "function_call":
            check_keys(wire, (*common, "role", "name", "call_id", "arguments"), "item")
            names = ("name", "call_id", "arguments")
            base |= {"role": "tool", **{name: check_string(require(wire, name, "item"), name) for name in names}}
        case _:
            check_keys(wire, (*common, "role", "call_id", "output"), "item")
            names = ("call_id", "output")
            base |= {"role": "tool", **{name: check_string(require(wire, name, "item"), name) for name in names}}
            if not history.has_call(base["call_id"]):
                message = f"Tool call ID {base['call_id']!r:.80} not found in conversation."
                raise Rejected("invalid_tool_call_id", message, "item.call_id")
    return Item(base, size=200 + len(base.get("output", "")))


def _texts(content: object, role: str) -> "itertools.chain[str]":
    return itertools.chain.from_iterable(
        _text(check_object(entry, f"item.content[{index}]"), f"item.content[{index}]", role)
        for index, entry in enumerate(check_list(content, "item.content"))
    )


def _text(part: Json, param: str, role: str) -> list[str]:
    kind = check_choice(require(part, "type", param), f"{param}.type", _PARTS[role])
    if kind == "input_image":  # it is taken, and the model does not see it
        check_string(require(part, "image_url", param), f"{param}.image_url")
        return []
    check_keys(part, ("type", "text"), param)
    return [check_string(require(part, "text", param), f"{param}.text")]
