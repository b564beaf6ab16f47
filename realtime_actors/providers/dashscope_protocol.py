"""DashScope's Qwen-Omni realtime wire: frames to events and commands to frames, without I/O.

It is a dialect of OpenAI's older (beta) wire. Events and fields are those of DashScope's documentation (2025-11 to
2026-10) and of its SDK (`dashscope` 2.0.2). What it leaves out was measured by others on the live service: a cancelled
response often has no `response.done`, an error often no code and never the id of the request, and a `response.create`
that comes before a commit has been processed is lost without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import attrs
import pybase64

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    DeleteItem,
    HistoryItem,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelInputTranscriptionDelta,
    ModelResponseCreated,
    ModelResponseDone,
    RequestFailed,
    SessionConfigured,
    SessionRefused,
    TruncateItem,
)

from .calls import forget_oldest
from .history import with_history
from .json_wire import Decoded, Message, as_list, as_object, as_text, need_object, need_text
from .model import Manual, RealtimeModel
from .openai_protocol import MOST_SENT_ITEMS, Conflict, Encoded, OpenAIProtocol

__all__ = ["DashScopeProtocol"]

ANSWER_WITHIN = 2.0
"""Seconds within which a commit, a new item or a cancel is answered, if it is answered at all."""
REPLY_WITHIN = 20.0
"""Seconds within which a reply that was asked for begins."""

# What is remembered at most.
MOST_LIVE = 32
MOST_ENDED = 256
MOST_TRANSCRIPTS = 64

_SILENCE = bytes(3200)
"""100 ms, the piece of audio that the documentation advises."""

_NOTHING_ACTIVE = "none active response"
_ALREADY_ACTIVE = "already has an active response"
_IMAGE_TOO_EARLY = "append image before append audio"

_BLAMED = (CommitAudio, AppendText, AppendToolResult, CreateResponse)
"""What an error is about that does not say so: the oldest of these that is not answered, in this order."""


@attrs.define
class _Sent:
    """A command that was sent, and is not known to be answered."""

    id: str
    kind: type[ModelCommand]
    about: str = ""
    """The call that a result is of, the response that a cancel is of."""
    after_result: bool = False
    """Of a request for a reply: whether it follows the result of a call."""
    overtaken: bool = False
    """Of a request for a reply: whether a response has begun since, which may be the reply."""


class DashScopeProtocol(OpenAIProtocol):
    """One socket of DashScope's wire. What the wire does not say is added here, so that every response has an end."""

    __slots__ = (
        "_after_result",
        "_answering",
        "_before",
        "_committed_item",
        "_committing",
        "_heard",
        "_live",
        "_told",
        "_waiting",
    )

    speech = "response.audio.delta"

    def __init__(self, model: RealtimeModel, session: Callable[[Configure], Message]) -> None:
        super().__init__(model, session)
        self._before: tuple[HistoryItem, ...] | None = None  # what was said before this socket
        self._waiting: dict[str, _Sent] = {}
        self._committing = ""  # the request to commit that has not been processed
        self._committed_item = ""
        self._heard = False  # whether audio was sent since the last commit
        self._after_result = False  # whether the last item that was sent is the result of a call
        self._answering = ""  # the response that has begun since
        self._live: dict[str, str] = {}  # the responses that have begun, and why they are to stop ("": they are not)
        self._told: dict[str, str] = {}  # what has been told of the transcripts that are being written

    # To the provider

    @property
    def holds(self) -> bool:
        return bool(self._committing)

    def patience(self, command: ModelCommand) -> float | None:
        match command:
            case AppendAudio() | Configure() | TruncateItem() | DeleteItem():
                return None
            case CreateResponse():
                return REPLY_WITHIN
            case _:
                return ANSWER_WITHIN

    def encode(self, command: ModelCommand) -> list[str | bytes]:
        match command:
            case AppendAudio():
                self._heard = self._heard or bool(command.audio)
            case AppendImage() if not self._heard:
                # It goes into the buffer of the user's audio, and is refused where there is none: silence will do.
                return [*self.encode(AppendAudio(_SILENCE)), *self.encode(command)]
            case TruncateItem() | DeleteItem():
                return []  # the wire has no words for them: the server keeps what it said
            case CancelResponse() if command.response_id in self._ended:
                return []  # the wire's cancel names no response: it would stop the next one
            case CreateResponse() if self._live.get(self._answering) == "":
                return []  # the server has replied to the result by itself: see `_already_active`
            case Configure(instructions=instructions):
                if self._before is None:
                    self._before = command.history
                # An assistant's items cannot be created: what was said stands in the instructions, in all of them.
                command = attrs.evolve(command, instructions=with_history(instructions, self._before))
                self._remember(command)
            case _:
                self._remember(command)
        return super().encode(command)

    def seed(self, history: Sequence[HistoryItem]) -> list[str | bytes]:
        return []

    def _command(self, command: Encoded) -> Message:  # noqa: PLR0911 - one for each command
        match command:
            case CommitAudio(request_id):
                return {"type": "input_audio_buffer.commit", "event_id": request_id}
            case AppendText(item_id, text):
                part = {"type": "input_text", "text": text}
                return _create(item_id, {"type": "message", "role": "user", "content": [part]})
            case AppendToolResult(item_id, call_id, _, output):
                return _create(item_id, {"type": "function_call_output", "call_id": call_id, "output": output})
            case AppendImage(item_id, image):
                return {
                    "type": "input_image_buffer.append",
                    "event_id": item_id,
                    "image": pybase64.b64encode_as_string(image),
                }
            case CreateResponse(request_id):
                return {"type": "response.create", "event_id": request_id}
            case CancelResponse(request_id):
                return {"type": "response.cancel", "event_id": request_id}
            case _:
                return super()._command(command)

    def _remember(self, command: ModelCommand) -> None:
        match command:
            case CommitAudio(request_id):
                self._committing = request_id
                sent = _Sent(request_id, CommitAudio)
            case CancelResponse(request_id, response_id):
                if response_id in self._live:
                    self._live[response_id] = "client_cancelled"
                sent = _Sent(request_id, CancelResponse, response_id)
            case CreateResponse(request_id):
                sent = _Sent(request_id, CreateResponse, after_result=self._after_result)
            case AppendToolResult(item_id, call_id):
                sent = _Sent(item_id, AppendToolResult, call_id)
            case AppendText(item_id) | AppendImage(item_id):
                sent = _Sent(item_id, type(command))
            case Configure(request_id):
                sent = _Sent(request_id, Configure)
            case AppendAudio() | TruncateItem() | DeleteItem():
                return
        if isinstance(command, AppendText | AppendToolResult):
            self._after_result = isinstance(command, AppendToolResult)
            self._answering = ""
        self._waiting[sent.id] = sent
        if len(self._waiting) > MOST_SENT_ITEMS:
            forget_oldest(self._waiting)

    def unanswered(self, command: ModelCommand) -> Decoded:
        match command:
            case CommitAudio(request_id):
                if self._committing == request_id:
                    self._committing = ""
                self._waiting.pop(request_id, None)
            case AppendText(item_id) | AppendImage(item_id) | AppendToolResult(item_id):
                if self._waiting.pop(item_id, None) is not None:
                    return [ItemAdded(item_id)]
            case CreateResponse(request_id):
                sent = self._waiting.get(request_id)
                if sent is not None and not sent.overtaken:
                    del self._waiting[request_id]
                    message = f"{self._model.provider} has begun no reply within {REPLY_WITHIN:g} s: ask again"
                    return [RequestFailed(request_id, "timeout_error", "no_response", message)]
            case CancelResponse(request_id, response_id):
                self._waiting.pop(request_id, None)
                if response_id in self._live:
                    return self._end(response_id)
            case _:
                pass
        return []

    # From the provider

    def _session_updated(self, message: Message) -> Decoded:
        self._settle(Configure)
        return [SessionConfigured()]

    def _begin_response(self, message: Message) -> Decoded:
        response_id = need_text(need_object(message, "response"), "id")
        if response_id in self._live or response_id in self._ended:
            return []
        decoded = self._end_stopped()
        self._live[response_id] = ""
        self._answering = response_id if self._after_result else ""
        if len(self._live) > MOST_LIVE:
            decoded += self._end(next(iter(self._live)))
        decoded.append(ModelResponseCreated(response_id))
        for sent in list(self._waiting.values()):
            if sent.kind is CreateResponse:
                sent.overtaken = True
            elif sent.kind in (AppendText, AppendToolResult):  # not acknowledged, but they must have come
                del self._waiting[sent.id]
                decoded.append(ItemAdded(sent.id))
        return decoded

    def _finish_response(self, message: Message) -> Decoded:
        response_id = need_text(need_object(message, "response"), "id")
        if response_id in self._ended:
            return []
        decoded = super()._response_done(message)
        reason = self._close(response_id)
        done = decoded[-1]
        if reason and isinstance(done, ModelResponseDone) and done.metadata["status"] == "cancelled":
            done.metadata.setdefault("reason", reason)
        return decoded

    def _output_item_done(self, message: Message) -> Decoded:
        decoded = super()._output_item_done(message)
        response_id = as_text(message.get("response_id"))
        if self._live.get(response_id):  # it was to stop, and often this is the last that is said of it
            decoded += self._end(response_id)
        return decoded

    def _end(self, response_id: str) -> Decoded:
        """The end of a response whose end is not told."""
        reason = self._close(response_id)
        self._calls.forget(response_id, completed=False)
        status = {"status": "cancelled", "reason": reason} if reason else {"status": "incomplete"}
        return [ModelResponseDone(response_id, metadata=status)]

    def _end_stopped(self) -> Decoded:
        """By now the responses that were to stop have."""
        return [event for response_id, why in list(self._live.items()) if why for event in self._end(response_id)]

    def _close(self, response_id: str) -> str:
        """The response has ended. Returns why it was to stop."""
        self._ended[response_id] = None
        if len(self._ended) > MOST_ENDED:
            forget_oldest(self._ended)
        for sent in list(self._waiting.values()):
            if sent.kind is CreateResponse and sent.overtaken:
                del self._waiting[sent.id]
        return self._live.pop(response_id, "")

    def _user_speaks(self, message: Message) -> Decoded:
        if self._model.interrupts:
            for response_id, why in self._live.items():
                self._live[response_id] = why or "turn_detected"
        return self._speech_started(message)

    def _user_is_silent(self, message: Message) -> Decoded:
        decoded = [*self._end_stopped(), *self._speech_stopped(message)]
        if self._live and self._replies_without_interrupting:
            # The reply was not to be interrupted, and no document says that one to this turn comes after it. OpenAI
            # says that none does, with an error that names no request; so it is asked for as there.
            words = "a reply is being generated: the one to this turn has to be asked for"
            code = "conversation_already_has_active_response"
            decoded.append(RequestFailed("", "invalid_request_error", code, words, "already_active"))
        return decoded

    @property
    def _replies_without_interrupting(self) -> bool:
        detection = self._model.turn_detection
        return not isinstance(detection, Manual) and detection.create_response and not detection.interrupt_response

    def _committed(self, message: Message) -> Decoded:
        """The audio, and the pictures that were put beside it, are an item now."""
        self._committed_item = as_text(message.get("item_id"))
        self._heard = self._after_result = False
        images = [sent.id for sent in self._waiting.values() if sent.kind is AppendImage]
        for item_id in images:
            del self._waiting[item_id]
        return [*super()._committed(message), *(ItemAdded(item_id) for item_id in images)]

    def _item_added(self, message: Message) -> Decoded:
        item = need_object(message, "item")
        match item.get("type"):
            case "function_call_output":
                sent = self._settle(AppendToolResult, as_text(item.get("call_id")))
            case "message" if item.get("role") == "user":
                if self._is_spoken(item):
                    if self._committing:
                        self._waiting.pop(self._committing, None)
                        self._committing = ""
                    return []
                sent = self._settle(AppendText)
            case _:
                return []
        return [ItemAdded(sent.id)] if sent is not None else []

    def _is_spoken(self, item: Message) -> bool:
        if self._committed_item and item.get("id") == self._committed_item:
            return True
        return any(as_object(part).get("type") == "input_audio" for part in as_list(item.get("content")))

    def _settle(self, kind: type[ModelCommand], about: str | None = None) -> _Sent | None:
        """The oldest command of this kind (and about this) is answered, if there is one."""
        for sent in self._waiting.values():
            if sent.kind is kind and about in (None, sent.about):
                return self._waiting.pop(sent.id)
        return None

    def _transcript_text(self, message: Message) -> Decoded:
        """`text` is all that is certain so far; what is in `stash` may still change."""
        text = message.get("text")
        if not isinstance(text, str):
            return self._input_transcript_delta(message)
        item_id = need_text(message, "item_id")
        told = self._told.get(item_id, "")
        if text == told or not text.startswith(told):
            return []
        self._told[item_id] = text
        if len(self._told) > MOST_TRANSCRIPTS:
            forget_oldest(self._told)
        return [ModelInputTranscriptionDelta(item_id, text[len(told) :])]

    def _transcript_complete(self, message: Message) -> Decoded:
        self._told.pop(as_text(message.get("item_id")), None)
        return self._input_transcript_done(message)

    # Errors

    def _error_event(self, message: Message) -> Decoded:
        details = as_object(message.get("error"))
        error = self._error(as_text(details.get("type")) or "error", details)
        if error.code in self._model.fatal_codes:
            return [error, SessionRefused(error.code, error.message)]
        said = as_text(details.get("message")).lower()
        if _ALREADY_ACTIVE in said:
            return self._already_active(error)
        if _NOTHING_ACTIVE in said:
            return self._nothing_active(error)
        sent = self._waiting.get(as_text(details.get("event_id"))) or self._blamed(error, details, said)
        if sent is None:
            return [error]
        self._waiting.pop(sent.id, None)
        if sent.id == self._committing:
            self._committing = ""
        return [_failed(sent.id, error)]

    def _blamed(self, error: ModelError, details: Message, said: str) -> _Sent | None:
        """What an error is about that names no request."""
        if _IMAGE_TOO_EARLY in said:
            return self._oldest(AppendImage)
        if as_text(details.get("param")).startswith("session"):
            return self._oldest(Configure)
        kinds = _BLAMED if error.error_type == "server_error" else (Configure, *_BLAMED)
        return next((sent for kind in kinds if (sent := self._oldest(kind)) is not None), None)

    def _oldest(self, kind: type[ModelCommand]) -> _Sent | None:
        return next((sent for sent in self._waiting.values() if sent.kind is kind and not sent.overtaken), None)

    def _already_active(self, error: ModelError) -> Decoded:
        """A reply was asked for while there is one.

        After the result of a call the documents disagree on who asks for the reply. If it is the server, and it has
        begun since we sent the last result, then its reply is to all that was sent: our request is answered.
        """
        asked = [sent for sent in self._waiting.values() if sent.kind is CreateResponse]
        if not asked:
            return [_failed("", error, "already_active")]
        sent = self._waiting.pop(asked[-1].id)
        if sent.after_result and sent.overtaken:
            return []
        return [_failed(sent.id, error, "already_active")]

    def _nothing_active(self, error: ModelError) -> Decoded:
        """A reply was to be cancelled that has ended: if its end was not told, then here."""
        sent = self._settle(CancelResponse)
        if sent is None:
            return [_failed("", error, "nothing_active")]
        ended = self._end(sent.about) if sent.about in self._live else []
        return [*ended, _failed(sent.id, error, "nothing_active")]

    decoders: ClassVar[Mapping[str, Callable[[Any, Message], Decoded]]] = {
        "response.audio.delta": OpenAIProtocol._audio_delta,
        "response.audio.done": OpenAIProtocol._audio_done,
        "response.audio_transcript.delta": OpenAIProtocol._transcript_delta,
        "response.audio_transcript.done": OpenAIProtocol._transcript_done,
        "response.text.delta": OpenAIProtocol._transcript_delta,
        "response.text.done": OpenAIProtocol._text_done,
        "response.created": _begin_response,
        "response.done": _finish_response,
        "response.output_item.added": OpenAIProtocol._output_item_added,
        "response.output_item.done": _output_item_done,
        "response.function_call_arguments.delta": OpenAIProtocol._arguments_delta,
        "response.function_call_arguments.done": OpenAIProtocol._arguments_done,
        "response.content_part.added": OpenAIProtocol._nothing,
        "response.content_part.done": OpenAIProtocol._nothing,
        "session.created": OpenAIProtocol._session_created,
        "session.updated": _session_updated,
        "session.finished": OpenAIProtocol._nothing,  # the close that follows is the news
        "input_audio_buffer.speech_started": _user_speaks,
        "input_audio_buffer.speech_stopped": _user_is_silent,
        "input_audio_buffer.committed": _committed,
        "input_audio_buffer.cleared": OpenAIProtocol._nothing,
        "conversation.item.created": _item_added,
        "conversation.item.input_audio_transcription.delta": _transcript_text,
        "conversation.item.input_audio_transcription.text": _transcript_text,  # its name in the sibling ASR API
        "conversation.item.input_audio_transcription.completed": _transcript_complete,
        "conversation.item.input_audio_transcription.failed": OpenAIProtocol._input_transcript_failed,
        "error": _error_event,
    }


def _create(item_id: str, item: Message) -> Message:
    """Items get their ids from the server: whether it takes those of a client is not documented."""
    return {"type": "conversation.item.create", "event_id": item_id, "item": item}


def _failed(request_id: str, error: ModelError, conflict: Conflict | None = None) -> RequestFailed:
    return RequestFailed(request_id, error.error_type, error.code, error.message, conflict)
