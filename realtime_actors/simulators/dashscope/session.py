"""The session: a pure state machine between a client's events and a brain's steps on one side, effects on the other."""

from collections.abc import Callable
from random import Random
from typing import Literal

import attrs

from realtime_actors.audio import VoiceActivityDetector
from realtime_actors.simulators.dashscope.response import CancelEnd, Response
from realtime_actors.simulators.dashscope.settings import (
    VOICES,
    check_modalities,
    initial_session,
    input_format,
    is_first_model,
    merge_session,
)
from realtime_actors.simulators.effects import (
    After,
    Cancel,
    Close,
    Effect,
    Generate,
    Send,
    Transcribe,
    TranscriptOrder,
)
from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_base64,
    check_choice,
    check_keys,
    check_list,
    check_object,
    check_string,
    require,
)
from realtime_actors.simulators.openai.conversation import Item
from realtime_actors.simulators.openai.formats import duration_ms
from realtime_actors.simulators.openai.input_audio import Began, DetectorFactory, Ended, InputAudio
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.simulators.steps import AddText, Finish, Step, split_words

__all__ = ["Behaviour", "Session", "detector_for"]

MAX_ITEMS = 1024
"""Beyond this the oldest items fall out of the conversation."""

MAX_IMAGE = 256 * 1024
"""Characters of base64."""

_KNOWN_CODES = ("", "invalid_value", "cannot_update_voice")


def detector_for(detection: Json, rate: int) -> VoiceActivityDetector:
    """The package's own detector, set as this `turn_detection` object says. Threshold 0.5 is -45 dBFS."""
    return VoiceActivityDetector(
        rate,
        silence_ms=detection["silence_duration_ms"],
        prefix_ms=detection["prefix_padding_ms"],
        threshold_dbfs=-65.0 + 40.0 * detection["threshold"],
    )


@attrs.frozen(kw_only=True)
class Behaviour:
    """What the service does in one way or another: the documents disagree, or it was seen to do both."""

    cancel_end: CancelEnd = "items"
    server_follows_up: bool = False
    """With turn detection: the results of all calls make the server reply, without being asked."""
    commit_seconds: float = 0.05
    """How long a commit is processed; a `response.create` that comes meanwhile is lost."""
    transcripts: TranscriptOrder = "after"


