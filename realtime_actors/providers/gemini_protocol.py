"""Gemini Live's wire (BidiGenerateContent): frames to events and commands to frames, without I/O.

Fields are those of the official SDK's types (`google-genai` 3.4.0); what they leave open (the order of messages, which
fields come together) is as seen on real sessions of July to October 2026 and said in the API reference.

The wire names no turns: a reply is what comes until `turnComplete`, or until a tool call, after whose result the model
goes on by itself, in what is another reply here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import msgspec
import orjson

from realtime_actors.events import (
    PCM_24K,
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    AudioFormat,
    CancelResponse,
    Configure,
    CreateResponse,
    DeleteItem,
    HistoryItem,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    SessionConfigured,
    SessionEnding,
    SessionResumable,
    ToolCallsCancelled,
    ToolUse,
    TruncateItem,
)

from .calls import forget_oldest
from .gemini_asking import ACTIVITY_START, TOOL_RESPONSE, Asking, refused
from .gemini_hearing import Hearing
from .gemini_history import turns_of
from .gemini_reply import Reply, ending
from .history import with_history
from .json_wire import Decoded, JSONProtocol, Message, as_count, as_list, as_object, as_text, dump

if TYPE_CHECKING:
    from .gemini import GeminiRealtimeModel

__all__ = ["GeminiProtocol"]

LONGEST_HANDLE = 8192
MOST_CALLED = 256
"""Calls that are remembered; one that comes twice does so at once."""
UNTOLD_NOTICE = 10.0
"""Seconds until the server ends a connection, when it does not say how many."""

_PCM_24K = "audio/pcm;rate=24000"
_CANCELLED_CALL = "The call was cancelled: the user interrupted the reply."


class _Exactly(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What has these fields and no others."""


class _Media(_Exactly, gc=False, rename={"type": "mimeType"}):
    type: str
    data: str


class _Part(_Exactly, gc=False, rename={"media": "inlineData"}):
    media: _Media


class _Turn(_Exactly, gc=False):
    parts: tuple[_Part]
    role: str = ""


class _Content(_Exactly, gc=False, rename={"turn": "modelTurn"}):
    turn: _Turn


class _Speech(_Exactly, gc=False, rename={"content": "serverContent"}):
    """A message that holds a piece of speech and nothing else."""

    content: _Content


_read_speech = msgspec.json.Decoder(_Speech).decode


