"""The voice agent: client events in, server events out, a model behind it."""

from __future__ import annotations

import logging

import attrs
import trio

from realtime_actors.actors import receives
from realtime_actors.audio import AudioError
from realtime_actors.events import (
    AgentEnded,
    AppendImage,
    AppendText,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ClientToolApproval,
    ClientToolResult,
    DecodeError,
    History,
    ToolResult,
    ToolUse,
)
from realtime_actors.providers import Capabilities

from .base import OVERLOADED, Begin, new_id, refused
from .calls import Calls
from .changes import tools_by_name
from .from_model import AgentOfModel
from .hearing import HearingStatistics
from .link import Link, models_of
from .listening import GetHearingStatistics, by_hand
from .memory import AddText, Conversation, GetHistory, Memory
from .reply import GenerateReply, Interrupt, Reply
from .summaries import Summaries
from .turns import Turns
from .watchdog import Watchdog

__all__ = ["RealtimeAgent"]

log = logging.getLogger("realtime_actors.agents")


@attrs.frozen
class RequestForReply:
    """A request on its way through the data lane, and how many cancels came before it."""

    event: ClientTextAppend | ClientResponseCreate | GenerateReply
    cancels: int
    request: str = ""
    """Of one that is waited for."""


@attrs.define(eq=False)
class RealtimeAgent(AgentOfModel):
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

    async def started(self) -> None:
        """Connect, and wait until the provider has accepted the configuration."""
        self._agent_id = self.context.name
        self._is_past = self.context.tell(self.context.ref, Begin())
        self._instructions = self.instructions
        models = models_of(self.model)
        if self.turn_detection is not None:
            for model in models:
                by_hand(model)  # whether it can be
        self._link = Link(self.context, models, self._as_heard(models[0]), self.transport, self.options)
        self._watchdog = Watchdog(self.patience)
        self._memory = Conversation(self.memory or Memory(max_items=0), self.history.items)
        self._summaries = Summaries(self._memory, self.context.start_soon, new_id, self._error)
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
        self._turns = Turns(self._agent_id, self.name, new_id, self._calls.finishes)
        self._audio_in = self._ears()
        while True:
            await self._open()
            failure = await self._link.wait_ready()
            if failure is None:
                return
            model = self._link.next(failure)
            self._tell_end(failure, model)
            self._link.take_over(self._as_heard(model))

    async def stopping(self) -> None:
        """Say that the agent is gone, and its replies with it."""
        self._tell_measures(self._measures.close())
        self._apply(self._turns.stopped())
        self._replies.end_all({"status": "cancelled", "reason": "agent_ended"})
        self._publish(AgentEnded(self._agent_id, self.name))

    def _answered(self, use: ToolUse, output: str, result: ToolResult | None) -> None:
        self._apply(self._turns.answered(use, output, result))

    @receives
    def begin(self, _: Begin) -> None:
        """What follows is of this life."""
        self._is_past = False

    # -- the client

    @receives(lane="control")
    def ask(self, event: ClientTextAppend | ClientResponseCreate) -> None:
        """Say something in text, which asks for a reply, or ask for a reply to what there is.

        It takes its place behind the audio and images that came before it, and is void if a cancel comes after it.
        """
        if not self.context.tell(self.context.ref, RequestForReply(event, self._cancels)):
            error_type, code, message = OVERLOADED
            self._error(code, message, error_type)

    @receives(lane="control")
    def generate_reply(self, message: GenerateReply) -> Reply:
        """The same for Python code, which is given the reply to wait for."""
        reply = Reply(self.context.ref, new_id())
        self._replies.add(reply)
        if not reply.is_over and not self.context.tell(
            self.context.ref, RequestForReply(message, self._cancels, reply.request)
        ):
            self._replies.ended([reply.request], refused(*OVERLOADED))
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
                self._replies.ended([asked.request], refused("", *problem))
                return
            item_id = new_id()
            self._replies.asks_with(item_id, asked.request)
            if not self._add(AppendText(item_id, text)):
                self._replies.refused(item_id, refused(*OVERLOADED))
                return
        self._audio_in.settle()
        if asked.cancels == self._cancels:
            self._measures.asked("text" if text else "request", trio.current_time())
            self._apply(self._turns.want_reply(asked.request))
        else:
            self._replies.ended([asked.request], {"status": "cancelled", "reason": "client_cancelled"})

    @receives
    def add_text(self, message: AddText) -> None:
        """Something that the model is to know, and that is not for it to answer now."""
        if self._model.capabilities.text:
            self._add(AppendText(new_id(), message.text))
        else:
            self._error("unsupported", f"{self._model.model_name} takes no text: speak to it instead")

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
        self._add(AppendImage(new_id(), image, media_type))

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
    def end(self, _: ClientSessionEnd) -> None:
        """End the agent."""
        self.context.stop()

    # -- questions

    @receives
    def get_history(self, _: GetHistory) -> History:
        """The conversation so far."""
        return History(self._memory.items)

    @receives
    def hearing_statistics(self, _: GetHearingStatistics) -> HearingStatistics:
        """What was heard so far; nothing, where the provider finds the turns."""
        return self._audio_in.statistics()


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
