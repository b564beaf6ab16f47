"""What a script for a model is written in: what the agent is to say, and what the model then says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import attrs

from realtime_actors.audio import OddLength, iter_chunks
from realtime_actors.events import (
    PCM_24K,
    InvalidAudio,
    ModelCommand,
    ModelEvent,
    ModelNotice,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDone,
    ToolUse,
)

from .errors import InvalidExpectation
from .matching import Pattern, named, short

__all__ = ["Disconnect", "Emit", "Expect", "Pause", "Step", "reply_events"]

_PIECE_MS = 20

COMMANDS: tuple[type, ...] = get_args(ModelCommand)

Said = ModelEvent | ModelNotice


class Expect:
    """The agent's next command is of this type, has these fields, and fulfils `where`."""

    def __init__(
        self,
        kind: type[Any],
        /,
        *,
        where: Callable[[Any], object] | None = None,
        **fields: Any,
    ) -> None:
        """Raises `InvalidExpectation` for what no command can be."""
        if kind not in COMMANDS:
            known = ", ".join(map(named, COMMANDS))
            what = getattr(kind, "__qualname__", short(kind))
            raise InvalidExpectation(f"{what} is nothing that an agent tells its model: that is {known}")
        self.pattern = Pattern.of(kind, where, fields)
        """What the command has to be like."""

    def __repr__(self) -> str:
        return f"Expect {self.pattern}"


class Emit:
    """The model says this: model events and notices, or functions of the command expected last that give one.

    Those are for what repeats an id of the agent's: `Emit(lambda command: RequestFailed(command.request_id, …))`.
    """

    def __init__(self, *events: Said | Callable[[Any], Said]) -> None:
        """Raises `InvalidExpectation` for what a model does not say, audio that is no PCM16 included.

        (Audio that is broken on purpose is given by a function, whose event is not looked at.)
        """
        if not events:
            raise InvalidExpectation("Emit takes what the model says: one event or more")
        for event in events:
            if not isinstance(event, Said) and (isinstance(event, type) or not callable(event)):
                raise InvalidExpectation(f"{short(event)} is nothing that a model says: give Emit model events")
            if isinstance(event, ModelResponseAudioDelta):
                try:
                    _ = event.delta
                except InvalidAudio as error:
                    raise InvalidExpectation(f"the delta of {short(event)} is no audio: {error}") from None
        self.events = events

    def __repr__(self) -> str:
        return f"Emit {', '.join(short(event) for event in self.events)}"


@attrs.frozen
class Pause:
    """The model says nothing for so many seconds."""

    seconds: float

    def __attrs_post_init__(self) -> None:
        if not self.seconds >= 0:
            raise InvalidExpectation(f"a pause of {self.seconds} s cannot be: 0 or more")


@attrs.frozen
class Disconnect:
    """The model closes the socket, with this close code; 1006 breaks it, as a network does.

    The script goes on with the next socket.
    """

    code: int = 1006
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if not 1000 <= self.code <= 4999:
            raise InvalidExpectation(f"{self.code} is no close code of a WebSocket: 1000 to 4999")


Step = Expect | Emit | Pause | Disconnect
"""A step of a script."""


def reply_events(
    text: str = "",
    *,
    response_id: str = "response-1",
    audio: bytes | Sequence[bytes] = (),
    calls: Sequence[ToolUse] = (),
    status: str = "completed",
) -> list[ModelEvent]:
    """A whole reply, for `Emit(*reply_events("Hello."))`: its words, its audio, its calls of tools, its end.

    `audio` is PCM16 mono at 24,000 Hz: bytes, which become deltas of 20 ms, or a list of the deltas. `status` is
    completed, cancelled, failed or incomplete. Raises `InvalidExpectation` for audio that is neither.
    """
    if isinstance(audio, bytes | bytearray | memoryview):
        try:
            audio = list(iter_chunks(bytes(audio), PCM_24K.rate, _PIECE_MS))
        except OddLength as error:
            raise InvalidExpectation(f"the audio of a reply is PCM16: {error}") from None
    for delta in audio:
        if not isinstance(delta, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
            raise InvalidExpectation(f"audio is bytes, or a list of bytes, not of {type(delta).__name__}")
    item_id = f"{response_id}-item"
    events: list[ModelEvent] = [ModelResponseCreated(response_id)]
    if text:
        events.append(ModelResponseAudioTranscriptDelta(response_id, item_id, text))
    if audio:
        events += [ModelResponseAudioDelta(response_id, item_id, delta) for delta in audio]
        events.append(ModelResponseAudioDone(response_id, item_id))
    if text:
        events.append(ModelResponseAudioTranscriptDone(response_id, item_id, text))
    events += [ModelResponseToolUseDone(response_id, f"{response_id}-{call.id}", call) for call in calls]
    events.append(ModelResponseDone(response_id, metadata={"status": status}))
    return events
