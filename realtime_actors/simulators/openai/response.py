"""One response: what it generates, step by step, and the events that tell of it."""

from collections.abc import Sequence

import pybase64

from realtime_actors.simulators.brain import Turn
from realtime_actors.simulators.openai.checks import Json
from realtime_actors.simulators.openai.conversation import Conversation, Item, turns
from realtime_actors.simulators.openai.formats import duration_ms, from_pcm16, sample_rate
from realtime_actors.simulators.openai.options import Options
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

__all__ = ["Response"]


class Response:
    """A response in progress. `take` does one step; after the end every step does nothing."""

    def __init__(self, options: Options, context: Sequence[Item], conversation: Conversation, stamp: Stamp) -> None:
        self.id = stamp.id("resp")
        self.options = options
        self.context = context
        self.status = "in_progress"
        self.has_audio = False
        """Whether any audio was generated."""
        self._details: Json | None = None
        self._conversation = conversation
        self._stamp = stamp
        self._output: list[Item] = []
        self._open: Item | None = None
        self._arguments = ""
        self._usage: Json | None = None
        self._usage_told = True
        self._text_tokens = 0
        self._audio_ms = 0.0

    @property
    def active(self) -> bool:
        return self.status == "in_progress"

    @property
    def tools(self) -> Sequence[str]:
        """The names of the tools it may call."""
        return self.options.tools

    @property
    def spoken(self) -> bool:
        """Whether its messages are audio, not text."""
        return self.options.modality == "audio"

    @property
    def rate(self) -> int:
        """The sample rate of its audio, in Hz."""
        return sample_rate(self.options.audio_format)

    def turns(self) -> list[Turn]:
        """What a brain is to answer."""
        return turns(self.context, self.options.instructions)

    def created(self) -> Json:
        return self._stamp.event("response.created", response=self._wire())

    def take(self, step: Step) -> list[Json]:
        """Do one step and return the events that tell of it; none once the response has ended."""
        if not self.active:
            return []
        match step:
            case OpenMessage():
                events = self._open_message()
            case AddText():
                events = self._add_text(step)
            case OpenCall():
                events = self._open_call(step.name)
            case AddArguments():
                events = self._add_arguments(step.text)
            case CloseItem():
                events = self._close("completed")
            case BareArguments():
                events = [self._bare_arguments(step)]
            case ForgetUsage():
                self._usage_told = False
                events = []
            case Finish():
                events = self._finish(step)
        return events

    def _event(self, kind: str, **fields: object) -> Json:
        return self._stamp.event(kind, response_id=self.id, **fields)

    def _of_item(self, kind: str, **fields: object) -> Json:
        assert self._open is not None  # callers have checked
        index = self._output.index(self._open)
        return self._event(kind, item_id=self._open.id, output_index=index, **fields)

    def _begin(self, item: Item) -> list[Json]:
        self._open = item
        self._output.append(item)
        index = len(self._output) - 1
        events = [self._event("response.output_item.added", output_index=index, item=dict(item.wire))]
        if self.options.in_conversation:
            events.append(self._conversation.added(item))
        return events

    def _end(self, item: Item) -> list[Json]:
        index = self._output.index(item)
        events = [self._conversation.done(item)] if self.options.in_conversation else []
        events.append(self._event("response.output_item.done", output_index=index, item=dict(item.wire)))
        self._open = None
        return events

    def _open_message(self) -> list[Json]:
        events = self._close("completed")
        wire: Json = {
            "id": self._stamp.id("item"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        if self.options.with_phase:
            wire["phase"] = "final_answer"
        item = Item(wire, size=200)
        events += self._begin(item)
        if self.spoken:  # from here on it can be truncated
            item.wire["content"] = [{"type": "output_audio", "transcript": ""}]
        part = {"type": "audio", "transcript": ""} if self.spoken else {"type": "text", "text": ""}
        return [*events, self._of_item("response.content_part.added", content_index=0, part=part)]

    def _add_text(self, step: AddText) -> list[Json]:
        item = self._open
        if item is None or item.wire["type"] != "message":
            return []
        events: list[Json] = []
        if step.text:
            item.text += step.text
            item.size += len(step.text)
            self._text_tokens += text_tokens(step.text)
            kind = "output_audio_transcript" if self.spoken else "output_text"
            events.append(self._of_item(f"response.{kind}.delta", content_index=0, delta=step.text))
        if step.pcm and self.spoken:
            audio = from_pcm16(step.pcm, self.options.audio_format)
            length_ms = duration_ms(len(audio), self.options.audio_format)
            item.audio_ms += length_ms
            self._audio_ms += length_ms
            self.has_audio = True
            delta = pybase64.b64encode(audio).decode()
            events.append(self._of_item("response.output_audio.delta", content_index=0, delta=delta))
        limit = self.options.max_output_tokens
        if isinstance(limit, int) and self._output_tokens() >= limit:
            events += self._finish(Finish("incomplete", reason="max_output_tokens"))
        return events

    def _open_call(self, name: str) -> list[Json]:
        events = self._close("completed")
        wire: Json = {
            "id": self._stamp.id("item"),
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "call_id": self._stamp.id("call"),
            "arguments": "",
        }
        self._arguments = ""
        return events + self._begin(Item(wire, size=200))

    def _add_arguments(self, text: str) -> list[Json]:
        item = self._open
        if item is None or item.wire["type"] != "function_call":
            return []
        self._arguments += text
        item.size += len(text)
        self._text_tokens += text_tokens(text)
        kind = "response.function_call_arguments.delta"
        return [self._of_item(kind, call_id=item.wire["call_id"], delta=text)]

    def _close(self, status: str) -> list[Json]:
        """End the open item, if there is one; a cut off one gets its `done` events too, with what there is."""
        item = self._open
        if item is None:
            return []
        item.wire["status"] = status
        if item.wire["type"] == "function_call":
            item.wire["arguments"] = self._arguments
            done = self._of_item(
                "response.function_call_arguments.done",
                call_id=item.wire["call_id"],
                name=item.wire["name"],
                arguments=self._arguments,
            )
            return [done, *self._end(item)]
        text = item.text
        if self.spoken:
            events = [
                self._of_item("response.output_audio.done", content_index=0),
                self._of_item("response.output_audio_transcript.done", content_index=0, transcript=text),
            ]
            part = {"type": "audio", "transcript": text}
            item.wire["content"] = [{"type": "output_audio", "transcript": text}]
        else:
            events = [self._of_item("response.output_text.done", content_index=0, text=text)]
            part = {"type": "text", "text": text}
            item.wire["content"] = [{"type": "output_text", "text": text}]
        events.append(self._of_item("response.content_part.done", content_index=0, part=part))
        return events + self._end(item)

    def _bare_arguments(self, step: BareArguments) -> Json:
        """The call is in the conversation, so that a result for it is accepted; no event says so."""
        wire: Json = {
            "id": self._stamp.id("item"),
            "type": "function_call",
            "status": "completed",
            "name": step.name,
            "call_id": self._stamp.id("call"),
            "arguments": step.arguments,
        }
        item = Item(wire, size=200 + len(step.arguments))
        if self.options.in_conversation:
            self._conversation.added(item)
        self._output.append(item)
        return self._event(
            "response.function_call_arguments.done",
            item_id=item.id,
            output_index=len(self._output) - 1,
            call_id=wire["call_id"],
            name=step.name,
            arguments=step.arguments,
        )

    def _finish(self, step: Finish) -> list[Json]:
        events = self._close("completed" if step.status == "completed" else "incomplete")
        self.status = step.status
        match step.status:
            case "completed":
                pass
            case "failed":
                self._details = {"type": "failed", "error": step.error}
            case _:
                self._details = {"type": step.status, "reason": step.reason}
        if self._usage_told:
            self._usage = self._count_usage()
        return [*events, self._stamp.event("response.done", response=self._wire())]

    def _wire(self) -> Json:
        options = self.options
        wire: Json = {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._details,
            "output": [dict(item.wire) for item in self._output],
            "conversation_id": self._conversation.id if options.in_conversation else None,
            "output_modalities": [options.modality],
            "max_output_tokens": options.max_output_tokens,
            "usage": self._usage,
            "metadata": options.metadata,
        }
        if self.spoken:
            wire["audio"] = {"output": {"format": options.audio_format, "voice": options.voice}}
        return wire

    def _output_tokens(self) -> int:
        return self._text_tokens + round(self._audio_ms / 50)

    def _count_usage(self) -> Json:
        """Tokens as the real ones go: user audio 10 a second, generated audio 20, an image some hundreds.

        A response that was cancelled before it generated anything costs nothing.
        """
        text = audio = images = 0
        if self._output or self.status != "cancelled":
            text = text_tokens(self.options.instructions)
            for item in self.context:
                wire = item.wire
                text += text_tokens(wire.get("arguments", "") + wire.get("output", ""))
                if item.audio_ms:
                    audio += round(item.audio_ms / (100 if wire["role"] == "user" else 50))
                else:
                    text += text_tokens(item.text)
                images += 255 * item.images
        spoken = round(self._audio_ms / 50)
        return {
            "total_tokens": text + audio + images + self._text_tokens + spoken,
            "input_tokens": text + audio + images,
            "output_tokens": self._text_tokens + spoken,
            "input_token_details": {
                "text_tokens": text,
                "audio_tokens": audio,
                "image_tokens": images,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": self._text_tokens, "audio_tokens": spoken},
        }
