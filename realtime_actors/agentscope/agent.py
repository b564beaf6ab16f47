"""The agent, used as `agentscope.agent.RealtimeAgent` is."""

from __future__ import annotations

import asyncio
from typing import Any

from realtime_actors.agents import RealtimeAgent as NativeAgent
from realtime_actors.events import ServerEvent
from realtime_actors.providers import RealtimeModel

from .calls import AnyToolkit
from .client_events import ClientEvents
from .errors import NotStarted, NotSupported
from .feed import BACKLOG_BYTES, QUEUE_AHEAD, Feed, QueueStatistics
from .missing import missing
from .models import TOOL_TIMEOUT, RealtimeModelBase, tools_for
from .server_events import ServerEvents
from .session import AgentSession, Session, new_id
from .translation import checked, server_event

__all__ = ["RealtimeAgent"]

__getattr__ = missing(
    __name__,
    dict.fromkeys(
        (
            "A2AAgent",
            "AgentBase",
            "ReActAgent",
            "ReActAgentBase",
            "StudioUserInput",
            "TerminalUserInput",
            "UserAgent",
            "UserInputBase",
            "UserInputData",
        ),
        "of AgentScope's agents, only RealtimeAgent is here; import this one from agentscope, beside it",
    ),
)


class RealtimeAgent:
    """A voice agent for asyncio code: `start` it with a queue, `handle_input`, `stop` it.

    `model` is one of this module, or any of `realtime_actors.providers`; `toolkit` is this module's `Toolkit`, or
    AgentScope's. Its functions run in the loop in which the agent was started, and the model is told after
    `tool_timeout` s that one did not finish.

    The queue that `start` is given is fed `queue_ahead` events ahead of its reader. Up to `backlog_bytes` wait beside
    it; then the oldest audio is dropped, and when there is none left to drop the agent ends with
    `AgentErrorEvent` (`queue_overflow`) and `AgentEndedEvent`. What is left of a cancelled reply is taken back from
    both.

    An agent that is forgotten without a `stop` is stopped when it is garbage.
    """

    _session: Session | None = None

    def __init__(
        self,
        name: str,
        sys_prompt: str,
        model: RealtimeModelBase | RealtimeModel,
        toolkit: AnyToolkit | None = None,
        *,
        queue_ahead: int = QUEUE_AHEAD,
        backlog_bytes: int = BACKLOG_BYTES,
        tool_timeout: float = TOOL_TIMEOUT,
    ) -> None:
        self.id = new_id()
        self.name = name
        self.sys_prompt = sys_prompt
        self.model = model
        self.toolkit = toolkit
        self._queue_ahead = queue_ahead
        self._backlog_bytes = backlog_bytes
        self._tool_timeout = tool_timeout

    async def start(self, outgoing_queue: asyncio.Queue[Any]) -> None:
        """Connect, and put `ServerEvents` into the queue from now on.

        Returns when the provider has accepted the configuration. Raises `ProviderRefused`, `ProviderUnavailable`,
        `InvalidTool`, or `NotStarted` when it runs already.
        """
        native = self.native()
        feed = Feed(outgoing_queue, self._queue_ahead, self._backlog_bytes)
        session = AgentSession(self.id, native, feed, _server_event, self.toolkit)
        self.is_in(session)
        await session.start()

    def native(self) -> NativeAgent:
        """The agent as `realtime_actors.agents` has it, to be spawned. Raises `NotStarted` when it runs already."""
        if self._session is not None and not self._session.is_over:
            raise NotStarted(f"the agent {self.name} runs already: stop it first, or make another")
        model = self.model.native() if isinstance(self.model, RealtimeModelBase) else self.model
        if not isinstance(model, RealtimeModel):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
            raise NotSupported(
                f"{type(model).__name__} is no model of this package: write one's own as a "
                "realtime_actors.providers.RealtimeModel"
            )
        schemas = self.toolkit.get_json_schemas() if self.toolkit is not None else []
        return NativeAgent(self.name, self.sys_prompt, model, tools_for(model, schemas, self._tool_timeout))

    def is_in(self, session: Session) -> None:
        """It runs in this session, alone or in a room; for rooms, which call it."""
        self._session = session
        if isinstance(self.model, RealtimeModelBase):
            self.model.used_in(session, self.id)

    async def handle_input(self, event: ClientEvents.EventBase | ServerEvents.EventBase) -> None:
        """What a frontend says, or the speech of another agent. Waits while the agent has no room for it.

        Other events of other agents, and those that open and close a conversation, are passed over. Raises
        `NotAnEvent` (a TypeError) for what is of neither family, `NotStarted` before the start and after the end,
        `InvalidEvent` for values that are not as declared.
        """
        given = checked(event)
        if self._session is None:
            raise NotStarted(f"the agent {self.name} is not started: await agent.start(queue) first")
        await self._session.take(given, self.id)

    async def stop(self) -> None:
        """End the agent: `AgentEndedEvent` is its last in the queue. Does nothing to one that has ended."""
        session, self._session = self._session, None
        if session is not None:
            await session.stop_agent(self.id)

    def __del__(self) -> None:
        if self._session is not None:
            self._session.abandon_agent()

    def queue_statistics(self) -> QueueStatistics:
        """What became of the events for the queue. Raises `NotStarted`."""
        if self._session is None:
            raise NotStarted(f"the agent {self.name} is not started: await agent.start(queue) first")
        return self._session.feed.statistics()


def _server_event(event: ServerEvent, _: str) -> ServerEvents.EventBase | None:
    return server_event(event)
