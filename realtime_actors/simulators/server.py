"""What the simulators' servers have in common: where they listen, how fast they speak, what they have done."""

import itertools
import math
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import attrs
import trio

from realtime_actors.simulators.brain import Brain
from realtime_actors.simulators.connection import Connection
from realtime_actors.simulators.effects import TranscriptOrder, WireSession
from realtime_actors.transports.http import Address, Request, Response, ServerOptions, Upgrade, serve
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions

__all__ = ["Simulator", "SimulatorStatistics", "accept_any_key", "key_of"]


def accept_any_key(key: str) -> bool:
    """Every key that is not empty, except those that start with `bad`."""
    return bool(key) and not key.startswith("bad")


def key_of(request: Request) -> str | None:
    """The key in a request's `Authorization: Bearer`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


@attrs.frozen
class SimulatorStatistics:
    """What a simulator has done so far."""

    connections: int = 0
    """Sessions since the beginning."""
    open_connections: int = 0
    frames_received: int = 0
    frames_sent: int = 0
    stalls: int = 0
    """How often a task waited for a client that did not read."""
    peak_unsent: int = 0
    """The most frames that ever waited to be sent to one client."""

    def plus(self, connection: Connection) -> "SimulatorStatistics":
        """These and one connection's."""
        outbox = connection.outbox
        return attrs.evolve(
            self,
            connections=self.connections + 1,
            frames_received=self.frames_received + connection.received,
            frames_sent=self.frames_sent + outbox.sent,
            stalls=self.stalls + outbox.stalls,
            peak_unsent=max(self.peak_unsent, outbox.peak),
        )


@attrs.define(eq=False, kw_only=True)
class Simulator(ABC):
    """A server that speaks the wire of some provider, with a brain of your own.

    `nursery.start(simulator.serve)` serves it; `respond` serves it elsewhere (in memory, or beside other paths).
    """

    path: ClassVar[str]
    """Where on the server the WebSocket is."""
    max_message: ClassVar[int]
    """Bytes of the largest frame a client may send; a larger one closes the connection with 1009."""
    binary: ClassVar[bool] = False
    """Whether the server's messages go in binary frames."""

    brain: Brain
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    speed: float = attrs.field(default=4.0)
    """Seconds of speech generated in a second. 1.0 is real time; 0 or infinity is as fast as the client reads."""
    lifetime: float = 3600.0
    """Seconds until a session expires."""
    idle: float = math.inf
    """Seconds without a frame from the client after which a connection is closed."""
    accept_key: Callable[[str], bool] = attrs.field(default=accept_any_key, repr=False)
    """Which API keys are good."""
    transcripts: TranscriptOrder = "random"
    """When a user's transcript is told: before the response's first output, during it, or after it."""
    seed: int | None = None
    """With a seed, the ids and extras of the first, second, ... connection are the same every time."""
    ssl_context: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    """Speak TLS (`wss://`) with this, from `realtime_actors.transports.load_certificate` for instance."""
    address: Address | None = attrs.field(default=None, init=False)
    """Where it listens, once it serves."""
    _numbers: "itertools.count[int]" = attrs.field(factory=itertools.count, init=False, repr=False)
    _open: set[Connection] = attrs.field(factory=set[Connection], init=False, repr=False)
    _past: SimulatorStatistics = attrs.field(factory=SimulatorStatistics, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.speed >= 0:
            raise ValueError(f"speed is {self.speed}; it must be 0 (as fast as possible) or more.")

    @property
    def url(self) -> str:
        """The WebSocket URL, without a query."""
        if self.address is None:
            raise RuntimeError("The simulator does not serve yet; start it with nursery.start(simulator.serve).")
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        scheme = "ws" if self.ssl_context is None else "wss"
        return f"{scheme}://{host}:{self.address.port}{self.path}"

    async def serve(self, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; with `nursery.start` gives the `Address` when connections are accepted.

        Raises:
            PortInUse, ListenFailed: it cannot listen on `host` and `port`.
        """
        options = ServerOptions(websocket=WebSocketOptions(max_message_size=self.max_message))
        async with trio.open_nursery() as nursery:
            address: Address = await nursery.start(
                partial(
                    serve,
                    self.respond,
                    host=self.host,
                    port=self.port,
                    options=options,
                    ssl_context=self.ssl_context,
                )
            )
            self.address = address
            task_status.started(address)

    @abstractmethod
    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket, else a refusal."""

    def statistics(self) -> SimulatorStatistics:
        """Counters so far, of connections that are open and of those that ended."""
        total = self._past
        for connection in self._open:
            total = total.plus(connection)
        return attrs.evolve(total, open_connections=len(self._open))

    def new_random(self) -> random.Random:
        """Where the next session has its ids and extras from."""
        number = next(self._numbers)
        return random.Random(None if self.seed is None else f"{self.seed}/{number}")  # noqa: S311  # no secret

    async def converse(self, websocket: WebSocket, session: WireSession) -> None:
        """Run this session until one side closes."""
        connection = Connection(
            websocket,
            session,
            self.brain,
            speed=self.speed or math.inf,
            lifetime=self.lifetime,
            idle=self.idle,
            binary=self.binary,
        )
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.remove(connection)
            self._past = self._past.plus(connection)
