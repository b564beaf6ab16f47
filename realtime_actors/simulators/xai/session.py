"""The session: a pure state machine between a client's events and a brain's steps on one side, effects on the other.

What is not documented is as seen on recordings of 2026, or as others measured on the live service: what is passed over
without a word above all.
"""

from collections.abc import Callable
from random import Random

from realtime_actors.audio import VoiceActivityDetector
from realtime_actors.simulators.brain import Say
from realtime_actors.simulators.effects import After, Cancel, Close, Effect, Generate, Send, Transcribe
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
from realtime_actors.simulators.openai.conversation import Item, read_truncate
from realtime_actors.simulators.openai.formats import sample_rate, to_pcm16
from realtime_actors.simulators.openai.input_audio import Began, DetectorFactory, InputAudio
from realtime_actors.simulators.steps import Finish, Step, split_words
from realtime_actors.simulators.xai.items import History, read_item
from realtime_actors.simulators.xai.response import Response
from realtime_actors.simulators.xai.settings import detection_of, greeting, initial_session, merge_session, told
from realtime_actors.simulators.xai.stamp import Stamp

__all__ = ["Session", "detector_for"]

_RESPONSE_FIELDS = (
    "instructions",
    "conversation",
    "input",
    "metadata",
    "output_modalities",
    "max_output_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
)
"""Of these only the instructions have an effect here."""


def detector_for(detection: Json, rate: int) -> VoiceActivityDetector:
    """The package's own detector, set as this `turn_detection` object says. Threshold 0.85 is -45 dBFS."""
    return VoiceActivityDetector(
        rate,
        silence_ms=detection["silence_duration_ms"],
        prefix_ms=detection["prefix_padding_ms"],
        threshold_dbfs=-79.0 + 40.0 * detection["threshold"],
    )


