"""Turn detection of our own: which audio that comes in is the user's turn. Plain code: it counts audio, not time.

Silence goes nowhere. When somebody speaks, the turn begins a little before the first voice, and all that was held while
it was only suspected goes out first; then audio goes out as it comes, until a silence ends the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import attrs

from realtime_actors.audio import SpeechStarted, VoiceActivityDetector, byte_length, duration_ms
from realtime_actors.providers import InvalidModel
from realtime_actors.providers.model import check_choice, check_count, check_flag, check_number

from .errors import InvalidTurnDetection

__all__ = [
    "Action",
    "Backchannel",
    "Backchannels",
    "Hearing",
    "HearingStatistics",
    "LocalVAD",
    "TurnAudio",
    "TurnBegan",
    "TurnEnded",
]

Backchannels = Literal["ignore", "commit"]
"""What becomes of short speech over a reply: nothing, or a part of the conversation that interrupts nobody."""

MOST_HELD_MS = 5000
"""Speech that is held while it is not known what it is; of more the oldest is dropped, and counted."""

_FRAME_MS = 20
# Behind the last sound of which the detector says anything: its resampler (25 ms), and the frame that it waits for.
_LAG_MS = 60
# OpenAI refuses to take less than this for a turn ("buffer too small", real sessions of July 2026).
_LEAST_TURN_MS = 100


@attrs.frozen
class LocalVAD:
    """The agent itself finds the user's turns, with WebRTC's classifier and an energy gate; the provider does not.

    A turn begins when `min_speech_ms` of voice were heard, and takes along the `prefix_ms` before them; it ends after
    `silence_ms` without voice. Frames quieter than `threshold_dbfs` are never voice; `aggressiveness` is the
    classifier's, from 0 (takes much for speech) to 3 (takes little).

    While a reply is being heard it takes `interrupt_after_ms` of voice to interrupt it. Shorter speech is a
    backchannel, such as "mhm": the reply goes on. `backchannels` says whether the model is told of it afterwards.
    With `resume_false_starts` a reply that was interrupted by nothing is gone on with: see docs/conversation.md.

    Wrong values raise `InvalidTurnDetection`.
    """

    silence_ms: int = 500
    prefix_ms: int = 300
    min_speech_ms: int = 80
    threshold_dbfs: float = -45.0
    aggressiveness: int = 2
    interrupt_after_ms: int = 400
    backchannels: Backchannels = "ignore"
    resume_false_starts: bool = False

    def __attrs_post_init__(self) -> None:
        try:
            for name, least, most in _RANGES:
                check_count(f"LocalVAD.{name}", _some(getattr(self, name)), least, most)
            check_number("LocalVAD.threshold_dbfs", _some(self.threshold_dbfs), -100, 0)
            check_choice("LocalVAD.backchannels", str(self.backchannels), get_args(Backchannels))
            check_flag("LocalVAD.resume_false_starts", self.resume_false_starts)
        except InvalidModel as error:
            raise InvalidTurnDetection(str(error)) from None


def _some(value: object) -> object:
    """Nothing here may be left out, which the checks take for `None`."""
    return "None" if value is None else value


_RANGES = (
    ("silence_ms", 100, 10_000),
    ("prefix_ms", 0, 2000),
    ("min_speech_ms", 20, 2000),
    ("interrupt_after_ms", 20, 3000),
    ("aggressiveness", 0, 3),
)


@attrs.frozen
class TurnBegan:
    """The user speaks. `at_ms`: where the turn begins, in ms of audio received. `interrupts`: over a reply."""

    at_ms: int
    interrupts: bool


@attrs.frozen
class TurnAudio:
    """A part of the turn: PCM16 mono at the model's rate."""

    audio: bytes


@attrs.frozen
class TurnEnded:
    """The user is silent. Without `is_turn` it was too short for a turn, and nothing of it was given out."""

    at_ms: int
    is_turn: bool


@attrs.frozen
class Backchannel:
    """Somebody spoke shortly over a reply, which goes on. `audio` is what to tell the model of it, if anything."""

    audio_ms: float
    audio: bytes


Action = TurnBegan | TurnAudio | TurnEnded | Backchannel


@attrs.frozen
class HearingStatistics:
    """What an agent with `LocalVAD` has heard so far."""

    turns: int = 0
    """Turns that were given to the model."""
    interruptions: int = 0
    """Times that speech interrupted a reply."""
    too_short: int = 0
    """Interruptions of which nothing came: there was less voice than a turn needs."""
    backchannels: int = 0
    backchannel_ms: float = 0
    """Speech of backchannels, in ms, the silence after each included."""
    dropped_ms: float = 0
    """Speech that was held for too long while it was not known what it is, in ms."""
    resumed: int = 0
    """Replies that were gone on with, because nothing had interrupted them."""


