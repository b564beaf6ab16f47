"""Summaries of what was said long ago, made beside the conversation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from realtime_actors.events import HistoryItem, Note

from .memory import Conversation, Summarise

__all__ = ["Summaries"]

log = logging.getLogger("realtime_actors.agents")

TRY_AGAIN_AFTER = 60.0
"""Seconds from a summary that failed to the next one."""


@attrs.define
class Summaries:
    """Has the oldest items of a conversation summarised, one batch at a time, each in a task with a deadline.

    `report` is told the code, the words and the type of the error when one failed: its items stay as they are.
    """

    conversation: Conversation
    start_soon: Callable[..., None]
    """Starts a background task of the agent."""
    new_id: Callable[[], str]
    report: Callable[[str, str, str], None]
    _is_busy: bool = attrs.field(init=False, default=False)
    _not_before: float = attrs.field(init=False, default=0.0)

    def look(self) -> None:
        """Begin with a summary if one is due."""
        summarise = self.conversation.memory.summarise
        if summarise is None or self._is_busy or trio.current_time() < self._not_before:
            return
        items = self.conversation.oldest()
        if items:
            self._is_busy = True
            self.start_soon(self._summarise, summarise, items)

    async def _summarise(self, summarise: Summarise, items: Sequence[HistoryItem]) -> None:
        problem = await self._attempt(summarise, items)
        self._is_busy = False
        if problem:
            self._not_before = trio.current_time() + TRY_AGAIN_AFTER
            words = f"the conversation was not summarised, and is kept as it is: {problem}"
            self.report("summary_failed", words, "memory_error")

    async def _attempt(self, summarise: Summarise, items: Sequence[HistoryItem]) -> str:
        """Returns what went wrong, if anything."""
        seconds = self.conversation.memory.summary_timeout
        with trio.move_on_after(seconds):
            try:
                text = await summarise(items)
            except Exception as error:
                log.exception("the function that summarises a conversation failed")
                return f"{type(error).__name__}: {error}"
            if not isinstance(text, str) or not text.strip():  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
                return f"the summary is {text!r:.80}: return a text"
            self.conversation.summarised(items, Note(self.new_id(), text.encode("utf-8", "replace").decode()))
            return ""
        return f"the summary was not made within {seconds:g} s"
