"""The server: who may connect, and a session for each connection."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import attrs

from realtime_actors.simulators.openai.server import refused
from realtime_actors.simulators.server import Simulator, key_of
from realtime_actors.simulators.xai.items import History
from realtime_actors.simulators.xai.session import Session
from realtime_actors.simulators.xai.stamp import Stamp
from realtime_actors.transports.http import Request, Response, Upgrade
from realtime_actors.transports.websocket import WebSocket

__all__ = ["XAISimulator", "accept_grok_models"]

MAX_MESSAGE = 21 * 1024 * 1024
"""Bytes of one frame. xAI documents no limit; this is OpenAI's."""

_KEY_SUBPROTOCOL = "xai-client-secret."
_DEFAULT_MODEL = "grok-voice-latest"


def accept_grok_models(model: str) -> bool:
    """Every model whose name starts with `grok`."""
    return model.startswith("grok")


@attrs.define(eq=False, kw_only=True)
class XAISimulator(Simulator):
    """A server that speaks the wire of xAI's Grok Voice over WebSocket, with a brain of your own.

    It is written from xAI's documentation, recordings, and measurements of others on the live service. Not simulated:
    binary audio frames, Opus, the tools that xAI runs itself, the idle timeout, `replace`.

    Its `url` is to be given the query `?model=grok-voice-latest`; with `&conversation_id=...` a conversation goes on.
    """

    path: ClassVar[str] = "/v1/realtime"
    max_message: ClassVar[int] = MAX_MESSAGE

    accept_model: Callable[[str], bool] = accept_grok_models
    """Which models exist."""
    ping_seconds: float = 10.0
    """How often it pings: an event of the application's, without an answer."""
    tells_interruptions: bool = False
    """Whether a reply that speech interrupts gets its `response.done`; what the service does is not confirmed."""
    conversations: int = 256
    """How many conversations can be resumed; the oldest are forgotten."""
    _histories: dict[str, History] = attrs.field(factory=dict[str, History], init=False, repr=False)

    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket to `/v1/realtime?model=...`, else a refusal."""
        if request.path != self.path:
            return refused(404, None, f"Invalid URL ({request.method} {request.path[:200]})")
        key = _key_of(request)
        if key is None or not self.accept_key(key):
            return refused(401, "invalid_api_key", "Incorrect API key provided.")
        model = request.query.get("model") or _DEFAULT_MODEL
        if not self.accept_model(model):
            return refused(404, "model_not_found", f"The model {model[:100]} does not exist.")
        offered = [name for name in request.subprotocols if name.startswith(_KEY_SUBPROTOCOL)]
        conversation_id = request.query.get("conversation_id", "")
        return Upgrade(partial(self._talk, model, conversation_id), offered[0] if offered else None)

    async def _talk(self, model: str, conversation_id: str, websocket: WebSocket) -> None:
        random = self.new_random()
        history = self._histories.get(conversation_id) or History(Stamp(random).id())
        self._histories[history.id] = history
        if len(self._histories) > self.conversations:
            del self._histories[next(iter(self._histories))]
        session = Session(
            model,
            history,
            random=random,
            ping_seconds=self.ping_seconds,
            tells_interruptions=self.tells_interruptions,
        )
        await self.converse(websocket, session)


def _key_of(request: Request) -> str | None:
    key = key_of(request)
    if key is not None:
        return key
    for offered in request.subprotocols:  # as browsers do it, which cannot set headers
        if offered.startswith(_KEY_SUBPROTOCOL):
            return offered.removeprefix(_KEY_SUBPROTOCOL)
    return None
