"""The session: a pure state machine between a client's events and a brain's steps on one side, effects on the other.

No clock, no socket, no task: whoever runs it carries out the effects, in order, and comes back with what came of
them.
"""

from collections.abc import Callable
from random import Random
from typing import Literal

from realtime_actors.simulators.effects import Cancel, Close, Effect, Generate, Send, Transcribe, TranscriptOrder
from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_base64,
    check_choice,
    check_keys,
    check_object,
    check_string,
    require,
)
from realtime_actors.simulators.openai.conversation import (
    Conversation,
    Item,
    read_truncate,
)
from realtime_actors.simulators.openai.formats import duration_ms, sample_rate, to_pcm16
from realtime_actors.simulators.openai.input_audio import (
    Began,
    DetectorFactory,
    Ended,
    InputAudio,
    detector_for,
)
from realtime_actors.simulators.openai.options import read_options
from realtime_actors.simulators.openai.response import Response
from realtime_actors.simulators.openai.settings import initial_session, merge_session
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.simulators.steps import AddText, Finish, Step, split_words, text_tokens

__all__ = ["Session"]

MAX_SIDE_RESPONSES = 8
"""Responses outside the conversation that may run at once."""

MIN_COMMIT_MS = 100


class Session:
    """One realtime session. Every method returns what is to be done now, in order.

    Args:
        model: the model of the connection's URL.
        expires_at: the end of the session, in seconds since the epoch.
        random: where ids, extras and the place of transcripts come from.
        transcripts: when input transcripts are told.
        detector: makes the voice activity detector.
    """

    def __init__(
        self,
        model: str,
        *,
        expires_at: int,
        random: Random,
        transcripts: TranscriptOrder = "random",
        detector: DetectorFactory = detector_for,
    ) -> None:
        self._stamp = Stamp(random)
        self._settings = initial_session(self._stamp.id("sess"), model, expires_at)
        self._conversation = Conversation(self._stamp)
        audio = self._settings["audio"]["input"]
        self._input = InputAudio(audio["format"], audio["turn_detection"], detector)
        self._transcripts: TranscriptOrder = transcripts
        self._responses: dict[str, Response] = {}  # those in progress
        self._active: Response | None = None  # the one that holds the conversation
        self._voice_locked = False
        self._speech_item: str | None = None
        self._untold: list[tuple[str, list[Json]]] = []  # (when, events) of transcripts that wait
        self._unheard: dict[str, Item] = {}  # items whose transcript is awaited
        self._handlers: dict[str, tuple[Callable[[Json], list[Effect]], tuple[str, ...]]] = {
            "session.update": (self._update, ("session",)),
            "input_audio_buffer.append": (self._append, ("audio",)),
            "input_audio_buffer.commit": (self._commit, ()),
            "input_audio_buffer.clear": (self._clear, ()),
            "conversation.item.create": (self._create_item, ("item", "previous_item_id")),
            "conversation.item.retrieve": (self._retrieve, ("item_id",)),
            "conversation.item.truncate": (self._truncate, ("item_id", "content_index", "audio_end_ms")),
            "conversation.item.delete": (self._delete, ("item_id",)),
            "response.create": (self._create_response, ("response",)),
            "response.cancel": (self._cancel, ("response_id",)),
            "output_audio_buffer.clear": (self._clear_output, ()),
        }

    @property
    def conversation_id(self) -> str:
        return self._conversation.id

    # -- what the runner calls -------------------------------------------------------------------------------------

    def start(self) -> list[Effect]:
        """The connection is there: greet it."""
        return [self._send("session.created", session=self._settings)]

    def receive(self, message: object) -> list[Effect]:
        """Take one client event, as decoded from JSON. What is not allowed becomes an error event."""
        event_id: str | None = None
        try:
            event = self._read_envelope(message)
            if event.get("event_id") is not None:
                event_id = check_string(event["event_id"], "event_id")
            kind = check_choice(require(event, "type"), "type", tuple(self._handlers))
            handler, keys = self._handlers[kind]
            check_keys(event, ("type", "event_id", *keys))
            return handler(event)
        except Rejected as error:
            return [Send(self._rejection(error, event_id))]

    def refuse(self, message: str) -> list[Effect]:
        """A frame was no event at all."""
        return [Send(self._rejection(Rejected("invalid_event", message), None))]

    def reject(self, error: Rejected, event: Json) -> list[Effect]:
        """A client event was refused before it came here."""
        event_id = event.get("event_id")
        return [Send(self._rejection(error, event_id if isinstance(event_id, str) else None))]

    def fault(self, message: str, code: str | None, kind: str) -> list[Effect]:
        """An error event that no client event caused."""
        return [Send(self._stamp.error(message, code=code, kind=kind))]

    def expire(self, lifetime: float) -> list[Effect]:
        """The session has reached its limit, this many seconds."""
        message = f"Your session hit the maximum duration of {lifetime / 60:g} minutes."
        return [*self.fault(message, "session_expired", "invalid_request_error"), Close(1001, message)]

    def generate(self, response_id: str, step: Step) -> list[Effect]:
        """Take one step of what a response generates; nothing happens if it has ended."""
        response = self._responses.get(response_id)
        if response is None:
            return []
        effects: list[Effect] = [Send(event) for event in response.take(step)]
        if response.has_audio:
            self._voice_locked = True
        if isinstance(step, AddText) and response.active:
            effects += self._tell("during")
        if not response.active:
            effects += self._ended(response)
        return effects

    def overlap(self, response: Response) -> list[Effect]:
        """A second response beside this one, as no honest server starts it. It is generated with other words."""
        if not response.active:
            return []
        second = Response(response.options, response.context, self._conversation, self._stamp)
        self._responses[second.id] = second
        return [Send(second.created()), Generate(second)]

    def unheard(self, response: Response) -> list[str]:
        """The items of this response's context whose words the brain does not know yet."""
        return [item.id for item in response.context if item.id in self._unheard]

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        """The words of a user's audio are known (told to the client if it wants them, some time or other)."""
        item = self._unheard.pop(item_id)
        item.text = text
        settings = self._settings["audio"]["input"]["transcription"]
        if settings is None:
            return []
        content: list[Json] = item.wire["content"]
        parts = [{**part, "transcript": text} if part["type"] == "input_audio" else part for part in content]
        item.wire["content"] = parts
        kind = "conversation.item.input_audio_transcription"
        index = next(i for i, part in enumerate(parts) if part["type"] == "input_audio")
        where: Json = {"item_id": item_id, "content_index": index}
        pieces = [text] if settings["model"] == "whisper-1" else split_words(text)
        events = [self._stamp.event(f"{kind}.delta", **where, delta=piece) for piece in pieces if piece]
        usage = _transcription_usage(item, text, settings["model"])
        events.append(self._stamp.event(f"{kind}.completed", **where, transcript=text, usage=usage))
        return self._tell_some_time(events)

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]:
        """The words of a user's audio will not be known."""
        self._unheard.pop(item_id)
        if self._settings["audio"]["input"]["transcription"] is None:
            return []
        failed = self._stamp.event(
            "conversation.item.input_audio_transcription.failed",
            item_id=item_id,
            content_index=0,
            error={"type": "transcription_error", "code": "audio_unintelligible", "message": message},
        )
        return self._tell_some_time([failed])

    # -- client events ---------------------------------------------------------------------------------------------

    def _read_envelope(self, message: object) -> Json:
        if not isinstance(message, dict):
            raise Rejected("invalid_event", "The event is not a JSON object.")
        return check_object(message, "event")  # pyright: ignore[reportUnknownArgumentType]  # any dict

    def _rejection(self, error: Rejected, event_id: str | None) -> Json:
        return self._stamp.error(error.message, code=error.code, param=error.param, client_event_id=event_id)

    def _send(self, kind: str, **fields: object) -> Send:
        return Send(self._stamp.event(kind, **fields))

    def _update(self, event: Json) -> list[Effect]:
        self._settings = merge_session(self._settings, require(event, "session"), voice_locked=self._voice_locked)
        audio = self._settings["audio"]["input"]
        self._input.configure(audio["format"], audio["turn_detection"])
        return [self._send("session.updated", session=self._settings)]

    def _append(self, event: Json) -> list[Effect]:
        effects: list[Effect] = []
        for found in self._input.append(check_base64(require(event, "audio"), "audio")):
            effects += self._speech_began(found) if isinstance(found, Began) else self._speech_ended(found)
        return effects

    def _commit(self, event: Json) -> list[Effect]:
        if self._input.buffered_ms < MIN_COMMIT_MS:
            raise Rejected(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {self._input.buffered_ms:.2f}ms of audio.",
            )
        return self._add_audio(self._input.commit())

    def _clear(self, event: Json) -> list[Effect]:
        self._input.clear()
        self._speech_item = None
        return [self._send("input_audio_buffer.cleared")]

    def _create_item(self, event: Json) -> list[Effect]:
        item, events = self._conversation.create(event, self._input.format)
        effects: list[Effect] = [Send(told) for told in events]
        if item.audio and not item.text:
            effects.append(self._transcribe(item))
        return effects

    def _retrieve(self, event: Json) -> list[Effect]:
        item_id = check_string(require(event, "item_id"), "item_id")
        return [Send(self._conversation.retrieve(item_id))]

    def _truncate(self, event: Json) -> list[Effect]:
        return [Send(self._conversation.truncate(*read_truncate(event)))]

    def _delete(self, event: Json) -> list[Effect]:
        return [Send(self._conversation.delete(check_string(require(event, "item_id"), "item_id")))]

    def _create_response(self, event: Json) -> list[Effect]:
        params = event.get("response")
        return self._respond({} if params is None else check_object(params, "response"))

    def _cancel(self, event: Json) -> list[Effect]:
        response = self._active
        if event.get("response_id") is not None:
            response = self._responses.get(check_string(event["response_id"], "response_id"))
        if response is None:
            raise Rejected("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._cut(response, "client_cancelled")

    def _clear_output(self, event: Json) -> list[Effect]:
        raise Rejected(
            "invalid_value",
            "output_audio_buffer.clear works over WebRTC and SIP only; over a WebSocket send response.cancel.",
            "type",
        )

    # -- speech and turns ------------------------------------------------------------------------------------------

    def _speech_began(self, began: Began) -> list[Effect]:
        self._speech_item = self._stamp.id("item")
        effects: list[Effect] = [
            self._send("input_audio_buffer.speech_started", audio_start_ms=began.at_ms, item_id=self._speech_item)
        ]
        detection = self._settings["audio"]["input"]["turn_detection"]
        if self._active and detection["interrupt_response"]:
            effects += self._cut(self._active, "turn_detected")
        return effects

    def _speech_ended(self, ended: Ended) -> list[Effect]:
        stopped = self._send("input_audio_buffer.speech_stopped", audio_end_ms=ended.at_ms, item_id=self._speech_item)
        effects: list[Effect] = [stopped, *self._add_audio(ended.audio)]
        if self._settings["audio"]["input"]["turn_detection"]["create_response"]:
            try:
                effects += self._respond({})
            except Rejected as error:  # one is active, and was not to be interrupted
                effects.append(Send(self._rejection(error, None)))
        return effects

    def _add_audio(self, audio: bytes) -> list[Effect]:
        """What was in the buffer becomes a user's message."""
        item_id = self._speech_item or self._stamp.id("item")
        self._speech_item = None
        wire: Json = {
            "id": item_id,
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        length_ms = duration_ms(len(audio), self._input.format)
        item = Item(wire, audio=audio, audio_ms=length_ms, size=len(audio) + 200)
        committed = self._send(
            "input_audio_buffer.committed", previous_item_id=self._conversation.last_id, item_id=item_id
        )
        added, done = self._conversation.added(item), self._conversation.done(item)
        return [committed, Send(added), Send(done), self._transcribe(item)]

    def _transcribe(self, item: Item) -> Transcribe:
        self._unheard[item.id] = item
        audio_format = self._input.format
        return Transcribe(item.id, to_pcm16(item.audio, audio_format), sample_rate(audio_format))

    def _tell_some_time(self, events: list[Json]) -> list[Effect]:
        when = self._transcripts
        if when == "random":
            when = self._stamp.random.choice(("before", "during", "after"))
        if when == "before" or self._active is None:
            return [Send(event) for event in events]
        self._untold.append((when, events))
        return []

    def _tell(self, now: Literal["during", "after"]) -> list[Effect]:
        told = [events for when, events in self._untold if now in (when, "after")]
        self._untold = [entry for entry in self._untold if now not in (entry[0], "after")]
        return [Send(event) for events in told for event in events]

    # -- responses -------------------------------------------------------------------------------------------------

    def _respond(self, params: Json) -> list[Effect]:
        options, context = read_options(
            params, self._settings, self._conversation, self._stamp, voice_locked=self._voice_locked
        )
        if options.in_conversation and self._active is not None:
            raise Rejected(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if len(self._responses) > MAX_SIDE_RESPONSES:
            raise Rejected("rate_limit_exceeded", "Too many responses are in progress.")
        response = Response(options, context, self._conversation, self._stamp)
        self._responses[response.id] = response
        if options.in_conversation:
            self._active = response
        return [Send(response.created()), Generate(response)]

    def _cut(self, response: Response, reason: str) -> list[Effect]:
        return [*self.generate(response.id, Finish("cancelled", reason=reason)), Cancel(response.id)]

    def _ended(self, response: Response) -> list[Effect]:
        del self._responses[response.id]
        if self._active is response:
            self._active = None
        limits = [{"name": "tokens", "limit": 15000000, "remaining": 14990000, "reset_seconds": 0.04}]
        return [self._send("rate_limits.updated", rate_limits=limits), *self._tell("after")]


def _transcription_usage(item: Item, text: str, model: str) -> Json:
    if model == "whisper-1":
        return {"type": "duration", "seconds": -(-round(item.audio_ms) // 1000)}
    audio, words = round(item.audio_ms / 100), text_tokens(text)
    return {
        "type": "tokens",
        "total_tokens": audio + words,
        "input_tokens": audio,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        "output_tokens": words,
    }
