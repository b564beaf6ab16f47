"""What Gemini hears of the user: when speech begins and ends, and its words, put together from fragments."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from realtime_actors.events import (
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
)

from .json_wire import Decoded

__all__ = ["Hearing"]

# Characters of one transcript. Speech that ends stays far below.
LONGEST_TRANSCRIPT = 1 << 16


@attrs.define
class _Speech:
    item_id: str
    started: bool = False
    ended: bool = False
    words: list[str] = attrs.field(factory=list[str])
    length: int = 0


@attrs.define
class Hearing:
    """The user's speech on one socket, as items of ours.

    Some models say when speech begins and ends; of others only the words show it, or that a reply was interrupted.
    Words come in fragments in no fixed order to all else, and nothing says which is the last: they are taken
    together when the reply to them ends, or new speech begins.
    """

    new_id: Callable[[str], str]
    _speech: _Speech | None = attrs.field(default=None, init=False)
    _is_past: bool = attrs.field(default=False, init=False)  # whether what is said now belongs to the next turn
    _tells: bool = attrs.field(default=False, init=False)  # whether this model says when speech begins

    @property
    def is_open(self) -> bool:
        """Whether the user is speaking."""
        return self._speech is not None and self._speech.started and not self._speech.ended

    @property
    def has_heard(self) -> bool:
        """Whether the user has said something since the end of the last reply."""
        return self._speech is not None

    @property
    def tells(self) -> bool:
        """Whether this model says when speech begins."""
        return self._tells

    def started(self, at_ms: int, *, told: bool = False) -> Decoded:
        """Speech begins; `told` is whether the model has said so, and nothing had to be inferred."""
        self._tells = self._tells or told
        said: Decoded = []
        if self.is_open:
            return said
        if self._speech is None or self._speech.started:
            said += self.finish()
            self._speech, self._is_past = _Speech(self.new_id("item")), False
        self._speech.started = True
        return [*said, ModelInputStarted(self._speech.item_id, at_ms)]

    def stopped(self, at_ms: int) -> Decoded:
        """Speech ends, or a reply to it begins."""
        if self._speech is None or not self._speech.started or self._speech.ended:
            return []
        self._speech.ended = True
        return [ModelInputDone(self._speech.item_id, at_ms)]

    def turn_begins(self) -> None:
        """The client marks the beginning of a turn: words that come from now on are of that one."""
        self._is_past = self._speech is not None

    def words(self, text: str, at_ms: int, *, idle: bool) -> Decoded:
        """A fragment of what the user says. `idle`: the model is not replying, so that they show speech."""
        said: Decoded = []
        if self._is_past and self._speech is not None:
            self._speech.ended = True
            said += self.finish()
        self._is_past = False
        if self._speech is None:
            if idle and not self._tells:
                said += self.started(at_ms)
            else:
                self._speech = _Speech(self.new_id("item"))
        assert self._speech is not None
        self._speech.length += len(text)
        if self._speech.length <= LONGEST_TRANSCRIPT:
            self._speech.words.append(text)
        return [*said, ModelInputTranscriptionDelta(self._speech.item_id, text)]

    def finish(self) -> Decoded:
        """The words are complete, unless the user is still speaking."""
        speech = self._speech
        if speech is None or self.is_open:
            return []
        self._speech = None
        return [ModelInputTranscriptionDone("".join(speech.words).strip(), speech.item_id)] if speech.words else []
