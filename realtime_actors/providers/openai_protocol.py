"""OpenAI's GA realtime wire: frames to events and commands to frames, without I/O.

Events and fields are those of the official SDK's types (`openai` 3.54.0); what the types leave open (the
order of events, which fields are null) is as seen on real sessions of July to September 2026.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec
import pybase64

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    AudioCommitted,
    AudioFormat,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    DeleteItem,
    HistoryItem,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelSessionCreated,
    RequestFailed,
    SessionConfigured,
    SessionExpired,
    SessionRefused,
    TruncateItem,
)

from .calls import FunctionCalls, forget_oldest
from .json_wire import (
    Decoded,
    JSONProtocol,
    Message,
    as_count,
    as_list,
    as_object,
    as_text,
    audio_delta,
    dump,
    need_object,
    need_text,
)
from .model import Manual, RealtimeModel
from .openai_history import item_of, wire_id

__all__ = ["OpenAIProtocol"]

logger = logging.getLogger(__name__)

# What is remembered at most. A provider that acknowledges items stays far below.
MOST_SENT_ITEMS = 1024

Conflict = Literal["already_active", "nothing_active", "item_gone"]

CONFLICTS: Mapping[str, Conflict] = {
    "conversation_already_has_active_response": "already_active",
    "response_cancel_not_active": "nothing_active",
    "item_truncate_invalid_item_id": "item_gone",
    "item_delete_invalid_item_id": "item_gone",
}
"""Error codes that only say that our request met a turn of the provider's own, or an item that is gone."""

_ABOUT_A_CUT = (
    "messages can be truncated",
    "already shorter than",
    "conversation.item.truncate",
    "conversation.item.delete",
)
"""How errors are worded that have no code of their own: of those that name no request, so much can be told."""

Encoded = (
    CommitAudio
    | AppendText
    | AppendImage
    | AppendToolResult
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
)
"""Commands that are one message each."""

_ENDINGS = frozenset({"completed", "cancelled", "failed", "incomplete"})
_UNFINISHED = ("incomplete", "in_progress")


class _Speech(msgspec.Struct, gc=False):
    """A piece of the reply's speech: what is read of a frame that says nothing else."""

    type: str
    response_id: str
    item_id: str
    delta: str


_read_speech = msgspec.json.Decoder(_Speech).decode