class Session:
    """One realtime session of a Qwen-Omni model. Every method returns what is to be done now, in order.

    Args:
        model: the model of the connection's URL.
        random: where ids, extras and the place of transcripts come from.
        behaviour: what is left open by the documents.
        detector: makes the voice activity detector.
    """

    def __init__(
        self, model: str, *, random: Random, behaviour: Behaviour, detector: DetectorFactory = detector_for
    ) -> None:
        self._stamp = Stamp(random)
        self._behaviour = behaviour
        self._settings = initial_session(self._stamp.id("sess"), model)
        self._input = InputAudio(input_format(self._settings), self._settings["turn_detection"], detector)
        self._items: list[Item] = []
        self._images = 0  # in the buffer
        self._appended = False  # whether audio was appended since the last commit
        self._committing = False
        self._responses: dict[str, Response] = {}  # those in progress
        self._active: Response | None = None  # the one that holds the conversation
        self._answered: set[str] = set()  # calls whose results have come
        self._to_follow: set[str] = set()  # calls of the last response, until the server replies to their results
        self._voice_locked = False
        self._speech_item: str | None = None
        self._untold: list[tuple[str, list[Json]]] = []  # (when, events) of transcripts that wait
        self._unheard: dict[str, Item] = {}  # items whose transcript is awaited
        self._handlers: dict[str, tuple[Callable[[Json], list[Effect]], tuple[str, ...]]] = {
            "session.update": (self._update, ("session",)),
            "session.finish": (self._finish_session, ()),
            "input_audio_buffer.append": (self._append, ("audio",)),
            "input_audio_buffer.commit": (self._commit, ()),
            "input_audio_buffer.clear": (self._clear, ()),
            "input_image_buffer.append": (self._append_image, ("image",)),
            "conversation.item.create": (self._create_item, ("item",)),
            "response.create": (self._create_response, ("response",)),
            "response.cancel": (self._cancel, ()),
        }

    # -- what the runner calls -------------------------------------------------------------------------------------

    def start(self) -> list[Effect]:
        """The connection is there: greet it."""
        return [self._send("session.created", session=self._settings)]

    def receive(self, message: object) -> list[Effect]:
        """Take one client event, as decoded from JSON. What is not allowed becomes an error event."""
        try:
            event = check_object(message, "event")
            kind = check_choice(require(event, "type"), "type", tuple(self._handlers))
            handler, keys = self._handlers[kind]
            check_keys(event, ("type", "event_id", *keys))
            return handler(event)
        except Rejected as error:
            return self._reject(error)

    def refuse(self, message: str) -> list[Effect]:
        """A frame was no event at all."""
        return self._reject(Rejected("invalid_value", message))

    def fault(self, message: str, code: str | None, kind: str) -> list[Effect]:
        """An error event that no client event caused."""
        return [self._send("error", error={"type": kind, "code": code or "", "message": message})]

    def expire(self, lifetime: float) -> list[Effect]:
        """The session has reached its limit: it is closed."""
        return [Close(1000, f"session exceeded {lifetime / 60:g} minutes")]

    def generate(self, response_id: str, step: Step) -> list[Effect]:
        """Take one step of what a response generates; nothing happens if it has ended."""
        response = self._responses.get(response_id)
        if response is None:
            return []
        voice: str = response.settings["voice"]
        if isinstance(step, AddText) and step.pcm and voice not in VOICES:
            message = f"Voice '{voice}' is not supported."
            error = {"type": "invalid_request_error", "code": "", "message": message}
            return [
                *self.fault(message, "", "invalid_request_error"),
                *self._step(response, Finish("failed", error=error)),
            ]
        return self._step(response, step)

    def overlap(self, response: Response) -> list[Effect]:
        """A second response beside this one, as no honest server starts it. It is generated with other words."""
        if not response.active:
            return []
        second = self._new_response(response.settings)
        return [Send(second.created()), Generate(second)]

    def unheard(self, response: Response) -> list[str]:
        """The items of this response's context whose words the brain does not know yet."""
        return [item.id for item in response.context if item.id in self._unheard]

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        """The words of a user's audio are known (told to the client if it wants them, some time or other)."""
        self._unheard.pop(item_id).text = text
        if self._settings["input_audio_transcription"] is None:
            return []
        where: Json = {"item_id": item_id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        events: list[Json] = []
        if not is_first_model(self._settings["model"]):  # all that is certain, and the word that is not yet
            words = split_words(text)
            for count in range(len(words)):
                certain = {
                    "text": "".join(words[:count]),
                    "stash": words[count],
                    "language": "en",
                    "emotion": "neutral",
                }
                events.append(self._stamp.event(f"{kind}.delta", **where, **certain))
        events.append(self._stamp.event(f"{kind}.completed", **where, transcript=text))
        return self._tell_some_time(events)

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]:
        """The words of a user's audio will not be known."""
        self._unheard.pop(item_id)
        if self._settings["input_audio_transcription"] is None:
            return []
        kind = "conversation.item.input_audio_transcription.failed"
        error = {"code": "audio_unintelligible", "message": message, "param": ""}
        return self._tell_some_time([self._stamp.event(kind, item_id=item_id, content_index=0, error=error)])

    # -- client events ---------------------------------------------------------------------------------------------

    def _send(self, kind: str, **fields: object) -> Send:
        return Send(self._stamp.event(kind, **fields))

    def _reject(self, rejected: Rejected) -> list[Effect]:
        """The id of the client's event is not repeated, and every code but the known ones is the usual one."""
        code = rejected.code if rejected.code in _KNOWN_CODES else "invalid_value"
        error: Json = {"type": "invalid_request_error", "code": code, "message": rejected.message}
        if rejected.param is not None:
            error["param"] = rejected.param
        return [self._send("error", error=error)]

    def _update(self, event: Json) -> list[Effect]:
        self._settings = merge_session(self._settings, require(event, "session"), voice_locked=self._voice_locked)
        self._input.configure(input_format(self._settings), self._settings["turn_detection"])
        return [self._send("session.updated", session=self._settings)]

    def _finish_session(self, event: Json) -> list[Effect]:
        return [self._send("session.finished"), Close(1000)]

    def _append(self, event: Json) -> list[Effect]:
        effects: list[Effect] = []
        audio = check_base64(require(event, "audio"), "audio")
        self._appended = self._appended or bool(audio)
        for found in self._input.append(audio):
            effects += self._speech_began(found) if isinstance(found, Began) else self._speech_ended(found)
        return effects

    def _append_image(self, event: Json) -> list[Effect]:
        text = check_string(require(event, "image"), "image")
        if len(text) > MAX_IMAGE:
            raise Rejected("invalid_value", f"The image is {len(text)} characters of base64, more than {MAX_IMAGE}.")
        if not check_base64(text, "image").startswith(b"\xff\xd8\xff"):
            raise Rejected("invalid_value", "The image is no JPEG.", "image")
        if not self._appended:
            raise Rejected("", "Error append image before append audio.")
        self._images += 1
        return []

    def _commit(self, event: Json) -> list[Effect]:
        if self._settings["turn_detection"] is not None:
            raise Rejected("", "Internal service error: null")
        if not self._input.buffered_ms:
            raise Rejected("invalid_value", "Error committing input audio buffer: it is empty.")
        audio = self._input.commit()
        self._committing = True
        return [After(self._behaviour.commit_seconds, lambda: self._committed(audio))]

    def _committed(self, audio: bytes) -> list[Effect]:
        self._committing = False
        return self._add_audio(audio)

    def _clear(self, event: Json) -> list[Effect]:
        self._input.clear()
        self._images, self._appended, self._speech_item = 0, False, None
        return [self._send("input_audio_buffer.cleared")]

    def _create_item(self, event: Json) -> list[Effect]:
        wire = check_object(require(event, "item"), "item")
        kinds = ("message", "function_call_output")
        if check_choice(require(wire, "type", "item"), "item.type", kinds) == "message":
            return [Send(self._add(self._read_text(wire)))]
        call_id = check_string(require(wire, "call_id", "item"), "item.call_id")
        output = check_string(require(wire, "output", "item"), "item.output")
        if not any(item.wire.get("call_id") == call_id for item in self._items):
            raise Rejected("invalid_value", f"No call with the id {call_id!r:.80}.", "item.call_id")
        answer = {"object": "realtime.item", "type": "function_call_output", "call_id": call_id, "output": output}
        self._answered.add(call_id)
        return [Send(self._add(Item({"id": self._stamp.id("item"), **answer}))), *self._follow_up()]

    def _follow_up(self) -> list[Effect]:
        """Reply to the results of the last response's calls, once all are there, if that is how the server does."""
        by_itself = self._behaviour.server_follows_up and self._settings["turn_detection"] is not None
        if not by_itself or self._active is not None or not self._to_follow or self._to_follow - self._answered:
            return []
        return self._respond(self._settings)

    def _read_text(self, wire: Json) -> Item:
        model: str = self._settings["model"]
        if is_first_model(model):
            raise Rejected("invalid_value", f"{model} takes no messages of text.", "item.type")
        check_choice(require(wire, "role", "item"), "item.role", ("user",))
        texts: list[str] = []
        for entry in check_list(require(wire, "content", "item"), "item.content"):
            part = check_object(entry, "item.content")
            check_choice(require(part, "type", "item.content"), "item.content.type", ("input_text",))
            texts.append(check_string(require(part, "text", "item.content"), "item.content.text"))
        return self._user_item(self._stamp.id("item"), [{"type": "input_text", "text": text} for text in texts], texts)

    def _user_item(self, item_id: str, content: list[Json], texts: list[str]) -> Item:
        message = {"type": "message", "status": "in_progress", "role": "user", "content": content}
        return Item({"id": item_id, "object": "realtime.item", **message}, text=" ".join(texts))

    def _create_response(self, event: Json) -> list[Effect]:
        if self._committing:
            return []  # lost without a word, as measured
        settings = self._settings
        params = event.get("response")
        for key, value in check_object(params or {}, "response").items():
            match key:
                case "instructions":
                    if value is not None:
                        settings = {**settings, key: check_string(value, "response.instructions")}
                case "modalities":
                    settings = {**settings, key: check_modalities(value, "response.modalities")}
                case _:
                    raise Rejected("invalid_value", f"Unknown parameter: {key[:60]!r}.", "response")
        return self._respond(settings)

    def _cancel(self, event: Json) -> list[Effect]:
        if self._active is None:
            raise Rejected("", "Conversation has none active response")
        return self._cut(self._active, "client_cancelled")

    # -- speech and turns ------------------------------------------------------------------------------------------

    def _speech_began(self, began: Began) -> list[Effect]:
        self._speech_item = self._stamp.id("item")
        effects: list[Effect] = [
            self._send("input_audio_buffer.speech_started", audio_start_ms=began.at_ms, item_id=self._speech_item)
        ]
        if self._active is not None and self._settings["turn_detection"]["interrupt_response"]:
            effects += self._cut(self._active, "turn_detected")
        return effects

    def _speech_ended(self, ended: Ended) -> list[Effect]:
        stopped = self._send("input_audio_buffer.speech_stopped", audio_end_ms=ended.at_ms, item_id=self._speech_item)
        effects: list[Effect] = [stopped, *self._add_audio(ended.audio)]
        if self._settings["turn_detection"]["create_response"] and self._active is None:
            effects += self._respond(self._settings)
        return effects

    def _add_audio(self, audio: bytes) -> list[Effect]:
        """What was in the buffer, pictures included, becomes a user's message."""
        item_id, self._speech_item = self._speech_item or self._stamp.id("item"), None
        item = self._user_item(item_id, [{"type": "input_audio"}], [])
        item.audio_ms = duration_ms(len(audio), self._input.format)
        item.images, self._images, self._appended = self._images, 0, False
        self._unheard[item.id] = item
        return [
            self._send("input_audio_buffer.committed", item_id=item_id),
            Send(self._add(item)),
            Transcribe(item.id, audio, self._input.format["rate"]),
        ]

    def _add(self, item: Item) -> Json:
        self._items.append(item)
        if len(self._items) > MAX_ITEMS:
            del self._items[0]
        return self._stamp.event("conversation.item.created", item=dict(item.wire))

    def _tell_some_time(self, events: list[Json]) -> list[Effect]:
        when = self._behaviour.transcripts
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

    def _new_response(self, settings: Json) -> Response:
        response = Response(settings, list(self._items), self._add, self._stamp, self._behaviour.cancel_end)
        self._responses[response.id] = response
        return response

    def _respond(self, settings: Json) -> list[Effect]:
        if self._active is not None:
            raise Rejected("", "Conversation already has an active response")
        self._active = response = self._new_response(settings)
        self._answered -= self._to_follow
        self._to_follow = set()
        return [Send(response.created()), Generate(response)]

    def _step(self, response: Response, step: Step) -> list[Effect]:
        effects: list[Effect] = [Send(event) for event in response.take(step)]
        self._voice_locked = self._voice_locked or response.has_audio
        if isinstance(step, AddText) and response.active:
            effects += self._tell("during")
        if not response.active:
            del self._responses[response.id]
            if self._active is response:
                self._active = None
                self._to_follow = set(response.calls)
            effects += [*self._tell("after"), *self._follow_up()]
        return effects

    def _cut(self, response: Response, reason: str) -> list[Effect]:
        return [*self._step(response, Finish("cancelled", reason=reason)), Cancel(response.id)]
