"""Whose turn it is: which replies are alive, what may pass, what must be asked for. Plain code, no I/O.

Replies are matched by their ids only. A reply is *generating* until the provider says that it has ended; for the
listener it may be over before that, when it was cancelled: from then on nothing of it passes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable

import attrs

from realtime_actors.events import (
    AgentError,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AppendToolResult,
    CancelResponse,
    CreateResponse,
    ModelCommand,
    ModelResponseDone,
    RequestFailed,
    ServerEvent,
    ToolResult,
    ToolUse,
)

from .late import LateCall, LateCalls

__all__ = [
    "CANCELLED",
    "AbortTool",
    "Began",
    "Effect",
    "Emit",
    "Ended",
    "Mistaken",
    "RunTool",
    "Send",
    "Silence",
    "Supersede",
    "Turns",
    "Unsaid",
]

# Ids of replies that are over and of calls that were made, so that what comes late or twice is known as such.
_REMEMBERED = 256
# A provider ends its replies. What one leaves open beyond this many is given up.
_MOST_ALIVE = 32


@attrs.frozen
class Emit:
    """Publish an event."""

    event: ServerEvent


@attrs.frozen
class Send:
    """Send a command to the model."""

    command: ModelCommand


@attrs.frozen
class Supersede:
    """Take back the deltas of a reply that nobody has read yet."""

    response_id: str


@attrs.frozen
class Silence:
    """Play no more of a reply, or of any of them: what was not heard of it never will be."""

    response_id: str | None = None


@attrs.frozen
class RunTool:
    """Carry out a call."""

    use: ToolUse


@attrs.frozen
class AbortTool:
    """Stop carrying out a call."""

    call_id: str


@attrs.frozen
class Began:
    """The reply to these requests has begun, or the next one of several: those before it called tools."""

    requests: tuple[str, ...]
    response_id: str


@attrs.frozen
class Mistaken:
    """This response, which had begun, is not the reply to these requests: theirs comes after it."""

    requests: tuple[str, ...]
    response_id: str


@attrs.frozen
class Ended:
    """The reply to these requests is over, with its calls and what followed them. `metadata` has status and reason."""

    requests: tuple[str, ...]
    metadata: dict[str, str]


@attrs.frozen
class Unsaid:
    """What was taken for the user's speech was none."""

    item_id: str


Effect = Emit | Send | Supersede | Silence | RunTool | AbortTool | Began | Mistaken | Ended | Unsaid


@attrs.define
class _Reply:
    id: str
    calls: dict[str, ToolUse] = attrs.field(factory=dict[str, ToolUse])
    """Calls whose results the model has not been given."""
    answered: bool = False
    """Whether the model has been given a result, so that it must be asked to go on."""
    done: bool = False
    """Whether the provider has ended it."""
    ended: bool = False
    """Whether its end has been announced."""
    cancelled: bool = False
    cancel_id: str | None = None
    """The request by which the provider was told to stop it."""
    created_by: str = ""
    """The command that asked for it; empty for one that the provider began by itself."""
    requests: tuple[str, ...] = ()
    """Those who wait for its end."""


