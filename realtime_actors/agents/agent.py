"""The voice agent: client events in, server events out, a model behind it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Hashable, Sequence
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, RealtimeError, Terminated, Timer, receives
from realtime_actors.audio import AudioError
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentPlayoutFlush,
    AgentReady,
    AgentResponseDone,
    AgentTurnMeasured,
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    AudioCommitted,
    CancelResponse,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ClientToolApproval,
    ClientToolResult,
    CommitAudio,
    Configure,
    DecodeError,
    History,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    ModelSessionEnded,
    RequestFailed,
    ServerEvent,
    ServerSessionUpdated,
    SessionConfigured,
    SessionResumable,
    ToolCallsCancelled,
    ToolResult,
    ToolUse,
)
from realtime_actors.providers import (
    Capabilities,
    ConnectionExpiring,
    ConnectionLost,
    ConnectionReady,
    Model,
    ProviderRefused,
    Unsent,
)
from realtime_actors.providers.connection import SOCKET_OPTIONS
from realtime_actors.transports import Transport, WebSocketOptions, default_transport

from .audio_in import AudioIn, WordsLate
from .calls import Calls
from .changes import Change, Handoff, Reconfigure, changed_model, tools_by_name
from .errors import ChangeRefused
from .hearing import HearingStatistics, LocalVAD
from .late import as_text_item
from .link import CheckQuiet, Link, models_of
from .listening import GetHearingStatistics, Listening, by_hand
from .measures import PATIENCE, GetTurnStatistics, Measures, SentToFrontend, TurnStatistics
from .memory import Conversation, GetHistory, Memory, Seed
from .playout import Playout, cutting, is_cutting
from .reply import GenerateReply, Interrupt, Replies, Reply
from .restoration import known_calls, restored
from .summaries import Summaries
from .tools import Tool
from .translation import DELTAS, InputEvent, Part, agent_event
from .turns import (
    CANCELLED,
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

__all__ = ["RealtimeAgent"]

log = logging.getLogger("realtime_actors.agents")

MOST_UNACKNOWLEDGED = 256
"""Texts, images and tool results that the provider has not acknowledged; more are refused in words."""


@attrs.frozen
class RequestForReply:
    """A request on its way through the data lane, and how many cancels came before it."""

    event: ClientTextAppend | ClientResponseCreate | GenerateReply
    cancels: int
    request: str = ""
    """Of one that is waited for."""


@attrs.frozen
class _Settle:
    """A frontend has had its time to take the end of a reply."""


@attrs.frozen
class _CheckSilence:
    """It is time to look whether the model goes on."""


@attrs.frozen
class _TakeOver:
    """The next model takes over, once all that was said before is done with: the last gave up, or it is wished."""

    model: Model
    is_wished: bool = False


@attrs.define
class _Changing:
    """A change that has not come about."""

    before: tuple[str, str, Sequence[Tool]]
    """The name, the instructions and the tools."""
    wanted: tuple[str, str, Sequence[Tool]]
    request_id: str = ""
    """The latest configuration that was sent for it; none while a new session is needed."""
    model: Model | None = None
    """With which a new session is needed."""
    has_begun: bool = False
    """Whether that session is being opened."""
    changes: list[Change] = attrs.field(factory=list[Change])


@attrs.define(eq=False)
class RealtimeAgent(Actor):
    """A voice agent. Tell it `ClientEvent`s; it publishes `ServerEvent`s on `agents.<agent id>.<type>`.

    The agent id is the name it is spawned with; `name` is what it is called. `spawn` returns when the provider
    has accepted its configuration, or raises: `ProviderRefused`, `ProviderUnavailable`, `InvalidTool`,
    `InvalidTurnDetection`. Audio may come at any usual sample rate; with `turn_detection` the agent finds the user's
    turns in it, and the provider does not. `tools` are made with `@tool` (run here) or `frontend_tool` (run by the
    frontend). `memory` is how much of the conversation is kept while the agent lives (`None`: nothing), `history` what
    was said before. `session_id` is what `ServerSessionUpdated` names, `transport` and `options` are for the provider's
    socket.

    `model` may be several, in order: when one refuses to serve, or cannot be reached, the next one goes on with the
    conversation (without the tools, if it calls none), and only the last one's end is the agent's. `patience` is for
    how long a model may be silent.
    """

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
    _changing: _Changing | None = attrs.field(init=False, default=None)
    # What a tool has handed the conversation to, until the reply that called it has ended.
    _handoff: tuple[Reconfigure, Model] | None = attrs.field(init=False, default=None)
    _cancels: int = attrs.field(init=False, default=0)
    _audio_in: AudioIn = attrs.field(init=False)
    _topics: dict[type, str] = attrs.field(init=False, factory=dict[type, str])
    _unacknowledged: dict[str, AppendText | AppendImage | AppendToolResult] = attrs.field(
        init=False, factory=dict[str, AppendText | AppendImage | AppendToolResult]
    )

    async def started(self) -> None:
        """Connect, and wait until the provider has accepted the configuration."""
        self._agent_id = self.context.name
        self._instructions = self.instructions
        models = models_of(self.model)
        if self.turn_detection is not None:
            models = tuple(by_hand(model) for model in models)
        self._link = Link(self.context, models, self.transport, self.options)
        self._watchdog = Watchdog(self.patience)
        self._memory = Conversation(self.memory or Memory(max_items=0), self.history.items)
        self._summaries = Summaries(self._memory, self.context.start_soon, _new_id, self._error)
        self.context.subscribe(f"frontends.{self._agent_id}")
        self._calls = Calls(
            tools_by_name(self.tools, self._model),
            self.context.start_soon,
            self._answered,
            self._publish,
            self._handed_off,
            self._agent_id,
            self.name,
        )
        self._turns = Turns(self._agent_id, self.name, _new_id, self._calls.finishes)
        self._audio_in = self._ears()
        while True:
            await self._open()
            failure = await self._link.wait_ready()
            if failure is None:
                return
            model = self._link.next(failure)
            self._tell_end(failure, model)
            self._link.take_over(model)

    async def _open(self) -> None:
        """Connect to the model whose turn it is."""
        self._audio_in.serve(self._model)
        connection = await self._link.open()
        connection.tell(self._configuration())

    @property
    def _model(self) -> Model:
        """The one that serves."""
        return self._link.model

    async def stopping(self) -> None:
        """Say that the agent is gone, and its replies with it."""
        self._tell_measures(self._measures.close())
        self._apply(self._turns.stopped())
        self._replies.end_all({"status": "cancelled", "reason": "agent_ended"})
        self._publish(AgentEnded(self._agent_id, self.name))

    def _ears(self) -> AudioIn:
        if self.turn_detection is None:
            return AudioIn(self._model, self._turns, _new_id)

        def is_heard() -> bool:
            return self._playout.is_heard(trio.current_time())

        return Listening(self._model, self._turns, _new_id, self.turn_detection, is_heard, self.context.send_after)

    def _configuration(self) -> Configure:
        seed = self._seed = self._memory.seed(self._unacknowledged)
        tools = tuple(tool.spec for tool in self.tools if self._model.capabilities.tools)
        return Configure(_new_id(), self._instructions, tools, history=seed.items, since=seed.since)

    # -- the client

    @receives(lane="control")
    def ask(self, event: ClientTextAppend | ClientResponseCreate) -> None:
        """Say something in text, which asks for a reply, or ask for a reply to what there is.

        It takes its place behind the audio and images that came before it, and is void if a cancel comes after it.
        """
        if not self.context.tell(self.context.ref, RequestForReply(event, self._cancels)):
            error_type, code, message = _OVERLOADED
            self._error(code, message, error_type)

    @receives(lane="control")
    def generate_reply(self, message: GenerateReply) -> Reply:
        """The same for Python code, which is given the reply to wait for."""
        reply = Reply(self.context.ref, _new_id())
        self._replies.add(reply)
        if not reply.is_over and not self.context.tell(
            self.context.ref, RequestForReply(message, self._cancels, reply.request)
        ):
            self._replies.ended([reply.request], _refused(*_OVERLOADED))
        return reply

    @receives
    def asked(self, asked: RequestForReply) -> None:
        """What was asked has its turn."""
        if asked.request and not self._replies.waits(asked.request):
            return  # it was interrupted meanwhile
        text = "" if isinstance(asked.event, ClientResponseCreate) else asked.event.text
        if text or isinstance(asked.event, ClientTextAppend):
            if not self._model.capabilities.text:
                problem = "unsupported", f"{self._model.model_name} takes no text: speak to it instead"
                self._error(*problem)
                self._replies.ended([asked.request], _refused("", *problem))
                return
            item_id = _new_id()
            self._replies.asks_with(item_id, asked.request)
            if not self._add(AppendText(item_id, text)):
                self._replies.refused(item_id, _refused(*_OVERLOADED))
                return
        self._audio_in.settle()
        if asked.cancels == self._cancels:
            self._measures.asked("text" if text else "request", trio.current_time())
            self._apply(self._turns.want_reply(asked.request))
        else:
            self._replies.ended([asked.request], {"status": "cancelled", "reason": "client_cancelled"})

    @receives(lane="control")
    def interrupt(self, message: Interrupt) -> None:
        """Whoever waits for a reply wants no more of it."""
        self._apply(self._turns.interrupt(message.request))
        self._replies.ended([message.request], {"status": "cancelled", "reason": "interrupted"})

    @receives(direct=True)
    def add_audio(self, event: ClientAudioAppend) -> None:
        """The user's speech."""
        try:
            self._apply(self._audio_in.append(event))
        except (AudioError, DecodeError) as error:
            self._error("invalid_audio", str(error))

    @receives
    def commit_audio(self, _: ClientAudioCommit) -> None:
        """The user's turn is over."""
        self._apply(self._audio_in.commit())

    @receives
    def add_image(self, event: ClientImageAppend) -> None:
        """A picture for the model to see."""
        if not self._model.capabilities.images:
            self._error("unsupported", f"{self._model.model_name} sees no images")
            return
        try:
            image = event.image
        except DecodeError as error:
            self._error("invalid_image", str(error))
            return
        media_type = _media_type(event, image)
        problem = _problem_with_image(self._model.capabilities, media_type, len(image))
        if problem is not None:
            self._error("invalid_image", f"{self._model.model_name} {problem}")
            return
        self._add(AppendImage(_new_id(), image, media_type))

    @receives(lane="control")
    def cancel_response(self, _: ClientResponseCancel) -> None:
        """Silence, at once."""
        self._cancels += 1
        self._audio_in.settle()
        self._apply(self._turns.cancel())

    @receives(lane="control")  # as the cancel is that may follow it
    def played(self, event: ClientPlayoutUpdate) -> None:
        """How far a frontend is with playing a reply."""
        self._playout.reported(event.item_id, event.played_ms, event.playing, trio.current_time())

    @receives
    def add_tool_result(self, event: ClientToolResult) -> None:
        """The result of a tool that the frontend executes."""
        if not self._calls.frontend_result(event):
            self._error("unknown_call", f"no call with the id {event.id!r:.80} waits for the frontend")

    @receives(lane="control")
    def approve_tool(self, event: ClientToolApproval) -> None:
        """Somebody allows a call, or does not."""
        problem = self._calls.approve(event)
        if problem:
            self._error("unknown_approval", problem)

    @receives
    def reconfigure(self, event: ClientSessionCreate) -> None:
        """New instructions in mid-conversation, where the config has them."""
        instructions = event.config.get("instructions")
        if not isinstance(instructions, str) or instructions == self._instructions:
            self._publish(ServerSessionUpdated(self.session_id))
            return
        self._change(Reconfigure(instructions=instructions), self._model)

    @receives
    def change(self, change: Reconfigure) -> Change:
        """The same for Python code, and for whatever can be changed."""
        answer = Change()
        try:
            model = self._model_for(change)
        except RealtimeError as error:
            answer.end(str(error))
        else:
            self._change(change, model).append(answer)
        return answer

    def _model_for(self, change: Reconfigure) -> Model:
        """The model with which a change is made. Raises what is wrong with it."""
        if self._handoff is not None or (self._changing is not None and self._changing.model is not None):
            raise ChangeRefused("another change waits for a moment at which nobody speaks: wait for that first")
        model = changed_model(self._model, change)
        if self.turn_detection is not None:
            if change.turn_detection is not None:
                raise ChangeRefused("the agent finds the user's turns itself, with LocalVAD: that stays as it is")
            model = by_hand(model)
        tools_by_name(self.tools if change.tools is None else change.tools, model)
        return model

    def _change(self, change: Reconfigure, model: Model) -> list[Change]:
        """Begin to change. Those in the list are told when it has come about."""
        before = self.name, self._instructions, self.tools
        wanted = (
            self.name if change.name is None else change.name,
            self._instructions if change.instructions is None else change.instructions,
            self.tools if change.tools is None else change.tools,
        )
        if self._changing is None:
            self._changing = _Changing(before, wanted)
        self._changing.wanted = wanted
        if self._needs_session(model):
            self._changing.model = model
            self._link.look_out()
        else:
            self._adopt(*wanted)
            configuration = self._configuration()
            self._changing.request_id = configuration.request_id
            self._command(configuration)
        return self._changing.changes

    def _adopt(self, name: str, instructions: str, tools: Sequence[Tool]) -> None:
        self.name = self._turns.agent_name = self._calls.agent_name = name
        self._instructions = instructions
        self.tools = tools
        self._calls.tools = {tool.name: tool for tool in tools}

    def _changed(self, problem: str = "") -> None:
        """The change has come about, or has not."""
        changing, self._changing = self._changing, None
        if changing is not None:
            if problem:
                self._adopt(*changing.before)
            for change in changing.changes:
                change.end(problem)

    def _handed_off(self, handoff: Handoff) -> None:
        """A tool gives the conversation to another agent, which replies to the call: that waits for no quiet moment."""
        try:
            model = self._model_for(handoff.change)
        except RealtimeError as error:
            self._error("handoff_failed", str(error))
            return
        self._handoff = handoff.change, model
        if self._needs_session(model):
            self._link.keep()  # the reply to the call is asked of the other

    def _hand_off_if_due(self) -> None:
        """When the reply that called has ended, and all its calls have."""
        if self._handoff is not None and not self._turns.generating and not self._turns.calls:
            (change, model), self._handoff = self._handoff, None
            self._change(change, model)
            if self._needs_session(model):
                self._replace()

    def _needs_session(self, model: Model) -> bool:
        """Whether a change to this model needs a new session."""
        return model != self._model or not model.capabilities.reconfiguration

    def _replace(self) -> None:
        assert self._changing is not None
        assert self._changing.model is not None
        self._link.keep()
        self.context.start_soon(self.context.ref.send, _TakeOver(self._changing.model, is_wished=True))

    @receives
    def reconfigured(self, _: SessionConfigured) -> None:
        """The provider has accepted it."""
        if self._changing is None or self._changing.model is None:
            self._changed()
        self._publish(ServerSessionUpdated(self.session_id))

    @receives
    def end(self, _: ClientSessionEnd) -> None:
        """End the agent."""
        self.context.stop()

    # -- the model's reply

    @receives(direct=True)
    def reply_delta(self, event: ModelResponseAudioDelta | ModelResponseToolUseDelta) -> None:
        """The hot path: a piece of speech every 20 to 100 ms."""
        self._watchdog.heard = True
        if self._passes(event.response_id):
            if type(event) is ModelResponseAudioDelta:
                size = self._playout.received(event)
                if size:
                    self._playout.look(size, trio.current_time())
            self._publish(agent_event(event, self._agent_id, self.name), event.response_id)
            if self._replies.live:
                self._replies.passed(event)
            if self._measures.awaits_audio == event.response_id and isinstance(event, ModelResponseAudioDelta):
                self._measures.first_audio(trio.current_time())

    @receives(direct=True)
    def reply_words(self, event: ModelResponseAudioTranscriptDelta) -> None:
        """A piece of the words of a reply."""
        if self._passes(event.response_id):
            self._memory.said(event.response_id, event.item_id, event.delta)
            self._publish(agent_event(event, self._agent_id, self.name), event.response_id)
            if self._replies.live:
                self._replies.passed(event)

    @receives
    def reply_part_done(self, event: Part) -> None:
        """A part of the reply is complete; a call is carried out."""
        self._watchdog.heard = True
        if self._passes(event.response_id):
            self._publish(agent_event(event, self._agent_id, self.name))
        if isinstance(event, ModelResponseAudioDone):
            self._playout.item_done(event.item_id)
        if isinstance(event, ModelResponseToolUseDone):
            self._apply(self._turns.called(event.response_id, event.tool_use))

    @receives
    def response_created(self, event: ModelResponseCreated) -> None:
        self._watchdog.heard = True
        self._audio_in.is_unanswered = False
        self._created(event.response_id)

    @receives
    def response_done(self, event: ModelResponseDone) -> None:
        self._watchdog.heard = True
        if event.metadata.get("status") != "cancelled":
            self._link.is_useful = True
            self._playout.response_done(event.response_id)
        self._apply(self._turns.done(event))
        self._hand_off_if_due()
        self._summaries.look()

    def _passes(self, response_id: str) -> bool:
        if self._turns.passes(response_id):
            return True
        if self._turns.is_over(response_id):
            return False
        self._created(response_id)
        return self._turns.passes(response_id)

    def _created(self, response_id: str) -> None:
        self._apply(self._turns.created(response_id, not self._unacknowledged))

    # -- what the model hears and says of itself

    @receives
    def heard(self, event: InputEvent) -> None:
        """The user begins to speak, says something, is silent."""
        self._apply(self._audio_in.told(event))

    @receives
    def committed(self, notice: AudioCommitted) -> None:
        """The user's turn is an item of the provider's."""
        self._audio_in.committed(notice)

    @receives
    def words_late(self, late: WordsLate) -> None:
        """What was said is not known yet."""
        self._apply(self._audio_in.words_late(late))

    @receives
    def hearing_statistics(self, _: GetHearingStatistics) -> HearingStatistics:
        """What was heard so far; nothing, where the provider finds the turns."""
        return self._audio_in.statistics()

    @receives
    def model_error(self, event: ModelError) -> None:
        """Told as it is."""
        self._publish(agent_event(event, self._agent_id, self.name))

    @receives
    def request_failed(self, notice: RequestFailed) -> None:
        if notice.conflict == "item_gone" or is_cutting(notice.request_id):
            log.debug("%s: an item cannot be cut: %s", self._agent_id, notice.message)
            return
        if self._unacknowledged.pop(notice.request_id, None) is None and self._seed.has(notice.request_id):
            self._publish(ServerSessionUpdated(self.session_id, {"state_restored": "partial"}))
        else:
            self._memory.refused(notice.request_id)
        self._audio_in.refused(notice)
        refusal = _refused(notice.error_type, notice.code, notice.message)
        request = self._replies.refused(notice.request_id, refusal)
        if request is not None:
            self._apply(self._turns.interrupt(request))
        if self._changing is not None and notice.request_id == self._changing.request_id:
            self._changed(notice.message)
        self._apply(self._turns.failed(notice))

    @receives
    def item_added(self, notice: ItemAdded) -> None:
        self._unacknowledged.pop(notice.item_id, None)
        self._replies.accepted(notice.item_id)

    @receives
    def calls_cancelled(self, notice: ToolCallsCancelled) -> None:
        """By the provider, which takes no results of theirs: those that are on their way are told in words."""
        for item_id, command in list(self._unacknowledged.items()):
            if isinstance(command, AppendToolResult) and command.call_id in notice.call_ids:
                del self._unacknowledged[item_id]
                if command.output != CANCELLED:
                    self._add(as_text_item(_new_id(), command.name, command.output, command.call_id))
        self._apply(self._turns.calls_cancelled(notice.call_ids))

    @receives
    def session_saved(self, notice: SessionResumable) -> None:
        """A later session goes on from here."""
        self._memory.saved(notice.live)

    @receives
    def get_history(self, _: GetHistory) -> History:
        """The conversation so far."""
        return History(self._memory.items)

    @receives
    def session_changed(self, event: ModelSessionCreated | ModelSessionEnded) -> None:
        log.debug("%s: %r", self._agent_id, event)

    # -- the connection

    @receives
    def connection_ready(self, event: ConnectionReady) -> None:
        """The first time the agent is ready; later it has come back, to a model that remembers what it is told here."""
        self._watchdog.begin()
        first, metadata = self._link.ready(event)
        if self._changing is not None and (self._changing.model is None or self._changing.has_begun):
            if self._changing.before[0] != self.name:
                metadata["agent_name"] = self.name
            self._changed()
        if first:
            self._publish(AgentReady(self._agent_id, self.name))
        if metadata or self.history.items:
            metadata["state_restored"] = restored(self._seed, self._model.capabilities, remembers=event.remembers)
            self._publish(ServerSessionUpdated(self.session_id, metadata))
        if event.dropped_ms:
            message = f"the first {event.dropped_ms / 1000:g} s of what was said meanwhile are lost: they were too old"
            self._error("audio_dropped", message, "connection_error")

    @receives
    def connection_lost(self, event: ConnectionLost) -> None:
        """Replies end here; what the provider has not acknowledged goes to the next session, in order."""
        self._error(event.code, f"{event.reason}; connecting again", "connection_error")
        self._leave(event.code)
        self._link.go_on(self._configuration(), event.number)
        self._resume()

    @receives
    def connection_expiring(self, event: ConnectionExpiring) -> None:
        """The provider ends its session soon. Between two turns nobody notices."""
        self._link.expires(event)

    @receives
    def check_quiet(self, _: CheckQuiet) -> None:
        """Move on to a new session, if this one is about to end and nobody is speaking."""
        expiring = self._link.expiring
        if not self._link.may_leave(self._turns.is_quiet and self._audio_in.is_quiet):
            return
        if self._changing is not None and self._changing.model is not None:
            self._replace()
        elif expiring is not None:
            log.info("%s: %s: going on in a new session", self._agent_id, expiring.reason)
            self._leave("session_expired")
            self._link.go_on(self._configuration(), expiring.number, rotates=True)
            self._resume()

    @receives(lane="control")
    def unsent(self, event: Unsent) -> None:
        """The connection gives up: what it had of the user's speech is for the next model."""
        self._link.keep(event.commands)

    @receives(lane="control")
    def connection_ended(self, event: Terminated) -> None:
        """The connection is gone for good, and the agent with it, unless there is another model."""
        if event.ref != self._link.connection:
            return
        cause = event.cause or ConnectionError("the connection to the provider has ended")
        if self._changing is not None and self._changing.has_begun:
            self._changed(str(cause))
        try:
            model = self._link.next(cause)
        except BaseException:
            self._apply(self._turns.lost())
            self._tell_end(cause)
            raise
        self._link.keep()
        self._tell_end(cause, model)
        # Behind what the model has said: it is none of the next one's.
        self.context.start_soon(self.context.ref.send, _TakeOver(model))

    @receives
    async def take_over(self, event: _TakeOver) -> None:
        """The next model goes on with the conversation."""
        self._link.keep()
        self._apply(self._audio_in.flush())
        if event.is_wished and self._changing is not None:
            self._changing.has_begun = True
            self._adopt(*self._changing.wanted)
        said = self._link.replace(event.model) if event.is_wished else self._link.take_over(event.model)
        self._leave("reconfigured" if event.is_wished else "connection_lost")
        await self._open()
        for command in said:
            self._link.tell(command)
        self._resume()

    def _leave(self, reason: str) -> None:
        """Replies end here."""
        self._playout.session_lost()
        self._audio_in.session_lost()
        known = known_calls(self._memory.seed(), self._model.capabilities)
        self._apply(self._turns.lost(known, reason))
        for item_id, command in self._unacknowledged.items():
            if isinstance(command, AppendToolResult) and command.call_id not in known:
                self._unacknowledged[item_id] = as_text_item(item_id, command.name, command.output, command.call_id)

    def _resume(self) -> None:
        """The next session is given what the last one had not acknowledged."""
        for command in self._unacknowledged.values():
            self._link.tell(command)
        self._apply(self._turns.resumed())
        self._hand_off_if_due()

    def _tell_end(self, cause: BaseException, following: Model | None = None) -> None:
        code = cause.code if isinstance(cause, ProviderRefused) else ""
        others = "" if following is None else f" Going on with {following.model_name}."
        self._error(code, f"{cause}{others}", "provider_error")

    @receives
    def check_silence(self, _: _CheckSilence) -> None:
        """Give the session up if the model is silent where it should speak."""
        if not self._turns.awaits:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
            return
        playing = self._playout.is_playing(trio.current_time())
        problem = self._watchdog.check(generating=bool(self._turns.generating), playing=playing)
        if problem is not None:
            self._watchdog.begin()
            self._link.abandon(problem, "model_silent")

    # -- the parts

    def _answered(self, use: ToolUse, output: str, result: ToolResult | None) -> None:
        self._apply(self._turns.answered(use, output, result))
        self._hand_off_if_due()

    def _apply(self, effects: list[Effect]) -> None:  # noqa: PLR0912 - one for each effect
        if self._watch is None and self._watchdog.interval is not None and self._turns.awaits:
            self._watchdog.begin()
            self._watch = self.context.send_every(self._watchdog.interval, _CheckSilence())
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
            self._memory.cut(heard.item_id, heard.heard_ms, heard.received_ms)
            command = cutting(heard, self._model.capabilities, _new_id)
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
            self._apply(self._turns.failed(RequestFailed(command.request_id, *_OVERLOADED)))

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
            error_type, code, message = _OVERLOADED
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
                self.context.send_after(PATIENCE, _Settle())

    # -- how long turns take

    @receives
    def sent_to_frontend(self, sent: SentToFrontend) -> None:
        """A frontend's socket has taken the first audio of a reply, or its end."""
        self._tell_measures(self._measures.sent(sent, trio.current_time()))

    @receives
    def settle(self, _: _Settle) -> None:
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


_OVERLOADED = ("overloaded_error", "overloaded", "too much waits for the provider: this was not sent; try again later")


def _refused(error_type: str, code: str, message: str) -> dict[str, str]:
    return {"status": "failed", "reason": code or error_type, "message": message}


def _new_id() -> str:
    # OpenAI takes item ids of up to 32 characters.
    return f"ra_{uuid.uuid4().hex[:24]}"


def _problem_with_image(capabilities: Capabilities, media_type: str, size: int) -> str | None:
    types, largest = capabilities.image_types, capabilities.largest_image
    if types is not None and media_type not in types:
        return f"takes no {media_type[:80]}: send {' or '.join(sorted(types))}"
    if largest is not None and size > largest:
        return f"takes pictures of up to {largest} bytes, and this has {size}: send a smaller one"
    return None


def _media_type(event: ClientImageAppend, image: bytes) -> str:
    """As the frontend says, or as the file's first bytes do."""
    for key in ("type", "media_type", "mime_type"):
        said = event.format.get(key)
        if isinstance(said, str) and said.startswith("image/"):
            return said
    return "image/png" if image.startswith(b"\x89PNG") else "image/jpeg"
