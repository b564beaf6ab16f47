"""The session: a pure state machine between a client's messages and a brain's steps on one side, effects on the other.

No clock, no socket, no task: whoever runs it carries out the effects, in order, and comes back with what came of them.
"""

from collections.abc import Callable
from random import Random
from typing import Literal

import attrs

from realtime_actors.simulators.effects import (
    After,
    Cancel,
    Close,
    Effect,
    Generate,
    Send,
    Transcribe,
)
from realtime_actors.simulators.gemini.behaviour import Behaviour, Saved
from realtime_actors.simulators.gemini.ears import INPUT_RATE, Ears
from realtime_actors.simulators.gemini.history import Entry, History, read_output, read_turn
from realtime_actors.simulators.gemini.messages import (
    Json,
    Refused,
    check_flag,
    check_keys,
    check_list,
    check_object,
    check_text,
    read_keys,
    read_media,
)
from realtime_actors.simulators.gemini.setup import Setup, read_instruction, read_setup, read_tools
from realtime_actors.simulators.gemini.turn import Call, Generation
from realtime_actors.simulators.openai.checks import Rejected
from realtime_actors.simulators.openai.input_audio import Began
from realtime_actors.simulators.steps import AddText, Step, split_words, text_tokens

__all__ = ["Session"]

MAX_SAVED = 1024
"""Handles that are kept; beyond these the oldest are forgotten."""