class OpenAIProtocol(JSONProtocol):
    """One socket of OpenAI's wire. Whatever is remembered is found by its id, never as the current one.

    A dialect is a subclass with another table of `decoders`, and maybe another type of the frames of `speech`.
    """

    __slots__ = ("_calls", "_ended", "_format", "_sent", "_session")

    speech: ClassVar[str] = "response.output_audio.delta"
    words: ClassVar[str] = "output_text"
    """What a text of the assistant's is called in an item."""

    def __init__(self, model: RealtimeModel, session: Callable[[Configure], Message]) -> None:
        super().__init__(model)
        self._session = session
        self._format = AudioFormat(rate=model.output_rate)
        self._calls = FunctionCalls(model.provider)
        self._sent: dict[str, str] = {}  # our items that are not acknowledged, and the call that each is a result of
        self._ended: dict[str, None] = {}  # responses that a dialect has ended: what still comes of them says nothing

    # To the provider

    def encode(self, command: ModelCommand) -> list[str | bytes]:
        if isinstance(command, AppendAudio):
            # Base64 needs no escapes, so the frame need not be dumped: half the time for half a second of speech.
            audio = pybase64.b64encode_as_string(command.audio)
            return ['{"type":"input_audio_buffer.append","audio":"' + audio + '"}'] if audio else []
        if isinstance(command, Configure):
            session = self._session(command)
            return [dump({"type": "session.update", "event_id": command.request_id, "session": session})]
        return [dump(self._command(command))]

    def _command(self, command: Encoded) -> Message:  # noqa: PLR0911 - one for each command
        match command:
            case CommitAudio():
                return {"type": "input_audio_buffer.commit", "event_id": command.request_id}
            case AppendText():
                return self._user_message(command.item_id, {"type": "input_text", "text": command.text})
            case AppendImage():
                image = pybase64.b64encode_as_string(command.image)
                url = f"data:{command.media_type};base64,{image}"
                return self._user_message(command.item_id, {"type": "input_image", "image_url": url})
            case AppendToolResult():
                result = {
                    "type": "function_call_output",
                    "call_id": command.call_id,
                    "output": command.output,
                }
                return self._item(command.item_id, result)
            case CreateResponse():
                return {"type": "response.create", "event_id": command.request_id}
            case CancelResponse():
                return {
                    "type": "response.cancel",
                    "event_id": command.request_id,
                    "response_id": command.response_id,
                }
            case TruncateItem():
                return {
                    "type": "conversation.item.truncate",
                    "event_id": command.request_id,
                    "item_id": command.item_id,
                    "content_index": command.content_index,
                    "audio_end_ms": command.audio_end_ms,
                }
            case DeleteItem():
                return {
                    "type": "conversation.item.delete",
                    "event_id": command.request_id,
                    "item_id": command.item_id,
                }

    def _user_message(self, item_id: str, part: Message) -> Message:
        return self._item(item_id, {"type": "message", "role": "user", "content": [part]})

    def _item(self, item_id: str, item: Message) -> Message:
        self._sent[item_id] = as_text(item.get("call_id"))
        if len(self._sent) > MOST_SENT_ITEMS:
            lost = forget_oldest(self._sent)
            logger.warning("%s has not acknowledged item %s for long: it is given up", self._model.provider, lost)
        return {"type": "conversation.item.create", "event_id": item_id, "item": {"id": item_id, **item}}

    def seed(self, history: Sequence[HistoryItem]) -> list[str | bytes]:
        frames: list[str | bytes] = []
        for each in history:
            item = item_of(each, words=self.words, images=self._model.capabilities.images)
            if item is not None:
                create = {"type": "conversation.item.create", "event_id": each.id}
                frames.append(dump({**create, "item": {"id": wire_id(each.id), **item}}))
        return frames

    # From the provider

    def decode(self, frame: str | bytes) -> Decoded:
        # The hot path: of a piece of speech only what is wanted is read, and its base64 is not opened. What may be
        # wrong with a frame is found on the other path.
        if isinstance(frame, str) and self.speech in frame and frame.isascii():
            try:
                speech = _read_speech(frame)
            except (msgspec.DecodeError, RecursionError):
                pass
            else:
                if speech.type == self.speech and speech.response_id not in self._ended:
                    return [audio_delta(speech.response_id, speech.item_id, speech.delta, self._format)]
        return super().decode(frame)

    def _read(self, message: Message) -> Decoded:
        response_id = message.get("response_id")
        if isinstance(response_id, str) and response_id in self._ended:
            return []
        kind = message.get("type")
        if not isinstance(kind, str):
            kind = need_text(message, "type")
        decoder = self.decoders.get(kind)
        return decoder(self, message) if decoder is not None else self._ignore_unknown(kind)

    def _nothing(self, message: Message) -> Decoded:
        return []

    def _session_created(self, message: Message) -> Decoded:
        return [ModelSessionCreated(as_text(as_object(message.get("session")).get("id")))]

    def _session_updated(self, message: Message) -> Decoded:
        return [SessionConfigured()]

    def _speech_started(self, message: Message) -> Decoded:
        # That the user speaks matters more than since when: nothing in it is required.
        return [ModelInputStarted(as_text(message.get("item_id")), as_count(message.get("audio_start_ms")))]

    def _speech_stopped(self, message: Message) -> Decoded:
        return [ModelInputDone(as_text(message.get("item_id")), as_count(message.get("audio_end_ms")))]

    def _committed(self, message: Message) -> Decoded:
        return [AudioCommitted(as_text(message.get("item_id")))] if self._is_manual else []

    @property
    def _is_manual(self) -> bool:
        return isinstance(self._model.turn_detection, Manual)

    def _item_added(self, message: Message) -> Decoded:
        item_id = as_text(need_object(message, "item").get("id"))
        if item_id not in self._sent:
            return []
        del self._sent[item_id]
        return [ItemAdded(item_id)]

    def _input_transcript_delta(self, message: Message) -> Decoded:
        item_id, delta = need_text(message, "item_id"), as_text(message.get("delta"))
        return [ModelInputTranscriptionDelta(item_id, delta)] if delta else []

    def _input_transcript_done(self, message: Message) -> Decoded:
        usage = as_object(message.get("usage"))
        tokens = usage if usage.get("type") == "tokens" else {}  # the other type counts seconds
        return [
            ModelInputTranscriptionDone(
                transcript=need_text(message, "transcript"),
                item_id=need_text(message, "item_id"),
                input_tokens=as_count(tokens["input_tokens"]) if "input_tokens" in tokens else None,
                output_tokens=as_count(tokens["output_tokens"]) if "output_tokens" in tokens else None,
            )
        ]

    def _input_transcript_failed(self, message: Message) -> Decoded:
        error, item_id = as_object(message.get("error")), as_text(message.get("item_id"))
        return [self._error("input_transcription_failed", error, f"no transcript of item {item_id}: ")]

    def _response_created(self, message: Message) -> Decoded:
        return [ModelResponseCreated(need_text(need_object(message, "response"), "id"))]

    def _audio_delta(self, message: Message) -> Decoded:
        ids = need_text(message, "response_id"), need_text(message, "item_id")
        return [audio_delta(*ids, need_text(message, "delta"), self._format)]

    def _audio_done(self, message: Message) -> Decoded:
        return [ModelResponseAudioDone(need_text(message, "response_id"), need_text(message, "item_id"))]

    def _transcript_delta(self, message: Message) -> Decoded:
        return [
            ModelResponseAudioTranscriptDelta(
                need_text(message, "response_id"), need_text(message, "item_id"), need_text(message, "delta")
            )
        ]

    def _transcript_done(self, message: Message) -> Decoded:
        return self._words_done(message, message.get("transcript"))

    def _text_done(self, message: Message) -> Decoded:
        return self._words_done(message, message.get("text"))

    def _words_done(self, message: Message, words: object) -> Decoded:
        return [
            ModelResponseAudioTranscriptDone(
                need_text(message, "response_id"),
                need_text(message, "item_id"),
                words if isinstance(words, str) else None,
            )
        ]

    def _response_done(self, message: Message) -> Decoded:
        response = need_object(message, "response")
        response_id = need_text(response, "id")
        status = as_text(response.get("status")) or "completed"
        details = as_object(response.get("status_details"))
        reason = as_text(details.get("reason"))
        if status not in _ENDINGS:
            status, reason = "incomplete", reason or status
        metadata = {"status": status}
        if reason:
            metadata["reason"] = reason

        decoded = self._last_calls(response_id, response, status)
        if status == "failed":
            error = as_object(details.get("error"))
            failure = self._error("response_failed", error, f"response {response_id} failed: ")
            metadata |= {"error_code": failure.code, "error_message": failure.message}
            decoded.append(failure)
        usage = self._usage(message, response)
        tokens = as_count(usage.get("input_tokens")), as_count(usage.get("output_tokens"))
        decoded.append(ModelResponseDone(response_id, *tokens, metadata))
        if metadata.get("error_code") in self._model.fatal_codes:  # the next one would fail as well
            decoded.append(SessionRefused(metadata["error_code"], metadata["error_message"]))
        return decoded

    def _usage(self, message: Message, response: Message) -> Message:
        return as_object(response.get("usage"))

    # Function calls: any of four events may be the one that tells of a call

    def _output_item_added(self, message: Message) -> Decoded:
        item = need_object(message, "item")
        if item.get("type") == "function_call":
            self._calls.note(need_text(message, "response_id"), as_text(item.get("id")), item)
        return []

    def _arguments_delta(self, message: Message) -> Decoded:
        ids = need_text(message, "response_id"), need_text(message, "item_id")
        return [self._calls.extend(*ids, message, need_text(message, "delta"))]

    def _arguments_done(self, message: Message) -> Decoded:
        ids = need_text(message, "response_id"), need_text(message, "item_id")
        return [*self._calls.complete(*ids, message, last=False)]

    def _output_item_done(self, message: Message) -> Decoded:
        item = need_object(message, "item")
        if item.get("type") != "function_call" or item.get("status") in _UNFINISHED:
            return []
        ids = need_text(message, "response_id"), as_text(item.get("id"))
        return [*self._calls.complete(*ids, item, last=True)]

    def _last_calls(self, response_id: str, response: Message, status: str) -> Decoded:
        """The calls that no other event has told of."""
        decoded: Decoded = []
        completed = status == "completed"
        for value in as_list(response.get("output")):
            item = as_object(value)
            # What a response that was cut short holds may be half a call, unless it says that it is whole.
            whole = item.get("status") == "completed" or (completed and item.get("status") not in _UNFINISHED)
            if item.get("type") == "function_call" and whole:
                decoded += self._calls.complete(response_id, as_text(item.get("id")), item, last=True)
        reported, nameless = self._calls.forget(response_id, completed=completed)
        decoded += reported
        if nameless:
            decoded.append(self._protocol_error(f"response {response_id} has a call without a name or an id"))
        return decoded

    # Errors

    def _error_event(self, message: Message) -> Decoded:
        details = as_object(message.get("error"))
        error = self._error(as_text(details.get("type")) or "error", details)
        if error.code == "session_expired":
            return [SessionExpired(error.message)]
        if error.code in self._model.fatal_codes:
            return [error, SessionRefused(error.code, error.message)]
        request_id = as_text(details.get("event_id"))
        conflict = CONFLICTS.get(error.code)
        if not request_id and any(words in error.message for words in _ABOUT_A_CUT):
            conflict = "item_gone"
        # Without an id it is about a request of the server's own: a reply to speech, while one is being generated.
        if not request_id and conflict is None:
            return [error]
        self._sent.pop(request_id, None)
        return [RequestFailed(request_id, error.error_type, error.code, error.message, conflict)]

    def _error(self, error_type: str, details: Message, context: str = "") -> ModelError:
        said = as_text(details.get("message")) or "the provider gives no reason"
        param = as_text(details.get("param"))
        if param and param not in said:
            said += f" ({param})"
        return ModelError(error_type, as_text(details.get("code")), self._model.quoted(context + said))

    decoders: ClassVar[Mapping[str, Callable[[Any, Message], Decoded]]] = {
        "response.output_audio.delta": _audio_delta,
        "response.output_audio.done": _audio_done,
        "response.output_audio_transcript.delta": _transcript_delta,
        "response.output_audio_transcript.done": _transcript_done,
        "response.output_text.delta": _transcript_delta,
        "response.output_text.done": _text_done,
        "response.created": _response_created,
        "response.done": _response_done,
        "response.output_item.added": _output_item_added,
        "response.output_item.done": _output_item_done,
        "response.function_call_arguments.delta": _arguments_delta,
        "response.function_call_arguments.done": _arguments_done,
        "response.content_part.added": _nothing,
        "response.content_part.done": _nothing,
        "session.created": _session_created,
        "session.updated": _session_updated,
        "input_audio_buffer.speech_started": _speech_started,
        "input_audio_buffer.speech_stopped": _speech_stopped,
        "input_audio_buffer.committed": _committed,
        "input_audio_buffer.cleared": _nothing,
        "input_audio_buffer.timeout_triggered": _nothing,
        "conversation.created": _nothing,
        "conversation.item.added": _item_added,
        "conversation.item.created": _item_added,  # its older name
        "conversation.item.done": _item_added,  # for a dialect that says no more than this
        "conversation.item.retrieved": _nothing,
        "conversation.item.deleted": _nothing,
        "conversation.item.truncated": _nothing,
        "conversation.item.input_audio_transcription.delta": _input_transcript_delta,
        "conversation.item.input_audio_transcription.completed": _input_transcript_done,
        "conversation.item.input_audio_transcription.failed": _input_transcript_failed,
        "conversation.item.input_audio_transcription.segment": _nothing,  # `completed` has all of it
        "rate_limits.updated": _nothing,
        "error": _error_event,
    }
