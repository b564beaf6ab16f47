"""An agent: its parts, and how what they decide is put into effect."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Hashable, Sequence
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, Timer, receives
from realtime_actors.events import (
    AgentError,
    AgentPlayoutFlush,
    AgentResponseDone,
    AgentTurnMeasured,
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CommitAudio,
    Configure,
    History,
    ModelCommand,
    RequestFailed,
    ServerEvent,
)
from realtime_actors.providers import Model
from realtime_actors.providers.connection import SOCKET_OPTIONS
from realtime_actors.transports import Transport, WebSocketOptions, default_transport

from .audio_in import AudioIn
from .calls import Calls
from .hearing import LocalVAD
from .link import Link
from .measures import PATIENCE, GetTurnStatistics, Measures, SentToFrontend, TurnStatistics
from .memory import Conversation, Memory, Seed
from .playout import Playout, cutting
from .reply import Replies
from .summaries import Summaries
from .tools import Tool
from .translation import DELTAS
from .turns import (
    AbortTool,
    Began,
    Effect,
    Emit,
    Ended,
    Mistaken,
    RunTool,
    Send,
    Silence,
    Supersede,
    Turns,
    Unsaid,
)
from .watchdog import Patience, Watchdog

__all__ = ["OVERLOADED", "BaseAgent", "Begin", "CheckSilence", "new_id", "refused"]

log = logging.getLogger("realtime_actors.agents")

MOST_UNACKNOWLEDGED = 256
"""Texts, images and tool results that the provider has not acknowledged; more are refused in words."""


@attrs.frozen
class Settle:
    """A frontend has had its time to take the end of a reply."""


@attrs.frozen
class Begin:
    """What an agent tells itself first: what it is told before that by a model is from its last life, which crashed."""


@attrs.frozen
class CheckSilence:
    """It is time to look whether the model goes on."""


@attrs.define(eq=False)
class BaseAgent(Actor):
    """An agent's settings, which `RealtimeAgent` explains, its parts, and what any of its handlers does with them."""

    # Deltas wait here while this actor has no time: a second's worth of a fast provider, then back pressure.
    mailbox_capacity: ClassVar[int] = 1024

    name: str
    instructions: str
    model: Model | Sequence[Model]
    tools: Sequence[Tool] = ()
    session_id: str = ""
    memory: Memory | None = attrs.field(factory=Memory)
    history: History = attrs.field(factory=History)
    turn_detection: LocalVAD | None = None
    transport: Transport = attrs.field(factory=default_transport)
    options: WebSocketOptions = SOCKET_OPTIONS
    patience: Patience = attrs.field(factory=Patience)

    _agent_id: str = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _calls: Calls = attrs.field(init=False)
    _measures: Measures = attrs.field(init=False, factory=Measures)
    _replies: Replies = attrs.field(init=False, factory=Replies)
    _playout: Playout = attrs.field(init=False, factory=Playout)
    _memory: Conversation = attrs.field(init=False)
    _summaries: Summaries = attrs.field(init=False)
    _seed: Seed = attrs.field(init=False, factory=Seed)
    _link: Link = attrs.field(init=False)
    _watchdog: Watchdog = attrs.field(init=False)
    _watch: Timer | None = attrs.field(init=False, default=None)
    _instructions: str = attrs.field(init=False)
    _cancels: int = attrs.field(init=False, default=0)
    _is_past: bool = attrs.field(init=False, default=False)
    """Whether what a model says is still that of the connection of a life before: a mailbox outlives a crash."""
    _audio_in: AudioIn = attrs.field(init=False)
    _topics: dict[type, str] = attrs.field(init=False, factory=dict[type, str])
    _unacknowledged: dict[str, AppendText | AppendImage | AppendToolResult] = attrs.field(
        init=False, factory=dict[str, AppendText | AppendImage | AppendToolResult]
    )

    @property
    def _model(self) -> Model:
        """The one that serves."""
        return self._link.model

    def _configuration(self) -> Configure:
        seed = self._seed = self._memory.seed(self._unacknowledged)
        tools = tuple(tool.spec for tool in self.tools if self._model.capabilities.tools)
        return Configure(new_id(), self._instructions, tools, history=seed.items, since=seed.since)

    def _apply(self, effects: list[Effect]) -> None:  # noqa: PLR0912 - one for each effect
        if self._watch is None and self._watchdog.interval is not None and self._turns.awaits:
            self._watchdog.begin()
            self._watch = self.context.send_every(self._watchdog.interval, CheckSilence())
        for effect in effects:
            match effect:
                case Emit(event):
                    self._publish(event)
                    if isinstance(event, AgentResponseDone):
                        self._replies.spent(event)
                case Send(command):
                    self._command(command)
                case Supersede(response_id):
                    for kind in DELTAS:
                        self.context.bus.discard(self._topic(kind), response_id)
                case Silence(response_id):
                    self._silence(response_id)
                case RunTool(use):
                    self._calls.run(use)
                case AbortTool(call_id):
                    self._calls.abort(call_id)
                case Began(requests, response_id):
                    self._replies.began(requests, response_id)
                case Mistaken(requests, response_id):
                    self._replies.mistaken(requests, response_id)
                case Ended(requests, metadata):
                    self._replies.ended(requests, metadata)
                case Unsaid(item_id):
                    self._memory.refused(item_id)

    def _silence(self, response_id: str | None) -> None:
        """What was not heard is cut off: with the model, and with whoever plays it still and is not told otherwise."""
        for heard in self._playout.cut(trio.current_time(), response_id):
            self._memory.cut(heard.item_id, heard.heard_ms, heard.received_ms, is_whole=heard.is_whole)
            command = cutting(heard, self._model.capabilities, new_id)
            if command is not None:
                self._link.tell(command)
            if heard.is_told:
                ids = heard.response_id, heard.item_id
                self._publish(AgentPlayoutFlush(*ids, heard.heard_ms, self._agent_id, self.name))

    def _command(self, command: ModelCommand) -> None:
        if isinstance(command, (AppendText, AppendImage, AppendToolResult)):
            self._add(command)
            return
        if isinstance(command, CommitAudio):
            self._memory.committed(command.request_id)
        told = self._link.tell(command)
        if not told and not isinstance(command, (AppendAudio, CancelResponse)):
            self._apply(self._turns.failed(RequestFailed(command.request_id, *OVERLOADED)))

    def _add(self, command: AppendText | AppendImage | AppendToolResult) -> bool:
        """Add to the conversation, and keep it until the provider acknowledges it."""
        # However much was said: the results of calls have room of their own, or the model would wait for them for ever.
        is_result = isinstance(command, AppendToolResult) or (isinstance(command, AppendText) and command.call_id)
        most = 2 * MOST_UNACKNOWLEDGED if is_result else MOST_UNACKNOWLEDGED
        room = len(self._unacknowledged) < most and self._link.tell(command)
        if room:
            self._unacknowledged[command.item_id] = command
            self._memory.added(command)
        else:
            error_type, code, message = OVERLOADED
            self._error(code, message, error_type)
        return room

    def _error(self, code: str, message: str, error_type: str = "invalid_request_error") -> None:
        log.warning("%s: %s", self._agent_id, message)
        self._publish(AgentError(error_type, code, message, self._agent_id, self.name))

    def _publish(self, event: ServerEvent, group: Hashable = None) -> None:
        self.context.bus.publish(self._topic(type(event)), event, group)
        if group is None:  # no delta
            self._memory.saw(event)
            self._tell_measures(self._measures.saw(event, trio.current_time()))
            if self._measures.unsettled and isinstance(event, AgentResponseDone):
                self.context.send_after(PATIENCE, Settle())

    # -- how long turns take

    @receives
    def sent_to_frontend(self, sent: SentToFrontend) -> None:
        """A frontend's socket has taken the first audio of a reply, or its end."""
        self._tell_measures(self._measures.sent(sent, trio.current_time()))

    @receives
    def settle(self, _: Settle) -> None:
        """No frontend takes what is left of a reply."""
        self._tell_measures(self._measures.settled())

    @receives
    def turn_statistics(self, _: GetTurnStatistics) -> TurnStatistics:
        """How long the last turns took."""
        return self._measures.statistics()

    def _tell_measures(self, measured: list[AgentTurnMeasured]) -> None:
        for each in measured:
            self.context.bus.publish(f"turns.{self._agent_id}", each)

    def _topic(self, kind: type[ServerEvent]) -> str:
        topic = self._topics.get(kind)
        if topic is None:
            topic = self._topics[kind] = f"agents.{self._agent_id}.{kind.type}"
        return topic


OVERLOADED = ("overloaded_error", "overloaded", "too much waits for the provider: this was not sent; try again later")


def refused(error_type: str, code: str, message: str) -> dict[str, str]:
    return {"status": "failed", "reason": code or error_type, "message": message}


def new_id() -> str:
    # OpenAI takes item ids of up to 32 characters.
    return f"ra_{uuid.uuid4().hex[:24]}"