class Session:
    """One session. Every method returns what is to be done now, in order."""

    def __init__(self, behaviour: Behaviour, random: Random) -> None:
        self._behaviour = behaviour
        self._random = random
        self._configured: Setup | None = None
        self._history = History()
        self._ears = Ears(None)
        self._images = 0
        self._speech: Entry | None = None  # what the user is saying
        self._generation: Generation | None = None
        self._turn: Generation | None = None  # the last one, until its turn is over
        self._calls: dict[str, Call] = {}  # whose results the model waits for
        self._background: dict[str, Call] = {}  # whose results it does not wait for
        self._results: list[Entry] = []  # of calls, that came while the model was generating
        self._wanted = False  # whether the model is to reply when its turn is over
        self._answered = False  # whether it has had a turn
        self._unheard: dict[str, Entry] = {}
        self._untold: list[tuple[str, list[Json]]] = []
        self._messages: dict[str, Callable[[Json], list[Effect]]] = {
            "realtimeInput": self._realtime_input,
            "clientContent": self._client_content,
            "toolResponse": self._tool_response,
            "contextUpdate": self._context_update,
        }

    @property
    def _setup(self) -> Setup:
        assert self._configured is not None  # callers have checked
        return self._configured

    # -- what the runner calls -------------------------------------------------------------------------------------

    def start(self) -> list[Effect]:
        """The connection is there: nothing is said before the client's setup."""
        return [After(self._behaviour.go_away, self._go_away)]

    def receive(self, message: object) -> list[Effect]:
        """Take one client message, as decoded from JSON. What is not allowed closes the connection."""
        try:
            read = check_object(read_keys(message), "")
            check_keys(read, ("setup", *self._messages))
            if len(read) != 1:
                raise Refused("Request contains an invalid argument: exactly one of the fields must be set.")
            [(key, value)] = read.items()
            content = check_object(value, key)
            if key == "setup":
                return self._open(content)
            if self._configured is None:
                raise Refused("The first message must be a setup.")
            return self._messages[key](content)
        except Refused as error:
            return [Close(error.code, error.reason)]
        except Rejected as error:  # by the buffer of the audio
            return [Close(1007, error.message[:120])]

    def refuse(self, message: str) -> list[Effect]:
        """A frame was no message at all."""
        return [Close(1007, f"Invalid JSON payload received. {message}"[:120])]

    def fault(self, message: str, code: str | None, kind: str) -> list[Effect]:
        """What the SDK would take for an error, if ever it came: no server was seen to send one."""
        return [Send({"error": {"code": 500, "message": message, "status": kind.upper()}})]

    def expire(self, lifetime: float) -> list[Effect]:
        """The connection has had its time."""
        return [Close(1011, "Deadline expired before operation could complete.")]

    def generate(self, response_id: str, step: Step) -> list[Effect]:
        """Take one step of what is generated; nothing happens if that has ended."""
        generation = self._generation
        if generation is None or generation.id != response_id:
            return []
        effects: list[Effect] = []
        for message in generation.take(step):
            if self._setup.is_3 and self._random.random() < 0.2:
                effects.append(Send(self._random.choice(({}, {"serverContent": {}}))))
            effects.append(Send(message))
            if "toolCall" in message:
                self._remember(generation)  # its results may come before the rest is generated
        if isinstance(step, AddText) and generation.active:
            effects += self._tell("during")
        if not generation.active:
            effects += self._generated(generation)
        return effects

    def overlap(self, response: Generation) -> list[Effect]:
        """This wire has no words for two replies at a time: there is none."""
        return []

    def unheard(self, response: Generation) -> list[str]:
        """What the user said of which the words are not known yet."""
        return [entry_id for entry_id in response.unheard if entry_id in self._unheard]

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        """The words of the user's speech are known (told to the client if it wants them, some time or other)."""
        entry = self._unheard.pop(item_id)
        entry.text = text
        if self._generation is not None:  # it is waiting for them
            self._generation.context = self._history.turns(self._setup.instructions)
        if not self._setup.transcribe_input or not text:
            return []
        # Models of the second generation tell their words one by one.
        pieces = [text] if self._setup.is_3 else [f" {word.strip()}" for word in split_words(text)]
        told: list[Json] = [{"serverContent": {"inputTranscription": {"text": piece}}} for piece in pieces]
        when = self._behaviour.transcripts
        if when == "random":
            when = self._random.choice(("before", "during", "after"))
        if when == "before" or self._generation is None:
            return [Send(message) for message in told]
        self._untold.append((when, told))
        return []

    def transcription_failed(self, item_id: str, message: str) -> list[Effect]:
        """The words of the user's speech will not be known, and nobody is told."""
        self._unheard.pop(item_id)
        return []

    # -- the session -----------------------------------------------------------------------------------------------

    def _open(self, message: Json) -> list[Effect]:
        if self._configured is not None:
            raise Refused("Setup can be sent only once.")
        setup = read_setup(message)
        self._behaviour.admit(setup)
        if setup.handle:
            saved = self._behaviour.saved.get(setup.handle)
            if saved is None or saved.model != setup.model:
                raise Refused("Request contains an invalid argument: session_resumption.handle.")
            self._history = History(saved.entries)
        self._configured = setup
        self._ears = Ears(setup.detection)
        return [Send({"setupComplete": {}}), *self._save()]

    def _save(self) -> list[Effect]:
        """Models of the third generation give handles even if they are not asked to."""
        if not self._setup.resumption and not self._setup.is_3:
            return []
        handle = f"{self._random.randrange(16**8):08x}-{self._random.randrange(16**12):012x}"
        saved = self._behaviour.saved
        saved[handle] = Saved(self._setup.model, [attrs.evolve(entry) for entry in self._history.entries])
        while len(saved) > MAX_SAVED:
            del saved[next(iter(saved))]
        return [Send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})]

    def _unsaved(self) -> list[Effect]:
        told = self._setup.resumption
        return [Send({"sessionResumptionUpdate": {"resumable": False}})] if told else []

    def _go_away(self) -> list[Effect]:
        if self._configured is None:
            return []
        return [Send({"goAway": {"timeLeft": f"{self._behaviour.notice:g}s"}})]

    # -- what the client says --------------------------------------------------------------------------------------

    def _realtime_input(self, message: Json) -> list[Effect]:
        known = ("audio", "video", "text", "activityStart", "activityEnd", "audioStreamEnd", "mediaChunks")
        check_keys(message, known, "realtime_input")
        effects: list[Effect] = []
        if message.get("mediaChunks"):  # of which only the first counts
            chunk = check_list(message["mediaChunks"], "media_chunks")[0]
            kind, _ = read_media(chunk, "realtime_input.media_chunks[0]")
            message = {**message, "audio" if kind.startswith("audio/") else "video": chunk}
        if "activityStart" in message:
            effects += self._activity_start()
        if "audio" in message:
            effects += self._audio(*read_media(message["audio"], "realtime_input.audio"))
        if "video" in message:
            kind, _ = read_media(message["video"], "realtime_input.video")
            if kind not in ("image/jpeg", "image/png"):
                raise Refused(f"Unsupported MIME type {kind[:40]} of realtime_input.video.")
            self._images += 1
        if "text" in message:
            effects += self._text(check_text(message["text"], "realtime_input.text"))
        if "activityEnd" in message:
            effects += self._activity_end()
        if "audioStreamEnd" in message and check_flag(message["audioStreamEnd"], "audio_stream_end"):
            effects += self._stream_end()
        return effects

    def _audio(self, kind: str, audio: bytes) -> list[Effect]:
        effects: list[Effect] = []
        for event in self._ears.hear(kind, audio):
            if isinstance(event, Began):
                effects += self._speech_began(event.at_ms)
            else:
                effects += self._speech_ended(event.audio, event.at_ms)
        return effects

    def _speech_began(self, at_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        self._speech = self._new_speech()
        if self._setup.is_3:
            effects.append(_activity("ACTIVITY_START", at_ms))
        if self._setup.speech_interrupts:
            effects += self._interrupt()
        return effects

    def _speech_ended(self, audio: bytes, at_ms: int) -> list[Effect]:
        told = [_activity("ACTIVITY_END", at_ms)] if self._setup.is_3 else []
        return [*told, *self._add_speech(audio), *self._reply()]

    def _stream_end(self) -> list[Effect]:
        if self._ears.is_manual:
            raise Refused("audio_stream_end is for automatic activity detection only.")
        audio = self._ears.end_stream()
        return [] if audio is None else [*self._add_speech(audio), *self._reply()]

    def _activity_start(self) -> list[Effect]:
        self._check_manual()
        self._ears.begin_activity()
        return self._interrupt() if self._setup.speech_interrupts else []

    def _activity_end(self) -> list[Effect]:
        self._check_manual()
        audio = self._ears.end_activity()
        if audio is None:
            return []
        return [*(self._add_speech(audio) if audio else []), *self._reply()]

    def _check_manual(self) -> None:
        if not self._ears.is_manual:
            raise Refused("Explicit activity control is not supported when automatic activity detection is enabled.")

    def _text(self, text: str) -> list[Effect]:
        """It counts as activity: within a manual turn it waits for the end of that."""
        is_manual = self._ears.is_manual
        effects = self._interrupt() if self._setup.speech_interrupts and not is_manual else []
        self._history.add(Entry("user", text, images=self._take_images()))
        return effects if is_manual else [*effects, *self._reply()]

    def _new_speech(self) -> Entry:
        return Entry("user", id=f"u{self._random.randrange(10**12)}")

    def _add_speech(self, audio: bytes) -> list[Effect]:
        entry, self._speech = self._speech or self._new_speech(), None
        entry.audio_ms = len(audio) * 500 / INPUT_RATE
        entry.images = self._take_images()
        self._history.add(entry)
        self._unheard[entry.id] = entry
        return [Transcribe(entry.id, audio, INPUT_RATE)]

    def _take_images(self) -> int:
        images, self._images = self._images, 0
        return images

    def _client_content(self, message: Json) -> list[Effect]:
        check_keys(message, ("turns", "turnComplete"), "client_content")
        if self._answered and not self._setup.takes_content:
            raise Refused("Request contains an invalid argument.")
        entries = [read_turn(each) for each in check_list(message.get("turns") or [], "client_content.turns")]
        effects = self._interrupt()
        for entry in entries:
            self._history.add(entry)
        if not check_flag(message.get("turnComplete", False), "client_content.turn_complete"):
            return effects
        if self._setup.history_first:
            self._configured = attrs.evolve(self._setup, history_first=False)
            return effects
        return [*effects, *self._reply()]

    def _tool_response(self, message: Json) -> list[Effect]:
        check_keys(message, ("functionResponses",), "tool_response")
        effects: list[Effect] = []
        for each in check_list(message.get("functionResponses"), "tool_response.function_responses"):
            effects += self._take_result(check_object(each, "function_responses"))
        return effects

    def _take_result(self, result: Json) -> list[Effect]:
        check_keys(result, ("id", "name", "response", "scheduling", "willContinue", "parts"), "function_responses")
        call_id = check_text(result.get("id"), "function_responses.id")
        response = check_object(result.get("response", {}), "function_responses.response")
        call = self._calls.get(call_id) or self._background.get(call_id)
        if call is None:
            raise Refused("Requested entity was not found.", 1008)
        self._results.append(Entry("tool", read_output(response), call.name, call_id))
        if self._generation is None:
            self._add_results()
        if call_id in self._calls:
            del self._calls[call_id]
            return [] if self._calls or self._generation is not None else self._respond()
        if not result.get("willContinue"):
            del self._background[call_id]
        scheduling = result.get("scheduling") or "WHEN_IDLE"
        if scheduling not in ("INTERRUPT", "WHEN_IDLE", "SILENT"):
            raise Refused("Invalid value at 'function_responses.scheduling'.")
        if scheduling == "SILENT":
            return []
        if self._calls:
            return []  # the reply to those is one to this as well
        return [*(self._interrupt() if scheduling == "INTERRUPT" else []), *self._reply()]

    def _context_update(self, message: Json) -> list[Effect]:
        check_keys(message, ("systemInstruction", "tools"), "context_update")
        if not self._setup.takes_updates:
            raise Refused("context_update is not supported by this model.")
        setup = self._setup
        if "systemInstruction" in message:
            setup = attrs.evolve(setup, instructions=read_instruction(message["systemInstruction"]))
        if "tools" in message:
            tools = check_object(message["tools"], "context_update.tools")
            check_keys(tools, ("tools",), "context_update.tools")
            waits = "extended-thinking" not in setup.model
            setup = attrs.evolve(setup, tools=read_tools(tools.get("tools", []), waits=waits))
        self._configured = setup
        return []

    # -- turns -----------------------------------------------------------------------------------------------------

    def _reply(self) -> list[Effect]:
        """The model replies: now, or when its turn is over. Calls that it waits for are given up."""
        if self._generation is not None or self._turn is not None:
            self._wanted = True
            return []
        return [*self._give_up_calls(), *self._respond()]

    def _respond(self) -> list[Effect]:
        self._generation = Generation(
            f"g{self._random.randrange(10**12)}",
            self._setup,
            self._history.turns(self._setup.instructions),
            list(self._unheard),
            self._random,
        )
        self._answered, self._wanted = True, False
        return [*self._unsaved(), Generate(self._generation)]

    def _generated(self, generation: Generation) -> list[Effect]:
        """Everything of it was sent: the model waits for its calls, or for its speech to be played."""
        self._generation = None
        if generation.failure is not None:
            return [Close(1011, generation.failure[:120])]
        self._remember(generation)
        self._add_results()
        effects = self._tell("after")
        if any(self._setup.tools.get(call.name, True) for call in generation.calls):
            return effects if self._calls else [*effects, *self._respond()]
        self._turn = generation
        effects.append(Send({"serverContent": {"generationComplete": True}}))
        seconds = generation.spoken_ms / 1000 * self._behaviour.playback
        if seconds <= 0:
            return [*effects, *self._played(generation)]
        return [*effects, After(seconds, lambda: self._played(generation))]

    def _played(self, generation: Generation) -> list[Effect]:
        return self._end_turn(generation) if self._turn is generation else []

    def _end_turn(self, generation: Generation) -> list[Effect]:
        self._turn = None
        content: Json = {"turnComplete": True}
        if generation.reason:
            content["turnCompleteReason"] = generation.reason
        message: Json = {"serverContent": content}
        if generation.usage_told:
            message["usageMetadata"] = self._history.usage(
                self._setup.instructions,
                generation.spoken_ms,
                text_tokens(generation.words),
                self._random.randrange(60) if generation.spoken else 0,
            )
        return [Send(message), *self._save(), *(self._respond() if self._wanted else [])]

    def _interrupt(self) -> list[Effect]:
        """The turn is cut, while it is generated, while it plays, or while it waits for the results of calls."""
        effects: list[Effect] = []
        generation = self._generation or self._turn
        if self._generation is not None:
            self._generation.stop()
            self._remember(self._generation)
            self._add_results()
            effects.append(Cancel(self._generation.id))
            self._generation = None
        effects += self._give_up_calls()
        self._wanted = False
        if generation is None:
            return effects
        return [
            *effects,
            Send({"serverContent": {"interrupted": True}}),
            *self._end_turn(generation),
            *self._tell("after"),
        ]

    def _give_up_calls(self) -> list[Effect]:
        calls, self._calls = self._calls, {}
        return [Send({"toolCallCancellation": {"ids": list(calls)}})] if calls else []

    def _remember(self, generation: Generation) -> None:
        """What was sent since the last time; a call is one whose result is waited for, or not."""
        words, spoken_ms, calls = generation.news()
        if words:
            self._history.add(Entry("assistant", words, audio_ms=spoken_ms))
        for call in calls:
            self._history.add(Entry("assistant", str(call.arguments), call.name, call.id))
            waits = self._setup.tools.get(call.name, True)
            (self._calls if waits else self._background)[call.id] = call

    def _add_results(self) -> None:
        """They follow what the model was saying when they came."""
        for entry in self._results:
            self._history.add(entry)
        self._results.clear()

    def _tell(self, now: Literal["during", "after"]) -> list[Effect]:
        told = [messages for when, messages in self._untold if now in (when, "after")]
        self._untold = [entry for entry in self._untold if now not in (entry[0], "after")]
        return [Send(message) for messages in told for message in messages]


def _activity(kind: str, at_ms: int) -> Send:
    return Send({"voiceActivity": {"type": kind, "audioOffset": f"{at_ms / 1000:g}s"}})
