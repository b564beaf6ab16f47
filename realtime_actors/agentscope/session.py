"""One agent in the shared runtime, and the application's queue that is fed with what it says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import msgspec
import trio

from realtime_actors.actors import ActorError, SubscriptionOverflow
from realtime_actors.agents import RealtimeAgent, Tool, frontend_tool
from realtime_actors.agents.link import models_of
from realtime_actors.asyncio import AsyncioRef, AsyncioSubscription, WrongLoop
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputStarted,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ClientEvent,
    ClientResponseCancel,
    ServerEvent,
    ToolUse,
    decode_client,
)

from .errors import NotStarted, QueueOverflow
from .event import Event
from .feed import Feed, weight
from .message import TextBlock, ToolUseBlock
from .shared import shared_runtime

__all__ = ["AnyToolkit", "Session", "new_id", "tools_of"]

log = logging.getLogger("realtime_actors.agentscope")

UNREAD_BYTES = 16 * 1024 * 1024
"""What an agent may say, about, while the application's event loop is blocked: more than OpenAI's longest reply."""


class AnyToolkit(Protocol):
    """What an agent needs of a toolkit: this module's `Toolkit` has it, and AgentScope's own."""

    def get_json_schemas(self) -> list[dict[str, Any]]:
        """The functions, as `{"type": "function", "function": {"name", "description", "parameters"}}`."""
        ...

    async def call_tool_function(self, tool_call: Any) -> Any:
        """Carry out a call: an asynchronous iterator of responses, each with all there is so far."""
        ...


def new_id() -> str:
    """An id for an agent, which is its name in the runtime too."""
    return uuid.uuid4().hex


def tools_of(schemas: Sequence[dict[str, Any]] | None, timeout: float) -> list[Tool]:
    """The tools that the model is told of. They are carried out in the application's loop, as a frontend's are."""
    functions = [schema["function"] for schema in schemas or ()]
    return [
        frontend_tool(each["name"], each.get("description", ""), each.get("parameters"), timeout=timeout)
        for each in functions
    ]


class Session:
    """An agent from its start to its end, in a task of its own: `start`, `say`, `stop`."""

    def __init__(
        self,
        agent_id: str,
        agent: RealtimeAgent,
        feed: Feed,
        translate: Callable[[ServerEvent, str], Event | None],
        toolkit: AnyToolkit | None = None,
    ) -> None:
        self.id = agent_id
        self.feed = feed
        self._agent = agent
        self._translate = translate
        self._toolkit = toolkit
        self._loop = asyncio.get_running_loop()
        self._ref: AsyncioRef | None = None
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._reason = "disconnected"
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._task = self._loop.create_task(self._run(), name=f"agent {agent.name}")

    @property
    def is_over(self) -> bool:
        """Whether the agent has ended."""
        return self._task.done()

    async def start(self) -> None:
        """Wait until the provider has accepted the configuration. Raises as spawning a `RealtimeAgent` does."""
        try:
            await asyncio.wait([self._ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        if not self._ready.done() or self._ready.exception() is not None:
            await asyncio.wait([self._task])
        if not self._ready.done():
            self._task.result()
            raise NotStarted("the agent ended while it was being started: start it again")
        self._ready.result()

    async def say(self, event: ClientEvent) -> None:
        """Tell the agent, waiting while it has no room. Raises `NotStarted` once it has ended."""
        ref = self._ref
        if ref is None or self.is_over:
            raise NotStarted("the agent has ended (its last events say why): start it again")
        if isinstance(event, ClientResponseCancel):
            self.feed.supersede()
        try:
            await ref.send(event)
        except WrongLoop:
            raise
        except ActorError as error:
            raise NotStarted(f"the agent has ended (its last events say why): {error}") from error

    def tell_error(self, code: str, message: str) -> None:
        """Put an error of the application's making into its queue."""
        self._offer_at_last(AgentError("invalid_request_error", code, message, self.id, self._agent.name))

    async def stop(self) -> None:
        """End the agent, and wait until all that belonged to it has ended."""
        if self._ref is None:
            self._task.cancel()
        elif not self.is_over:
            await self._stop_agent(self._ref)
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    def abandon(self) -> None:
        """End it from any thread, without waiting: whoever had started it is gone."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the session with it
            self._loop.call_soon_threadsafe(self._task.cancel)

    # -- the task

    async def _run(self) -> None:
        try:
            async with (
                shared_runtime() as runtime,
                runtime.subscribe(
                    f"agents.{self.id}.>", capacity=UNREAD_BYTES, overflow="close", weigh=weight
                ) as events,
            ):
                try:
                    self._ref = await runtime.spawn(self._agent, name=self.id)
                except Exception as error:  # noqa: BLE001 - raised by `start`
                    self._ready.set_exception(error)
                    return
                self._ready.set_result(None)
                try:
                    await self._pump(events)
                except asyncio.CancelledError:  # it was forgotten, or the loop ends
                    await self._stop_agent(self._ref)
                    await self._pump(events)
                    raise
                finally:
                    await self._end_calls()
                    await self._stop_agent(self._ref)
        except ActorError:  # the runtime was ended before its users, by the end of the loop
            log.debug("%s: the runtime has ended", self.id, exc_info=True)
        finally:
            self.feed.close()

    async def _stop_agent(self, ref: AsyncioRef) -> None:
        with contextlib.suppress(ActorError):  # the runtime has ended
            await ref.stop()

    async def _pump(self, events: AsyncioSubscription) -> None:
        """Read what the agent says, however slowly the application does, until the agent has ended."""
        while True:
            try:
                event = await events.receive()
            except trio.EndOfChannel:
                return
            except SubscriptionOverflow as error:
                self._give_up(f"the application's event loop was blocked for too long: {error}")
                return
            self._react(event)
            try:
                self._offer(event)
            except QueueOverflow as error:
                self._give_up(str(error))
                return
            if isinstance(event, AgentEnded):
                return

    def _react(self, event: ServerEvent) -> None:
        match event:
            case AgentResponseDone(response_id, metadata={"status": "cancelled"}):
                self.feed.supersede(response_id)
            case AgentInputStarted() if models_of(self._agent.model)[0].interrupts:
                self.feed.supersede()
            case AgentResponseToolUseDone(tool_use=use) if self._toolkit is not None:
                self._calls[use.id] = self._loop.create_task(self._call(self._toolkit, use))
            case AgentResponseToolResult(tool_result=result):
                call = self._calls.pop(result.id, None)
                if call is not None:
                    call.cancel()
            case AgentError(message=message):
                self._reason = message
            case _:
                pass

    def _offer(self, event: ServerEvent) -> None:
        translated = self._translate(event, self._reason)
        if translated is not None:
            self.feed.offer(translated)

    def _give_up(self, message: str) -> None:
        log.error("%s is ended: %s", self.id, message)
        self._reason = message
        self._offer_at_last(AgentError("overloaded_error", "queue_overflow", message, self.id, self._agent.name))
        self._offer_at_last(AgentEnded(self.id, self._agent.name))

    def _offer_at_last(self, event: ServerEvent) -> None:
        with contextlib.suppress(QueueOverflow):  # it is kept all the same; the next event of the agent says so again
            self._offer(event)

    # -- the toolkit

    async def _call(self, toolkit: AnyToolkit, use: ToolUse) -> None:
        output = await _outcome(toolkit, use)
        if self._calls.pop(use.id, None) is None or self._ref is None:
            return  # cancelled, or timed out; and the function has taken no notice
        result = {"type": "client_tool_result", "session_id": "", "id": use.id, "name": use.name, "output": output}
        try:
            answer = decode_client(msgspec.json.encode(result).decode())
        except Exception as error:
            log.exception("the tool %s gave no content blocks", use.name)
            result["output"] = f"Error: the result of {use.name} cannot be sent: {error}"
            answer = decode_client(msgspec.json.encode(result).decode())
        with contextlib.suppress(ActorError):  # the agent has ended meanwhile
            await self._ref.send(answer)

    async def _end_calls(self) -> None:
        calls = [*self._calls.values()]
        self._calls.clear()
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)


async def _outcome(toolkit: AnyToolkit, use: ToolUse) -> list[Any]:
    """The blocks of a call's last response. What it raises is told to the model."""
    if not use.input and use.raw_input.strip() not in ("", "{}"):
        return [TextBlock(type="text", text=f"Error: the arguments of {use.name} are no JSON object: send one.")]
    block = ToolUseBlock(type="tool_use", id=use.id, name=use.name, input=use.input, raw_input=use.raw_input)
    content: list[Any] = []
    try:
        async for response in await toolkit.call_tool_function(block):
            content = cast("list[Any]", response.content)
    except Exception as error:
        log.exception("the tool %s failed", use.name)
        content = [TextBlock(type="text", text=f"Error: {type(error).__name__}: {error}")]
    return content
