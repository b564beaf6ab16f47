"""Calls that wait for somebody to allow them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs
import trio

from realtime_actors.events import ClientToolApproval, ToolUse

__all__ = ["Approvals"]

log = logging.getLogger("realtime_actors.agents")

_REMEMBERED = 64  # calls that were asked about, so that an answer that comes late is told from one to nothing


@attrs.define
class _Asked:
    came: trio.Event = attrs.field(factory=trio.Event)
    answer: ClientToolApproval | None = None


@attrs.define
class Approvals:
    """The calls that wait to be allowed; `ask` publishes the question about one."""

    publish: Callable[[ToolUse, float], None]
    _asked: dict[str, _Asked] = attrs.field(init=False, factory=dict[str, _Asked])
    _settled: dict[str, str] = attrs.field(init=False, factory=dict[str, str])

    async def ask(self, use: ToolUse, seconds: float) -> str:
        """Ask whether this call may be carried out. Returns why not, in words for the model; nothing when it may."""
        asked = self._asked[use.id] = _Asked()
        try:
            self.publish(use, seconds)
            with trio.move_on_after(seconds):
                await asked.came.wait()
            if asked.answer is None:
                self._settle(use.id, f"was refused, as nobody answered within {seconds:g} s")
                log.warning("nobody has answered whether the tool %s may run: refused after %g s", use.name, seconds)
                return f"This call was not carried out: nobody approved it within {seconds:g} s."
            if asked.answer.approved:
                return ""
            reason = f": {asked.answer.reason[:1000]}" if asked.answer.reason else ""
            return f"This call was not carried out: the user declined it{reason}"
        finally:
            self.withdraw(use.id)

    def is_asked(self, call_id: str) -> bool:
        """Whether this call waits to be allowed."""
        return call_id in self._asked

    def withdraw(self, call_id: str) -> None:
        """This call is over: no answer counts any more."""
        if call_id in self._asked:
            self._settle(call_id, "is over")

    def _settle(self, call_id: str, outcome: str) -> None:
        del self._asked[call_id]
        self._settled[call_id] = outcome
        while len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]

    def answer(self, event: ClientToolApproval) -> str:
        """Somebody has answered. Returns what is wrong with that, in words; nothing when it counts."""
        asked = self._asked.get(event.id)
        if asked is not None:
            asked.answer = event
            asked.came.set()
            self._settle(event.id, "was answered already")
            return ""
        if event.id in self._settled:
            return f"the call {event.id!r:.80} {self._settled[event.id]}: this answer comes too late"
        return f"no call with the id {event.id!r:.80} waits to be approved"
