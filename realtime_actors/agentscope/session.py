"""What runs in the shared runtime for one object of the application's, and the queue that is fed with what it says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import trio

from realtime_actors.actors import Actor, ActorError, SubscriptionOverflow
from realtime_actors.agents import RealtimeAgent
from realtime_actors.agents.link import models_of
from realtime_actors.asyncio import AsyncioRef, AsyncioRuntime, AsyncioSubscription, WrongLoop
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputStarted,
    ClientEvent,
    ClientResponseCancel,
    ServerEvent,
)

from .calls import AnyToolkit, ToolCalls
from .client_events import ClientEvents
from .errors import NotStarted, QueueOverflow
from .event import Event
from .feed import Feed, weight
from .shared import shared_runtime
from .translation import native_client_event

__all__ = ["AgentSession", "Session", "new_id"]

log = logging.getLogger("realtime_actors.agentscope")

UNREAD_BYTES = 16 * 1024 * 1024
"""What may be said, about, while the application's event loop is blocked: more than OpenAI's longest reply."""


def new_id() -> str:
    """An id for an agent or a room, which is its name in the runtime too."""
    return uuid.uuid4().hex


class Session(ABC):
    """An actor from its start to its end, in a task of its own: `start`, `say`, `stop`.

    `pattern` is of the topics where it is heard of; `agents` are the names of its agents by their ids, `toolkits` those
    of some of them, by the same.
    """

    def __init__(
        self,
        actor: Actor,
        actor_id: str,
        feed: Feed,
        *,
        pattern: str,
        agents: Mapping[str, str],
        toolkits: Mapping[str, AnyToolkit],
    ) -> None:
        self.id = actor_id
        self.feed = feed
        self.agents = agents
        self._actor = actor
        self._pattern = pattern
        self._calls = ToolCalls(toolkits, self._answer)
        self._runtime: AsyncioRuntime | None = None
        self._ref: AsyncioRef | None = None
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._task = self._loop.create_task(self._run(), name=f"{type(actor).__name__} {actor_id}")

    @property
    def is_over(self) -> bool:
        """Whether the actor has ended."""
        return self._task.done()

    async def start(self) -> None:
        """Wait until the providers have accepted the configuration. Raises as spawning the actor does."""
        try:
            await asyncio.wait([self._ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        if not self._ready.done() or self._ready.exception() is not None:
            await asyncio.wait([self._task])
        if not self._ready.done():
            self._task.result()
            raise NotStarted("it ended while it was being started: start it again")
        self._ready.result()

    async def take(self, event: Event, agent_id: str | None = None) -> None:
        """What `handle_input` is given: for all, or for one agent. Raises `NotStarted`, `InvalidEvent`."""
        if isinstance(event, ClientEvents.ClientToolResultEvent):
            # Whoever answers a call is whoever carries it out: the toolkit, never the frontend.
            problem = f"no call with the id {event.id!r:.80} waits for the frontend"
            self._offer_at_last(self._error("invalid_request_error", "unknown_call", problem))
            return
        native = native_client_event(event)
        if native is not None:
            await self.say(native, agent_id)

    async def say(self, event: ClientEvent, agent_id: str | None = None) -> None:
        """Tell the actor, or one of its agents, waiting while it has no room. Raises `NotStarted` once it has ended."""
        if self._ref is None or self.is_over:
            raise NotStarted("it has ended (its last events say why): start it again")
        if isinstance(event, ClientResponseCancel):
            self.feed.supersede()
        try:
            await self._deliver(self._ref, event, agent_id)
        except WrongLoop:
            raise
        except ActorError as error:
            raise NotStarted(f"it has ended (its last events say why): {error}") from error

    async def stop(self) -> None:
        """End it, and wait until all that belonged to it has ended."""
        if self._ref is None:
            self._task.cancel()
        elif not self.is_over:
            await self._stop_actor(self._ref)
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    def abandon(self) -> None:
        """End it from any thread, without waiting: whoever had started it is gone."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the session with it
            self._loop.call_soon_threadsafe(self._task.cancel)

    # -- what differs

    @abstractmethod
    async def stop_agent(self, agent_id: str) -> None:
        """End one of its agents, and what there is only for that one."""

    @abstractmethod
    def abandon_agent(self) -> None:
        """Whoever had one of its agents is gone."""

    @abstractmethod
    async def _deliver(self, ref: AsyncioRef, event: ClientEvent, agent_id: str | None) -> None:
        """Give it what was said."""

    @abstractmethod
    async def _answer(self, agent_id: str, event: ClientEvent) -> None:
        """Give an agent the result of its call."""

    @abstractmethod
    def _translated(self, event: ServerEvent) -> Sequence[Event]:
        """What the application is told of this."""

    @abstractmethod
    def _is_last(self, event: ServerEvent) -> bool:
        """Whether nothing more is to come."""

    async def _enter(self, ref: AsyncioRef) -> None:  # noqa: B027 - most have nothing to do
        """It runs: what is to be done before anybody speaks."""

    # -- the task

    async def _run(self) -> None:
        try:
            async with (
                shared_runtime() as self._runtime,
                self._runtime.subscribe(self._pattern, capacity=UNREAD_BYTES, overflow="close", weigh=weight) as events,
            ):
                try:
                    self._ref = await self._runtime.spawn(self._actor, name=self.id)
                except Exception as error:  # noqa: BLE001 - raised by `start`
                    self._ready.set_exception(error)
                    return
                try:
                    await self._enter(self._ref)
                    self._ready.set_result(None)
                    await self._pump(events)
                except asyncio.CancelledError:  # it was forgotten, or the loop ends
                    await self._stop_actor(self._ref)
                    await self._pump(events)
                    raise
                finally:
                    await self._calls.end()
                    await self._stop_actor(self._ref)
        except ActorError:  # the runtime was ended before its users, by the end of the loop
            log.debug("%s: the runtime has ended", self.id, exc_info=True)
        finally:
            self.feed.close()

    async def _stop_actor(self, ref: AsyncioRef) -> None:
        with contextlib.suppress(ActorError):  # the runtime has ended
            await ref.stop()

    async def _pump(self, events: AsyncioSubscription) -> None:
        """Read what is said, however slowly the application does, until the actor has ended."""
        while True:
            try:
                event = await events.receive()
            except trio.EndOfChannel:
                return
            except SubscriptionOverflow as error:
                self._give_up(f"the application's event loop was blocked for too long: {error}")
                return
            self._calls.saw(event)
            try:
                self._offer(event)
            except QueueOverflow as error:
                self._give_up(str(error))
                return
            if self._is_last(event):
                return

    def _offer(self, event: ServerEvent) -> None:
        for translated in self._translated(event):
            self.feed.offer(translated)

    def _give_up(self, message: str) -> None:
        log.error("%s is ended: %s", self.id, message)
        self._offer_at_last(self._error("overloaded_error", "queue_overflow", message))
        for agent_id, name in self.agents.items():
            self._offer_at_last(AgentEnded(agent_id, name))

    def _offer_at_last(self, event: ServerEvent) -> None:
        with contextlib.suppress(QueueOverflow):  # it is kept all the same; the next event says so again
            self._offer(event)

    def _error(self, error_type: str, code: str, message: str) -> AgentError:
        """An error of the application's making: its agent's, if it has but one."""
        agent = next(iter(self.agents.items())) if len(self.agents) == 1 else ("", "")
        return AgentError(error_type, code, message, *agent)


