"""A person's microphone: from what comes to the turns in it. Plain code: it counts audio, not time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import attrs

from realtime_actors.agents import LocalVAD
from realtime_actors.agents.hearing import Action, Hearing, TurnAudio, TurnBegan, TurnEnded
from realtime_actors.audio import AudioError, Resampler, check_pcm16, check_rate
from realtime_actors.events import ClientAudioAppend

from .buffers import ROOM_RATE, JitterBuffer
from .errors import RateChanged

__all__ = ["Microphone", "TurnEvent"]

TurnEvent = Literal["began", "ended", "nothing"]
"""Somebody speaks; has spoken; or has stopped, and it was no speech."""

VOICE_MS = 30_000
"""How much of a turn may wait to be mixed: frontends may send what was recorded all at once."""

OPEN_START_MS, OPEN_MS = 80, 300
"""What other people hear waits for so much, which evens out the pace of frontends, and may lag so far behind."""


@attrs.define(eq=False)
class Microphone:
    """One person's microphone.

    `voice` has the turns, with a little of what was before each, and nothing in between: what agents hear. `open` has
    all that came: what other people hear, if they wish to. A stream of audio keeps its rate until a turn has ended.
    """

    settings: LocalVAD
    voice: JitterBuffer = attrs.field(init=False, factory=lambda: JitterBuffer(start_ms=0, depth_ms=VOICE_MS))
    open: JitterBuffer = attrs.field(init=False, factory=lambda: JitterBuffer(start_ms=OPEN_START_MS, depth_ms=OPEN_MS))
    is_listened_to: bool = attrs.field(init=False, default=False)
    """Whether somebody hears `open`."""
    is_speaking: bool = attrs.field(init=False, default=False)
    _resampler: Resampler = attrs.field(init=False, factory=lambda: Resampler(ROOM_RATE, ROOM_RATE))
    _hearing: Hearing = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._hearing = Hearing(self.settings, ROOM_RATE)

    @property
    def dropped_ms(self) -> float:
        """How much of turns was too long to wait, in ms."""
        return self.voice.statistics().dropped_ms

    @property
    def is_audible(self) -> bool:
        """Whether there is something to be heard, or about to be."""
        return bool(self.is_speaking or self.voice.buffered_ms or self.open.buffered_ms)

    def hear(self, event: ClientAudioAppend, is_heard: Callable[[], bool]) -> list[TurnEvent]:
        """The next audio. `is_heard` tells whether an agent is being heard.

        Raises:
            AudioError: it is no PCM16 mono, or its rate is not one of `realtime_actors.audio.RATES`.
            InvalidAudio: it cannot be decoded.
            RateChanged: it has another rate than what came before in the same turn.
        """
        if event.format.type != "audio/pcm":
            raise AudioError(f"audio of the type {event.format.type!r:.80} is not taken: send audio/pcm")
        pcm = event.audio
        check_pcm16(pcm)
        audio = self._at_room_rate(pcm, check_rate(event.format.rate))
        if self.is_listened_to:
            self.open.push(audio, ROOM_RATE)
        return self._turns(self._hearing.hear(audio, is_heard))

    def end_turn(self, is_heard: Callable[[], bool]) -> list[TurnEvent]:
        """The person says, in whatever way, that the turn is over."""
        return self._turns(self._hearing.commit(is_heard))

    def _at_room_rate(self, pcm: bytes, rate: int) -> bytes:
        if rate != self._resampler.from_rate:
            if self.is_speaking:
                raise RateChanged(
                    f"audio of {rate} Hz came in the middle of speech at {self._resampler.from_rate} Hz: keep to one "
                    "rate, or send client_audio_commit first"
                )
            self._resampler = Resampler(rate, ROOM_RATE)
        return self._resampler.process(pcm)

    def _turns(self, actions: Sequence[Action]) -> list[TurnEvent]:
        events: list[TurnEvent] = []
        for action in actions:
            match action:
                case TurnAudio(audio):
                    self.voice.push(audio, ROOM_RATE)
                case TurnBegan():
                    self.is_speaking = True
                    events.append("began")
                case TurnEnded():
                    self.is_speaking = False
                    self.voice.finish()
                    events.append("ended" if action.is_turn else "nothing")
                case _:
                    pass
        return events
