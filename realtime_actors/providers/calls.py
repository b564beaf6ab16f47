"""The function calls of one socket, put together from the events of the OpenAI family's wires."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import orjson

from realtime_actors.events import ModelResponseToolUseDelta, ModelResponseToolUseDone, ToolUse

from .json_wire import Malformed, Message, as_object, as_text

__all__ = ["FunctionCalls", "forget_oldest"]

logger = logging.getLogger(__name__)

# What is remembered at most. A provider that ends its responses stays far below.
MOST_CALLS = 64
MOST_REPORTED = 1024
LONGEST_ARGUMENTS = 1 << 18


@attrs.define
class _Call:
    key: str
    response_id: str
    item_id: str
    id: str = ""
    name: str = ""
    arguments: str = ""


class FunctionCalls:
    """The calls that are being written, by the id of their item.

    What there is to know of a call may come in any of several events, and in more than one. It is reported
    once: when it is said to be complete, and its id and name are known.
    """

    __slots__ = ("_calls", "_provider", "_reported")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[str, _Call] = {}
        self._reported: dict[str, None] = {}  # ids of the latest calls that were, and of their items

    def note(self, response_id: str, item_id: str, source: Message) -> _Call:
        """A call of this response is in this item, and has the `call_id` and `name` that `source` knows."""
        call_id = as_text(source.get("call_id"))
        key = item_id or call_id
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(key, response_id, item_id)
            if len(self._calls) > MOST_CALLS:
                lost = forget_oldest(self._calls)
                logger.warning("%s has not completed call %s for long: it is given up", self._provider, lost)
        call.id = call.id or call_id
        call.name = call.name or as_text(source.get("name"))
        return call

    def extend(self, response_id: str, item_id: str, source: Message, delta: str) -> ModelResponseToolUseDelta:
        """More of the arguments. Raises `Malformed` when they have no end."""
        call = self.note(response_id, item_id, source)
        if len(call.arguments) + len(delta) > LONGEST_ARGUMENTS:
            raise Malformed(f"the arguments of call {call.id} are longer than {LONGEST_ARGUMENTS} characters")
        call.arguments += delta
        use = ToolUse(id=call.id, name=call.name, raw_input=call.arguments)
        return ModelResponseToolUseDelta(call.response_id, call.item_id, use)

    def complete(
        self, response_id: str, item_id: str, source: Message, *, last: bool
    ) -> list[ModelResponseToolUseDone]:
        """The call is complete, with the `arguments` of `source` or those that came before.

        Unless this is the `last` to be said of it, a call without arguments waits for them.
        """
        call = self.note(response_id, item_id, source)
        arguments = source.get("arguments")
        call.arguments = as_text(arguments) or call.arguments
        if not last and not call.arguments and not isinstance(arguments, str):
            return []
        return self._report(call)

    def forget(self, response_id: str, *, completed: bool) -> tuple[list[ModelResponseToolUseDone], int]:
        """The response is done. If it is `completed`, so are its calls.

        Gives those that were not reported yet, and how many cannot be for want of an id or a name.
        """
        reported: list[ModelResponseToolUseDone] = []
        nameless = 0
        for call in [call for call in self._calls.values() if call.response_id == response_id]:
            if completed:
                reported += self._report(call)
            if self._calls.pop(call.key, None) is not None:
                nameless += completed
        return reported, nameless

    def _report(self, call: _Call) -> list[ModelResponseToolUseDone]:
        if not call.id or not call.name:
            return []
        del self._calls[call.key]
        if call.id in self._reported or call.key in self._reported:
            return []
        for known in (call.id, call.key):
            self._reported[known] = None
        while len(self._reported) > MOST_REPORTED:
            forget_oldest(self._reported)
        use = ToolUse(call.id, call.name, _arguments(call.arguments), call.arguments)
        return [ModelResponseToolUseDone(call.response_id, call.item_id, use)]


def _arguments(text: str) -> dict[str, Any]:
    """The arguments, empty where they are not a JSON object: the text is there to say so."""
    try:
        return as_object(orjson.loads(text))
    except orjson.JSONDecodeError:
        return {}


def forget_oldest(remembered: dict[str, Any]) -> str:
    """Remove the first key, and return it."""
    oldest = next(iter(remembered))
    del remembered[oldest]
    return oldest
