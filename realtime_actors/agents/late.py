"""Calls that are carried out after the reply that made them is over. Plain code, no I/O."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import msgspec

from realtime_actors.events import AppendText, AppendToolResult, ToolUse

__all__ = ["LateCall", "LateCalls", "as_text_item"]


@attrs.define
class LateCall:
    """A call that goes on."""

    use: ToolUse
    is_known: bool = True
    """Whether the model's session knows it, and takes its result; otherwise it is told in text."""
    asks: bool = False
    """Whether the model is to reply to the result: it is, unless the user has interrupted the reply."""

    def result(self, item_id: str, output: str) -> AppendToolResult | AppendText:
        """How the model is told the result."""
        if self.is_known:
            return AppendToolResult(item_id, self.use.id, self.use.name, output)
        arguments = self.use.raw_input or msgspec.json.encode(self.use.input).decode()
        return as_text_item(item_id, f"{self.use.name}({arguments})", output, self.use.id)


@attrs.define
class LateCalls:
    """The calls of an agent that have outlived their replies. There are no more than are carried out at once."""

    _calls: dict[str, LateCall] = attrs.field(factory=dict[str, LateCall])

    def keep(self, call: LateCall) -> None:
        """This one goes on."""
        self._calls[call.use.id] = call

    def take(self, call_id: str) -> LateCall | None:
        """This one is over; None if it is none of them."""
        return self._calls.pop(call_id, None)

    def forgotten(self, call_ids: Iterable[str] | None = None) -> None:
        """The model's session does not know these any more (all of them, unless told which)."""
        for call_id in self._calls if call_ids is None else call_ids:
            if call_id in self._calls:
                self._calls[call_id].is_known = False

    def interrupted(self) -> None:
        """The user wants silence: no reply is to follow them."""
        for call in self._calls.values():
            call.asks = False

    @property
    def uses(self) -> list[ToolUse]:
        """All of them, the oldest first."""
        return [call.use for call in self._calls.values()]


def as_text_item(item_id: str, call: str, output: str, call_id: str = "") -> AppendText:
    """A result for a session in which there was no such call."""
    return AppendText(item_id, f"[The tool {call}, called before, has finished. Its result: {output}]", call_id)
