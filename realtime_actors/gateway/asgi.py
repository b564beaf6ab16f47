"""The gateway as an ASGI application, for a server that runs on Trio."""

from __future__ import annotations

import logging

import attrs
import trio

from realtime_actors.actors import open_runtime, receives
from realtime_actors.transports import Respond, Response
from realtime_actors.transports.asgi import AsgiReceive, AsgiScope, AsgiSend, serve_asgi

from .errors import GatewayError
from .gateway import Gateway
from .request import AgentFactory
from .rooms import RoomFactory
from .settings import GatewaySettings

__all__ = ["AsgiGateway", "WrongEventLoop", "asgi_app"]

log = logging.getLogger("realtime_actors.gateway")

_RUN_IT = (
    "this application runs on Trio: run it under hypercorn --worker-class trio. For uvicorn and other asyncio servers "
    "there is realtime_actors.asyncio"
)


class WrongEventLoop(GatewayError):
    """The ASGI server does not run on Trio."""


@attrs.frozen
class _GetRespond:
    """Asks a mounted gateway for what answers its requests."""


@attrs.define(eq=False)
class _MountedGateway(Gateway):
    """A gateway for requests that come to somebody else's port."""

    async def started(self) -> None:
        """Nothing to listen to."""
        self._prepare()

    @receives
    def give_respond(self, _: _GetRespond) -> Respond:
        return self._respond


@attrs.define(eq=False)
class AsgiGateway:
    """An ASGI 3 application with a runtime of its own. Made by `asgi_app`."""

    agent: AgentFactory | None
    settings: GatewaySettings
    shutdown_timeout: float
    room: RoomFactory | None = None
    _respond: Respond | None = attrs.field(init=False, default=None)

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Serve one connection, or the server's lifespan. Raises `WrongEventLoop`."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif not trio.lowlevel.in_trio_task():
            raise WrongEventLoop(_RUN_IT)
        else:
            await serve_asgi(self._respond or _not_running, scope, receive, send, options=self.settings.websocket)

    async def _live(self, receive: AsgiReceive, send: AsgiSend) -> None:
        await receive()  # lifespan.startup
        if not trio.lowlevel.in_trio_task():
            await send({"type": "lifespan.startup.failed", "message": _RUN_IT})
            return
        async with open_runtime(shutdown_timeout=self.shutdown_timeout) as runtime:
            gateway = await runtime.spawn(_MountedGateway(self.agent, self.settings, room=self.room), name="gateway")
            self._respond = await gateway.ask(_GetRespond(), timeout=None)
            await send({"type": "lifespan.startup.complete"})
            try:
                await receive()  # lifespan.shutdown, when all connections have ended
            finally:
                self._respond = None
        await send({"type": "lifespan.shutdown.complete"})


async def _not_running(_: object) -> Response:
    return Response.text(503, "the gateway does not run: the server has to support ASGI's lifespan")


def asgi_app(
    agent: AgentFactory | None = None,
    settings: GatewaySettings | None = None,
    *,
    room: RoomFactory | None = None,
    shutdown_timeout: float = 10.0,
) -> AsgiGateway:
    """The gateway as an ASGI 3 application: `/ws/{user_id}/{session_id}`, `/healthz` and the page at `/`.

    Run it under hypercorn with its Trio worker: `hypercorn --worker-class trio module:app`. Actors run in that very
    event loop; another server is refused with a sentence at its startup. One worker is one gateway: sessions,
    `max_sessions` among them, are counted in each.

    The port is hypercorn's, and so are TLS, pings (`websocket_ping_interval`), the limits for connections and requests,
    and how long a shutdown waits for open WebSockets (`graceful_timeout`) before they are closed with 1001; the
    settings of these names do nothing here. `settings.host` says what hypercorn binds to: by it one decides which pages
    are this host's own. What else `GatewaySettings` has is as in a `Gateway`.
    """
    return AsgiGateway(agent, settings or GatewaySettings(), shutdown_timeout, room)
