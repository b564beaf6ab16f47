"""An actor that listens to what agents say, and cuts a reply short when it should not go on.

It reads the transcript, which comes ahead of the sound: `ClientResponseCancel` takes back what was not yet heard.
"""

import attrs

from realtime_actors import (
    Actor,
    AgentResponseAudioTranscriptDelta,
    AgentResponseDone,
    ClientResponseCancel,
    Ref,
    receives,
)


@attrs.frozen
class Moderated:
    """`moderation.<agent>`: a reply was stopped, because of this word."""

    agent_id: str
    response_id: str
    word: str


@attrs.define(eq=False)
class Moderator(Actor):
    """Stops replies with one of `words` in them, of all agents, or of those that `pattern` names."""

    words: frozenset[str]
    pattern: str = "*"
    _said: dict[str, str] = attrs.field(init=False, factory=dict[str, str])

    async def started(self) -> None:
        for event in (AgentResponseAudioTranscriptDelta, AgentResponseDone):
            self.context.subscribe(f"agents.{self.pattern}.{event.type}")

    @receives
    def listen(self, event: AgentResponseAudioTranscriptDelta) -> None:
        # A word may come in pieces: look at the whole.
        said = self._said[event.response_id] = self._said.get(event.response_id, "") + event.delta
        found = next((word for word in self.words if word in said.casefold()), None)
        if found is None:
            return
        self._said[event.response_id] = ""
        agent = self._agent(event.agent_id)
        if agent is not None:
            self.context.tell(agent, ClientResponseCancel(session_id=""))
            self.context.bus.publish(
                f"moderation.{event.agent_id}", Moderated(event.agent_id, event.response_id, found)
            )

    def _agent(self, agent_id: str) -> Ref | None:
        """The agent with this id, the last word of its path: that of a gateway's is below its session's."""
        paths = (actor.path for actor in self.context.tree().actors)
        path = next((path for path in paths if path.rpartition(".")[2] == agent_id), None)
        return None if path is None else self.context.find(path)

    @receives
    def forget(self, event: AgentResponseDone) -> None:
        self._said.pop(event.response_id, None)
