"""One reply of a model on Gemini's wire, under ids of ours."""

from __future__ import annotations

from typing import Literal

import attrs

from realtime_actors.events import (
    AudioFormat,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
)

from .json_wire import Decoded, audio_delta

__all__ = ["Reply", "ending"]

Status = Literal["completed", "failed", "incomplete"]

_COMPLETED = frozenset({"", "TURN_COMPLETE_REASON_UNSPECIFIED", "NEED_MORE_INPUT"})
_FAILED = frozenset({"MALFORMED_FUNCTION_CALL", "RESPONSE_REJECTED"})

# Characters of one transcript. A reply that ends stays far below.
LONGEST_TRANSCRIPT = 1 << 18


def ending(reason: str) -> Status:
    """How a turn with this `turnCompleteReason` has ended: the others say that it was stopped for safety."""
    if reason in _COMPLETED:
        return "completed"
    return "failed" if reason in _FAILED else "incomplete"


@attrs.define
class Reply:
    """A reply that comes in, with one item of speech and words."""

    id: str
    item_id: str
    interrupted: bool = False
    _words: list[str] = attrs.field(factory=list[str], init=False)
    _length: int = attrs.field(default=0, init=False)
    _speaking: bool = attrs.field(default=False, init=False)

    def speaks(self, data: str, audio_format: AudioFormat) -> ModelResponseAudioDelta:
        """A piece of speech, in base64."""
        self._speaking = True
        return audio_delta(self.id, self.item_id, data, audio_format)

    def says(self, text: str) -> ModelResponseAudioTranscriptDelta:
        """A fragment of its words."""
        self._length += len(text)
        if self._length <= LONGEST_TRANSCRIPT:
            self._words.append(text)
        return ModelResponseAudioTranscriptDelta(self.id, self.item_id, text)

    def generated(self) -> Decoded:
        """Nothing of its speech comes any more; of its words there may."""
        if not self._speaking:
            return []
        self._speaking = False
        return [ModelResponseAudioDone(self.id, self.item_id)]

    def ended(self) -> Decoded:
        """Nothing of it comes any more."""
        said = self.generated()
        words, self._words = self._words, []
        if words:
            said.append(ModelResponseAudioTranscriptDone(self.id, self.item_id, "".join(words).strip()))
        return said
