"""One response: what it generates, step by step, and the events that tell of it in xAI's way.

The audio comes before the words, which come a sentence at a time, and calls come in one piece. Ends come in another
order than OpenAI's, and say less.
"""

from collections.abc import Callable, Sequence

import attrs
import pybase64

from realtime_actors.simulators.brain import Turn
from realtime_actors.simulators.openai.checks import Json
from realtime_actors.simulators.openai.conversation import Item, turns
from realtime_actors.simulators.openai.formats import duration_ms, from_pcm16, sample_rate
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
from realtime_actors.simulators.xai.stamp import Stamp

__all__ = ["Response"]

_SENTENCE_ENDS = (".", "!", "?", ":", "\n")


@attrs.define(eq=False)
class Response:
    """A response in progress. `take` does one step; after the end every step does nothing."""

    context: Sequence[Item]
    audio_format: Json
    instructions: str
    tools: Sequence[str]
    """The names of the tools it may call."""
    stamp: Stamp
    add: Callable[[Item, Json], Json]
    """Puts an item into the conversation, as clients see it there, and gives the event that tells of it."""
    billed: Callable[[float], int]
    """Counts seconds of audio, and gives those of the whole conversation."""
    id: str = attrs.field(init=False)
    status: str = attrs.field(init=False, default="in_progress")
    spoken: bool = attrs.field(init=False, default=True)
    """Always: it has no replies in text."""
    begun: bool = attrs.field(init=False, default=False)
    """Whether anything was generated."""
    _output: list[Item] = attrs.field(init=False, factory=list[Item])
    _open: Item | None = attrs.field(init=False, default=None)
    _words: str = attrs.field(init=False, default="")
    _sentence_id: str = attrs.field(init=False, default="")
    _arguments: str = attrs.field(init=False, default="")
    _usage_told: bool = attrs.field(init=False, default=True)
    _text_tokens: int = attrs.field(init=False, default=0)
    _audio_ms: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.id = self.stamp.id()

    @property
    def active(self) -> bool:
        return self.status == "in_progress"

    @property
    def rate(self) -> int:
        """The sample rate of its audio, in Hz."""
        return sample_rate(self.audio_format)

    def turns(self) -> list[Turn]:
        """What a brain is to answer."""
        return turns(self.context, self.instructions)

    def created(self) -> Json:
        return self.stamp.event("response.created", response=self._wire({}))

    def abandon(self) -> None:
        """It ends, and nothing more is said of it."""
        self.status = "cancelled"

    def take(self, step: Step) -> list[Json]:
        """Do one step and return the events that tell of it; none once the response has ended."""
        if not self.active:
            return []
        match step:
            case OpenMessage():
                events = self._open_message()
            case AddText():
                events = self._add_text(step)
            case OpenCall(name):
                events = self._open_call(name)
            case AddArguments(text):
                self._arguments += text
                events = []
            case CloseItem():
                events = self._close("completed")
            case BareArguments():
                events = self._bare_arguments(step)
            case ForgetUsage():
                self._usage_told = False
                events = []
            case Finish():
                events = self._finish(step)
        return events

    def _event(self, kind: str, *, previous_item_id: str | None = None, **fields: object) -> Json:
        item = {} if self._open is None else {"item_id": self._open.id}
        return self.stamp.event(kind, previous_item_id=previous_item_id, **item, response_id=self.id, **fields)

    def _of_part(self, kind: str, *, previous_item_id: str | None = None, **fields: object) -> Json:
        return self._event(kind, previous_item_id=previous_item_id, **fields, content_index=0, output_index=0)

    def _begin(self, item: Item, in_conversation: Json) -> list[Json]:
        self._output.append(item)
        added = self.stamp.event(
            "response.output_item.added", item=dict(item.wire), response_id=self.id, output_index=0
        )
        told = self.add(item, {**item.wire, **in_conversation})
        self._open = item
        self.begun = True
        return [added, told]

    def _open_message(self) -> list[Json]:
        closed = self._close("completed")
        wire: Json = {
            "id": self.stamp.id(),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
        }
        opened = self._begin(Item(wire), {"content": []})
        part = {"type": "audio", "transcript": ""}
        return [*closed, *opened, self._of_part("response.content_part.added", previous_item_id="0", part=part)]

    def _add_text(self, step: AddText) -> list[Json]:
        item = self._open
        if item is None or item.wire["type"] != "message":
            return []
        item.text += step.text
        self._words += step.text
        self._text_tokens += text_tokens(step.text)
        if not step.pcm:
            return []
        encoded = from_pcm16(step.pcm, self.audio_format)
        length_ms = duration_ms(len(encoded), self.audio_format)
        latency = {} if self._audio_ms else {"latency": "0.70"}
        item.audio_ms += length_ms
        self._audio_ms += length_ms
        self._sentence_id = self._sentence_id or self.stamp.id()
        delta = self._of_part(
            "response.output_audio.delta",
            delta=pybase64.b64encode_as_string(encoded),
            rid=self._sentence_id,
            **latency,
            audio_duration_ms=round(length_ms),
            ts=1790645008060 + round(self._audio_ms),
        )
        whole = self._words.rstrip().endswith(_SENTENCE_ENDS)
        return [delta, *(self._tell_words() if whole else ())]

    def _tell_words(self) -> list[Json]:
        """The words whose audio has come; their event has the id that their audio names."""
        if not self._words:
            return []
        words, self._words = self._words, ""
        delta = self._of_part(
            "response.output_audio_transcript.delta",
            delta=words,
            rid=self._sentence_id,
            start_time=round(self._audio_ms / 1000, 2),
        )
        if self._sentence_id:
            delta["event_id"] = self._sentence_id
        self._sentence_id = ""
        return [delta]

    def _call(self, name: str, arguments: str, status: str) -> Item:
        wire: Json = {
            "id": self.stamp.id(),
            "object": "realtime.item",
            "type": "function_call",
            "status": status,
            "role": "user",
            "call_id": f"call-{self.stamp.id()}-{sum(item.wire['type'] == 'function_call' for item in self._output)}",
            "name": name,
            "arguments": arguments,
        }
        return Item(wire, size=200 + len(arguments))

    def _open_call(self, name: str) -> list[Json]:
        closed = self._close("completed")
        self._arguments = ""
        return [*closed, *self._begin(self._call(name, "", "in_progress"), {"role": "tool"})]

    def _bare_arguments(self, step: BareArguments) -> list[Json]:
        """The call is in the conversation, so that a result for it is accepted; no event says so."""
        closed = self._close("completed")
        item = self._call(step.name, step.arguments, "completed")
        self._output.append(item)
        self.add(item, item.wire)
        self._open = item
        done = self._arguments_done(item)
        self._open = None
        return [*closed, done]

    def _arguments_done(self, item: Item) -> Json:
        names = {name: item.wire[name] for name in ("call_id", "name", "arguments")}
        return self._event("response.function_call_arguments.done", output_index=0, **names)

    def _close(self, status: str) -> list[Json]:
        """End the open item, if there is one; a cut off one gets its `done` events too, with what there is."""
        item = self._open
        if item is None:
            return []
        item.wire["status"] = status
        if item.wire["type"] == "function_call":
            item.wire["arguments"] = self._arguments
            self._text_tokens += text_tokens(self._arguments)
            delta = self._event(
                "response.function_call_arguments.delta", delta=self._arguments, call_id=item.wire["call_id"]
            )
            events = [delta, self._arguments_done(item)]
        else:
            events = [
                *self._tell_words(),
                self._of_part("response.output_audio_transcript.done", transcript=item.text),
                self._of_part("response.content_part.done"),
                self._of_part("response.output_audio.done"),
            ]
        self._open = None
        ended = self.stamp.event("response.output_item.done", item=dict(item.wire), response_id=self.id, output_index=0)
        return [*events, ended]

    def _finish(self, step: Finish) -> list[Json]:
        events = self._close("completed" if step.status == "completed" else "incomplete")
        self.status = step.status
        usage = self._usage() if self._usage_told else {}
        done = self.stamp.event("response.done", response=self._wire({}), response_id=self.id, usage=usage)
        return [*events, done]

    def _wire(self, usage: Json) -> Json:
        output: list[Json] = []
        for item in self._output:
            spoken = {"content": [{"type": "audio", "transcript": item.text}]} if item.wire["type"] == "message" else {}
            output.append({**item.wire, **spoken})
        return {
            "id": self.id,
            "object": "realtime.response",
            "output": output,
            "status": self.status,
            "status_details": "unimplemented",
            "usage": usage,
        }

    def _usage(self) -> Json:
        """Tokens as on recordings; the audio that is billed is that of the whole conversation so far."""
        text = text_tokens(self.instructions)
        audio = 0
        for item in self.context:
            if item.audio_ms and item.wire.get("role") == "user":
                audio += round(item.audio_ms / 50)
            else:
                text += text_tokens(item.text + item.wire.get("arguments", "") + item.wire.get("output", ""))
        spoken = round(self._audio_ms / 20)
        seconds = round(self._audio_ms / 1000, 2)
        return {
            "input_tokens": text + audio,
            "input_token_details": {"text_tokens": text, "audio_tokens": audio, "grok_tokens": 0},
            "output_tokens": self._text_tokens + spoken,
            "output_token_details": {"text_tokens": self._text_tokens, "audio_tokens": spoken, "grok_tokens": 0},
            "total_tokens": text + audio + self._text_tokens + spoken,
            "output_audio_seconds": seconds,
            "billable_audio_seconds": self.billed(seconds),
        }
