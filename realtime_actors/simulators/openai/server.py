"""The server: who may connect, and a session for each connection."""

import itertools
import json
import math
import random
import time
from collections.abc import Callable
from functools import partial

import attrs
import trio

from realtime_actors.simulators.brain import Brain
from realtime_actors.simulators.openai.connection import Connection
from realtime_actors.simulators.openai.session import Session, TranscriptOrder
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.transports.http import Address, Request, Response, ServerOptions, Upgrade, serve
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions

__all__ = ["OpenAISimulator", "OpenAISimulatorStatistics", "accept_any_key", "accept_realtime_models"]

PATH = "/v1/realtime"

MAX_MESSAGE = 21 * 1024 * 1024
"""Bytes of one frame: an append of 15 MiB of audio, the most there may be, as base64."""

_KEY_SUBPROTOCOL = "openai-insecure-api-key."


def accept_any_key(key: str) -> bool:
    """Every key that is not empty, except those that start with `bad`."""
    return bool(key) and not key.startswith("bad")


def accept_realtime_models(model: str) -> bool:
    """Every model whose name starts with `gpt-realtime`."""
    return model.startswith("gpt-realtime")


@attrs.frozen
class OpenAISimulatorStatistics:
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

    def plus(self, connection: Connection) -> "OpenAISimulatorStatistics":
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
class OpenAISimulator:
    """A server that speaks OpenAI's Realtime GA protocol over WebSocket, with a brain of your own.

    It is written from OpenAI's documentation, SDK (3.54) and recordings, and shares no code with this package's
    OpenAI client. Not simulated: transcription sessions, MCP, stored prompts, WebRTC and SIP.

    `nursery.start(simulator.serve)` serves it; `respond` serves it elsewhere (in memory, or beside other paths).
    """

    brain: Brain
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    speed: float = attrs.field(default=4.0)
    """Seconds of speech generated in a second. 1.0 is real time; 0 or infinity is as fast as the client reads."""
    lifetime: float = 3600.0
    """Seconds until a session expires."""
    accept_key: Callable[[str], bool] = attrs.field(default=accept_any_key, repr=False)
    """Which API keys are good."""
    accept_model: Callable[[str], bool] = accept_realtime_models
    """Which models exist."""
    transcripts: TranscriptOrder = "random"
    """When a user's transcript is told: before the response's first output, during it, or after it."""
    seed: int | None = None
    """With a seed, the ids and extras of the first, second, ... connection are the same every time."""
    address: Address | None = attrs.field(default=None, init=False)
    """Where it listens, once it serves."""
    _numbers: "itertools.count[int]" = attrs.field(factory=itertools.count, init=False, repr=False)
    _open: set[Connection] = attrs.field(factory=set[Connection], init=False, repr=False)
    _past: OpenAISimulatorStatistics = attrs.field(factory=OpenAISimulatorStatistics, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.speed >= 0:
            raise ValueError(f"speed is {self.speed}; it must be 0 (as fast as possible) or more.")

    @property
    def url(self) -> str:
        """The WebSocket URL, without the query (`?model=gpt-realtime`); the HTTP base URL is above it, at `/v1`."""
        if self.address is None:
            raise RuntimeError("The simulator does not serve yet; start it with nursery.start(simulator.serve).")
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"ws://{host}:{self.address.port}{PATH}"

    async def serve(self, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; with `nursery.start` gives the `Address` when connections are accepted.

        Raises:
            PortInUse, ListenFailed: it cannot listen on `host` and `port`.
        """
        options = ServerOptions(websocket=WebSocketOptions(max_message_size=MAX_MESSAGE))
        async with trio.open_nursery() as nursery:
            address: Address = await nursery.start(
                partial(serve, self.respond, host=self.host, port=self.port, options=options)
            )
            self.address = address
            task_status.started(address)

    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket to `/v1/realtime?model=...`, else a refusal."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        model = request.query["model"]
        subprotocol = "realtime" if "realtime" in request.subprotocols else None
        if "realtime=v1" in request.headers.get("openai-beta", ""):
            message = "The Realtime beta API shape is no longer supported. Use the GA API, without the beta header."
            return Upgrade(partial(_turn_away, message, "beta_api_shape_disabled"), subprotocol)
        if not self.accept_model(model):
            message = f"The model '{model[:100]}' does not exist or you do not have access to it."
            return Upgrade(partial(_turn_away, message, "model_not_found"), subprotocol)
        return Upgrade(partial(self._talk, model), subprotocol)

    def _refuse(self, request: Request) -> Response | None:
        if request.path != PATH:
            return _refusal(404, None, f"Invalid URL ({request.method} {request.path[:200]})")
        key = _key_of(request)
        if key is None:
            return _refusal(401, None, "Missing bearer authentication in header")
        if not self.accept_key(key):
            return _refusal(401, "invalid_api_key", "Incorrect API key provided.")
        if not request.query.get("model"):
            return _refusal(400, "missing_required_parameter", "Missing required parameter: 'model'.", "model")
        return None

    def statistics(self) -> OpenAISimulatorStatistics:
        """Counters so far, of connections that are open and of those that ended."""
        total = self._past
        for connection in self._open:
            total = total.plus(connection)
        return attrs.evolve(total, open_connections=len(self._open))

    async def _talk(self, model: str, websocket: WebSocket) -> None:
        number = next(self._numbers)
        session = Session(
            model,
            expires_at=int(time.time() + self.lifetime),
            random=random.Random(None if self.seed is None else f"{self.seed}/{number}"),  # noqa: S311  # no secret
            transcripts=self.transcripts,
        )
        speed = self.speed or math.inf
        connection = Connection(websocket, session, self.brain, speed=speed, lifetime=self.lifetime)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.remove(connection)
            self._past = self._past.plus(connection)


def _key_of(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    for offered in request.subprotocols:  # as browsers do it, which cannot set headers
        if offered.startswith(_KEY_SUBPROTOCOL):
            return offered.removeprefix(_KEY_SUBPROTOCOL)
    return None


def _refusal(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    body = json.dumps({"error": error}, indent=2).encode()
    return Response(status=status, headers={"content-type": "application/json"}, body=body)


async def _turn_away(message: str, code: str, websocket: WebSocket) -> None:
    """Accept, say why not, and close: some refusals come this way and not as an HTTP status."""
    error = Stamp(random.Random()).error(message, code=code)  # noqa: S311  # no secret
    await websocket.send(json.dumps(error))
    await websocket.aclose(4000, f"invalid_request_error.{code}")
