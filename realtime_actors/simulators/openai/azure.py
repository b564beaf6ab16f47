"""Azure's flavours of OpenAI's wire: the GA one, which repeats itself a little, and the preview, which is the beta."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import attrs

from realtime_actors.simulators.openai.beta import BetaDialect
from realtime_actors.simulators.openai.checks import Json, check_object
from realtime_actors.simulators.openai.dialect import Dialect, DialectSession
from realtime_actors.simulators.openai.server import OpenAISimulator, refused
from realtime_actors.simulators.openai.stamp import Stamp
from realtime_actors.simulators.server import key_of
from realtime_actors.transports.http import Request, Response, Upgrade
from realtime_actors.transports.websocket import WebSocket

__all__ = ["AzureOpenAISimulator", "accept_any_deployment"]

_PREVIEW_PATH = "/openai/realtime"
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def accept_any_deployment(name: str) -> bool:
    """Every name, except those that start with `missing`."""
    return not name.startswith("missing")


@attrs.define(eq=False, kw_only=True)
class AzureOpenAISimulator(OpenAISimulator):
    """A server that speaks the wire of OpenAI's realtime models on Azure, with a brain of your own.

    The GA wire is at `url` with `?model=<deployment>`, the preview at `preview_url` with
    `?api-version=…&deployment=<deployment>`. A client shows a key in the header `api-key`, or a token as a bearer;
    `accept_key` judges both. It is written from Azure's documentation, recordings and OpenAI's SDK (3.54).
    """

    path: ClassVar[str] = "/openai/v1/realtime"

    accept_model: Callable[[str], bool] = accept_any_deployment
    """Which deployments there are."""
    accept_transcription: Callable[[str], bool] = accept_any_deployment
    """Which deployments can transcribe; with another, every transcription fails."""
    model: str = "gpt-realtime"
    """The model that is deployed."""

    @property
    def preview_url(self) -> str:
        """The WebSocket URL of the preview, without a query."""
        return self.url.removesuffix(self.path) + _PREVIEW_PATH

    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket to one of the two paths, else a refusal."""
        is_preview = request.path == _PREVIEW_PATH
        if not is_preview and request.path != self.path:
            return refused(404, "404", "Resource not found")
        key = request.headers.get("api-key") or key_of(request)
        if key is None or not self.accept_key(key):
            return refused(401, "401", "Access denied: the key or token is missing, wrong, or of another resource.")
        if is_preview and not request.query.get("api-version"):
            return refused(404, "404", "Resource not found")
        name = "deployment" if is_preview else "model"
        deployment = request.query.get(name)
        if not deployment:
            return refused(400, "missing_required_parameter", f"Missing required parameter: '{name}'.", name)
        if not self.accept_model(deployment):
            return refused(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        subprotocol = "realtime" if "realtime" in request.subprotocols else None
        return Upgrade(partial(self._talk_dialect, is_preview), subprotocol)

    async def _talk_dialect(self, is_preview: bool, websocket: WebSocket) -> None:
        session = self.session(self.model)
        dialect: Dialect = _AzureDialect(self.accept_transcription)
        if is_preview:
            dialect = _Preview(dialect, BetaDialect(Stamp(self.new_random()), session.conversation_id))
        await self.converse(websocket, DialectSession(session, dialect))


class _AzureDialect(Dialect):
    """What Azure says otherwise: it has no rate limits, a part is there twice, a transcription needs a deployment."""

    def __init__(self, transcribes: Callable[[str], bool]) -> None:
        self._transcribes = transcribes
        self._asked = ""  # the deployment that the last update names
        self._transcriber = ""

    def heard(self, message: Json) -> Json:
        """What names a deployment, in an update, stands for a model."""
        self._asked = self._transcriber
        transcription = message
        for key in ("session", "audio", "input", "transcription"):
            inner = transcription.get(key)
            if not isinstance(inner, dict):
                return message
            transcription = check_object(inner, key)  # pyright: ignore[reportUnknownArgumentType] - any dict
        if not isinstance(transcription.get("model"), str):
            return message
        self._asked = transcription["model"]
        session = copy.deepcopy(message["session"])
        session["audio"]["input"]["transcription"]["model"] = "whisper-1"
        return {**message, "session": session}

    def said(self, event: Json) -> Sequence[Json]:
        kind: str = event["type"]
        if kind == "rate_limits.updated":
            return []
        if kind == "session.updated" and event["session"]["audio"]["input"]["transcription"] is not None:
            self._transcriber = self._asked
            event = copy.deepcopy(event)
            event["session"]["audio"]["input"]["transcription"]["model"] = self._transcriber
        elif kind.startswith("response.content_part."):
            event = {**event, "content": event["part"]}
        elif kind.startswith(_TRANSCRIPTION) and not self._transcribes(self._transcriber):
            return [_not_deployed(event)] if kind == f"{_TRANSCRIPTION}.completed" else []
        return [event]


def _not_deployed(completed: Json) -> Json:
    where = {name: completed[name] for name in ("event_id", "item_id", "content_index")}
    message = f"Input transcription failed for item '{completed['item_id']}'."
    error = {"type": "server_error", "code": "DeploymentNotFound", "message": message, "param": None}
    return {"type": f"{_TRANSCRIPTION}.failed", **where, "error": error}


class _Preview(Dialect):
    """The beta wire of Azure's service. A part is there once, as in OpenAI's types."""

    def __init__(self, azure: Dialect, beta: Dialect) -> None:
        self._azure = azure
        self._beta = beta

    def heard(self, message: Json) -> Json:
        return self._azure.heard(self._beta.heard(message))

    def said(self, event: Json) -> Sequence[Json]:
        told = self._azure.said(event)
        return [
            {name: value for name, value in each.items() if name != "content"}
            for ga in told
            for each in self._beta.said(ga)
        ]