class GeminiProtocol(JSONProtocol):
    """One socket of Gemini's wire. `name` is unique, and part of every id that is made here."""

    __slots__ = (
        "_answered",
        "_asked",
        "_asking",
        "_before",
        "_called",
        "_calling",
        "_configuration",
        "_count",
        "_gemini",
        "_hearing",
        "_name",
        "_pushed",
        "_reply",
        "_seeded",
        "_spoken",
        "_stale",
        "_unsaved",
        "_usage",
    )

    def __init__(self, model: GeminiRealtimeModel, name: str | None = None) -> None:
        super().__init__(model)
        self._gemini = model
        self._name = name or uuid.uuid4().hex[:12]
        self._count = 0
        self._asking = Asking(model.model_name, model.is_manual, model.sends_realtime_text, model.input_rate)
        self._hearing = Hearing(self._new_id)
        self._configuration: Configure | None = None
        self._before: tuple[HistoryItem, ...] = ()  # what was said before this socket and stands in the instructions
        self._seeded = False  # whether we told what was said before, and no reply has begun since
        self._reply: Reply | None = None
        self._asked = False  # whether a reply was asked for that has not begun
        self._stale = False  # whether the turn that comes in is one that is over here
        self._pushed = False  # whether we said something that interrupts the turn that comes in
        self._called: dict[str, None] = {}  # calls that were told, so that one that comes twice is made once
        self._usage: Message = {}
        self._unsaved = False  # whether something happened since the latest handle
        self._spoken = False  # whether there was speech, or another call, that it may be of
        self._calling = False  # whether the turn that comes in has called tools: more of it may come
        self._answered: tuple[str, ...] = ()  # the items that the latest reply is one to, unless it is one to speech

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._name}_{self._count}"

    # To the provider

    def encode(self, command: ModelCommand) -> list[str | bytes]:
        match command:
            case Configure():
                return self._configure(command)
            case CancelResponse():
                self._cancel(command)
                return []
            case TruncateItem() | DeleteItem():
                return []  # the wire has no words for them
            case _:
                frames = self._asking.encode(command)
                if frames and frames[0] is ACTIVITY_START:
                    self._hearing.turn_begins()
        if frames and isinstance(command, CreateResponse):
            self._asked = self._unsaved = True
            # Results make the model reply, which the text behind them interrupts.
            interrupts_itself = len(frames) > 1 and str(frames[0]).startswith(TOOL_RESPONSE)
            self._pushed = self._reply is not None or self._stale or interrupts_itself
        return frames

    def patience(self, command: ModelCommand) -> float | None:
        return 0.0 if _id_of(command) in self._asking.said else None

    def unanswered(self, command: ModelCommand) -> Decoded:
        return self._asking.said.pop(_id_of(command), [])

    def _configure(self, command: Configure) -> list[str | bytes]:
        """The setup, which may be sent only once; later, what has changed."""
        if self._configuration is None:
            # `clientContent` may be refused in a session that is gone on with, so that what it misses stands here.
            self._before = command.since if command.handle else ()
        command = attrs.evolve(command, instructions=with_history(command.instructions, self._before))
        before, self._configuration = self._configuration, command
        if before is None:
            return [dump({"setup": self._gemini.setup(command)})]
        if not self._gemini.updates_context:
            self._configuration = before
            problem = f"{self._model.model_name} takes its instructions and tools at the beginning of a session only"
            self._asking.said[command.request_id] = [refused(command.request_id, "unsupported", problem)]
            return []
        self._asking.said[command.request_id] = [SessionConfigured()]
        update: Message = {}
        if command.instructions != before.instructions:
            update["systemInstruction"] = {"parts": [{"text": command.instructions}]}
        if command.tools != before.tools:
            update["tools"] = {"tools": self._gemini.tools(command)}
        return [dump({"contextUpdate": update})] if update else []

    def seed(self, history: Sequence[HistoryItem]) -> list[str | bytes]:
        if not history or self._configuration is None or self._configuration.handle:
            return []
        self._seeded = True
        # What is announced as history is closed by this, and not replied to; otherwise it stays open for what comes.
        content = {"turns": turns_of(history), "turnComplete": self._gemini.takes_history_first}
        return [dump({"clientContent": content})]

    def _cancel(self, command: CancelResponse) -> None:
        """There is no word for it: the rest of the turn is passed over, and whatever is said next interrupts it."""
        request_id = command.request_id
        if self._reply is None or self._reply.id != command.response_id:
            self._asking.said[request_id] = [refused(request_id, "", "that reply has ended", is_race=True)]
            return
        self._asking.said[request_id] = self._end("cancelled", "client_cancelled")
        self._stale = True

    # From the provider

    def decode(self, frame: str | bytes) -> Decoded:
        # The hot path: a piece of speech and nothing else, whose base64 is not opened. What else there is in a frame,
        # and what may be wrong with it, is found on the other path.
        if self._reply is not None and not self._stale:
            try:
                media = _read_speech(frame).content.turn.parts[0].media
            except (msgspec.DecodeError, UnicodeError):
                pass
            else:
                if media.type == _PCM_24K and _is_standard(media.data):
                    return [self._reply.speaks(media.data, PCM_24K)]
        return super().decode(frame)

    def _read(self, message: Message) -> Decoded:
        said: Decoded = []
        if "usageMetadata" in message:
            self._usage = as_object(message["usageMetadata"])
        for key, reader in self.readers.items():
            if key in message:
                said += reader(self, as_object(message[key]))
        if not self.readers.keys() >= message.keys():
            said += self._unknown_message(message)
        if self._reply is None:
            self._usage = {}  # of no reply of ours
        return said

    def _unknown_message(self, message: Message) -> Decoded:
        """What has none of the known keys may be an error: the SDK takes it for one."""
        for key in message.keys() - self.readers.keys():
            self._ignore_unknown(key)
        error = as_object(message.get("error")) or message
        if "message" not in error:
            return []
        kind, code = as_text(error.get("status")) or "error", error.get("code")
        shown = str(code) if isinstance(code, str | int) else ""
        return [ModelError(self._model.quoted(kind), shown[:100], self._model.quoted(as_text(error["message"])))]

    def _nothing(self, value: Message) -> Decoded:
        return []

    def _setup_complete(self, value: Message) -> Decoded:
        return [ModelSessionCreated(as_text(value.get("sessionId")) or self._new_id("sess")), SessionConfigured()]

    def _server_content(self, content: Message) -> Decoded:
        said: Decoded = []
        turn = content.get("modelTurn")
        if "inputTranscription" in content:
            said += self._heard(as_object(content["inputTranscription"]))
        if "outputTranscription" in content:
            said += self._words(as_text(as_object(content["outputTranscription"]).get("text")))
        if turn is not None:
            for part in as_list(as_object(turn).get("parts")):
                said += self._part(as_object(part))
        if content.get("interrupted") is True:
            said += self._interrupted()
        if content.get("generationComplete") is True and self._reply is not None:
            said += self._reply.generated() + self._hearing.finish()
        if content.get("turnComplete") is True:
            said += self._turn_complete(as_text(content.get("turnCompleteReason")))
        if not content.keys() <= _CONTENT:
            for key in content.keys() - _CONTENT:
                self._ignore_unknown(f"serverContent.{key}")
        return said

    def _part(self, part: Message) -> Decoded:
        if self._stale:
            return []
        text = part.get("text")
        if "inlineData" in part:
            return self._audio(as_object(part["inlineData"]))
        if isinstance(text, str):
            # A spoken reply's texts are the model's thoughts: its words come as their transcription.
            return self._words(text) if self._gemini.writes and part.get("thought") is not True else []
        for key in part.keys() - _PARTS:
            self._ignore_unknown(f"part.{key}")
        return []

    def _audio(self, media: Message) -> Decoded:
        data, kind = media.get("data"), media.get("mimeType")
        if not isinstance(data, str) or not isinstance(kind, str):
            return [self._protocol_error("a reply has media without data or without a MIME type")]
        audio_format = PCM_24K if kind == _PCM_24K else _audio_format(kind)
        if audio_format is None:
            return self._ignore_unknown(f"media of the type {kind}")
        if not _is_standard(data):
            data = data.replace("-", "+").replace("_", "/")
        if self._reply is not None:
            return [self._reply.speaks(data, audio_format)]
        began, reply = self._begin()
        return [*began, reply.speaks(data, audio_format)]

    def _words(self, text: str) -> Decoded:
        if self._stale or not text:
            return []
        began, reply = self._begin()
        return [*began, reply.says(text)]

    def _begin(self) -> tuple[Decoded, Reply]:
        """The reply that comes in; it begins by whatever comes first of it."""
        if self._reply is not None:
            return [], self._reply
        heard = self._hearing.stopped(self._asking.position_ms)
        began, reply = self._new_reply()
        return [*heard, *began], reply

    def _new_reply(self) -> tuple[Decoded, Reply]:
        self._asked, self._unsaved, self._seeded = False, True, False
        self._reply = Reply(self._new_id("resp"), self._new_id("item"))
        self._answered = tuple(self._asking.arrived())
        self._spoken = self._hearing.has_heard or self._calling
        said: Decoded = [ItemAdded(item_id) for item_id in self._answered]
        return [*said, ModelResponseCreated(self._reply.id)], self._reply

    def _end(self, status: str, reason: str = "") -> Decoded:
        reply, self._reply = self._reply, None
        usage, self._usage = self._usage, {}
        assert reply is not None
        said = reply.ended()
        metadata = {"status": status}
        if reason:
            metadata["reason"] = reason
        if status == "failed":
            failure = ModelError("response_failed", reason[:100], self._model.quoted(f"the reply has failed: {reason}"))
            metadata |= {"error_code": failure.code, "error_message": failure.message}
            said.append(failure)
        for name, count in (("thoughts_tokens", "thoughtsTokenCount"), ("cached_tokens", "cachedContentTokenCount")):
            if as_count(usage.get(count)):
                metadata[name] = str(usage[count])
        # Results of the provider's own tools are counted apart from the prompt that they are part of.
        tokens_in = as_count(usage.get("promptTokenCount")) + as_count(usage.get("toolUsePromptTokenCount"))
        tokens_out = as_count(usage.get("responseTokenCount"))
        return [*said, ModelResponseDone(reply.id, tokens_in, tokens_out, metadata)]

    def _interrupted(self) -> Decoded:
        """The turn is over for the listener; its end, with what it has cost, comes next."""
        said: Decoded = []
        # A model that says when speech begins has done so. Otherwise it was what we said, in a silence of its own.
        pushed = self._pushed or (self._hearing.tells and not self._hearing.is_open)
        if not pushed and not self._gemini.is_manual:
            said += self._hearing.started(self._asking.position_ms)
        if self._reply is None and self._asked and not pushed and not self._stale:
            said += self._new_reply()[0]  # the one that was asked for, which is over before it has begun
        if self._reply is not None:
            self._reply.interrupted = True
            said += self._reply.generated()
        self._stale = self._reply is not None or self._asked
        return said

    def _turn_complete(self, reason: str) -> Decoded:
        said: Decoded = []
        if self._reply is None and self._asked and not self._stale:
            said += self._begin()[0]  # it has nothing to say to what was asked
        if self._reply is not None:
            said += self._hearing.finish()
            interrupted = self._reply.interrupted
            said += self._end("cancelled", "turn_detected") if interrupted else self._end(ending(reason), reason)
        self._stale = self._pushed = self._calling = False
        return said

    def _tool_call(self, value: Message) -> Decoded:
        said: Decoded = []
        uses: list[ToolUse] = []
        for each in as_list(value.get("functionCalls")):
            call = as_object(each)
            call_id, name = as_text(call.get("id")), as_text(call.get("name"))
            if call_id in self._called:
                continue
            if call_id and name:
                self._called[call_id] = None
                if len(self._called) > MOST_CALLED:
                    forget_oldest(self._called)
                arguments = as_object(call.get("args"))
                uses.append(ToolUse(call_id, name, arguments, orjson.dumps(arguments).decode()))
            else:
                said.append(self._protocol_error("a tool call has no id or no name"))
        if not uses:
            return said
        if self._stale:
            # Nobody carries out the calls of a reply that was cancelled, but the model waits for their results.
            for use in uses:
                self._asking.answer(use.id, use.name, {"error": _CANCELLED_CALL})
            self._stale = self._pushed = False
            return said
        began, reply = self._begin()
        said += began + reply.ended() + self._hearing.finish()
        for use in uses:
            self._asking.called(use.id)
            item_id = self._new_id("item")
            said.append(ModelResponseToolUseDelta(reply.id, item_id, use))
            said.append(ModelResponseToolUseDone(reply.id, item_id, use))
        self._calling = True
        return said + self._end("completed")

    def _calls_cancelled(self, value: Message) -> Decoded:
        call_ids = [call_id for call_id in as_list(value.get("ids")) if isinstance(call_id, str)]
        if not call_ids:
            return []
        useless = self._asking.cancel_calls(call_ids)
        said: Decoded = [ToolCallsCancelled(tuple(call_ids)), *(ItemAdded(item_id) for item_id in useless)]
        # With its calls the turn is over. If it was only waiting for them, this is all that is said of its end.
        self._stale = False
        return said if self._reply is None else [*said, *self._end("cancelled", "turn_detected")]

    # The user

    def _heard(self, transcription: Message) -> Decoded:
        text = as_text(transcription.get("text"))
        idle = self._reply is None and not self._stale
        self._spoken = self._spoken or self._reply is not None  # the words of speech may come after the reply to it
        said = self._hearing.words(text, self._asking.position_ms, idle=idle) if text else []
        return said + self._hearing.finish() if transcription.get("finished") is True else said

    def _voice_activity(self, value: Message) -> Decoded:
        at_ms = _milliseconds(as_text(value.get("audioOffset")))
        if at_ms is None:
            at_ms = self._asking.position_ms
        match value.get("type", value.get("voiceActivityType")):
            case "ACTIVITY_START":
                return self._hearing.started(at_ms, told=True)
            case "ACTIVITY_END":
                return self._hearing.stopped(at_ms)
            case _:
                return []

    def _voice_signal(self, value: Message) -> Decoded:
        match value.get("vadSignalType"):
            case "VAD_SIGNAL_TYPE_SOS":
                return self._hearing.started(self._asking.position_ms, told=True)
            case "VAD_SIGNAL_TYPE_EOS":
                return self._hearing.stopped(self._asking.position_ms)
            case _:
                return []

    # The session

    def _resumption(self, value: Message) -> Decoded:
        handle = as_text(value.get("newHandle"))
        if value.get("resumable") is not True or not handle or len(handle) > LONGEST_HANDLE:
            return []
        self._unsaved = False
        # One that comes before the first reply may be of before we told what was said: a new session is told it again.
        if self._seeded or not self._gemini.resumes:  # Gemini 3 gives handles unasked
            return []
        # What stands in the instructions is not kept, and what was sent while the model began to reply to speech may
        # still be on its way.
        told = tuple(item.id for item in self._before)
        return [SessionResumable(handle, unsure=(*told, *(self._answered if self._spoken else ())))]

    def _go_away(self, value: Message) -> Decoded:
        left_ms = _milliseconds(as_text(value.get("timeLeft")))
        left = UNTOLD_NOTICE if left_ms is None else left_ms / 1000
        return [SessionEnding(left, f"the server ends the connection in {left:g} s")]

    @property
    def settled(self) -> bool:
        """Whether the handle is newer than all that was said: a session that goes on from an older one knows less."""
        saved = not self._unsaved or not self._gemini.resumes
        return saved and not (self._stale or self._asking.owes_results or self._hearing.is_open)

    readers: ClassVar[Mapping[str, Callable[[Any, Message], Decoded]]] = {
        "setupComplete": _setup_complete,
        "sessionResumptionUpdate": _resumption,
        "voiceActivity": _voice_activity,
        "voiceActivityDetectionSignal": _voice_signal,
        "toolCallCancellation": _calls_cancelled,
        "serverContent": _server_content,
        "toolCall": _tool_call,
        "goAway": _go_away,
        "usageMetadata": _nothing,
        "interactionStatus": _nothing,  # a reply of ours is an utterance, and more may follow by itself
    }
    """What each key of a message means, in the order in which they are read where several come together."""


