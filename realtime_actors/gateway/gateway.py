"""The gateway: one port for frontends, visitors and health checks."""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import attrs
import trio

from realtime_actors.actors import Actor, Ref, Subscription, receives
from realtime_actors.actors.names import actor_name
from realtime_actors.events import Wire
from realtime_actors.rooms import ChatRoom, people_topic
from realtime_actors.transports import (
    Address,
    Request,
    Response,
    ServerOptions,
    Upgrade,
    WebSocket,
    load_certificate,
    serve,
)

from .admission import Admission, Refusal, admit, choose_subprotocol, is_loopback, parse_path
from .authentication import authenticated, authenticator
from .base import EndAfterThis
from .debug import DEBUG_PATH, show_actors
from .errors import InvalidSettings
from .frontend import FrontendSocket, SharedAgent
from .outgoing import TOO_SLOW, weigher, write_events
from .plain_http import health, load_page, not_found
from .request import AgentFactory, seats
from .rooms import RoomFactory, Rooms
from .session import FrontendSession
from .settings import GatewaySettings

__all__ = ["Drain", "Gateway", "GatewayStatus", "GetStatus"]

log = logging.getLogger("realtime_actors.gateway")

_VISITORS = 100  # connections beyond the sessions: visitors, health checks, and who is told that it is full
_REQUESTS = 64  # of these, connections that are no WebSocket, or not yet
_LOOK_AGAIN = 0.05  # seconds
_RETURN_WITHIN = 30.0  # seconds, in rooms
_COMING_BACK = 5.0  # seconds that a frontend which connects again waits for its old session to end


@attrs.frozen
class GetStatus:
    """Ask a gateway this for its `GatewayStatus`."""


@attrs.frozen
class Drain:
    """Tells a gateway to end without cutting conversations short.

    It lets nobody in any more, and stops once the conversations that run are over, or after `within` seconds.
    """

    within: float = math.inf


@attrs.frozen
class GatewayStatus:
    """A gateway's address and counters."""

    address: Address
    sessions: int
    """Frontends that are connected now."""
    admitted: int
    """Frontends so far."""
    refused: int
    """WebSockets that were closed at the door so far: user, origin, ids, full, or taken."""
    too_slow: int
    """Frontends so far for which more than `frontend_buffer_bytes` waited."""
    is_secure: bool = False
    """Whether it speaks TLS."""
    is_draining: bool = False
    """Whether it lets nobody in any more."""

    @property
    def url(self) -> str:
        """Where frontends connect: add `/ws/{user_id}/{session_id}`."""
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"{'wss' if self.is_secure else 'ws'}://{host}:{self.address.port}"


@attrs.define(eq=False)
class _Listening:
    """What `serve` gives its address to, as it would to a nursery's `start`."""

    event: trio.Event = attrs.field(factory=trio.Event)
    address: Address = attrs.field(factory=lambda: Address("", 0))

    def started(self, value: Address | None = None) -> None:
        if value is not None:
            self.address = value
        self.event.set()


@attrs.define(eq=False)
class _Frontend:
    user_id: str
    socket: FrontendSocket
    gone: trio.Event = attrs.field(factory=trio.Event)
    session: Ref | None = None
    outgoing: Subscription | None = None
    wire: Wire = Wire.JSON


