"""What a model generates at one go: until its turn ends, or until it waits for the results of calls."""

from collections.abc import Sequence
from random import Random

import attrs
import orjson
import pybase64

from realtime_actors.simulators.brain import Turn as BrainTurn
from realtime_actors.simulators.gemini.messages import Json
from realtime_actors.simulators.gemini.setup import Setup
from realtime_actors.simulators.steps import (
    AddArguments,
    AddText,
    BareArguments,
    CloseItem,
    Finish,
    ForgetUsage,
    OpenCall,
    OpenMessage,
    Step,
    text_tokens,
)

__all__ = ["Call", "Generation"]

RATE = 24000
MIME = f"audio/pcm;rate={RATE}"


@attrs.frozen
class Call:
    """A function that the model calls."""

    id: str
    name: str
    arguments: Json

    @property
    def wire(self) -> Json:
        return {"name": self.name, "args": self.arguments, "id": self.id}


@attrs.define(eq=False)
class Generation:
    """One generation in progress. `take` does one step; after the end every step does nothing."""

    id: str
    setup: Setup
    context: list[BrainTurn]
    unheard: Sequence[str]
    """What the user said of which the words are not known yet."""
    random: Random
    active: bool = attrs.field(init=False, default=True)
    words: str = attrs.field(init=False, default="")
    """What was said, as far as it was sent."""
    spoken_ms: float = attrs.field(init=False, default=0.0)
    calls: list[Call] = attrs.field(init=False, factory=list[Call])
    """Those that were sent."""
    usage_told: bool = attrs.field(init=False, default=True)
    reason: str = attrs.field(init=False, default="")
    """Why it ended, where that is said."""
    failure: str | None = attrs.field(init=False, default=None)
    """The server's fault that ended it."""
    _name: str = attrs.field(init=False, default="")
    _arguments: str = attrs.field(init=False, default="")
    _waiting: list[Call] = attrs.field(init=False, factory=list[Call])
    _reported: tuple[int, float, int] = attrs.field(init=False, default=(0, 0.0, 0))

    @property
    def spoken(self) -> bool:
        return self.setup.spoken

    @property
    def rate(self) -> int:
        return RATE

    @property
    def tools(self) -> Sequence[str]:
        return list(self.setup.tools)

    def turns(self) -> list[BrainTurn]:
        """What a brain is to answer."""
        return self.context

    def take(self, step: Step) -> list[Json]:
        """Do one step and return the messages that tell of it."""
        messages: list[Json] = []
        if not self.active:
            return messages
        match step:
            case OpenMessage():
                messages += [*self._send_calls(), *self._think()]
            case AddText(text, pcm):
                messages += self._say(text, pcm)
            case OpenCall(name):
                self._name, self._arguments = name, ""
            case AddArguments(text):
                self._arguments += text
            case CloseItem():
                self._close_call()
            case BareArguments(name, arguments):  # a message of its own
                messages += self._send_calls()
                self._name, self._arguments = name, arguments
                self._close_call()
                messages += self._send_calls()
            case ForgetUsage():
                self.usage_told = False
            case Finish():
                messages += self._finish(step)
        return messages

    def news(self) -> tuple[str, float, list[Call]]:
        """What was sent since this was last asked: words, milliseconds of speech, calls."""
        words, spoken_ms, calls = self._reported
        self._reported = len(self.words), self.spoken_ms, len(self.calls)
        return self.words[words:], self.spoken_ms - spoken_ms, self.calls[calls:]

    def stop(self) -> None:
        """It was interrupted: calls that were not sent are not made."""
        self.active = False

    def _think(self) -> list[Json]:
        """Models of the second generation sometimes tell their thoughts."""
        if self.setup.is_3 or not self.spoken or self.random.random() < 0.5:
            return []
        return [_content(modelTurn={"parts": [{"text": "**Answering** I will be brief.", "thought": True}]})]

    def _say(self, text: str, pcm: bytes) -> list[Json]:
        self.words += text
        self.spoken_ms += len(pcm) * 500 / RATE
        if text_tokens(self.words) + self.spoken_ms / 40 >= self.setup.max_output_tokens:
            self.active = False
        if not self.spoken:
            return [_content(modelTurn={"parts": [{"text": text}]})] if text else []
        transcript = {"outputTranscription": {"text": text}} if text and self.setup.transcribe_output else {}
        if not pcm:
            return [_content(**transcript)] if transcript else []
        # Sometimes in several parts, and only models of the third generation say whose turn it is.
        cut = len(pcm) // 4 * 2 if self.random.random() < 0.2 else 0
        parts = [_audio(piece) for piece in (pcm[:cut], pcm[cut:]) if piece]
        turn: Json = {"parts": parts, "role": "model"} if self.setup.is_3 else {"parts": parts}
        if self.setup.is_3:
            return [_content(modelTurn=turn, **transcript)]
        return [*([_content(**transcript)] if transcript else []), _content(modelTurn=turn)]

    def _close_call(self) -> None:
        name, self._name = self._name, ""
        if not name:
            return
        try:
            arguments: object = orjson.loads(self._arguments)
        except orjson.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            self.active, self.reason = False, "MALFORMED_FUNCTION_CALL"
            return
        prefix, number = ("fc_", 10**15) if self.setup.is_3 else ("function-call-", 10**19)
        call_id = f"{prefix}{self.random.randrange(number)}"
        self._waiting.append(Call(call_id, name, arguments))  # pyright: ignore[reportUnknownArgumentType]  # of JSON

    def _send_calls(self) -> list[Json]:
        calls, self._waiting = self._waiting, []
        self.calls += calls
        return [{"toolCall": {"functionCalls": [call.wire for call in calls]}}] if calls else []

    def _finish(self, step: Finish) -> list[Json]:
        messages = self._send_calls()
        self.active = False
        if step.status == "failed":
            self.failure = (step.error or {}).get("message", "Internal error encountered.")
        elif step.status == "incomplete" and step.reason == "content_filter":
            self.reason = "GENERATED_CONTENT_SAFETY"
        return messages


def _audio(pcm: bytes) -> Json:
    return {"inlineData": {"mimeType": MIME, "data": pybase64.b64encode_as_string(pcm)}}


def _content(**fields: object) -> Json:
    return {"serverContent": fields}