class AgentSession(Session):
    """One agent. `translate` gives what the application is told of what was said, and of why it was the last."""

    def __init__(
        self,
        agent_id: str,
        agent: RealtimeAgent,
        feed: Feed,
        translate: Callable[[ServerEvent, str], Event | None],
        toolkit: AnyToolkit | None = None,
    ) -> None:
        toolkits = {} if toolkit is None else {agent_id: toolkit}
        pattern = f"agents.{agent_id}.>"
        super().__init__(agent, agent_id, feed, pattern=pattern, agents={agent_id: agent.name}, toolkits=toolkits)
        self._translate = translate
        self._interrupts = models_of(agent.model)[0].interrupts
        self._reason = "disconnected"

    async def stop_agent(self, agent_id: str) -> None:
        await self.stop()

    def abandon_agent(self) -> None:
        self.abandon()

    async def _deliver(self, ref: AsyncioRef, event: ClientEvent, agent_id: str | None) -> None:
        await ref.send(event)

    async def _answer(self, agent_id: str, event: ClientEvent) -> None:
        with contextlib.suppress(ActorError):  # the agent has ended meanwhile
            if self._ref is not None:
                await self._ref.send(event)

    def _translated(self, event: ServerEvent) -> Sequence[Event]:
        if isinstance(event, AgentInputStarted) and self._interrupts:
            self.feed.supersede()
        elif isinstance(event, AgentError):
            self._reason = event.message
        translated = self._translate(event, self._reason)
        return [] if translated is None else [translated]

    def _is_last(self, event: ServerEvent) -> bool:
        return isinstance(event, AgentEnded)