@attrs.define(eq=False)
class Gateway(Actor):
    """Serves frontends: `/ws/{user_id}/{session_id}`, `/healthz`, `/debug/actors`, and a page at `/`.

    `agent` makes the agent of a session from what the frontend asks for, or `room` the room that all users of a
    session are in. Spawning it returns when connections are
    accepted, or raises `PortInUse`, `ListenFailed` or `InvalidCertificate`; `ask(GetStatus())` says where it
    listens. Each frontend is an actor below it, `<gateway>.<session>`, with its agent below that, whose id (and so
    topic) is `<gateway's name>-<session id>`, or a hash in place of an id that has other characters than letters,
    digits, _ and -.

    Stopped, it says `server_session_ended` to each frontend and closes it with 1001; told to `Drain`, it closes new
    frontends with 1001 until then, and those without a session, and `/healthz` answers with 503.
    """

    # The sessions end within it: the agent, the last events, the close.
    stop_timeout: ClassVar[float] = 5.0

    agent: AgentFactory | None = None
    settings: GatewaySettings = attrs.field(factory=GatewaySettings)
    room: RoomFactory | None = attrs.field(default=None, kw_only=True)
    """In place of `agent`: a session id is the name of a room, and each user in it a person there."""
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]] = ()
    """Where connections come from if not from a port of its own; `host` and `port` then only say where that is."""

    _listening: _Listening = attrs.field(init=False, factory=_Listening)
    _frontends: dict[tuple[str, str], _Frontend] = attrs.field(init=False, factory=dict[tuple[str, str], _Frontend])
    """By session and user."""
    _shared: dict[str, SharedAgent] = attrs.field(init=False, factory=dict[str, SharedAgent])
    _rooms: Rooms | None = attrs.field(init=False, default=None)
    _admitted: int = attrs.field(init=False, default=0)
    _refused: int = attrs.field(init=False, default=0)
    _too_slow: int = attrs.field(init=False, default=0)
    _is_draining: bool = attrs.field(init=False, default=False)
    _large_frames: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _page: Mapping[str, Response] = attrs.field(init=False, factory=load_page, repr=False)

    async def started(self) -> None:
        """Listen."""
        self._prepare()
        settings = self.settings
        if authenticator(settings) is None and not is_loopback(settings.host):
            log.warning("the gateway listens on %s without a token: everybody there can use it", settings.host)
        tls = None if settings.certificate is None else load_certificate(settings.certificate, settings.private_key)
        self.context.start_soon(partial(self._listen, tls))
        await self._listening.event.wait()

    def _prepare(self) -> None:
        if (self.agent is None) == (self.room is None):
            raise InvalidSettings("a gateway serves agents or rooms: give it agent=… or room=…, and not both")
        if self.room is not None:
            self._rooms = Rooms(self.room, self._spawn_room)

    async def _spawn_room(self, room: ChatRoom, name: str) -> Ref:
        return await self.context.spawn(room, name=name)

    async def _listen(self, tls: ssl.SSLContext | None) -> None:
        settings = self.settings
        options = ServerOptions(
            websocket=settings.websocket,
            max_connections=settings.max_sessions + _VISITORS,
            max_connections_per_address=settings.max_connections_per_address,
            max_new_connections_per_second=settings.max_new_connections_per_second,
            max_requests=_REQUESTS,
            max_body_size=0,
            request_timeout=settings.request_timeout,
        )
        await serve(
            self._respond,
            host=settings.host,
            port=settings.port,
            options=options,
            ssl_context=tls,
            listeners=self.listeners,
            task_status=self._listening,
        )

    @receives
    def report_status(self, _: GetStatus) -> GatewayStatus:
        """Answer with the address and the counters."""
        return GatewayStatus(
            self._listening.address,
            len(self._frontends),
            self._admitted,
            self._refused,
            self._too_slow,
            self.settings.certificate is not None,
            self._is_draining,
        )

    @receives(lane="control")
    def drain(self, message: Drain) -> None:
        """Let nobody in any more; the first of several counts."""
        if self._is_draining:
            return
        self._is_draining = True
        for frontend in self._frontends.values():
            if frontend.session is not None:
                self.context.tell(frontend.session, EndAfterThis())
        self.context.start_soon(self._stop_when_empty, message.within)

    async def _stop_when_empty(self, within: float) -> None:
        with trio.move_on_after(within):
            while self._frontends:
                await next(iter(self._frontends.values())).gone.wait()
        log.info("drained: %d conversations were still running", len(self._frontends))
        self.context.stop()

    async def _respond(self, request: Request) -> Response | Upgrade:
        if parse_path(request.path) is not None:
            admission = await self._admit(request)
            handler = self._refuse if isinstance(admission, Refusal) else self._converse
            return Upgrade(partial(handler, admission), choose_subprotocol(request))
        answer = await self._answer(request)
        return attrs.evolve(answer, headers={**answer.headers, **self.settings.headers})

    async def _answer(self, request: Request) -> Response:
        part = self._page.get(request.path)
        if part is None and request.path not in ("/healthz", DEBUG_PATH):
            return not_found()
        if request.method not in ("GET", "HEAD"):
            return Response.text(405, "only GET is answered here", allow="GET, HEAD")
        if request.path == DEBUG_PATH:
            return await show_actors(request, self.settings, self.context.tree)
        settings = self.settings
        return part or health(
            sessions=len(self._frontends),
            max_sessions=settings.max_sessions,
            providers=settings.providers,
            is_draining=self._is_draining,
        )

    async def _admit(self, request: Request) -> Admission | Refusal:
        admission = admit(request, self.settings)
        authenticate = authenticator(self.settings)
        if isinstance(admission, Refusal) or authenticate is None or not request.upgrade:
            return admission
        return await authenticated(admission, request, authenticate, self.settings.authenticate_timeout)

    async def _refuse(self, refusal: Refusal, websocket: WebSocket) -> None:
        # With a code of the WebSocket, not a status of HTTP: that is all a browser shows to a page.
        self._refused += 1
        log.info("%s was refused: %d %s", websocket.remote, refusal.code, refusal.reason)
        await websocket.aclose(refusal.code, refusal.reason)

    async def _converse(self, admission: Admission, websocket: WebSocket) -> None:
        """A frontend, from its admission to its end."""
        key = admission.session_id, admission.user_id
        refusal = await self._wait_for_predecessor(key)
        before = self._frontends.get(key)
        if before is not None and refusal is None:
            await self._serve_again(before, admission, websocket)
            return
        if refusal is None:
            refusal = self._refusal_for_want_of_room(admission.user_id)
        if refusal is not None:
            await self._refuse(refusal, websocket)
            return
        frontend = self._frontends[key] = _Frontend(admission.user_id, FrontendSocket(websocket), wire=admission.wire)
        self._admitted += 1
        log.info("session %r of user %r opened by %s", admission.session_id, admission.user_id, websocket.remote)
        try:
            await self._run_session(frontend, admission)
        finally:
            del self._frontends[key]
            frontend.gone.set()

    async def _run_session(self, frontend: _Frontend, admission: Admission) -> None:
        socket = frontend.socket
        async with trio.open_nursery() as nursery:

            def close_slow() -> None:
                """Too much waits for the frontend; its writer may be stuck and not see that."""
                self._too_slow += 1
                remote = socket.websocket.remote
                log.warning("session %r of %s reads too slowly: closed", admission.session_id, remote)
                socket.give_up()
                nursery.start_soon(socket.websocket.aclose, *TOO_SLOW)

            name, session = self._session(admission, socket, close_slow)
            frontend.outgoing = session.outgoing
            nursery.start_soon(self._write, frontend, socket.websocket, self._scope_to_write(socket))
            try:
                ref = frontend.session = await self.context.spawn(session, name=name)
                if self._is_draining:
                    self.context.tell(ref, EndAfterThis())
                try:
                    ended = await ref.wait_stopped()
                finally:
                    with trio.CancelScope(shield=True):  # bounded: every actor's stop is
                        await ref.stop()
                if ended.reason == "crashed":
                    socket.code = 1011
            finally:
                # What was said last still goes out, unless the frontend does not read.
                session.outgoing.close()
                socket.writing.deadline = trio.current_time() + self.settings.close_timeout
        with trio.CancelScope(shield=True):  # bounded; a close that is cancelled would be none
            await socket.websocket.aclose(socket.code, socket.reason)

    def _session(
        self, admission: Admission, socket: FrontendSocket, close_slow: Callable[[], None]
    ) -> tuple[str, FrontendSession]:
        """A frontend's actor, and its name."""
        session_id, user_id = admission.session_id, admission.user_id
        settings = self.settings
        conversation = actor_name(session_id)
        shared_id = f"{self.context.name}-{conversation}"
        is_first = not any(session == session_id for session, user in self._frontends if user != user_id)
        name = conversation if is_first and self._rooms is None else actor_name(f"{session_id}/{user_id}")
        agent_id, topic, agent, within = shared_id, f"agents.{shared_id}", self.agent, settings.return_within
        topics = [topic]
        if within is None:
            within = 0.0 if self._rooms is None else _RETURN_WITHIN
        if self._rooms is not None:
            agent_id, topic = f"{self.context.name}-{name}", f"rooms.{shared_id}"
            topics = [topic, people_topic(shared_id, user_id)]
            agent = seats(partial(self._rooms.open, session_id, shared_id))
        outgoing = self.context.bus.subscribe(
            f"{topics[0]}.>",
            capacity=settings.frontend_buffer_bytes,
            overflow="close",
            weigh=weigher(admission.wire),
            on_overflow=close_slow,
        )
        for other in topics[1:]:
            outgoing.also(f"{other}.>")
        assert agent is not None
        return name, FrontendSession(
            admission, agent_id, topic, socket, outgoing, agent, settings, within, self._shared, self._large_frames
        )

    async def _serve_again(self, frontend: _Frontend, admission: Admission, websocket: WebSocket) -> None:
        """The frontend of a session that waits for it is back."""
        log.info("session %r of user %r is back, by %s", admission.session_id, admission.user_id, websocket.remote)
        frontend.wire = admission.wire
        scope = self._scope_to_write(frontend.socket)
        frontend.socket.give(websocket)
        await self._write(frontend, websocket, scope)
        await websocket.aclose(frontend.socket.code, frontend.socket.reason)

    def _scope_to_write(self, socket: FrontendSocket) -> trio.CancelScope:
        # Shielded, so that a frame begun is finished and the last events still go out: the deadline ends it.
        socket.writing = trio.CancelScope(shield=True)
        return socket.writing

    async def _write(self, frontend: _Frontend, websocket: WebSocket, within: trio.CancelScope) -> None:
        """Feed a socket until it is lost, or the session is over."""
        assert frontend.outgoing is not None
        agent = frontend.outgoing.pattern.split(".")[1]
        on_sent = partial(self.context.bus.publish, f"frontends.{agent}")
        await write_events(websocket, frontend.outgoing, frontend.wire, within, on_sent)

    def _refusal_for_want_of_room(self, user_id: str) -> Refusal | None:
        if self._is_draining:
            return Refusal(1001, "the server is stopping; connect again")
        if len(self._frontends) >= self.settings.max_sessions:
            return Refusal(1013, "all sessions are taken; try again later")
        most = self.settings.max_sessions_per_user
        if most is not None and sum(each.user_id == user_id for each in self._frontends.values()) >= most:
            return Refusal(1013, f"this user has {most} sessions already, and may not have more: end one first")
        return None

    async def _wait_for_predecessor(self, key: tuple[str, str]) -> Refusal | None:
        """A frontend that comes back finds its old session waiting for it, or ending.

        One that is still there keeps others of the same user out.
        """
        with trio.move_on_after(_COMING_BACK):
            while (other := self._frontends.get(key)) is not None and not other.socket.is_awaited:
                if other.socket.websocket.closed is None:
                    break
                with trio.move_on_after(_LOOK_AGAIN):  # it may not have noticed yet
                    await other.gone.wait()
        other = self._frontends.get(key)
        if other is not None and not other.socket.is_awaited:
            return Refusal(4409, "another frontend has this session: close that one, or take another session id")
        if other is None and not self._is_shared and any(session == key[0] for session, _ in self._frontends):
            return Refusal(4409, "another user has this session: take another session id")
        return None

    @property
    def _is_shared(self) -> bool:
        """Whether several users may be in one session."""
        shared = self.settings.shared_sessions
        return self._rooms is not None or (self.settings.authenticate is None if shared is None else shared)
