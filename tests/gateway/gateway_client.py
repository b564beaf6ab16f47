"""A gateway on a real loopback socket, a frontend of it, and an agent without a model."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

import attrs
import trio

from realtime_actors.actors import Actor, Ref, Runtime, open_runtime, receives
from realtime_actors.events import (
    AgentEnded,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseCreated,
    AgentResponseDone,
    ClientAudioAppend,
    ClientEvent,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientTextAppend,
    ServerEvent,
    Wire,
)
from realtime_actors.gateway import AgentRequest, Gateway, GatewaySettings, GatewayStatus, GetStatus
from realtime_actors.transports import ConnectionClosed, TrioWebSocketTransport, WebSocket, WebSocketOptions

E = TypeVar("E", bound=ServerEvent)

PATIENCE = 10.0
DELTA = bytes(6000)


@attrs.define(eq=False)
class Parrot(Actor):
    """Answers text as an agent does, without a model. Some texts make it do what an agent should not."""

    name: str = "Polly"
    start: Callable[[], Any] | None = None
    """Awaited before it is ready."""

    _flooding: trio.CancelScope | None = attrs.field(init=False, default=None)
    _replies: int = attrs.field(init=False, default=0)

    async def started(self) -> None:
        if self.start is not None:
            await self.start()
        self._publish(AgentReady(self.context.name, self.name))

    async def stopping(self) -> None:
        self._publish(AgentEnded(self.context.name, self.name))

    @receives
    async def text(self, event: ClientTextAppend) -> None:
        match event.text.split():
            case ["crash"]:
                raise RuntimeError("the secret words of a bug")
            case ["quit"]:
                self.context.stop()
            case ["hang"]:
                await trio.sleep_forever()
            case ["flood", count]:
                self._replies += 1
                self._flooding = trio.CancelScope()
                self.context.start_soon(self._flood, f"r{self._replies}", int(count), self._flooding)
            case _:
                self._replies += 1
                ids = (self.context.name, self.name)
                self._publish(AgentResponseCreated(f"r{self._replies}", *ids))
                self._publish(AgentResponseAudioTranscriptDelta(f"r{self._replies}", "i", event.text, *ids))
                self._done("completed")

    @receives
    def audio(self, event: ClientAudioAppend) -> None:
        heard = f"{len(event.audio)} bytes at {event.format.rate} Hz"
        self._publish(AgentInputTranscriptionDone(heard, "i", self.context.name, self.name))

    @receives(lane="control")
    def cancel(self, _: ClientResponseCancel) -> None:
        if self._flooding is not None:
            self._flooding.cancel()
            self.context.bus.discard(self._topic(AgentResponseAudioDelta.type), f"r{self._replies}")
            self._done("cancelled")

    async def _flood(self, response_id: str, count: int, scope: trio.CancelScope) -> None:
        with scope:
            for _ in range(count):
                delta = AgentResponseAudioDelta(response_id, "i", DELTA, agent_id=self.context.name)
                self.context.bus.publish(self._topic(delta.type), delta, response_id)
                await trio.lowlevel.checkpoint()
            self._done("completed")

    def _done(self, status: str) -> None:
        metadata = {"status": status}
        self._publish(AgentResponseDone(f"r{self._replies}", 0, 0, metadata, self.context.name, self.name))

    def _publish(self, event: ServerEvent) -> None:
        self.context.bus.publish(self._topic(event.type), event)

    def _topic(self, kind: str) -> str:
        return f"agents.{self.context.name}.{kind}"


@attrs.define(eq=False)
class Busy(Parrot):
    """One that takes little at a time and is given little time to stop."""

    mailbox_capacity: ClassVar[int] = 2
    stop_timeout: ClassVar[float] = 0.1


def parrot(request: AgentRequest) -> Actor:
    """The factory of most tests."""
    return Parrot(request.agent_name or "Polly")


@attrs.define
class Frontend:
    """One end of a WebSocket to a gateway, that talks in events."""

    socket: WebSocket
    wire: Wire = Wire.JSON

    async def say(self, *events: ClientEvent) -> None:
        for event in events:
            await self.socket.send(self.wire.encode(event))

    async def say_json(self, **fields: Any) -> None:
        await self.socket.send(json.dumps(fields))

    async def hear(self) -> ServerEvent:
        with trio.fail_after(PATIENCE):
            return self.wire.decode_server(await self.socket.receive())

    async def until(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over."""
        while not isinstance(event := await self.hear(), kind):
            pass
        return event

    async def create(self, **config: Any) -> AgentReady:
        await self.say(ClientSessionCreate(config))
        return await self.until(AgentReady)

    async def closed(self) -> ConnectionClosed:
        """How the gateway closed; what it still said is passed over."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed as error:
            return error


@attrs.define
class Served:
    """A gateway that listens."""

    runtime: Runtime
    gateway: Ref
    url: str

    async def status(self) -> GatewayStatus:
        return await self.gateway.ask(GetStatus(), timeout=PATIENCE)

    async def until(self, reached: Callable[[GatewayStatus], bool]) -> None:
        with trio.fail_after(PATIENCE):
            while not reached(await self.status()):  # noqa: ASYNC110 - the state is another actor's
                await trio.sleep(0.005)

    def paths(self, part: str = "") -> list[str]:
        """The paths of the actors below the gateway."""
        return [path for path in self.runtime.slots if path.startswith("gateway.") and part in path]

    @asynccontextmanager
    async def connect(
        self,
        session_id: str = "s1",
        *,
        user_id: str = "ann",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        max_unread: int = 4 * 1024 * 1024,
    ) -> AsyncGenerator[Frontend]:
        options = WebSocketOptions(ping_interval=None, close_timeout=1.0, max_unread=max_unread)
        url = f"{self.url}/ws/{user_id}/{session_id}"
        async with TrioWebSocketTransport().connect(
            url, headers=headers, subprotocols=subprotocols, options=options
        ) as socket:
            yield Frontend(socket, Wire.MSGPACK if socket.subprotocol == Wire.MSGPACK.value else Wire.JSON)


@asynccontextmanager
async def open_gateway(agent: Callable[[AgentRequest], Actor] = parrot, **settings: Any) -> AsyncGenerator[Served]:
    """A runtime with a gateway; it ends as a program's does."""
    settings = {"port": 0, "ping_interval": None, "close_timeout": 0.5, **settings}
    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(agent, GatewaySettings(**settings)), name="gateway")
        status: GatewayStatus = await gateway.ask(GetStatus(), timeout=PATIENCE)
        yield Served(runtime, gateway, status.url)


def client_frame(payload: str | bytes) -> bytes:
    """A frame as a client sends it, masked with zeros; text for `str`."""
    data = payload.encode() if isinstance(payload, str) else payload
    opcode = 0x81 if isinstance(payload, str) else 0x82
    if len(data) < 126:
        return bytes([opcode, 0x80 | len(data)]) + bytes(4) + data
    return bytes([opcode, 0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data


@asynccontextmanager
async def raw_frontend(served: Served, session_id: str = "s1") -> AsyncGenerator[trio.SocketStream]:
    """A WebSocket without a library, its handshake sent; it breaks off without a Close."""
    host, _, port = served.url.removeprefix("ws://").partition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(
            f"GET /ws/ann/{session_id} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        yield stream
