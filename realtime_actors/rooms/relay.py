"""From an agent's topics to its room's: what one stream of events is made of."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import attrs

from realtime_actors.actors import Bus
from realtime_actors.agents.translation import DELTAS
from realtime_actors.events import (
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDelta,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    Event,
)

__all__ = ["Relay", "Speech"]

Speech = AgentResponseCreated | AgentResponseAudioDelta | AgentResponseAudioTranscriptDelta | AgentResponseDone
"""What the others in the room hear of a reply is made of these."""

_OWN = (AgentInputDone, AgentInputStarted, AgentInputTranscriptionDelta, AgentInputTranscriptionDone)
"""What each agent says of what it hears: in a room all hear the same, and the room says it once."""


@attrs.define(eq=False)
class Relay:
    """A subscriber to one agent's topics, which gives on what comes to the room's at once: it keeps nothing.

    What the agent takes back is thereby taken back from whoever reads the room's stream.
    """

    bus: Bus
    agent_id: str
    room: str
    speech: Callable[[Speech], None]
    """Told what is said, in the middle of a publish: it has to be quick."""
    pattern: str = attrs.field(init=False)
    _topics: tuple[str, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pattern = f"agents.{self.agent_id}.>"
        self._topics = tuple(f"rooms.{self.room}.{kind.type}" for kind in DELTAS)

    def offer(self, message: Event, group: Hashable) -> None:
        """Called by the bus."""
        if isinstance(message, Speech):
            self.speech(message)
        elif isinstance(message, _OWN):
            return
        self.bus.publish(f"rooms.{self.room}.{message.type}", message, group)

    def discard(self, group: Hashable) -> None:
        """Called by the bus, for each type of which there may be something to take back."""
        for topic in self._topics:
            self.bus.discard(topic, group)
