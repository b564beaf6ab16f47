"""xAI's Grok Voice wire: frames to events and commands to frames, without I/O.

It is a dialect of OpenAI's GA wire. What differs is as in xAI's documentation and on recordings of real sessions of
July to September 2026; what is marked "measured" was measured by others on the live service, and is not documented.

Without turn detection (measured): a commit starts the reply by itself, one that holds only silence is passed over
without a word, and speech that comes while a reply is generated stops that reply without telling its end. Therefore a
commit goes out when the reply is asked for, and stands for the request: who commits and then asks gets one reply, as
from every other provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import attrs

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
    ModelInputTranscriptionDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    RequestFailed,
    SessionConfigured,
    SessionResumable,
    ToolResultItem,
    TruncateItem,
    UserSpeech,
    UserText,
)

from .calls import forget_oldest
from .json_wire import Decoded, Message, as_list, as_object, as_text, dump, need_object, need_text
from .model import RealtimeModel
from .openai_history import wire_id
from .openai_protocol import CONFLICTS, OpenAIProtocol

__all__ = ["XAIProtocol"]

ANSWER_WITHIN = 2.0
"""Seconds within which a new item or a cancel is answered, if it is answered at all."""
REPLY_WITHIN = 10.0
"""Seconds within which a reply that was asked for begins, if it is not passed over."""

# What is remembered at most.
MOST_OVER = 256
MOST_TRANSCRIPTS = 64


@attrs.define
class _Live:
    """A response whose end was not told."""

    stopped: str = ""
    """Why it is to stop, or has stopped without a word."""
    audio: set[str] = attrs.field(factory=set[str])
    """The items whose audio is not complete."""
    words: set[str] = attrs.field(factory=set[str])
    """The items whose transcript is not complete."""


class XAIProtocol(OpenAIProtocol):
    """One socket of xAI's wire. The ends that the wire does not tell are added here."""

    __slots__ = (
        "_buffered",
        "_cancels",
        "_configuring",
        "_items",
        "_live",
        "_request",
        "_resumes",
        "_told",
        "_unanswered",
    )

    def __init__(self, model: RealtimeModel, session: Callable[[Configure], Message], *, resumes: bool = False) -> None:
        super().__init__(model, session)
        self._resumes = resumes
        self._buffered = False  # whether audio was sent that is not committed
        self._items = False  # whether an item was added since the last reply began
        self._unanswered = True  # whether there is, or may be, something that no reply has begun to answer
        self._configuring = ""  # the configuration that is not accepted yet
        self._request = ""  # the request for a reply that has not begun
        self._cancels: dict[str, str] = {}  # requests to cancel that are not answered, and what they are to stop
        self._live: dict[str, _Live] = {}
        # What was told of the user's words, by item; None when they are complete.
        self._told: dict[str, str | None] = {}

    # To the provider

    def encode(self, command: ModelCommand) -> list[str | bytes]:
        match command:
            case AppendAudio():
                self._buffered = True
            case CommitAudio():
                return []
            case CreateResponse():
                return [dump(message) for message in self._ask(command)]
            case Configure():
                self._configuring = command.request_id
            case CancelResponse():
                if command.response_id in self._ended:
                    return []  # what a cancel of it would stop is the next one
                self._cancels[command.request_id] = command.response_id
                if len(self._cancels) > MOST_OVER:
                    forget_oldest(self._cancels)
            case AppendText() | AppendImage() | AppendToolResult():
                self._items = self._unanswered = True
            case TruncateItem() | DeleteItem():
                pass
        return super().encode(command)

    def seed(self, history: Sequence[HistoryItem]) -> list[str | bytes]:
        for item in history:  # their echoes come before those of what is sent next, and may have other ids
            if isinstance(item, UserText | UserSpeech | ToolResultItem):
                self._sent[wire_id(item.id)] = item.call_id if isinstance(item, ToolResultItem) else ""
        return super().seed(history)

    def _ask(self, command: CreateResponse) -> list[Message]:
        """The frames that ask for a reply."""
        self._request = command.request_id
        create = self._command(command)
        committed, self._buffered = self._buffered and self._is_manual, False
        if committed and not self._items:
            return [self._command(CommitAudio(command.request_id))]
        if self._unanswered:  # measured: it commits the speech that there is
            return [create]
        # Measured: with nothing new it is dropped without a word, unless the buffer is cleared before.
        return [{"type": "input_audio_buffer.clear"}, create]

    def patience(self, command: ModelCommand) -> float | None:
        match command:
            case CreateResponse():
                return REPLY_WITHIN
            case CancelResponse() | AppendText() | AppendToolResult():
                return ANSWER_WITHIN
            case _:
                return None

    def unanswered(self, command: ModelCommand) -> Decoded:
        match command:
            case CreateResponse(request_id) if request_id == self._request:
                self._request = ""
                message = (
                    f"{self._model.provider} has begun no reply within {REPLY_WITHIN:g} s. It passes over turns in "
                    "which it hears no speech: say something, and ask again"
                )
                return [RequestFailed(request_id, "timeout_error", "no_response", message)]
            case CancelResponse(request_id, response_id):
                self._cancels.pop(request_id, None)
                return self._end(response_id, "client_cancelled")
            case AppendText(item_id) | AppendToolResult(item_id) if item_id in self._sent:
                del self._sent[item_id]
                return [ItemAdded(item_id)]
            case _:
                return []

    # From the provider

    def _conversation_created(self, message: Message) -> Decoded:
        conversation_id = as_text(as_object(message.get("conversation")).get("id"))
        return [SessionResumable(conversation_id, live=True)] if self._resumes and conversation_id else []

    def _configured(self, message: Message) -> Decoded:
        self._configuring = ""
        return [SessionConfigured()]

    def _item_new(self, message: Message) -> Decoded:
        """Our item, by its id if the server keeps that, else by what it is. Replayed items are not ours."""
        decoded = self._item_added(message)
        item = need_object(message, "item")
        if decoded or not self._sent or item.get("replayed") is True:
            return decoded
        call_id = ""
        if item.get("type") == "function_call_output":
            call_id = as_text(item.get("call_id"))
        elif item.get("type") != "message" or item.get("role") != "user" or not _is_typed(item):
            return []
        item_id = next((ours for ours, about in self._sent.items() if about == call_id), None)
        if item_id is None:
            return []
        del self._sent[item_id]
        return [ItemAdded(item_id)]

    # What the user says

    def _user_speaks(self, message: Message) -> Decoded:
        self._unanswered = True
        ended: Decoded = []
        if self._is_manual:  # measured: without turn detection it stops at once, and its end is not told
            for response_id in list(self._live):
                ended += self._end(response_id, "turn_detected")
        elif self._model.interrupts:
            for live in self._live.values():
                live.stopped = live.stopped or "turn_detected"
        return [*ended, *self._speech_started(message)]

    def _user_is_silent(self, message: Message) -> Decoded:
        return [*self._end_stopped(), *self._speech_stopped(message)]

    def _words_so_far(self, message: Message) -> Decoded:
        """All the words so far, of which earlier ones may be others than before: then the end corrects them."""
        item_id, transcript = need_text(message, "item_id"), need_text(message, "transcript")
        told = self._told.get(item_id, "")
        if not self._model.enable_input_audio_transcription or told is None:
            return []
        if transcript == told or not transcript.startswith(told):
            return []
        self._tell(item_id, transcript)
        return [ModelInputTranscriptionDelta(item_id, transcript[len(told) :])]

    def _words_complete(self, message: Message) -> Decoded:
        """It comes several times, and only the last says that it is."""
        if message.get("status") == "in_progress":
            return self._words_so_far(message)
        item_id = need_text(message, "item_id")
        if not self._model.enable_input_audio_transcription or self._told.get(item_id, "") is None:
            return []
        decoded = self._input_transcript_done(message)
        self._tell(item_id, None)
        return decoded

    def _tell(self, item_id: str, words: str | None) -> None:
        self._told[item_id] = words
        if len(self._told) > MOST_TRANSCRIPTS:
            forget_oldest(self._told)

    # Responses

    def _begin(self, message: Message) -> Decoded:
        response_id = need_text(need_object(message, "response"), "id")
        if response_id in self._live or response_id in self._ended:
            return []
        # There is one at a time: the end of the one before was not told.
        decoded: Decoded = []
        for earlier in list(self._live):
            decoded += self._end(earlier, "turn_detected")
        self._live[response_id] = _Live()
        self._request = ""
        self._items = self._unanswered = False
        return [*decoded, ModelResponseCreated(response_id)]

    def _part_added(self, message: Message) -> Decoded:
        live = self._live.get(as_text(message.get("response_id")))
        item_id = as_text(message.get("item_id"))
        if live is not None and item_id:
            live.audio.add(item_id)
            live.words.add(item_id)
        return []

    def _audio_ends(self, message: Message) -> Decoded:
        decoded = self._audio_done(message)
        live = self._live.get(message["response_id"])
        if live is not None:
            live.audio.discard(message["item_id"])
        return decoded

    def _words_end(self, message: Message) -> Decoded:
        decoded = self._transcript_done(message)
        live = self._live.get(message["response_id"])
        if live is not None:
            live.words.discard(message["item_id"])
        return decoded

    def _finish(self, message: Message) -> Decoded:
        response_id = need_text(need_object(message, "response"), "id")
        if response_id in self._ended:
            return []
        decoded = self._response_done(message)
        self._close(response_id)
        return decoded

    def _usage(self, message: Message, response: Message) -> Message:
        return as_object(message.get("usage")) or as_object(response.get("usage"))

    def _end(self, response_id: str, reason: str) -> Decoded:
        """The end of a response, if it was not told."""
        live = self._live.get(response_id)
        if live is None:
            return []
        self._close(response_id)
        self._calls.forget(response_id, completed=False)
        return [
            *(ModelResponseAudioDone(response_id, item_id) for item_id in sorted(live.audio)),
            *(ModelResponseAudioTranscriptDone(response_id, item_id) for item_id in sorted(live.words)),
            ModelResponseDone(response_id, metadata={"status": "cancelled", "reason": live.stopped or reason}),
        ]

    def _end_stopped(self) -> Decoded:
        """By now the responses that were to stop have."""
        stopped = [(response_id, live.stopped) for response_id, live in self._live.items() if live.stopped]
        return [event for response_id, why in stopped for event in self._end(response_id, why)]

    def _close(self, response_id: str) -> None:
        self._live.pop(response_id, None)
        self._ended[response_id] = None
        if len(self._ended) > MOST_OVER:
            forget_oldest(self._ended)

    # Errors

    def _failed(self, message: Message) -> Decoded:
        """Whether an error names its request is not documented: one that does not is about what waits for an answer."""
        details = as_object(message.get("error"))
        if not as_text(details.get("event_id")):
            details = {**details, "event_id": self._blamed(details)}
        decoded = self._error_event({**message, "error": details})
        request_id = as_text(details["event_id"])
        if request_id == self._request:
            self._request = ""
        if request_id == self._configuring:
            self._configuring = ""
        response_id = self._cancels.pop(request_id, None)
        if response_id is not None:
            decoded = [*self._end(response_id, "client_cancelled"), *decoded]
        return decoded

    def _blamed(self, details: Message) -> str:
        """The request that an error is about that does not say so, if it can be told."""
        match CONFLICTS.get(as_text(details.get("code"))):
            case "already_active":
                return self._request
            case "nothing_active":
                return next(iter(self._cancels), "")
            case _:
                return self._configuring if details.get("type") == "invalid_request_error" else ""

    decoders: ClassVar[Mapping[str, Callable[[Any, Message], Decoded]]] = {
        **OpenAIProtocol.decoders,
        "ping": OpenAIProtocol._nothing,  # of the application's; it needs no answer
        "conversation.created": _conversation_created,
        "session.updated": _configured,
        "input_audio_buffer.committed": OpenAIProtocol._nothing,  # the speech in it has been named
        "input_audio_buffer.speech_started": _user_speaks,
        "input_audio_buffer.speech_stopped": _user_is_silent,
        "conversation.item.added": _item_new,
        "conversation.item.created": _item_new,  # as the documentation names it
        "conversation.item.input_audio_transcription.updated": _words_so_far,
        "conversation.item.input_audio_transcription.completed": _words_complete,
        "response.created": _begin,
        "response.content_part.added": _part_added,
        "response.output_audio.done": _audio_ends,
        "response.output_audio_transcript.done": _words_end,
        "response.done": _finish,
        "error": _failed,
    }


def _is_typed(item: Message) -> bool:
    return not any(as_object(part).get("type") == "input_audio" for part in as_list(item.get("content")))
