"""A provider whose side of the socket is played by the test, and an owner that writes down what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import orjson
import trio
from trio.testing import wait_all_tasks_blocked

from realtime_actors.actors import Actor, Backoff, Ref, Runtime, Terminated, open_runtime, receives
from realtime_actors.events import Configure, ModelEvent, ModelNotice
from realtime_actors.providers import (
    ConnectionExpiring,
    ConnectionLost,
    ConnectionReady,
    OpenAIRealtimeModel,
    ProviderConnection,
    Reconnection,
    Unsent,
)
from realtime_actors.providers.connection import SOCKET_OPTIONS
from realtime_actors.transports import (
    MemoryTransport,
    Request,
    Response,
    Transport,
    Upgrade,
    WebSocket,
    WebSocketOptions,
)

Json = dict[str, Any]
KEY = "sk-proj-very-secret"
MODEL = OpenAIRealtimeModel(model_name="gpt-realtime", api_key=KEY, url="ws://memory/v1/realtime")
STEADY = Backoff(min=0.25, max=8.0, factor=2.0, jitter=0.0)


class Session:
    """One socket, from the provider's side."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.received: list[Json] = []

    async def receive(self) -> Json:
        message = orjson.loads(await self.websocket.receive())
        self.received.append(message)
        return message

    async def send(self, kind: str, **fields: Any) -> None:
        await self.websocket.send(orjson.dumps({"type": kind, "event_id": "e", **fields}).decode())

    async def error(self, code: str, event_id: str | None = None, message: str = "No.") -> None:
        details = {"type": "invalid_request_error", "code": code, "message": message, "event_id": event_id}
        await self.send("error", error=details)

    async def accept(self) -> Json:
        """Open the session and accept its configuration, which is returned."""
        await self.send("session.created", session={"id": "sess_1"})
        update = await self.receive()
        await self.send("session.updated", session={})
        return update

    async def listen(self) -> None:
        """Acknowledge whatever comes."""
        while True:
            message = await self.receive()
            if message["type"] == "conversation.item.create":
                await self.send("conversation.item.added", item=message["item"])
            elif message["type"] == "session.update":
                await self.send("session.updated", session={})


Play = Callable[[Session], Awaitable[None]]


async def well(session: Session) -> None:
    """As it should be."""
    await session.accept()
    await session.listen()


async def stalled(session: Session) -> None:
    """Says nothing, ever."""
    while True:
        await session.receive()


def closing(code: int, reason: str = "") -> Play:
    """Accepts the configuration, and closes at once."""

    async def play(session: Session) -> None:
        await session.accept()
        await session.websocket.aclose(code, reason)

    return play


@attrs.define
class Provider:
    """Plays one part for each connection; the last goes on for all that follow."""

    plays: Sequence[Play | Response] = (well,)
    sessions: list[Session] = attrs.field(init=False, factory=list[Session])
    requests: list[Request] = attrs.field(init=False, factory=list[Request])
    times: list[float] = attrs.field(init=False, factory=list[float])

    async def respond(self, request: Request) -> Response | Upgrade:
        self.requests.append(request)
        self.times.append(trio.current_time())
        play = self.plays[min(len(self.requests), len(self.plays)) - 1]
        return play if isinstance(play, Response) else Upgrade(partial(self._play, play))

    async def _play(self, play: Play, websocket: WebSocket) -> None:
        session = Session(websocket)
        self.sessions.append(session)
        await play(session)


@attrs.define(eq=False)
class Owner(Actor):
    """Writes down what it is told, and configures every session."""

    told: list[tuple[float, object]]
    instructions: str = "Be brief."
    connections: list[Ref] = attrs.field(factory=list[Ref])

    @receives
    def event(self, event: ModelEvent | ModelNotice | ConnectionReady | ConnectionExpiring | Unsent) -> None:
        self.told.append((trio.current_time(), event))

    @receives
    def lost(self, event: ConnectionLost) -> None:
        self.told.append((trio.current_time(), event))
        for connection in self.connections:
            connection.tell(Configure("again", self.instructions))


@attrs.define
class Line:
    """A connection with both its ends."""

    runtime: Runtime
    provider: Provider
    transport: Transport
    connection: Ref
    owner: Ref
    _told: list[tuple[float, object]]
    started_at: float

    def told(self, *kinds: type) -> list[Any]:
        """What the owner was told, of these types."""
        return [event for _, event in self._told if not kinds or isinstance(event, kinds)]

    def times_told(self, *kinds: type) -> list[float]:
        """When, in seconds since the beginning."""
        return [time - self.started_at for time, event in self._told if isinstance(event, kinds)]

    def attempts(self) -> list[float]:
        """When the provider was called, in seconds since the beginning."""
        return [time - self.started_at for time in self.provider.times]

    def frames(self, number: int = -1, *, after_configuration: bool = True) -> list[Json]:
        """What one of the sessions received."""
        return self.provider.sessions[number].received[after_configuration:]

    async def ended(self) -> Terminated:
        return await self.connection.wait_stopped()

    def now(self) -> float:
        return trio.current_time() - self.started_at


@asynccontextmanager
async def connected(
    *plays: Play | Response,
    transport: Transport | None = None,
    configure: bool = True,
    owner_configures_again: bool = True,
    model: OpenAIRealtimeModel = MODEL,
    options: WebSocketOptions = SOCKET_OPTIONS,
    backoff: Backoff = STEADY,
) -> AsyncGenerator[Line, None]:
    """A connection to a provider that plays these parts; what can happen at once has happened."""
    provider = Provider(plays or (well,))
    transport = transport or MemoryTransport(provider.respond)
    told: list[tuple[float, object]] = []
    connections: list[Ref] = []
    started_at = trio.current_time()
    async with open_runtime() as runtime:
        owner = await runtime.spawn(Owner(told, connections=connections), name="owner")
        model = attrs.evolve(model, reconnection=Reconnection(backoff=backoff))
        prototype = ProviderConnection(model, owner, transport, options)
        connection = await runtime.spawn(prototype, name="connection")
        if owner_configures_again:
            connections.append(connection)
        if configure:
            connection.tell(Configure("first", "Be brief."))
        await wait_all_tasks_blocked()
        yield Line(runtime, provider, transport, connection, owner, told, started_at)
