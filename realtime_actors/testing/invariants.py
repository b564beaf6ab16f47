"""What holds of an agent's events, whatever users, tools, providers and networks do."""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs

from realtime_actors.actors import Lost
from realtime_actors.events import (
    AgentEnded,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioDone,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
)

from .errors import ExpectationFailed
from .matching import listed, short

__all__ = ["InvariantBroken", "Invariants"]

MOST_SHOWN = 12
"""How many of the last events an error shows."""

_STATUSES = frozenset({"completed", "cancelled", "failed", "incomplete"})


class InvariantBroken(ExpectationFailed):
    """An agent's events are not what they have to be."""


@attrs.define
class _Reply:
    words: dict[str, str] = attrs.field(factory=dict[str, str])
    """By item, as far as they came."""
    spoken: set[str] = attrs.field(factory=set[str])
    """Items whose speech is complete."""
    written: set[str] = attrs.field(factory=set[str])
    """Items whose words are complete."""
    arguments: dict[str, str] = attrs.field(factory=dict[str, str])
    """By call, as far as they came."""


@attrs.define
class Invariants:
    """A check of every event that an agent publishes, in order::

        invariants = Invariants()
        async for event in events:
            invariants.see(event)
        invariants.finish()

    - an agent is ready first, and says nothing after its end;
    - a reply begins once and ends once, and nothing of it comes before or after;
    - of an item nothing comes after the end of its speech or of its words, and the words are all that came of them;
    - a call is complete once, and has one result, after that; its arguments only grow;
    - progress and requests for approval are of calls that have no result.

    One may watch several agents. A reader that lags behind does not get the rest of a reply that was interrupted: for
    one that may, set `is_prompt` to false, and what has to be complete is not asked for.
    """

    is_prompt: bool = True
    _ready: set[str] = attrs.field(init=False, factory=set[str])
    _ended: set[str] = attrs.field(init=False, factory=set[str])
    _replies: dict[tuple[str, str], _Reply | None] = attrs.field(
        init=False, factory=dict[tuple[str, str], _Reply | None]
    )
    """By agent and response; None for those that are over."""
    _calls: dict[tuple[str, str], bool] = attrs.field(init=False, factory=dict[tuple[str, str], bool])
    """Whether it has a result, by agent and call."""
    _recent: deque[Any] = attrs.field(init=False, factory=lambda: deque[Any](maxlen=MOST_SHOWN))

    @property
    def open_replies(self) -> list[str]:
        """The ids of the responses that have begun and not ended."""
        return [response_id for (_, response_id), reply in self._replies.items() if reply is not None]

    @property
    def open_calls(self) -> list[str]:
        """The ids of the calls that are complete and have no result."""
        return [call_id for (_, call_id), has_result in self._calls.items() if not has_result]

    def see(self, event: Any) -> None:  # noqa: PLR0912 - a branch for each type
        """Check the next event; what is no agent's is passed over. Raises `InvariantBroken`."""
        if isinstance(event, Lost):
            raise self._broken(f"{event.count} events were lost: read faster, or give the subscription more capacity")
        agent: str | None = getattr(event, "agent_id", None)
        if agent is None:
            return
        self._recent.append(event)
        self._lives(event, agent)
        match event:
            case AgentResponseAudioDelta():
                if event.item_id in self._reply(agent, event).spoken:
                    raise self._broken(f"the speech of the item {event.item_id} was complete, and there is more")
            case AgentResponseAudioTranscriptDelta():
                self._words(self._reply(agent, event), event)
            case AgentResponseCreated(response_id):
                if (agent, response_id) in self._replies:
                    raise self._broken(f"the reply {response_id} begins a second time")
                self._replies[agent, response_id] = _Reply()
            case AgentResponseDone(response_id, metadata=metadata):
                self._reply(agent, event)
                self._replies[agent, response_id] = None
                if metadata.get("status") not in _STATUSES:
                    raise self._broken(f"the end of the reply {response_id} has no status")
            case AgentResponseAudioDone():
                self._reply(agent, event).spoken.add(event.item_id)
            case AgentResponseAudioTranscriptDone():
                self._words_done(self._reply(agent, event), event)
            case AgentResponseToolUseDelta() | AgentResponseToolUseDone():
                self._called(self._reply(agent, event), agent, event)
            case AgentResponseToolResult(tool_result=result):
                self._open_call(agent, result.id)
                self._calls[agent, result.id] = True
            case AgentResponseToolProgress(id=call_id):
                self._open_call(agent, call_id)
            case AgentToolApprovalRequested(tool_use=use):
                self._open_call(agent, use.id)
            case _:
                pass

    def finish(self) -> None:
        """All is quiet: see that what has begun has ended. Raises `InvariantBroken`."""
        if self.open_replies:
            raise self._broken(f"replies have not ended: {', '.join(self.open_replies)}")
        if self.open_calls:
            raise self._broken(f"calls have no result: {', '.join(self.open_calls)}")

    def _lives(self, event: Any, agent: str) -> None:
        match event:
            case AgentReady():
                if agent in self._ready - self._ended:
                    raise self._broken(f"the agent {agent} is ready a second time")
                self._ready.add(agent)
                self._ended.discard(agent)  # it was started again
            case _ if agent in self._ended:
                raise self._broken(f"the agent {agent} has ended, and says more")
            case AgentEnded():
                self._ended.add(agent)
                replies = [response_id for owner, response_id in self._replies if owner == agent]
                if any(self._replies[agent, response_id] is not None for response_id in replies):
                    raise self._broken(f"the agent {agent} ends before its replies")
                for owner, call_id in list(self._calls):
                    if owner == agent:  # nobody is left who wants its result
                        self._calls[owner, call_id] = True
            case _ if agent not in self._ready and not hasattr(event, "error_type"):
                raise self._broken(f"the agent {agent} is not ready, and says something")
            case _:
                pass

    def _reply(self, agent: str, event: Any) -> _Reply:
        """The reply that this is a part of, which has to be open."""
        response_id: str = event.response_id
        if (agent, response_id) not in self._replies:
            raise self._broken(f"the reply {response_id} has not begun, and there is something of it")
        reply = self._replies[agent, response_id]
        if reply is None:
            raise self._broken(f"the reply {response_id} has ended, and there is more of it")
        return reply

    def _words(self, reply: _Reply, event: AgentResponseAudioTranscriptDelta) -> None:
        if event.item_id in reply.written:
            raise self._broken(f"the words of the item {event.item_id} were complete, and there are more")
        reply.words[event.item_id] = reply.words.get(event.item_id, "") + event.delta

    def _words_done(self, reply: _Reply, event: AgentResponseAudioTranscriptDone) -> None:
        if event.item_id in reply.written:
            raise self._broken(f"the words of the item {event.item_id} are complete a second time")
        reply.written.add(event.item_id)
        came = reply.words.get(event.item_id, "")
        if self.is_prompt and event.transcript is not None and event.transcript.strip() != came.strip():
            raise self._broken(f"of the words {event.transcript!r:.200} came {came!r:.200}")

    def _called(self, reply: _Reply, agent: str, event: AgentResponseToolUseDelta | AgentResponseToolUseDone) -> None:
        use = event.tool_use
        if (agent, use.id) in self._calls:
            raise self._broken(f"the call {use.id} was complete, and there is more of it")
        before, now = reply.arguments.get(use.id, ""), use.raw_input.strip()
        reply.arguments[use.id] = now
        if not now.startswith(before):
            raise self._broken(f"the arguments of the call {use.id} were {before!r:.200}, and are {now!r:.200}")
        if isinstance(event, AgentResponseToolUseDone):
            self._calls[agent, use.id] = False

    def _open_call(self, agent: str, call_id: str) -> None:
        if (agent, call_id) not in self._calls:
            raise self._broken(f"there was no call {call_id}")
        if self._calls[agent, call_id]:
            raise self._broken(f"the call {call_id} has its result, and there is more of it")

    def _broken(self, problem: str) -> InvariantBroken:
        return InvariantBroken(f"{problem}\nThe last events, this one at the end:{listed(map(short, self._recent))}")
