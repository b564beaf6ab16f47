"""WebSockets without sockets, for tests on the virtual clock and for measuring everything else."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import h11
import trio

from realtime_actors.transports._inbox import Inbox, payload_size
from realtime_actors.transports.errors import ConnectFailed, ConnectionClosed, HandshakeRejected
from realtime_actors.transports.handshake import header_map, parse_url, upgrade_request
from realtime_actors.transports.http import (
    Request,
    Respond,
    Response,
    Upgrade,
    check_upgrade,
    parse_target,
    run_handler,
)
from realtime_actors.transports.websocket import Transport, WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = ["MemoryTransport"]

logger = logging.getLogger(__name__)


class MemoryTransport(Transport):
    """Connects to a `Respond` function in the same process, the very one that `serve` would be given.

    Behaves as a socket does, as far as that means anything without one: bounded buffers with back pressure,
    the size limit, close codes both ways, a handler that raises (1011), a send cancelled while it waits
    (1006). There are no pings. The server's side runs in a nursery of the connection's own; when the client
    leaves, it has the client's `close_timeout` to end, then it is cancelled.
    """

    def __init__(self, respond: Respond, *, server_options: WebSocketOptions | None = None) -> None:
        """`server_options` hold for the server's side of each connection."""
        self._respond = respond
        self._server_options = server_options or WebSocketOptions()
        self._open: set[_MemoryWebSocket] = set()
        self.reachable = True
        """While false, `connect` raises `ConnectFailed` as if nothing listened there."""

    def drop_connections(self) -> int:
        """Break every open connection, as a network does (1006 on both sides); returns how many."""
        clients = list(self._open)
        for client in clients:
            client.drop("the connection was dropped", local=False)
        return len(clients)

    @asynccontextmanager
    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AsyncGenerator[WebSocket, None]:
        options = options or WebSocketOptions()
        target = parse_url(url)
        request, _ = upgrade_request(target, headers, subprotocols)
        upgrade = await self._shake_hands(target.display, _as_received(request), options)
        client = _MemoryWebSocket(upgrade.subprotocol, target.authority, options)
        server = _MemoryWebSocket(upgrade.subprotocol, "memory:0", self._server_options)
        client.peer, server.peer = server, client
        self._open.add(client)
        server_scope = trio.CancelScope(shield=True)  # what cancels the client does not reach the server
        raised: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_serve, upgrade, server, server_scope)
                code = 1000
                try:
                    yield client
                except BaseException as error:  # noqa: BLE001 (raised again, as it is)
                    raised = error
                    code = 1011 if isinstance(error, Exception) else 1001
                client.close(code, "")
                server_scope.deadline = trio.current_time() + options.close_timeout
        finally:
            self._open.discard(client)
        if raised is not None:
            raise raised

    async def _shake_hands(self, display: str, request: Request, options: WebSocketOptions) -> Upgrade:
        if not self.reachable:
            await trio.lowlevel.checkpoint()
            raise ConnectFailed(f"cannot open a WebSocket to {display}: connection refused", stage="tcp")
        answer: Response | Upgrade
        try:
            with trio.fail_after(options.connect_timeout):
                answer = await self._respond(request)
                answer = answer if isinstance(answer, Response) else check_upgrade(request, answer) or answer
        except trio.TooSlowError:
            what = f"the WebSocket handshake took longer than {options.connect_timeout:g} s"
            raise ConnectFailed(f"cannot open a WebSocket to {display}: {what}", stage="deadline") from None
        except Exception:
            logger.exception("no answer to %s %s; the client gets status 500", request.method, request.path)
            answer = Response.text(500, "internal server error")
        if isinstance(answer, Response):
            headers = {name.lower(): value for name, value in answer.headers.items()}
            raise HandshakeRejected(display, answer.status, headers, answer.body[:4096])
        return answer


class _MemoryWebSocket(WebSocket):
    peer: "_MemoryWebSocket"

    def __init__(self, subprotocol: str | None, remote: str, options: WebSocketOptions) -> None:
        self.subprotocol = subprotocol
        self.remote = remote
        self.options = options
        self.inbox = Inbox(options.max_unread)
        self._turn = trio.StrictFIFOLock()
        self._messages_sent = 0
        self._bytes_sent = 0

    @property
    def closed(self) -> ConnectionClosed | None:
        return self.inbox.error() if self.inbox.closed else None

    async def send(self, message: str | bytes) -> None:
        async with self._turn:
            try:
                await self.peer.inbox.wait_for_room()
            except BaseException:
                self.drop("a send was cancelled after a part of it was sent", local=True)
                raise
            if self.inbox.closed:
                raise self.inbox.error()
            size = payload_size(message)
            if size > self.peer.options.max_message_size:
                reason = f"a message is limited to {self.peer.options.max_message_size} bytes"
                self.peer.close(1009, reason)
                return
            self.peer.inbox.put(message, size)
            self._messages_sent += 1
            self._bytes_sent += size

    async def receive(self) -> str | bytes:
        return await self.inbox.get()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code <= 4999:
            raise ValueError(f"{code} is not a WebSocket close code; use 1000 to 4999")
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled:
            self.drop("a close was cancelled", local=True)
            raise
        self.close(code, reason)
        await trio.lowlevel.checkpoint()

    def close(self, code: int, reason: str) -> None:
        """Close both sides."""
        if not self.inbox.closed:
            self.inbox.close(code, reason, local=True)
            self.peer.inbox.close(code, reason, local=False)

    def drop(self, reason: str, *, local: bool) -> None:
        """Break both sides; `local` says whether it was this side's doing."""
        self.inbox.close(1006, reason, local=local)
        self.peer.inbox.close(1006, "the connection ended without a Close frame", local=False)

    def statistics(self) -> WebSocketStatistics:
        return WebSocketStatistics(
            messages_sent=self._messages_sent,
            bytes_sent=self._bytes_sent,
            messages_received=self.inbox.messages_received,
            bytes_received=self.inbox.bytes_received,
            unread_messages=len(self.inbox),
            unread_bytes=self.inbox.unread_bytes,
            stalls=self.inbox.stalls,
        )


async def _serve(upgrade: Upgrade, websocket: _MemoryWebSocket, scope: trio.CancelScope) -> None:
    try:
        with scope:
            await run_handler(upgrade.handler, websocket)
        websocket.close(1000, "")
    finally:
        websocket.close(1001, "")


def _as_received(request: h11.Request) -> Request:
    path, query = parse_target(request.target.decode("ascii"))
    return Request(path=path, query=query, headers=header_map(request.headers), remote="memory:0")