_CONTENT = frozenset(
    {
        "modelTurn",
        "inputTranscription",
        "outputTranscription",
        "interimInputTranscription",  # the other one has all of it
        "generationComplete",
        "turnComplete",
        "turnCompleteReason",
        "interrupted",
        "interactionStatus",
        "waitingForInput",
        "groundingMetadata",
        "urlContextMetadata",
        "speechState",
    }
)
_PARTS = frozenset({"text", "thought", "thoughtSignature", "executableCode", "codeExecutionResult"})


def _id_of(command: ModelCommand) -> str:
    match command:
        case AppendAudio():
            return ""
        case AppendText(item_id) | AppendImage(item_id) | AppendToolResult(item_id):
            return item_id
        case _:
            return command.request_id


def _is_standard(data: str) -> bool:
    """Whether this is not of the other alphabet of base64, which the wire allows too."""
    return "-" not in data and "_" not in data


def _audio_format(media_type: str) -> AudioFormat | None:
    """`audio/pcm;rate=24000`, with another rate; `None` for anything else."""
    found = re.fullmatch(r"audio/(?:pcm|L16)(?:;\s*rate=(\d{4,6}))?(?:;.*)?", media_type[:80])
    rate = int(found[1] or PCM_24K.rate) if found else 0
    return AudioFormat(rate=rate) if 8000 <= rate <= 48000 else None


def _milliseconds(duration: str) -> int | None:
    """`1.880s`, as protobuf writes durations, in ms."""
    found = re.fullmatch(r"(\d{1,9})(\.\d{1,9})?s", duration)
    return None if found is None else round(float(duration[:-1]) * 1000)
