"""All that is heard in a room: microphones and agents' speech in, a mix for each listener out. Plain code, no clock."""

from __future__ import annotations

from math import ceil

import attrs

from realtime_actors.agents import LocalVAD
from realtime_actors.events import AgentResponseAudioDelta

from .buffers import FRAME_MS, Played, PlayoutBuffer
from .microphone import Microphone
from .mixer import Frame, Mixer

__all__ = ["Sound"]

_DEPTH_MS = 300_000
"""How much of an agent's speech may wait to be played: models make a reply faster than it is heard."""

_AHEAD_MS = 2 * FRAME_MS
"""How much of a voice may wait, besides what evens out jitter."""

_VOICE = "voice of "
"""Before a person's name: the source that has turns only, for agents."""


@attrs.define(eq=False)
class Sound:
    """Who is heard in a room, and by whom. Call `tick` 50 times a second while `is_audible`."""

    settings: LocalVAD
    microphones: dict[str, Microphone] = attrs.field(init=False, factory=dict[str, Microphone])
    playouts: dict[str, PlayoutBuffer] = attrs.field(init=False, factory=dict[str, PlayoutBuffer])
    refused: int = attrs.field(init=False, default=0)
    """Pieces of agents' speech for which there was no room: they are heard by frontends, and not by the others."""
    _mixer: Mixer = attrs.field(init=False, factory=Mixer)

    @property
    def is_audible(self) -> bool:
        """Whether somebody can be heard, or is about to be."""
        microphones = self.microphones.values()
        return self.is_playing() or any(
            mic.is_speaking or mic.voice.buffered_ms or mic.open.buffered_ms for mic in microphones
        )

    def is_playing(self) -> bool:
        """Whether an agent is being heard."""
        return any(not playout.is_over for playout in self.playouts.values())

    # -- who is there

    def add_person(self, person: str) -> Microphone:
        """A person has a microphone from now on."""
        microphone = self.microphones[person] = Microphone(self.settings)
        self._mixer.add_source(_VOICE + person, microphone.voice)
        self._mixer.add_source(person, microphone.open)
        return microphone

    def remove_person(self, person: str) -> None:
        """A person has left."""
        if self.microphones.pop(person, None) is not None:
            self._mixer.remove_source(_VOICE + person)
            self._mixer.remove_source(person)
            self.let_hear_people(person, rate=None)

    def let_hear_people(self, person: str, rate: int | None) -> None:
        """Give a person the mix of the other people, at `rate` Hz; with `None` no more."""
        if person in self._mixer.listeners:
            self._mixer.remove_listener(person)
        if rate is not None:
            people = self.microphones
            self._mixer.add_listener(person, rate, hears=lambda source: source in people)
        others = self._mixer.listeners
        for name, microphone in self.microphones.items():
            microphone.is_listened_to = any(other in self.microphones and other != name for other in others)

    def mute(self, source: str, listener: str, *, muted: bool) -> None:
        """Let one person hear another one no more, or again. Raises `NotInRoom`."""
        self._mixer.set_gain(source, 0.0 if muted else 1.0, listener)

    def add_agent(self, agent: str, rate: int | None) -> None:
        """An agent can be heard; with a rate, in Hz, it hears all others."""
        self.playouts[agent] = PlayoutBuffer(depth_ms=_DEPTH_MS)
        self._mixer.add_source(agent, self.playouts[agent])
        if rate is not None:
            self._mixer.add_listener(agent, rate, hears=self._is_for_agents)

    def remove_agent(self, agent: str) -> None:
        """An agent is gone."""
        if self.playouts.pop(agent, None) is not None:
            self._mixer.remove_source(agent)
            if agent in self._mixer.listeners:
                self._mixer.remove_listener(agent)

    def _is_for_agents(self, source: str) -> bool:
        return source.startswith(_VOICE) or source in self.playouts

    # -- what is said

    def say(self, agent: str, event: AgentResponseAudioDelta) -> None:
        """A piece of an agent's speech. Raises `InvalidAudio` or `AudioError` when it is none."""
        if not self.playouts[agent].push(event.delta, event.format.rate, event.item_id):
            self.refused += 1

    def silence(self, agent: str) -> tuple[Played, ...]:
        """Play no more of an agent. Returns how much was played of what was not played to its end."""
        return self.playouts[agent].flush()

    # -- what is heard

    def tick(self) -> dict[str, Frame]:
        """What each listener hears in the next `FRAME_MS`, by name."""
        return self._mixer.tick()

    def ticks_due(self) -> int:
        """How many ticks to make for one `FRAME_MS` of time.

        A voice comes with what was before it, at once; where nobody else is heard nothing is gained by hearing it late.
        """
        waiting = [mic.voice.buffered_ms for mic in self.microphones.values() if mic.voice.buffered_ms]
        if len(waiting) != 1 or self.is_playing():
            return 1
        allowed = 0 if not any(mic.is_speaking for mic in self.microphones.values()) else _AHEAD_MS
        return max(1, ceil((waiting[0] - allowed) / FRAME_MS))

    def audible(self) -> list[str]:
        """Whom agents heard in the last tick."""
        people = [person for person in self.microphones if self._mixer.is_heard(_VOICE + person)]
        return people + [agent for agent in self.playouts if self._mixer.is_heard(agent)]

    def levels(self) -> dict[str, float]:
        """How loud those are who can be heard, in dBFS."""
        found = {person: self._mixer.level_dbfs(_VOICE + person) for person in self.microphones}
        found |= {agent: self._mixer.level_dbfs(agent) for agent in self.playouts}
        return {name: round(level, 1) for name, level in found.items() if level > float("-inf")}
