"""The voice agent: client events in, server events out, a model behind it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Hashable, Sequence
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, ActorCrashed, ActorStopped, Ref, Terminated, receives
from realtime_actors.audio import AudioError
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentPlayoutFlush,
    AgentReady,
    AgentResponseDone,
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
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
    Configure,
    DecodeError,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelInputDone,
    ModelInputStarted,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    ModelSessionEnded,
    RequestFailed,
    ServerEvent,
    ServerSessionUpdated,
    SessionConfigured,
    ToolCallsCancelled,
    ToolResult,
    ToolUse,
)
from realtime_actors.providers import (
    Capabilities,
    ConnectionLost,
    ConnectionReady,
    Manual,
    Model,
    ProviderRefused,
    Resume,
    WaitReady,
)
from realtime_actors.providers.connection import SOCKET_OPTIONS
from realtime_actors.transports import Transport, WebSocketOptions, default_transport

from .audio_in import AudioIn
from .calls import Calls
from .errors import InvalidTool
from .late import as_text_item
from .playout import Playout, cutting, is_cutting
from .reply import GenerateReply, Interrupt, Replies, Reply
from .tools import Tool
from .translation import DELTAS, Delta, InputEvent, Part, agent_event
from .turns import AbortTool, Began, Effect, Emit, Ended, RunTool, Send, Silence, Supersede, Turns

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


@attrs.define(eq=False)
class RealtimeAgent(Actor):
    """A voice agent. Tell it `ClientEvent`s; it publishes `ServerEvent`s on `agents.<agent id>.<type>`.

    The agent id is the name it is spawned with; `name` is what it is called. `spawn` returns when the provider
    has accepted its configuration, or raises: `ProviderRefused`, `ProviderUnavailable`, `InvalidTool`. Audio may
    come at any usual sample rate. `tools` are made with `@tool` (run here) or `frontend_tool` (run by the frontend).
    `session_id` is what `ServerSessionUpdated` names, `transport` and `options` are for the provider's socket.
    """

    # Deltas wait here while this actor has no time: a second's worth of a fast provider, then back pressure.
    mailbox_capacity: ClassVar[int] = 1024

    name: str
    instructions: str
    model: Model
    tools: Sequence[Tool] = ()
    session_id: str = ""
    transport: Transport = attrs.field(factory=default_transport)
    options: WebSocketOptions = SOCKET_OPTIONS

    _agent_id: str = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _calls: Calls = attrs.field(init=False)
    _replies: Replies = attrs.field(init=False, factory=Replies)
    _playout: Playout = attrs.field(init=False, factory=Playout)
    _connection: Ref = attrs.field(init=False)
    _instructions: str = attrs.field(init=False)
    # While the provider has not answered: the request that changes the instructions, and what they were before.
    _reconfiguration: tuple[str, str] | None = attrs.field(init=False, default=None)
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
        self._audio_in = AudioIn(self.model, _new_id)
        self._calls = Calls(
            self._tools_by_name(), self.context.start_soon, self._answered, self._publish, self._agent_id, self.name
        )
        self._turns = Turns(self._agent_id, self.name, _new_id, self._calls.finishes)
        self._connection = await self.context.spawn(
            self.model.connection(self.context.ref, self.transport, self.options), name="connection"
        )
        self.context.watch(self._connection)
        self._connection.tell(self._configuration())
        try:
            await self._connection.ask(WaitReady(), timeout=None)
            return
        except (ActorCrashed, ActorStopped) as error:
            failure: BaseException = error
        ended = await self._connection.wait_stopped()
        raise ended.cause or failure

    async def stopping(self) -> None:
        """Say that the agent is gone, and its replies with it."""
        self._apply(self._turns.stopped())
        self._replies.end_all({"status": "cancelled", "reason": "agent_ended"})
        self._publish(AgentEnded(self._agent_id, self.name))

    def _tools_by_name(self) -> dict[str, Tool]:
        tools: dict[str, Tool] = {}
        for each in self.tools:
            if not isinstance(each, Tool):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
                raise InvalidTool(f"{each!r:.80} is no tool: make one of it with @tool")
            if each.name in tools:
                raise InvalidTool(f"two tools are named {each.name}: give one another name")
            tools[each.name] = each
        if tools and not self.model.capabilities.tools:
            raise InvalidTool(f"{self.model.model_name} calls no tools: leave them out")
        return tools

    def _configuration(self) -> Configure:
        return Configure(_new_id(), self._instructions, tuple(tool.spec for tool in self.tools))

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
            if not self.model.capabilities.text:
                problem = "unsupported", f"{self.model.model_name} takes no text: speak to it instead"
                self._error(*problem)
                self._replies.ended([asked.request], _refused("", *problem))
                return
            item_id = _new_id()
            self._replies.asks_with(item_id, asked.request)
            if not self._add(AppendText(item_id, text)):
                self._replies.refused(item_id, _refused(*_OVERLOADED))
                return
        if asked.cancels == self._cancels:
            self._apply(self._turns.want_reply(asked.request))
        else:
            self._replies.ended([asked.request], {"status": "cancelled", "reason": "client_cancelled"})

    @receives(lane="control")
    def interrupt(self, message: Interrupt) -> None:
        """Whoever waits for a reply wants no more of it."""
        self._apply(self._turns.interrupt(message.request))
        self._replies.ended([message.request], {"status": "cancelled", "reason": "interrupted"})

    @receives
    def add_audio(self, event: ClientAudioAppend) -> None:
        """The user's speech."""
        try:
            commands = self._audio_in.append(event)
        except (AudioError, DecodeError) as error:
            self._error("invalid_audio", str(error))
            return
        for command in commands:
            self._command(command)

    @receives
    def commit_audio(self, _: ClientAudioCommit) -> None:
        """The user's turn is over."""
        for command in self._audio_in.commit():
            self._command(command)

    @receives
    def add_image(self, event: ClientImageAppend) -> None:
        """A picture for the model to see."""
        if not self.model.capabilities.images:
            self._error("unsupported", f"{self.model.model_name} sees no images")
            return
        try:
            image = event.image
        except DecodeError as error:
            self._error("invalid_image", str(error))
            return
        media_type = _media_type(event, image)
        problem = _problem_with_image(self.model.capabilities, media_type, len(image))
        if problem is not None:
            self._error("invalid_image", f"{self.model.model_name} {problem}")
            return
        self._add(AppendImage(_new_id(), image, media_type))

    @receives(lane="control")
    def cancel_response(self, _: ClientResponseCancel) -> None:
        """Silence, at once."""
        self._cancels += 1
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
        before = self._instructions if self._reconfiguration is None else self._reconfiguration[1]
        self._instructions = instructions
        configuration = self._configuration()
        self._reconfiguration = configuration.request_id, before
        self._command(configuration)

    @receives
    def reconfigured(self, _: SessionConfigured) -> None:
        """The provider has accepted it."""
        self._reconfiguration = None
        self._publish(ServerSessionUpdated(self.session_id))

    @receives
    def end(self, _: ClientSessionEnd) -> None:
        """End the agent."""
        self.context.stop()

    # -- the model's reply

    @receives(direct=True)
    def reply_delta(self, event: Delta) -> None:
        """The hot path: a piece of speech every 20 to 100 ms."""
        if self._passes(event.response_id):
            if type(event) is ModelResponseAudioDelta:
                size = self._playout.received(event)
                if size:
                    self._playout.look(size, trio.current_time())
            self._publish(agent_event(event, self._agent_id, self.name), event.response_id)
            if self._replies.live:
                self._replies.passed(event)

    @receives
    def reply_part_done(self, event: Part) -> None:
        """A part of the reply is complete; a call is carried out."""
        if self._passes(event.response_id):
            self._publish(agent_event(event, self._agent_id, self.name))
        if isinstance(event, ModelResponseAudioDone):
            self._playout.item_done(event.item_id)
        if isinstance(event, ModelResponseToolUseDone):
            self._apply(self._turns.called(event.response_id, event.tool_use))

    @receives
    def response_created(self, event: ModelResponseCreated) -> None:
        self._created(event.response_id)

    @receives
    def response_done(self, event: ModelResponseDone) -> None:
        if event.metadata.get("status") != "cancelled":
            self._playout.response_done(event.response_id)
        self._apply(self._turns.done(event))

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
        """When the user begins to speak, what was being said is over, and the frontend stops playing it."""
        if isinstance(event, ModelInputStarted):
            self._apply(self._turns.heard_speech(self.model.interrupts))
        self._publish(agent_event(event, self._agent_id, self.name))
        if isinstance(event, ModelInputDone):
            detection = self.model.turn_detection
            self._apply(self._turns.heard_silence(not isinstance(detection, Manual) and detection.create_response))

    @receives
    def model_error(self, event: ModelError) -> None:
        """Told as it is."""
        self._publish(agent_event(event, self._agent_id, self.name))

    @receives
    def request_failed(self, notice: RequestFailed) -> None:
        if notice.conflict == "item_gone" or is_cutting(notice.request_id):
            log.debug("%s: an item cannot be cut: %s", self._agent_id, notice.message)
            return
        self._unacknowledged.pop(notice.request_id, None)
        refusal = _refused(notice.error_type, notice.code, notice.message)
        request = self._replies.refused(notice.request_id, refusal)
        if request is not None:
            self._apply(self._turns.interrupt(request))
        if self._reconfiguration is not None and notice.request_id == self._reconfiguration[0]:
            self._instructions, self._reconfiguration = self._reconfiguration[1], None
        self._apply(self._turns.failed(notice))

    @receives
    def item_added(self, notice: ItemAdded) -> None:
        self._unacknowledged.pop(notice.item_id, None)
        self._replies.accepted(notice.item_id)

    @receives
    def calls_cancelled(self, notice: ToolCallsCancelled) -> None:
        """By the provider, which takes no results of theirs."""
        self._apply(self._turns.calls_cancelled(notice.call_ids))

    @receives
    def session_changed(self, event: ModelSessionCreated | ModelSessionEnded) -> None:
        log.debug("%s: %r", self._agent_id, event)

    # -- the connection

    @receives
    def connection_ready(self, event: ConnectionReady) -> None:
        """The first time the agent is ready; later it has come back, if need be to a model that remembers nothing."""
        if event.number == 1:
            self._publish(AgentReady(self._agent_id, self.name))
        else:
            metadata = {"connection": "restored", "state_restored": "session" if event.remembers else "none"}
            self._publish(ServerSessionUpdated(self.session_id, metadata))

    @receives
    def connection_lost(self, event: ConnectionLost) -> None:
        """Replies end here; what the provider has not acknowledged goes to the next session, in order."""
        self._error("connection_lost", f"{event.reason}; connecting again", "connection_error")
        self._reconfiguration = None
        self._connection.tell(self._configuration())
        self._connection.tell(Resume(event.number))
        for item_id, command in self._unacknowledged.items():
            if isinstance(command, AppendToolResult):  # the new session knows nothing of the call
                self._unacknowledged[item_id] = as_text_item(item_id, command.name, command.output)
            self.context.tell(self._connection, self._unacknowledged[item_id])
        self._playout.session_lost()
        self._apply(self._turns.lost())
        self._apply(self._turns.resumed())

    @receives(lane="control")
    def connection_ended(self, event: Terminated) -> None:
        """The connection is gone for good, and the agent with it."""
        cause = event.cause or ConnectionError("the connection to the provider has ended")
        code = cause.code if isinstance(cause, ProviderRefused) else ""
        self._apply(self._turns.lost())
        self._error(code, str(cause), "provider_error")
        raise cause

    # -- the parts

    def _answered(self, use: ToolUse, output: str, result: ToolResult | None) -> None:
        self._apply(self._turns.answered(use, output, result))

    def _apply(self, effects: list[Effect]) -> None:
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
                case Ended(requests, metadata):
                    self._replies.ended(requests, metadata)

    def _silence(self, response_id: str | None) -> None:
        """What was not heard is cut off: with the model, and with whoever plays it still and is not told otherwise."""
        for heard in self._playout.cut(trio.current_time(), response_id):
            command = cutting(heard, self.model.capabilities, _new_id)
            if command is not None:
                self.context.tell(self._connection, command)
            if heard.is_told:
                ids = heard.response_id, heard.item_id
                self._publish(AgentPlayoutFlush(*ids, heard.heard_ms, self._agent_id, self.name))

    def _command(self, command: ModelCommand) -> None:
        if isinstance(command, (AppendText, AppendImage, AppendToolResult)):
            self._add(command)
            return
        told = self.context.tell(self._connection, command)
        if not told and not isinstance(command, (AppendAudio, CancelResponse)):
            self._apply(self._turns.failed(RequestFailed(command.request_id, *_OVERLOADED)))

    def _add(self, command: AppendText | AppendImage | AppendToolResult) -> bool:
        """Add to the conversation, and keep it until the provider acknowledges it."""
        room = len(self._unacknowledged) < MOST_UNACKNOWLEDGED and self.context.tell(self._connection, command)
        if room:
            self._unacknowledged[command.item_id] = command
        else:
            error_type, code, message = _OVERLOADED
            self._error(code, message, error_type)
        return room

    def _error(self, code: str, message: str, error_type: str = "invalid_request_error") -> None:
        log.warning("%s: %s", self._agent_id, message)
        self._publish(AgentError(error_type, code, message, self._agent_id, self.name))

    def _publish(self, event: ServerEvent, group: Hashable = None) -> None:
        self.context.bus.publish(self._topic(type(event)), event, group)

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
