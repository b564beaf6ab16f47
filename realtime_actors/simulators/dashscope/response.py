"""One response: what it generates, step by step, and the events that tell of it."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import attrs
import pybase64

from realtime_actors.simulators.brain import Turn
from realtime_actors.simulators.dashscope.settings import input_format
from realtime_actors.simulators.openai.checks import Json
from realtime_actors.simulators.openai.conversation import Item, turns
from realtime_actors.simulators.openai.stamp import Stamp
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

__all__ = ["CancelEnd", "Response"]

CancelEnd: TypeAlias = Literal["items", "told", "nothing"]
"""What is said at the end of a response that is cancelled: the ends of its items, those and its own, or nothing."""


@attrs.define(eq=False)
class Response:
    """A response in progress. `take` does one step; after the end every step does nothing."""

    settings: Json
    """What holds for it: the session's configuration with what `response.create` changed of it."""
    context: Sequence[Item]
    add: Callable[[Item], Json]
    """Puts an item into the conversation and gives the event that tells of it."""
    stamp: Stamp
    cancel_end: CancelEnd
    id: str = attrs.field(init=False)
    status: str = attrs.field(init=False, default="in_progress")
    has_audio: bool = attrs.field(init=False, default=False)
    _output: list[Item] = attrs.field(init=False, factory=list[Item])
    _open: Item | None = attrs.field(init=False, default=None)
    _error: Json | None = attrs.field(init=False, default=None)
    _usage_told: bool = attrs.field(init=False, default=True)
    _text_tokens: int = attrs.field(init=False, default=0)
    _audio_bytes: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.id = self.stamp.id("resp")

    @property
    def active(self) -> bool:
        return self.status == "in_progress"

    @property
    def spoken(self) -> bool:
        """Whether its messages have audio."""
        return "audio" in self.settings["modalities"]

    @property
    def rate(self) -> int:
        """The sample rate of its audio, in Hz."""
        return input_format(self.settings, "output")["rate"]

    @property
    def tools(self) -> Sequence[str]:
        """The names of the tools it may call."""
        return [tool.get("function", tool)["name"] for tool in self.settings["tools"] or ()]

    @property
    def calls(self) -> list[str]:
        """The ids of its calls."""
        return [item.wire["call_id"] for item in self._output if item.wire["type"] == "function_call"]

    def turns(self) -> list[Turn]:
        """What a brain is to answer."""
        return turns(self.context, self.settings.get("instructions", ""))

    def created(self) -> Json:
        return self.stamp.event("response.created", response=self._wire())

    def take(self, step: Step) -> list[Json]:
        """Do one step and return the events that tell of it; none once the response has ended."""
        if not self.active:
            return []
        match step:
            case OpenMessage():
                events = self._open_message()
            case AddText(text, pcm):
                events = self._add_text(text, pcm)
            case OpenCall(name):
                events = [*self._close("completed"), *self._begin(self._call(name, "in_progress", ""))]
            case AddArguments(text):
                events = self._add_arguments(text)
            case CloseItem():
                events = self._close("completed")
            case BareArguments(name, arguments):
                events = [self._bare_arguments(name, arguments)]
            case ForgetUsage():
                self._usage_told = False
                events = []
            case Finish():
                events = self._finish(step)
        return events

    def _of_item(self, item: Item, kind: str, **fields: object) -> Json:
        index = self._output.index(item)
        return self.stamp.event(kind, response_id=self.id, item_id=item.id, output_index=index, **fields)

    def _whole_item(self, item: Item, kind: str) -> Json:
        index = self._output.index(item)
        return self.stamp.event(kind, response_id=self.id, output_index=index, item=dict(item.wire))

    def _begin(self, item: Item) -> list[Json]:
        self._open = item
        self._output.append(item)
        return [self._whole_item(item, "response.output_item.added"), self.add(item)]

    def _open_message(self) -> list[Json]:
        events = self._close("completed")
        item = Item(
            {
                "id": self.stamp.id("item"),
                "object": "realtime.item",
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
        )
        part = {"type": self._part, "text": ""}
        events += self._begin(item)
        return [*events, self._of_item(item, "response.content_part.added", content_index=0, part=part)]

    @property
    def _part(self) -> str:
        return "audio" if self.spoken else "text"

    def _add_text(self, text: str, pcm: bytes) -> list[Json]:
        item = self._open
        if item is None or item.wire["type"] != "message":
            return []
        events: list[Json] = []
        if text:
            item.text += text
            self._text_tokens += text_tokens(text)
            kind = "audio_transcript" if self.spoken else "text"
            events.append(self._of_item(item, f"response.{kind}.delta", content_index=0, delta=text))
        if pcm and self.spoken:
            self.has_audio = True
            self._audio_bytes += len(pcm)
            delta = pybase64.b64encode_as_string(pcm)
            events.append(self._of_item(item, "response.audio.delta", content_index=0, delta=delta))
        if self._output_tokens() >= self.settings.get("max_tokens", 16384):
            events += self._finish(Finish("incomplete", reason="max_output_tokens"))
        return events

    def _call(self, name: str, status: str, arguments: str) -> Item:
        return Item(
            {
                "id": self.stamp.id("item"),
                "object": "realtime.item",
                "type": "function_call",
                "status": status,
                "name": name,
                "call_id": self.stamp.id("call"),
                "arguments": arguments,
            }
        )

    def _add_arguments(self, text: str) -> list[Json]:
        item = self._open
        if item is None or item.wire["type"] != "function_call":
            return []
        item.text += text
        self._text_tokens += text_tokens(text)
        kind = "response.function_call_arguments.delta"
        return [self._of_item(item, kind, call_id=item.wire["call_id"], delta=text)]

    def _close(self, status: str) -> list[Json]:
        """End the open item, if there is one; one that is cut off gets its `done` events too, with what there is."""
        item, self._open = self._open, None
        if item is None:
            return []
        wire = item.wire
        wire["status"] = status
        if wire["type"] == "function_call":
            wire["arguments"] = " " + item.text  # as the service was seen to do
            call = {"call_id": wire["call_id"], "name": wire["name"], "arguments": wire["arguments"]}
            done = self._of_item(item, "response.function_call_arguments.done", **call)
            return [done, self._whole_item(item, "response.output_item.done")]
        part = {"type": self._part, "text": item.text}
        wire["content"] = [part]
        events: list[Json] = []
        if self.spoken:
            kind = "response.audio_transcript.done"
            events.append(self._of_item(item, kind, content_index=0, transcript=item.text))
            events.append(self._of_item(item, "response.audio.done", content_index=0))
        else:
            events.append(self._of_item(item, "response.text.done", content_index=0, text=item.text))
        events.append(self._of_item(item, "response.content_part.done", content_index=0, part=part))
        return [*events, self._whole_item(item, "response.output_item.done")]

    def _bare_arguments(self, name: str, arguments: str) -> Json:
        """The call is in the conversation, so that a result for it is accepted; no event says so."""
        item = self._call(name, "completed", arguments)
        self.add(item)
        self._output.append(item)
        return self._of_item(
            item,
            "response.function_call_arguments.done",
            call_id=item.wire["call_id"],
            name=name,
            arguments=arguments,
        )

    def _finish(self, step: Finish) -> list[Json]:
        events = self._close("completed" if step.status == "completed" else "incomplete")
        self.status, self._error = step.status, step.error
        if step.status == "cancelled":
            if self.cancel_end == "nothing":
                return []
            if self.cancel_end == "items":
                return events
        return [*events, self.stamp.event("response.done", response=self._wire())]

    def _wire(self) -> Json:
        wire: Json = {
            "id": self.id,
            "object": "realtime.response",
            "conversation_id": "",
            "status": self.status,
            "modalities": self.settings["modalities"],
            "voice": self.settings["voice"],
            "output_audio_format": self.settings["output_audio_format"],
            "output": [dict(item.wire) for item in self._output],
        }
        if self._error is not None:
            wire["status_details"] = {"type": "failed", "error": self._error}
        if not self.active and self._usage_told:
            wire["usage"] = self._usage()
        return wire

    def _output_tokens(self) -> int:
        return self._text_tokens + self._audio_tokens()

    def _audio_tokens(self) -> int:
        """Of generated audio: 12.5 a second, about."""
        return round(self._audio_bytes / (2 * self.rate) * 12.5)

    def _usage(self) -> Json:
        text = text_tokens(self.settings.get("instructions", ""))
        audio = pictures = 0
        for item in self.context:
            text += text_tokens(item.wire.get("arguments", "") + item.wire.get("output", ""))
            if item.audio_ms:
                audio += round(item.audio_ms / 40)
            else:
                text += text_tokens(item.text)
            pictures += 256 * item.images
        details = {"text_tokens": text, "audio_tokens": audio}
        if pictures:
            details["video_tokens"] = pictures
        return {
            "total_tokens": text + audio + pictures + self._output_tokens(),
            "input_tokens": text + audio + pictures,
            "output_tokens": self._output_tokens(),
            "input_tokens_details": details,
            "output_tokens_details": {"text_tokens": self._text_tokens, "audio_tokens": self._audio_tokens()},
        }
