"""A reply that Python code asked for: await it, interrupt it, see what it said."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Literal, Self

import attrs
import trio

from realtime_actors.actors import Ref
from realtime_actors.audio import duration_ms
from realtime_actors.events import AgentResponseDone, ModelResponseAudioDelta, ModelResponseAudioTranscriptDelta

from .errors import ReplyFailed
from .translation import Delta

__all__ = ["GenerateReply", "Interrupt", "Replies", "Reply", "generate_reply"]

MOST_WAITING = 256
"""Replies that are asked for and not over; more fail at once."""

ReplyStatus = Literal["waiting", "in_progress", "completed", "cancelled", "incomplete", "failed"]


@attrs.frozen
class GenerateReply:
    """Ask an agent this for a reply to `text`, or to the conversation so far. It answers with the `Reply`."""

    text: str = ""


@attrs.frozen
class Interrupt:
    """Told to an agent by `Reply.interrupt`."""

    request: str


@attrs.define(eq=False)
class Reply:
    """A reply, from the request to the end of what was said, what followed its tool calls included.

    `await reply` waits for that end and gives the reply itself; see `wait`. Its fields grow meanwhile. It belongs to
    the runtime's thread; asyncio code awaits it in `AsyncioRuntime.run`.
    """

    _agent: Ref
    request: str
    """The name of the request."""
    status: ReplyStatus = attrs.field(init=False, default="waiting")
    response_ids: list[str] = attrs.field(init=False, factory=list[str])
    """The provider's responses that it is made of: a new one follows each batch of tool calls."""
    text: str = attrs.field(init=False, default="")
    """What was said, in words, as far as it was published."""
    audio_ms: float = attrs.field(init=False, default=0.0)
    """How long the audio is that was published."""
    input_tokens: int = attrs.field(init=False, default=0)
    output_tokens: int = attrs.field(init=False, default=0)
    reason: str = attrs.field(init=False, default="")
    """Why it was not completed: a code such as `interrupted`, `turn_detected`, `connection_lost`, or the provider's."""
    error: ReplyFailed | None = attrs.field(init=False, default=None)
    """Set when it failed."""
    _over: trio.Event = attrs.field(init=False, factory=trio.Event)
    # What there was of it before the latest response.
    _before: tuple[ReplyStatus, str, float] = attrs.field(init=False, default=("waiting", "", 0.0))

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    async def wait(self) -> Self:
        """Wait for the end. Raises `ReplyFailed`; one that was cancelled or is incomplete is returned, see `status`."""
        await self._over.wait()
        if self.error is not None:
            raise self.error
        return self

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.wait().__await__()

    def interrupt(self) -> None:
        """End it: nothing more of it is published, and the model stops. Of no effect when it is over."""
        if not self.is_over:
            self._agent.tell(Interrupt(self.request))

    def begin(self, response_id: str) -> None:
        """Called by the agent: this response is a part of it."""
        self._before = self.status, self.text, self.audio_ms
        self.status = "in_progress"
        self.response_ids.append(response_id)

    def take_back(self) -> None:
        """Called by the agent: the latest response is no part of it after all."""
        self.response_ids.pop()
        self.status, self.text, self.audio_ms = self._before

    def end(self, metadata: dict[str, str]) -> None:
        """Called by the agent: it is over."""
        if self.is_over:
            return
        status = metadata["status"]
        self.status = status if status in ("completed", "cancelled", "incomplete") else "failed"
        self.reason = metadata.get("reason", "")
        if self.status == "failed":
            message = metadata.get("message") or self.reason or "the provider gave no reason"
            self.error = ReplyFailed(self.reason, f"the reply failed: {message}")
        self._over.set()


@attrs.define
class Replies:
    """The replies of one agent that somebody waits for."""

    _requests: dict[str, Reply] = attrs.field(init=False, factory=dict[str, Reply])
    _items: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    """The requests whose text is the item of this id."""
    live: dict[str, list[Reply]] = attrs.field(init=False, factory=dict[str, list[Reply]])
    """Those that are being generated, by the provider's response."""

    def add(self, reply: Reply) -> None:
        """One is asked for. It fails at once where too many are."""
        if len(self._requests) >= MOST_WAITING:
            message = f"{MOST_WAITING} replies are waited for already: ask again when one of them is over"
            reply.end({"status": "failed", "reason": "overloaded", "message": message})
        else:
            self._requests[reply.request] = reply

    def waits(self, request: str) -> bool:
        """Whether somebody waits for this one."""
        return request in self._requests

    def asks_with(self, item_id: str, request: str) -> None:
        """The text of a request is the item of this id."""
        if request:
            self._items[item_id] = request

    def began(self, requests: Iterable[str], response_id: str) -> None:
        """A response to these requests has begun."""
        for reply in self._found(requests):
            reply.begin(response_id)
            self.live.setdefault(response_id, []).append(reply)

    def mistaken(self, requests: Iterable[str], response_id: str) -> None:
        """This response, which had begun, is no reply to these requests."""
        for reply in self._found(requests):
            if reply in self.live.get(response_id, ()):
                self.live[response_id].remove(reply)
                reply.take_back()

    def passed(self, event: Delta) -> None:
        """A piece was published."""
        for reply in self.live.get(event.response_id, ()):
            match event:
                case ModelResponseAudioDelta(payload=payload, format=audio_format):
                    reply.audio_ms += duration_ms(len(payload), audio_format.rate)
                case ModelResponseAudioTranscriptDelta(delta=delta):
                    reply.text += delta
                case _:
                    pass

    def spent(self, done: AgentResponseDone) -> None:
        """A response is over, and cost this much."""
        for reply in self.live.pop(done.response_id, ()):
            reply.input_tokens += done.input_tokens
            reply.output_tokens += done.output_tokens

    def refused(self, item_id: str, metadata: dict[str, str]) -> str | None:
        """The provider has refused an item: whoever asked with it is told. The request, if there was one."""
        request = self._items.pop(item_id, None)
        if request is not None:
            self.ended([request], metadata)
        return request

    def accepted(self, item_id: str) -> None:
        """The provider has taken an item."""
        self._items.pop(item_id, None)

    def ended(self, requests: Iterable[str], metadata: dict[str, str]) -> None:
        """The reply to these requests is over."""
        for reply in self._found(requests):
            del self._requests[reply.request]
            reply.end(metadata)

    def end_all(self, metadata: dict[str, str]) -> None:
        """The agent ends."""
        self.ended(list(self._requests), metadata)

    def _found(self, requests: Iterable[str]) -> list[Reply]:
        return [self._requests[request] for request in requests if request in self._requests]


async def generate_reply(agent: Ref, text: str = "") -> Reply:
    """Ask an agent for a reply to `text`, or to the conversation so far. It is being generated when this returns.

    Raises `ActorStopped` or `ActorCrashed` if the agent is not there any more.
    """
    reply: Reply = await agent.ask(GenerateReply(text), timeout=None)
    return reply