@attrs.define
class Turns:
    """The replies of one agent. Each method takes what happened and gives what to do, in order."""

    agent_id: str
    agent_name: str
    new_id: Callable[[], str] = attrs.field(factory=lambda: map("id_{}".format, itertools.count(1)).__next__)
    finishes: Callable[[ToolUse], bool] = lambda _: False
    """Whether a call goes on when its reply is interrupted."""
    input_tokens: int = attrs.field(init=False, default=0)
    """Tokens of all replies, those that were cancelled included."""
    output_tokens: int = attrs.field(init=False, default=0)
    _replies: dict[str, _Reply] = attrs.field(init=False, factory=dict[str, _Reply])
    _generating: set[str] = attrs.field(init=False, factory=set[str])
    _over: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    _called: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    _late: LateCalls = attrs.field(init=False, factory=LateCalls)
    _last: str | None = attrs.field(init=False, default=None)
    _request_id: str = attrs.field(init=False, default="")
    """The latest request for a reply."""
    _requested: bool = attrs.field(init=False, default=False)
    """Whether the reply to the latest request has not begun."""
    _expected: bool = attrs.field(init=False, default=False)
    """Whether the provider is about to reply by itself."""
    _cancel_next: str = attrs.field(init=False, default="")
    """Why the reply that was requested, or is expected, was cancelled before it began; empty if it was not."""
    _cancelled_id: str = attrs.field(init=False, default="")
    """The latest request when the client last cancelled: it is not made again."""
    _wanted: bool = attrs.field(init=False, default=False)
    # Requests of those who wait for the end of the reply: not yet passed on, and passed on with the latest command.
    _waiting: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    _asked: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    _asked_for_others: bool = attrs.field(init=False, default=False)
    _speaking: bool = attrs.field(init=False, default=False)
    """Whether the user is speaking: the reply that follows a batch of calls waits until that is over."""

    def passes(self, response_id: str) -> bool:
        """Whether what belongs to this reply may be passed on: it has begun and is not over."""
        reply = self._replies.get(response_id)
        return reply is not None and not reply.ended

    def is_over(self, response_id: str) -> bool:
        """Whether this reply has ended for the listener."""
        return response_id in self._over or (response_id in self._replies and self._replies[response_id].ended)

    @property
    def generating(self) -> frozenset[str]:
        """The replies that the provider has not ended."""
        return frozenset(self._generating)

    @property
    def awaits(self) -> bool:
        """Whether something is to come of the model: a reply that has begun, or one that was asked for."""
        return self._requested or bool(self._generating)

    @property
    def is_quiet(self) -> bool:
        """Whether it is between two turns: nobody speaks, or is about to, and no call of a reply is carried out."""
        is_due = self._wanted or self._expected or self._speaking or bool(self._waiting)
        return not (self.awaits or is_due or self.calls)

    @property
    def calls(self) -> bool:
        """Whether calls of a reply are being carried out."""
        return any(reply.calls for reply in self._replies.values())

    # -- what the model says

    def created(self, response_id: str, knows_all: bool = True) -> list[Effect]:
        """A reply begins. One that begins by its first delta, unannounced, comes here too.

        `knows_all` says whether the provider has acknowledged all that was added to the conversation.
        """
        if response_id in self._over or response_id in self._replies:
            return []
        effects = self._give_up_oldest() if len(self._replies) >= _MOST_ALIVE else []
        # A new reply shows that those that were cancelled are over, even if their ends have not been told.
        self._generating.difference_update(reply.id for reply in self._replies.values() if reply.cancelled)
        reply = self._replies[response_id] = _Reply(response_id)
        self._generating.add(response_id)
        if self._requested:
            reply.created_by, reply.requests, self._asked = self._request_id, tuple(self._asked), {}
        elif knows_all:
            # The provider replies by itself, to all that it has been given: nothing is left to ask for.
            self._wanted = False
            reply.requests, self._waiting = tuple(self._waiting), {}
        self._requested = self._expected = False
        effects.append(Emit(AgentResponseCreated(response_id, self.agent_id, self.agent_name)))
        if reply.requests:
            effects.append(Began(reply.requests, response_id))
        if self._cancel_next:
            reason, self._cancel_next = self._cancel_next, ""
            effects += self._cut(reply, reason, tell_model=True)
        return effects

    def called(self, response_id: str, use: ToolUse) -> list[Effect]:
        """The model has written a call."""
        reply = self._replies.get(response_id)
        if use.id in self._called:
            return []
        _remember(self._called, use.id)
        if reply is None or reply.ended:
            return [self._result_command(use, CANCELLED)]
        reply.calls[use.id] = use
        return [RunTool(use)]

    def done(self, event: ModelResponseDone) -> list[Effect]:
        """The provider has ended a reply."""
        effects = self.created(event.response_id)
        self._generating.discard(event.response_id)
        reply = self._replies.get(event.response_id)
        if reply is not None and not reply.done:
            reply.done = True
            self.input_tokens += event.input_tokens
            self.output_tokens += event.output_tokens
            if not reply.ended:
                metadata = {"status": "completed", **event.metadata}
                if metadata["status"] == "cancelled":
                    effects += [*self._abandon_calls(reply), Silence(reply.id), Supersede(reply.id)]
                effects += self._end(reply, metadata, event.input_tokens, event.output_tokens)
                self._last = reply.id
            if not reply.calls:
                effects += self._close(reply)
        return effects + self._create_if_due()

    def heard_speech(self, interrupts: bool, *, tell_model: bool = False) -> list[Effect]:
        """The user speaks. If that `interrupts`, replies are over, one that was requested and has not begun included.

        The model is told where it does not hear that by itself; where it does, it has cancelled what there was of it.
        """
        self._speaking = True
        self._expected = False
        if not tell_model:
            self._cancel_next = self._cancel_next if self._requested else ""
        elif self._requested:
            self._cancel_next, self._cancelled_id = "turn_detected", self._request_id
        if not interrupts:
            return []
        effects = self._supersede_last()
        for reply in list(self._replies.values()):
            if not reply.ended:
                effects += self._cut(reply, "turn_detected", tell_model=tell_model)
        return effects

    def heard_silence(self, replies_itself: bool) -> list[Effect]:
        """The user has stopped speaking. If the provider `replies_itself`, nothing need be asked for."""
        self._speaking = False
        self._expected = replies_itself
        return [] if replies_itself else self._create_if_due()

    def deserted(self) -> list[Effect]:
        """Nothing comes of the user any more: who was speaking has stopped, though nobody has heard the silence."""
        return self.heard_silence(False) if self._speaking else []

    def failed(self, notice: RequestFailed) -> list[Effect]:
        """The provider refused a request. What is only a race between its turns and ours is no error."""
        asked: dict[str, None] = {}
        if self._requested and notice.request_id == self._request_id:
            self._requested, self._cancel_next = False, ""
            asked, self._asked = self._asked, {}
        match notice.conflict:
            case "nothing_active":
                # What was to be cancelled has ended there, even if its end was never told.
                effects = _ended(asked, {"status": "failed", "reason": notice.code, "message": notice.message})
                for reply in [reply for reply in self._replies.values() if reply.cancel_id == notice.request_id]:
                    self._generating.discard(reply.id)
                    effects += self._close(reply)
                return effects + self._create_if_due()
            case "already_active":
                # The provider began a reply by itself just before it got our request: ours comes after it.
                self._wanted = self._wanted or not notice.request_id or notice.request_id != self._cancelled_id
                self._waiting |= asked
                effects: list[Effect] = []
                for reply in self._replies.values():
                    if notice.request_id and reply.created_by == notice.request_id:
                        self._waiting |= dict.fromkeys(reply.requests)
                        effects += [Mistaken(reply.requests, reply.id)] if reply.requests else []
                        reply.created_by, reply.requests = "", ()
                return effects
            case "item_gone":
                return []
            case None:
                error = AgentError(notice.error_type, notice.code, notice.message, self.agent_id, self.agent_name)
                metadata = {"status": "failed", "reason": notice.code or notice.error_type, "message": notice.message}
                return [Emit(error), *_ended(asked, metadata), *self._create_if_due()]

    def lost(self, known: Collection[str] = (), reason: str = "connection_lost") -> list[Effect]:
        """The provider's session is gone, and what it was generating with it. Calls go on, for the next session.

        That one will have been told of the calls that are `known`.
        """
        effects: list[Effect] = []
        failure = {"status": "failed", "reason": reason}
        for reply in list(self._replies.values()):
            if not reply.ended:
                effects += self._end(reply, failure, 0, 0)
            for use in reply.calls.values():
                self._late.keep(LateCall(use, asks=True))
            self._wanted = self._wanted or (reply.answered and not reply.cancelled)
            effects += _ended(reply.requests, failure)
            self._forget(reply)
        self._late.forgotten([use.id for use in self._late.uses if use.id not in known])
        self._generating.clear()
        if self._requested and not self._cancel_next:
            self._wanted = True
        self._waiting, self._asked = self._asked | self._waiting, {}
        self._requested = self._expected = self._speaking = False
        self._cancel_next = ""
        return effects

    def resumed(self) -> list[Effect]:
        """A new session is ready, and has been given what the old one had not acknowledged."""
        return self._create_if_due()

    # -- what the user and the tools do

    def want_reply(self, request: str = "") -> list[Effect]:
        """Ask for a reply: now, or when the one that is being generated has ended.

        `request` is a name for whoever wants it, which comes back in `Began` and `Ended`.

        This does not wait until the user has stopped speaking: of a microphone that was switched off in the
        middle of a word, the provider never hears that.
        """
        if request:
            self._waiting[request] = None
        else:
            self._wanted = True
        self._speaking = False
        # What speech has interrupted is over, though not every provider says so.
        self._generating.difference_update(
            reply.id for reply in self._replies.values() if reply.cancelled and reply.cancel_id is None
        )
        return self._create_if_due()

    def interrupt(self, request: str) -> list[Effect]:
        """Whoever made this request wants no reply any more, or no more of it."""
        metadata = {"status": "cancelled", "reason": "interrupted"}
        if request in self._waiting:
            del self._waiting[request]
            return [Ended((request,), metadata)]
        if request in self._asked:
            del self._asked[request]
            if not self._asked and not self._asked_for_others:
                self._cancel_next, self._cancelled_id = "interrupted", self._request_id
            return [Ended((request,), metadata)]
        effects: list[Effect] = []
        for reply in [reply for reply in self._replies.values() if request in reply.requests]:
            if not reply.ended:
                effects += self._cut(reply, "interrupted", tell_model=True)
            else:
                effects += [Silence(reply.id), *self._abandon_calls(reply), *_ended(reply.requests, metadata)]
                self._forget(reply)
        return effects

    def cancel(self) -> list[Effect]:
        """The client wants silence: every reply is over, one that has not begun and what was wanted included."""
        effects = self._supersede_last()
        for reply in list(self._replies.values()):
            if not reply.ended:
                effects += self._cut(reply, "client_cancelled", tell_model=True)
            elif reply.calls:
                effects += [*self._abandon_calls(reply), *_ended(reply.requests, _CLIENT_CANCELLED)]
                self._forget(reply)
        effects += [*self._abandon_late(), *_ended({**self._asked, **self._waiting}, _CLIENT_CANCELLED)]
        self._waiting, self._asked = {}, {}
        self._wanted = False
        self._cancel_next = "client_cancelled" if self._requested or self._expected else ""
        self._cancelled_id = self._request_id
        return effects

    def answered(self, use: ToolUse, output: str, result: ToolResult | None = None) -> list[Effect]:
        """A call has been carried out. When it was the last of its reply, the model is asked to go on."""
        reply = next((reply for reply in self._replies.values() if use.id in reply.calls), None)
        late = self._late.take(use.id)
        if reply is None and late is None:
            return []
        command = (late or LateCall(use)).result(self.new_id(), output)
        result = result or ToolResult.text(use, output)
        effects: list[Effect] = [
            Send(command),
            Emit(AgentResponseToolResult(result, self.agent_id, self.agent_name)),
        ]
        if late is not None:
            self._wanted = self._wanted or late.asks
            return effects + self._create_if_due()
        assert reply is not None
        del reply.calls[use.id]
        reply.answered = True
        if not reply.calls and reply.done:
            effects += self._close(reply)
        return effects + self._create_if_due()

    def calls_cancelled(self, call_ids: Iterable[str]) -> list[Effect]:
        """The provider has given up these calls: it takes no results of theirs, and goes on without them."""
        effects: list[Effect] = []
        for call_id in call_ids:
            reply = next((reply for reply in self._replies.values() if call_id in reply.calls), None)
            if reply is None:
                continue
            use = reply.calls.pop(call_id)
            if self.finishes(use):
                self._late.keep(LateCall(use))
            else:
                effects += [AbortTool(call_id), self._result_event(use, CANCELLED)]
            reply.answered = False
            if not reply.calls and reply.done:
                effects += self._close(reply)
        self._late.forgotten(call_ids)
        return effects + self._create_if_due()

    def stopped(self) -> list[Effect]:
        """The agent ends, and with it every reply."""
        effects: list[Effect] = [self._result_event(use, _STOPPED) for use in self._late.uses]
        for reply in self._replies.values():
            effects += [self._result_event(use, _STOPPED) for use in reply.calls.values()]
            if not reply.ended:
                effects.append(Supersede(reply.id))
                effects += self._end(reply, _AGENT_ENDED, 0, 0)
            effects += _ended(reply.requests, _AGENT_ENDED)
        effects += _ended({**self._asked, **self._waiting}, _AGENT_ENDED)
        self._waiting, self._asked = {}, {}
        return effects

    # -- the parts

    def _supersede_last(self) -> list[Effect]:
        """Replies are generated faster than they are heard: what is left of the last one is stale."""
        last, self._last = self._last, None
        return [Silence()] if last is None else [Silence(), Supersede(last)]

    def _cut(self, reply: _Reply, reason: str, *, tell_model: bool) -> list[Effect]:
        effects: list[Effect] = []
        if tell_model:
            reply.cancel_id = self.new_id()
            effects.append(Send(CancelResponse(reply.cancel_id, reply.id)))
        effects += self._abandon_calls(reply)
        effects += [Silence(reply.id), Supersede(reply.id)]
        return effects + self._end(reply, {"status": "cancelled", "reason": reason}, 0, 0)

    def _give_up_oldest(self) -> list[Effect]:
        reply = next(iter(self._replies.values()))
        effects = self._abandon_calls(reply)
        if not reply.ended:
            effects += self._end(reply, {"status": "failed", "reason": "never_ended"}, 0, 0)
        self._generating.discard(reply.id)
        effects += _ended(reply.requests, {"status": "failed", "reason": "never_ended"})
        self._forget(reply)
        return effects

    def _end(self, reply: _Reply, metadata: dict[str, str], inputs: int, outputs: int) -> list[Effect]:
        reply.ended = True
        reply.cancelled = metadata["status"] == "cancelled"
        effects: list[Effect] = [
            Emit(AgentResponseDone(reply.id, inputs, outputs, metadata, self.agent_id, self.agent_name))
        ]
        if metadata["status"] != "completed":  # nothing follows
            effects += _ended(reply.requests, metadata)
            reply.requests = ()
        return effects

    def _abandon_calls(self, reply: _Reply) -> list[Effect]:
        effects: list[Effect] = []
        for use in reply.calls.values():
            if self.finishes(use):
                self._late.keep(LateCall(use))
            else:
                effects += [AbortTool(use.id), self._result_command(use, CANCELLED)]
                effects.append(self._result_event(use, CANCELLED))
        reply.calls.clear()
        return effects

    def _abandon_late(self) -> list[Effect]:
        """Of those that go on because a connection was lost, the user wants none but what is to finish anyway."""
        effects: list[Effect] = []
        for use in self._late.uses:
            if not self.finishes(use):
                self._late.take(use.id)
                effects += [AbortTool(use.id), self._result_event(use, CANCELLED)]
        self._late.interrupted()
        return effects

    def _close(self, reply: _Reply) -> list[Effect]:
        """Nothing is left to do for this reply but to ask for the one that follows its calls, if it had any."""
        self._forget(reply)
        if reply.answered and not reply.cancelled:
            self._wanted = True
            self._waiting |= dict.fromkeys(reply.requests)
            return []
        return _ended(reply.requests, {"status": "completed"})

    def _forget(self, reply: _Reply) -> None:
        self._replies.pop(reply.id, None)
        _remember(self._over, reply.id)

    def _create_if_due(self) -> list[Effect]:
        if not (self._wanted or self._waiting) or self._speaking or self._generating or self._requested:
            return []
        self._asked, self._waiting, self._asked_for_others = self._waiting, {}, self._wanted
        self._wanted = self._expected = False
        self._cancel_next = ""
        self._requested = True
        self._request_id = self.new_id()
        return [Send(CreateResponse(self._request_id))]

    def _result_command(self, use: ToolUse, output: str) -> Send:
        return Send(AppendToolResult(self.new_id(), use.id, use.name, output))

    def _result_event(self, use: ToolUse, output: str) -> Emit:
        return Emit(AgentResponseToolResult(ToolResult.text(use, output), self.agent_id, self.agent_name))


def _ended(requests: Iterable[str], metadata: dict[str, str]) -> list[Effect]:
    requests = tuple(requests)
    return [Ended(requests, metadata)] if requests else []


def _remember(ids: dict[str, None], new: str) -> None:
    ids[new] = None
    while len(ids) > _REMEMBERED:
        del ids[next(iter(ids))]


_CLIENT_CANCELLED = {"status": "cancelled", "reason": "client_cancelled"}
_AGENT_ENDED = {"status": "cancelled", "reason": "agent_ended"}
CANCELLED = "The call was cancelled: the user interrupted the reply."
_STOPPED = "The call was abandoned: the agent has ended."
