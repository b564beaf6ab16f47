"""The server: who may connect, and a session for each connection."""

import json
import random
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import attrs

from realtime_actors.simulators.openai.session import Session
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.simulators.server import Simulator, SimulatorStatistics, accept_any_key, key_of
from realtime_actors.transports.http import Request, Response, Upgrade
from realtime_actors.transports.websocket import WebSocket

__all__ = ["OpenAISimulator", "OpenAISimulatorStatistics", "accept_any_key", "accept_realtime_models", "refused"]

PATH = "/v1/realtime"

MAX_MESSAGE = 21 * 1024 * 1024
"""Bytes of one frame: an append of 15 MiB of audio, the most there may be, as base64."""

_KEY_SUBPROTOCOL = "openai-insecure-api-key."

OpenAISimulatorStatistics = SimulatorStatistics


def accept_realtime_models(model: str) -> bool:
    """Every model whose name starts with `gpt-realtime`."""
    return model.startswith("gpt-realtime")


@attrs.define(eq=False, kw_only=True)
class OpenAISimulator(Simulator):
    """A server that speaks OpenAI's Realtime GA protocol over WebSocket, with a brain of your own.

    It is written from OpenAI's documentation, SDK (3.54) and recordings, and shares no code with this package's
    OpenAI client. Not simulated: transcription sessions, MCP, stored prompts, WebRTC and SIP.

    `nursery.start(simulator.serve)` serves it; `respond` serves it elsewhere (in memory, or beside other paths). Its
    `url` is to be given the query `?model=gpt-realtime`; the HTTP base URL is above it, at `/v1`.
    """

    path: ClassVar[str] = PATH
    max_message: ClassVar[int] = MAX_MESSAGE

    accept_model: Callable[[str], bool] = accept_realtime_models
    """Which models exist."""

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

    def session(self, model: str) -> Session:
        """A session of the GA wire for a new connection."""
        return Session(
            model,
            expires_at=int(time.time() + self.lifetime),
            random=self.new_random(),
            transcripts=self.transcripts,
        )

    def _refuse(self, request: Request) -> Response | None:
        if request.path != PATH:
            return refused(404, None, f"Invalid URL ({request.method} {request.path[:200]})")
        key = _key_of(request)
        if key is None:
            return refused(401, None, "Missing bearer authentication in header")
        if not self.accept_key(key):
            return refused(401, "invalid_api_key", "Incorrect API key provided.")
        if not request.query.get("model"):
            return refused(400, "missing_required_parameter", "Missing required parameter: 'model'.", "model")
        return None

    async def _talk(self, model: str, websocket: WebSocket) -> None:
        await self.converse(websocket, self.session(model))


def _key_of(request: Request) -> str | None:
    key = key_of(request)
    if key is not None:
        return key
    for offered in request.subprotocols:  # as browsers do it, which cannot set headers
        if offered.startswith(_KEY_SUBPROTOCOL):
            return offered.removeprefix(_KEY_SUBPROTOCOL)
    return None


def refused(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    """An HTTP answer that says what is wrong, as OpenAI and Azure do."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    body = json.dumps({"error": error}, indent=2).encode()
    return Response(status=status, headers={"content-type": "application/json"}, body=body)


async def _turn_away(message: str, code: str, websocket: WebSocket) -> None:
    """Accept, say why not, and close: some refusals come this way and not as an HTTP status."""
    error = Stamp(random.Random()).error(message, code=code)  # noqa: S311  # no secret
    await websocket.send(json.dumps(error))
    await websocket.aclose(4000, f"invalid_request_error.{code}")