@attrs.define
class Hearing:
    """The turns in one stream of PCM16 mono at `rate` Hz. Whatever the chunks it comes in, the turns are the same."""

    settings: LocalVAD
    rate: int
    counts: dict[str, float] = attrs.field(factory=lambda: dict.fromkeys(_COUNTS, 0))
    _vad: VoiceActivityDetector = attrs.field(init=False)
    _frame: int = attrs.field(init=False)
    _pending: bytearray = attrs.field(init=False, factory=bytearray)
    """Less than a frame."""
    _position: int = attrs.field(init=False, default=0)
    """Bytes that were looked at."""
    _held: bytearray = attrs.field(init=False, factory=bytearray)
    """The last of them, while they are not given out."""
    _out: bytearray = attrs.field(init=False, factory=bytearray)
    """What is to be given out of a turn."""
    _given: int = attrs.field(init=False, default=0)
    """Bytes of the turn that were given out."""
    _state: Literal["silent", "undecided", "began", "turn"] = attrs.field(init=False, default="silent")
    """`undecided`: somebody speaks; `began`: that is known to interrupt; `turn`: and to be a turn."""

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        self._frame = byte_length(_FRAME_MS, self.rate)
        self._vad = VoiceActivityDetector(
            self.rate,
            silence_ms=settings.silence_ms,
            prefix_ms=0,  # what comes before the voice is held here
            min_speech_ms=min(settings.min_speech_ms, settings.interrupt_after_ms),
            threshold_dbfs=settings.threshold_dbfs,
            aggressiveness=settings.aggressiveness,
        )

    @property
    def is_silent(self) -> bool:
        """Whether nobody speaks, as far as is known."""
        return self._state == "silent" and self._vad.voice_since_ms is None

    def hear(self, pcm: bytes, is_heard: Callable[[], bool]) -> list[Action]:
        """The next audio. `is_heard` tells whether a reply is being heard, and is asked when that matters."""
        actions: list[Action] = []
        self._pending += pcm
        whole = len(self._pending) - len(self._pending) % self._frame
        for start in range(0, whole, self._frame):
            self._look(bytes(self._pending[start : start + self._frame]), is_heard, actions)
        del self._pending[:whole]
        self._give(actions)
        return actions

    def commit(self, is_heard: Callable[[], bool]) -> list[Action]:
        """The turn is over, without a silence; what is only suspected is one. Nothing, where nobody speaks."""
        actions: list[Action] = []
        if self._pending:
            self._look(bytes(self._pending), is_heard, actions)
            self._pending.clear()
        if self._state != "turn" and self._vad.voice_since_ms is not None:
            self._begin(is_heard(), actions)
            self._send()
        if self._state == "turn":
            least = byte_length(_LEAST_TURN_MS, self.rate)
            self._out += bytes(max(0, least - self._given - len(self._out)))
            self._end(actions)
        self._vad.reset()
        return actions

    def statistics(self) -> HearingStatistics:
        """What was heard so far."""
        counts = {name: round(self.counts[name]) for name in ("turns", "interruptions", "too_short", "backchannels")}
        return HearingStatistics(
            **counts, backchannel_ms=self.counts["backchannel_ms"], dropped_ms=self.counts["dropped_ms"]
        )

    def _look(self, frame: bytes, is_heard: Callable[[], bool], actions: list[Action]) -> None:
        self._position += len(frame)
        if self._state == "turn":
            self._out += frame
        else:
            self._held += frame
        voice = self._vad.voice_ms  # of what ends by this frame it is not known any more afterwards
        for event in self._vad.feed(frame):
            if isinstance(event, SpeechStarted):
                self._state = "undecided"
                self._forget_before(event.at_ms - self.settings.prefix_ms)
            elif self._state == "undecided":
                self._pass_over(voice, actions)
            else:
                self._end(actions)
        if self._state in ("undecided", "began"):
            self._decide(is_heard, actions)
        elif self._state == "silent":
            since = self._vad.voice_since_ms
            now = self._ms(self._position) - _LAG_MS if since is None else since
            self._forget_before(now - self.settings.prefix_ms)
        if self._state != "turn":
            self._drop_too_old()

    def _decide(self, is_heard: Callable[[], bool], actions: list[Action]) -> None:
        """There may be voice enough by now, and what was being said may be over."""
        voice = self._vad.voice_ms
        if self._state == "undecided":
            over = is_heard()
            if voice < (self.settings.interrupt_after_ms if over else self.settings.min_speech_ms):
                return
            self._begin(over, actions)
        if voice >= self.settings.min_speech_ms:
            self._send()

    def _begin(self, interrupts: bool, actions: list[Action]) -> None:
        if self._state != "began":
            self._state = "began"
            self.counts["interruptions"] += interrupts
            actions.append(TurnBegan(round(self._ms(self._position - len(self._held))), interrupts))

    def _send(self) -> None:
        self._state, self._given = "turn", 0
        self._out += self._held
        self._held.clear()

    def _give(self, actions: list[Action]) -> None:
        if self._out:
            self._given += len(self._out)
            actions.append(TurnAudio(bytes(self._out)))
            self._out.clear()

    def _end(self, actions: list[Action]) -> None:
        self._give(actions)
        is_turn = self._state == "turn"
        self.counts["turns" if is_turn else "too_short"] += 1
        actions.append(TurnEnded(round(self._ms(self._position)), is_turn))
        self._state = "silent"

    def _pass_over(self, voice_ms: int, actions: list[Action]) -> None:
        """It was too short to interrupt, or no speech at all."""
        self._state = "silent"
        if voice_ms < self.settings.min_speech_ms:
            return
        audio, audio_ms = b"", duration_ms(len(self._held), self.rate)
        if self.settings.backchannels == "commit":
            audio = bytes(self._held)
            self._held.clear()
        self.counts["backchannels"] += 1
        self.counts["backchannel_ms"] += audio_ms
        actions.append(Backchannel(audio_ms, audio))

    def _forget_before(self, at_ms: float) -> None:
        """What was held from before this is silence."""
        excess = int(at_ms * self.rate / 1000) * 2 - (self._position - len(self._held))
        if excess > 0:
            del self._held[:excess]

    def _drop_too_old(self) -> None:
        excess = len(self._held) - byte_length(MOST_HELD_MS, self.rate)
        if excess > 0:
            del self._held[:excess]
            self.counts["dropped_ms"] += duration_ms(excess, self.rate)

    def _ms(self, size: int) -> float:
        return duration_ms(size, self.rate)


_COUNTS = ("turns", "interruptions", "too_short", "backchannels", "backchannel_ms", "dropped_ms")
