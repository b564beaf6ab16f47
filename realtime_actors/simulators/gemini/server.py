"""The server: who may connect, and a session for each connection."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ClassVar

import attrs
import trio

from realtime_actors.simulators.effects import TranscriptOrder
from realtime_actors.simulators.gemini.behaviour import Behaviour, Saved
from realtime_actors.simulators.gemini.messages import Refused
from realtime_actors.simulators.gemini.session import Session
from realtime_actors.simulators.gemini.setup import Setup
from realtime_actors.simulators.server import Simulator
from realtime_actors.transports.errors import ConnectionClosed
from realtime_actors.transports.http import Request, Response, Upgrade
from realtime_actors.transports.websocket import WebSocket

__all__ = ["GeminiSimulator", "accept_live_models"]

_SERVICE = "/ws/google.ai.generativelanguage"
_PATH = re.compile(re.escape(_SERVICE) + r"\.(v1beta|v1alpha|v1)\.GenerativeService\.BidiGenerateContent(Constrained)?")
_TOKEN = "auth_tokens/"  # noqa: S105  # how the names of ephemeral tokens begin
_MAX_TOKENS = 1024
_PATIENCE = 10.0
"""Seconds for the first message of a client that will be refused."""


def accept_live_models(model: str) -> bool:
    """Every model whose name begins with `gemini-` and has `live` or `native-audio` in it."""
    return model.startswith("gemini-") and ("live" in model or "native-audio" in model)


@attrs.define(eq=False, kw_only=True)
class GeminiSimulator(Simulator):
    """A server that speaks Gemini Live's protocol (BidiGenerateContent) over WebSocket, with a brain of your own.

    It is written from Google's SDK (`google-genai` 3.4.0), API reference and recordings, and shares no code with this
    package's Gemini client. Models of the second generation behave otherwise than those of the third, by their name.
    Not simulated: enterprise, search and code execution, thoughts beyond a sign of them, translation, avatars.

    `nursery.start(simulator.serve)` serves it; `respond` serves it elsewhere (in memory, or beside other paths).
    """

    path: ClassVar[str] = f"{_SERVICE}.v1beta.GenerativeService.BidiGenerateContent"
    max_message: ClassVar[int] = 20 * 1024 * 1024  # not published
    binary: ClassVar[bool] = True

    lifetime: float = 600.0
    transcripts: TranscriptOrder = "before"
    accept_model: Callable[[str], bool] = accept_live_models
    """Which models exist."""
    notice: float = 50.0
    """Seconds between `goAway` and the end of a connection; 0 ends it without a word."""
    playback: float | None = None
    """Seconds for each second of speech that the server takes it to play on after its generation, before the turn is
    complete. `None` is what is left of it at this `speed`."""
    token_uses: int = 1
    """How many sessions an ephemeral token may begin, those that are resumed aside; 0 is any number."""
    _saved: dict[str, Saved] = attrs.field(factory=dict[str, Saved], init=False, repr=False)
    _used: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)

    def forget(self) -> None:
        """Forget the sessions that could be resumed: their handles are refused from now on."""
        self._saved.clear()

    async def respond(self, request: Request) -> Response | Upgrade:
        """Answer one HTTP request: a session for a WebSocket of any version of the API, else a refusal."""
        found = _PATH.fullmatch(request.path)
        if found is None:
            error = {"code": 404, "message": f"There is no {request.path[:200]}", "status": "NOT_FOUND"}
            body = json.dumps({"error": error}).encode()
            return Response(status=404, headers={"content-type": "application/json"}, body=body)
        version, constrained = found[1], found[2] is not None
        key = _key_of(request)
        if key is None or (key.startswith(_TOKEN) and not constrained):
            words = (
                "Method doesn't allow unregistered callers (callers without established identity). Please use API Key."
            )
            return Upgrade(partial(_turn_away, words))
        if not self.accept_key(key.removeprefix(_TOKEN)):
            return Upgrade(partial(_turn_away, "API key not valid. Please pass a valid API key."))
        return Upgrade(partial(self._talk, version, key))

    def session(self, version: str, key: str) -> Session:
        """A session for a new connection."""
        lead = self.lifetime - self.notice if self.notice else self.lifetime + 1
        return Session(
            Behaviour(
                saved=self._saved,
                admit=partial(self._admit, version, key),
                transcripts=self.transcripts,
                playback=self._left_to_play if self.playback is None else self.playback,
                go_away=max(lead, 0),
                notice=min(self.notice, self.lifetime),
            ),
            self.new_random(),
        )

    @property
    def _left_to_play(self) -> float:
        return max(0.0, 1 - 1 / self.speed) if self.speed else 1.0

    def _admit(self, version: str, key: str, setup: Setup) -> None:
        if not self.accept_model(setup.model):
            raise Refused(
                f"models/{setup.model[:40]} is not found for API version {version}, "
                "or is not supported for bidiGenerateContent.",
                1008,
            )
        if key.startswith(_TOKEN) and not setup.handle:
            uses = self._used.pop(key, 0) + 1
            self._used[key] = uses
            while len(self._used) > _MAX_TOKENS:
                del self._used[next(iter(self._used))]
            if 0 < self.token_uses < uses:
                raise Refused("Token has been used too many times", 1011)

    async def _talk(self, version: str, key: str, websocket: WebSocket) -> None:
        await self.converse(websocket, self.session(version, key))


def _key_of(request: Request) -> str | None:
    """The key in a header or in the query, or the ephemeral token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "token" and token.strip():
        return token.strip()
    return (
        request.query.get("access_token") or request.headers.get("x-goog-api-key") or request.query.get("key") or None
    )


async def _turn_away(words: str, websocket: WebSocket) -> None:
    """Refusals of keys are closes of an accepted connection, when the client has spoken."""
    with suppress(ConnectionClosed):
        with trio.move_on_after(_PATIENCE):
            await websocket.receive()
        await websocket.aclose(1008, words[:120])
