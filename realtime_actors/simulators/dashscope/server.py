"""The server: who may connect, and a session for each connection."""

import json
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import attrs

from realtime_actors.simulators.dashscope.response import CancelEnd
from realtime_actors.simulators.dashscope.session import Behaviour, Session
from realtime_actors.simulators.effects import TranscriptOrder
from realtime_actors.simulators.server import Simulator, key_of
from realtime_actors.transports.http import Request, Response, Upgrade
from realtime_actors.transports.websocket import WebSocket

__all__ = ["DashScopeSimulator", "accept_omni_models"]


def accept_omni_models(model: str) -> bool:
    """Every model whose name begins with `qwen`, and has `omni` and `realtime` in it."""
    return model.startswith("qwen") and "omni" in model and "realtime" in model


@attrs.define(eq=False, kw_only=True)
class DashScopeSimulator(Simulator):
    """A server that speaks DashScope's Qwen-Omni realtime protocol over WebSocket, with a brain of your own.

    It is written from DashScope's SDK (2.0.2), documentation and published measurements, and shares no code with this
    package's DashScope client. Models before Qwen3.5 have neither tools nor text turns, as there. Not simulated: MCP,
    WAV input, web search, translation.

    `nursery.start(simulator.serve)` serves it; `respond` serves it elsewhere (in memory, or beside other paths). Its
    `url` is to be given the query `?model=qwen3-omni-flash-realtime`, which DashScope's SDK does by itself.
    """

    path: ClassVar[str] = "/api-ws/v1/realtime"
    max_message: ClassVar[int] = 4 * 1024 * 1024  # not published; a picture has 256 KiB

    lifetime: float = 7200.0
    idle: float = 300.0
    transcripts: TranscriptOrder = "after"
    accept_model: Callable[[str], bool] = accept_omni_models
    """Which models exist."""
    cancel_end: CancelEnd = "items"
    """What is said at the end of a response that is cancelled: the ends of its items ("items", as was measured), those
    and its own ("told", as is documented), or "nothing"."""
    server_follows_up: bool = False
    """With turn detection, whether the results of all calls make the server reply without being asked: the documents
    say both."""
    commit_seconds: float = 0.05
    """How long a commit is processed; a `response.create` that comes meanwhile is lost without a word."""

    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket to `/api-ws/v1/realtime?model=...`, else a refusal."""
        if request.path != self.path:
            return _refusal(404, "NotFound", f"There is no {request.path[:200]}")
        key = key_of(request)
        if key is None or not self.accept_key(key):
            return _refusal(401, "InvalidApiKey", "Invalid API-key provided.")
        model = request.query.get("model", "")
        if not model:
            return _refusal(400, "InvalidParameter", 'Required parameter "model" missing from request.')
        if not self.accept_model(model):
            return _refusal(403, "Model.AccessDenied", f"Model access denied: {model[:100]}")
        return Upgrade(partial(self._talk, model))

    async def _talk(self, model: str, websocket: WebSocket) -> None:
        behaviour = Behaviour(
            cancel_end=self.cancel_end,
            server_follows_up=self.server_follows_up,
            commit_seconds=self.commit_seconds,
            transcripts=self.transcripts,
        )
        await self.converse(websocket, Session(model, random=self.new_random(), behaviour=behaviour))


def _refusal(status: int, code: str, message: str) -> Response:
    body = json.dumps({"code": code, "message": message, "request_id": "simulated"}).encode()
    return Response(status=status, headers={"content-type": "application/json"}, body=body)