class Session:
    """One realtime session. Every method returns what is to be done now, in order.

    Args:
        model: the model of the connection's URL.
        history: the conversation, which is that of an earlier session if it is resumed.
        random: where ids and the extras of transcripts come from.
        ping_seconds: how often it pings.
        tells_interruptions: whether a reply that speech interrupts gets its `response.done`, with turn detection.
        detector: makes the voice activity detector.
    """

    def __init__(
        self,
        model: str,
        history: History,
        *,
        random: Random,
        ping_seconds: float = 10.0,
        tells_interruptions: bool = False,
        detector: DetectorFactory = detector_for,
    ) -> None:
        self._stamp = Stamp(random)
        self._history = history
        self._to_replay = list(history.items)
        self._ping_seconds = ping_seconds
        self._tells_interruptions = tells_interruptions
        self._settings = initial_session(model)
        self._input = InputAudio(self._format("input"), detection_of(self._settings), detector)
        self._responses: dict[str, Response] = {}  # those in progress
        self._active: Response | None = None
        self._locked: Response | None = None  # the one that no speech interrupts
        self._speech_item: str | None = None
        self._speech_ms = 0
        self._spoken = b""  # without turn detection: speech that waits for a commit, as PCM16, and where it ends
        self._spoken_until_ms = 0
        self._pending: str | None = None  # the committed item that is answered when its words are known
        self._has_answered = False  # a committed turn, and nothing new has come since
        self._unheard: dict[str, Item] = {}  # items whose transcript is awaited
        self._handlers: dict[str, tuple[Callable[[Json], list[Effect]], tuple[str, ...]]] = {
            "session.update": (self._update, ("session",)),
            "input_audio_buffer.append": (self._append, ("audio",)),
            "input_audio_buffer.commit": (self._commit, ()),
            "input_audio_buffer.clear": (self._clear, ()),
            "conversation.item.create": (self._create_item, ("item", "previous_item_id")),
            "conversation.item.truncate": (self._truncate, ("item_id", "content_index", "audio_end_ms")),
            "conversation.item.delete": (self._delete, ("item_id",)),
            "response.create": (self._create_response, ("response",)),
            "response.cancel": (self._cancel, ("response_id",)),
        }

    # -- what the runner calls -------------------------------------------------------------------------------------

    def start(self) -> list[Effect]:
        """The connection is there: greet it."""
        session = greeting(self._settings, self._stamp.id().replace("-", ""))
        conversation = {"id": self._history.id, "object": "realtime.conversation"}
        return [
            self._send("session.created", session=session),
            self._send("conversation.created", conversation=conversation),
            *self._ping(0),
        ]

    def receive(self, message: object) -> list[Effect]:
        """Take one client event, as decoded from JSON. What is not allowed becomes an error event."""
        event_id: str | None = None
        try:
            event = check_object(message, "event")
            if event.get("event_id") is not None:
                event_id = check_string(event["event_id"], "event_id")
            kind = check_choice(require(event, "type"), "type", tuple(self._handlers))
            handler, keys = self._handlers[kind]
            check_keys(event, ("type", "event_id", *keys))
            return handler(event)
        except Rejected as error:
            return [self._rejection(error, event_id)]

    def refuse(self, message: str) -> list[Effect]:
        """A frame was no event at all."""
        return [self._rejection(Rejected("invalid_event", message), None)]

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
        if not response.active:
            self._forget(response)
        return effects

    def overlap(self, response: Response) -> list[Effect]:
        """A second response beside this one, as no honest server starts it. It is generated with other words."""
        if not response.active:
            return []
        second = self._new_response(response.instructions)
        return [Send(second.created()), Generate(second)]

    def unheard(self, response: Response) -> list[str]:
        """The items of this response's context whose words the brain does not know yet."""
        return [item.id for item in response.context if item.id in self._unheard]

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        """The words of a user's audio are known: they are told, and the turn is answered."""
        item = self._unheard.pop(item_id)
        item.text = text
        item.wire["content"] = [{"type": "input_audio", "transcript": text}]
        kind = "conversation.item.input_audio_transcription"
        where: Json = {"item_id": item_id, "content_index": 0}
        effects: list[Effect] = []
        if self._is_manual:
            effects.append(self._added(item.wire))
        guesses = self._guesses(text)
        if self._settings["audio"]["input"]["transcription"] is not None:
            effects += [self._send(f"{kind}.updated", **where, transcript=guess) for guess in guesses]
        if guesses:
            effects.append(self._send(f"{kind}.completed", **where, transcript=guesses[-1], status="in_progress"))
        effects.append(self._send(f"{kind}.completed", **where, transcript=text, status="completed"))
        if self._is_manual and guesses:  # announced again, with less
            interim = [{"type": "input_audio", "transcript": guesses[0]}]
            effects.append(self._added({**item.wire, "status": "in_progress", "content": interim}))
        return effects + self._answer(item_id)

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]:
        """The words of a user's audio will not be known. The wire has no event for it."""
        self._unheard.pop(item_id)
        return self._answer(item_id)

    # -- client events ---------------------------------------------------------------------------------------------

    @property
    def _is_manual(self) -> bool:
        return self._settings["turn_detection"] is None

    def _format(self, side: str) -> Json:
        return self._settings["audio"][side]["format"]

    def _rejection(self, error: Rejected, event_id: str | None) -> Send:
        return Send(
            self._stamp.error(error.message, code=error.code, param=error.param, client_event_id=event_id),
        )

    def _send(self, kind: str, *, previous_item_id: str | None = None, **fields: object) -> Send:
        return Send(self._stamp.event(kind, previous_item_id=previous_item_id, **fields))

    def _added(self, wire: Json) -> Send:
        return self._send("conversation.item.added", item={**wire, "replayed": False})

    def _ping(self, sent: int) -> list[Effect]:
        timestamp = 1785214084929 + round(sent * self._ping_seconds * 1000)
        return [self._send("ping", timestamp=timestamp), After(self._ping_seconds, lambda: self._ping(sent + 1))]

    def _update(self, event: Json) -> list[Effect]:
        self._settings = merge_session(self._settings, require(event, "session"))
        self._input.configure(self._format("input"), detection_of(self._settings))
        updated = self._stamp.event("session.updated")
        session: Json = {"session": told(self._settings)}
        return [*self._replay(), Send({**session, **updated})]  # its type is not the first of its keys

    def _replay(self) -> list[Effect]:
        """What an earlier session said, under new ids."""
        if not self._settings["resumption"]["enabled"]:
            return []
        items, self._to_replay = self._to_replay, []
        effects: list[Effect] = []
        for item in items:
            self._history.replace(item, self._stamp.id())
            wire = dict(item.wire)
            if wire["type"] == "message":
                wire["content"] = [{"type": "text", "text": item.text}]
            effects.append(self._send("conversation.item.added", item={**wire, "replayed": True}))
        return effects

    def _append(self, event: Json) -> list[Effect]:
        audio = check_base64(require(event, "audio"), "audio")
        if self._locked is not None:
            return []  # it is dropped until the fixed words are said
        effects: list[Effect] = []
        for found in self._input.append(audio):
            if isinstance(found, Began):
                effects += self._speech_began(found)
            elif self._is_manual:
                self._spoken += to_pcm16(found.audio, self._input.format)
                self._spoken_until_ms = found.at_ms
            else:
                effects += self._speech_ended(found.at_ms, to_pcm16(found.audio, self._input.format))
        return effects

    def _commit(self, event: Json) -> list[Effect]:
        """What was said is a turn, and is answered. Silence is not, and nothing is said of it."""
        pcm = self._spoken + to_pcm16(self._input.commit(), self._input.format)
        self._spoken = b""
        if self._speech_item is None:
            return []
        return self._speech_ended(self._speech_ms + round(self._pcm_ms(pcm)), pcm)

    def _clear(self, event: Json) -> list[Effect]:
        self._input.clear()
        self._spoken = b""
        self._speech_item = self._pending = None
        self._has_answered = False
        cleared = [self._send("input_audio_buffer.cleared")]
        if self._active is not None and not self._active.begun and self._is_manual:
            return [*cleared, *self._stop(self._active)]
        return [*cleared]

    def _create_item(self, event: Json) -> list[Effect]:
        item = read_item(require(event, "item"), self._stamp, self._history)
        if item.wire["type"] == "force_message":
            return self._force(item)
        self._history.add(item)
        self._has_answered = False
        return [self._added(item.wire)]

    def _force(self, item: Item) -> list[Effect]:
        """Fixed words, which are a reply of their own."""
        if self._active is not None:
            raise self._conflict(self._active)
        response = self._new_response("")
        self._active = response
        if item.wire["interruptible"] is False:
            self._locked = response
        return [Send(response.created()), Generate(response, [Say(item.text)])]

    def _truncate(self, event: Json) -> list[Effect]:
        item_id, content_index, audio_end_ms = read_truncate(event)
        item = self._history.find(item_id)
        if item.wire.get("role") != "assistant":
            raise Rejected(None, "Only model output audio messages can be truncated", "item_id")
        if audio_end_ms > item.audio_ms:
            words = f"Audio content of {item.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms"
            raise Rejected("invalid_value", words, "audio_end_ms")
        if item.audio_ms:
            item.text = item.text[: round(len(item.text) * audio_end_ms / item.audio_ms)]
            item.audio_ms = audio_end_ms
        where: Json = {"item_id": item_id, "content_index": content_index, "audio_end_ms": audio_end_ms}
        return [self._send("conversation.item.truncated", **where)]

    def _delete(self, event: Json) -> list[Effect]:
        item_id = check_string(require(event, "item_id"), "item_id")
        self._history.remove(item_id)
        return [self._send("conversation.item.deleted", item_id=item_id)]

    def _create_response(self, event: Json) -> list[Effect]:
        params = event.get("response")
        options = {} if params is None else check_object(params, "response")
        check_keys(options, _RESPONSE_FIELDS, "response")
        instructions = check_string(options.get("instructions", self._settings["instructions"]), "instructions")
        if self._active is not None:
            raise self._conflict(self._active)
        if self._is_manual and self._speech_item is not None:
            return self._commit(event)
        if self._pending is not None or self._has_answered:
            return []  # it is dropped without a word
        return self._respond(instructions)

    def _cancel(self, event: Json) -> list[Effect]:
        response = self._active
        if event.get("response_id") is not None:
            response = self._responses.get(check_string(event["response_id"], "response_id"))
        if response is None:
            raise Rejected("response_cancel_not_active", "Cancellation failed: no active response found")
        return [*self.generate(response.id, Finish("cancelled", reason="client_cancelled")), Cancel(response.id)]

    # -- speech and turns ------------------------------------------------------------------------------------------

    def _speech_began(self, began: Began) -> list[Effect]:
        if self._speech_item is not None:  # of this turn it is told already
            pause_ms = began.at_ms - self._spoken_until_ms
            self._spoken += bytes(2 * round(pause_ms * sample_rate(self._input.format) / 1000))
            return []
        self._speech_item = self._stamp.id()
        self._speech_ms = began.at_ms
        effects: list[Effect] = [
            self._send("input_audio_buffer.speech_started", item_id=self._speech_item, audio_start_ms=began.at_ms)
        ]
        if not self._is_manual:
            effects.append(self._added(self._user_item(self._speech_item, "in_progress")))
        if self._active is not None:
            effects += self._interrupt(self._active)
        return effects

    def _interrupt(self, response: Response) -> list[Effect]:
        detection = self._settings["turn_detection"]
        if detection is None:
            return self._stop(response)
        if not detection.get("interrupt_response", True):
            return []
        if not self._tells_interruptions:
            return self._stop(response)
        return [*self.generate(response.id, Finish("cancelled", reason="turn_detected")), Cancel(response.id)]

    def _stop(self, response: Response) -> list[Effect]:
        """It ends, and nothing is said of it."""
        response.abandon()
        self._forget(response)
        return [Cancel(response.id)]

    def _pcm_ms(self, pcm: bytes) -> float:
        return len(pcm) * 500 / sample_rate(self._input.format)

    def _speech_ended(self, at_ms: int, pcm: bytes) -> list[Effect]:
        item_id = self._speech_item or self._stamp.id()
        self._speech_item = None
        item = Item(self._user_item(item_id, "completed"), audio_ms=self._pcm_ms(pcm), size=200)
        self._history.add(item)
        self._unheard[item_id] = item
        self._pending = item_id
        return [
            self._send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at_ms),
            self._send("input_audio_buffer.committed", item_id=item_id),
            Transcribe(item_id, pcm, sample_rate(self._input.format)),
        ]

    def _user_item(self, item_id: str, status: str) -> Json:
        return {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "user",
            "content": [{"type": "input_audio", "transcript": ""}],
        }

    def _guesses(self, text: str) -> list[str]:
        """What the words were taken for while they came: all so far each time, and now and then something else."""
        words = split_words(text)
        guesses: list[str] = []
        for count in range(1, len(words) + 1):
            so_far = "".join(words[:count]).strip().rstrip(".!?,")
            guesses.append(so_far + self._stamp.random.choice(("", "", "?", ".")))
        return guesses

    def _answer(self, item_id: str) -> list[Effect]:
        if self._pending != item_id:
            return []
        self._pending = None
        if self._active is not None:
            return [self._rejection(self._conflict(self._active), None)]
        self._has_answered = True
        return self._respond(self._settings["instructions"])

    # -- responses -------------------------------------------------------------------------------------------------

    def _conflict(self, active: Response) -> Rejected:
        return Rejected(
            "conversation_already_has_active_response",
            f"Conversation already has an active response in progress: {active.id}.",
        )

    def _respond(self, instructions: str) -> list[Effect]:
        response = self._active = self._new_response(instructions)
        return [Send(response.created()), Generate(response)]

    def _new_response(self, instructions: str) -> Response:
        tools: list[Json] = self._settings["tools"] if self._settings["tool_choice"] != "none" else []
        response = Response(
            list(self._history.items),
            self._format("output"),
            instructions,
            [tool["name"] for tool in tools if "name" in tool],
            self._stamp,
            self._say_item,
            self._history.bill,
        )
        self._responses[response.id] = response
        return response

    def _say_item(self, item: Item, wire: Json) -> Json:
        previous = self._history.last_id if wire["type"] == "message" else None
        self._history.add(item)
        return self._stamp.event("conversation.item.added", item={**wire, "replayed": False}, previous_item_id=previous)

    def _forget(self, response: Response) -> None:
        self._responses.pop(response.id, None)
        if self._active is response:
            self._active = None
        if self._locked is response:
            self._locked = None
