"""All that is heard in a room: microphones and agents' speech in, a mix for each listener out. Plain code, no clock."""

from __future__ import annotations

from math import ceil

import attrs

from realtime_actors.agents import LocalVAD
from realtime_actors.audio import check_rate
from realtime_actors.events import AgentResponseAudioDelta

from .buffers import FRAME_MS, Played, PlayoutBuffer
from .errors import NotInRoom
from .microphone import Microphone
from .mixer import Mixer

__all__ = ["Heard", "Sound"]

SPEECH_MS = 300_000
"""How much of an agent's speech may wait to be played: models make a reply faster than it is heard."""

_TAIL_TICKS = 2
"""How long a listener's resampler holds back the end of what is said, at the rates of models: up to 40 ms."""

_MOST_TICKS = 100
"""How many are made at once at most: 2 s of a voice, in some ms."""

_VOICE = "voice of "
"""Before a person's name: the source that has turns only, for agents."""


@attrs.frozen
class Heard:
    """What agents hear next: PCM16 mono by listener, at the listener's rate, and the names of those who speak."""

    pcm: dict[str, bytes]
    speakers: list[str]


@attrs.define(eq=False)
class Sound:
    """Who is heard in a room, and by whom. Call `tick` and `tick_people` 50 times a second while `is_audible`.

    Agents and people have a mix each: a person's turn reaches agents as soon as it is known to be one, with what was
    before it, all at once; people hear each other as it comes.
    """

    settings: LocalVAD
    microphones: dict[str, Microphone] = attrs.field(init=False, factory=dict[str, Microphone])
    playouts: dict[str, PlayoutBuffer] = attrs.field(init=False, factory=dict[str, PlayoutBuffer])
    refused: int = attrs.field(init=False, default=0)
    """Pieces of agents' speech for which there was no room: they are heard by frontends, and not by the others."""
    _for_agents: Mixer = attrs.field(init=False, factory=Mixer)
    _for_people: Mixer = attrs.field(init=False, factory=Mixer)
    _tails: dict[str, int] = attrs.field(init=False, factory=dict[str, int])
    """By source: the ticks until its end has been heard."""
    _muted: dict[str, set[str]] = attrs.field(init=False, factory=dict[str, set[str]])
    """Whom each person does not want to hear."""

    @property
    def is_audible(self) -> bool:
        """Whether somebody can be heard, or is about to be."""
        microphones = self.microphones.values()
        return bool(self._tails) or self.is_playing() or any(each.is_audible for each in microphones)

    def is_playing(self) -> bool:
        """Whether an agent is being heard."""
        return any(not playout.is_over for playout in self.playouts.values())

    # -- who is there

    def add_person(self, person: str) -> Microphone:
        """A person has a microphone from now on."""
        microphone = self.microphones[person] = Microphone(self.settings)
        self._for_agents.add_source(_VOICE + person, microphone.voice)
        self._for_people.add_source(person, microphone.open)
        self._let_listen()
        return microphone

    def remove_person(self, person: str) -> None:
        """A person has left."""
        self.let_hear_people(person, rate=None)
        self._for_agents.remove_source(_VOICE + person)
        self._for_people.remove_source(person)
        self._tails.pop(_VOICE + person, None)
        self._muted.pop(person, None)
        for others in self._muted.values():
            others.discard(person)
        del self.microphones[person]

    def let_hear_people(self, person: str, rate: int | None) -> None:
        """Give a person the mix of the other people, at `rate` Hz; with `None` no more. Raises `UnsupportedRate`."""
        if rate is not None:
            check_rate(rate)
        if person in self._for_people.listeners:
            self._for_people.remove_listener(person)
        if rate is not None:
            muted = self._muted.setdefault(person, set())
            self._for_people.add_listener(person, rate, hears=lambda source: source not in muted)
        self._let_listen()

    def _let_listen(self) -> None:
        listeners = self._for_people.listeners
        for name, microphone in self.microphones.items():
            microphone.is_listened_to = any(listener != name for listener in listeners)

    def mute(self, source: str, listener: str, *, muted: bool) -> None:
        """Let one person hear another one no more, or again. Raises `NotInRoom`, or `ValueError` for oneself."""
        if source not in self.microphones:
            raise NotInRoom(f"no person with the id {source!r} is in the room.")
        if listener in self._for_people.listeners:
            self._for_people.set_gain(source, 0.0 if muted else 1.0, listener)
        unheard = self._muted.setdefault(listener, set())
        if muted:
            unheard.add(source)
        else:
            unheard.discard(source)

    def add_agent(self, agent: str, rate: int | None) -> None:
        """An agent can be heard; with a rate, in Hz, it hears all others."""
        self.playouts[agent] = PlayoutBuffer(depth_ms=SPEECH_MS)
        self._for_agents.add_source(agent, self.playouts[agent])
        if rate is not None:
            self._for_agents.add_listener(agent, rate)

    def remove_agent(self, agent: str) -> None:
        """An agent is gone."""
        if self.playouts.pop(agent, None) is not None:
            self._for_agents.remove_source(agent)
            self._tails.pop(agent, None)
            if agent in self._for_agents.listeners:
                self._for_agents.remove_listener(agent)

    # -- what is said

    def say(self, agent: str, event: AgentResponseAudioDelta) -> None:
        """A piece of an agent's speech. Raises `InvalidAudio`, `AudioError` or `RoomsError` when it is none."""
        if not self.playouts[agent].push(event.delta, event.format.rate, event.item_id):
            self.refused += 1

    def silence(self, agent: str) -> tuple[Played, ...]:
        """Play no more of an agent. Returns how much was played of what was not played to its end."""
        return self.playouts[agent].flush()

    def has_spoken(self, agent: str) -> bool:
        """Whether all that an agent said has been heard to its end."""
        return self.playouts[agent].is_over and agent not in self._tails

    def has_finished(self, person: str) -> bool:
        """Whether the last turn of a person, which is over, has been heard to its end."""
        return self.microphones[person].voice.is_over and _VOICE + person not in self._tails

    # -- what is heard

    def tick(self) -> Heard:
        """What agents hear in the next `FRAME_MS`, or more where a voice has to be caught up with."""
        pcm: dict[str, bytearray] = {}
        speakers: dict[str, None] = {}
        for _ in range(self._ticks_due()):
            self._count_tails()
            frames = self._for_agents.tick()
            playing = [source for source in self._for_agents.sources if self._for_agents.is_playing(source)]
            for listener, frame in frames.items():
                # Pauses of a speaker are a part of what is said.
                if not frame.is_silent or any(source != listener for source in playing):
                    pcm.setdefault(listener, bytearray()).extend(frame.pcm)
            speakers |= {source.removeprefix(_VOICE): None for source in playing if self._for_agents.is_heard(source)}
        return Heard({listener: bytes(heard) for listener, heard in pcm.items()}, list(speakers))

    def tick_people(self) -> dict[str, bytes]:
        """What each person who wants to hears of the others in the next `FRAME_MS`; nothing where nobody is heard."""
        return {listener: frame.pcm for listener, frame in self._for_people.tick().items() if not frame.is_silent}

    def _count_tails(self) -> None:
        sources = {_VOICE + person: microphone.voice for person, microphone in self.microphones.items()}
        for source, buffer in (sources | self.playouts).items():
            if not buffer.is_over:
                self._tails[source] = _TAIL_TICKS
            elif source in self._tails:
                self._tails[source] -= 1
                if not self._tails[source]:
                    del self._tails[source]

    def _ticks_due(self) -> int:
        """How many ticks to make for one `FRAME_MS` of time.

        While nobody else is heard a voice has no pace: all that has come of it is told at once, and nothing is told
        where nothing has come, so that no gap gets into it.
        """
        voices = [
            (microphone, self._tails.get(_VOICE + person, 0))
            for person, microphone in self.microphones.items()
            if not microphone.voice.is_over or _VOICE + person in self._tails
        ]
        if len(voices) != 1 or self.is_playing():
            return 1
        ((microphone, tail),) = voices
        if not microphone.voice.is_over:
            tail = _TAIL_TICKS
        if microphone.is_speaking:
            return min(int(microphone.voice.buffered_ms // FRAME_MS), _MOST_TICKS)
        return min(max(1, ceil(microphone.voice.buffered_ms / FRAME_MS) + tail), _MOST_TICKS)

    def levels(self) -> dict[str, float]:
        """How loud those are who can be heard, in dBFS."""
        found = {person: self._for_agents.level_dbfs(_VOICE + person) for person in self.microphones}
        found |= {agent: self._for_agents.level_dbfs(agent) for agent in self.playouts}
        return {name: round(level, 1) for name, level in found.items() if level > float("-inf")}
