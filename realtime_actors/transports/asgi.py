"""HTTP and WebSockets of an ASGI 3 server that runs on Trio: hypercorn with its Trio worker (0.18).

The server has the sockets, and so the say in what it alone can bound: TLS, keepalive pings, connections, requests.
What is bounded here: a message's size, what is unread, the rate of messages, and how long a close takes.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import trio

from realtime_actors.transports._inbox import Inbox, payload_size
from realtime_actors.transports._pace import Pace
from realtime_actors.transports.errors import ConnectionClosed
from realtime_actors.transports.handshake import header_map
from realtime_actors.transports.http import Request, Respond, Response, Upgrade, run_handler
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions, WebSocketStatistics

__all__ = ["AsgiReceive", "AsgiScope", "AsgiSend", "serve_asgi"]

logger = logging.getLogger(__name__)

AsgiScope = Mapping[str, Any]
"""What an ASGI server says of a connection."""
AsgiReceive = Callable[[], Awaitable[Mapping[str, Any]]]
AsgiSend = Callable[[dict[str, Any]], Awaitable[None]]


async def serve_asgi(
    respond: Respond,
    scope: AsgiScope,
    receive: AsgiReceive,
    send: AsgiSend,
    *,
    options: WebSocketOptions | None = None,
) -> None:
    """Answer one connection of an ASGI server, of type `http` or `websocket`, as `serve` answers one of its own.

    A request's body is not read. An upgrade that `respond` refuses is answered with status 403, which is all that
    ASGI knows. When cancelled, as a server does with connections that are open when it shuts down, an open WebSocket
    is closed with 1001 within its `close_timeout`. Of `options`, the pings and `connect_timeout` are the server's.
    """
    if scope["type"] == "websocket":
        await _serve_websocket(respond, scope, receive, send, options or WebSocketOptions())
    else:
        request = _request(scope, is_websocket=False)
        # `_decide` gives no upgrade for what does not ask for one.
        answer = cast("Response", await _decide(respond, request))
        await _answer(answer, send, head_only=request.method == "HEAD")


def _request(scope: AsgiScope, *, is_websocket: bool) -> Request:
    headers = header_map(scope["headers"])
    if is_websocket:
        # HTTP/2 has no such headers (RFC 8441); that it is an upgrade must not depend on what the client says.
        headers |= {"upgrade": "websocket", "connection": "Upgrade"}
        if scope.get("subprotocols"):
            headers["sec-websocket-protocol"] = ", ".join(scope["subprotocols"])
    else:
        headers.pop("upgrade", None)
    host, port = (scope.get("client") or ("unknown", 0))[:2]
    root = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    return Request(
        method=scope.get("method", "GET"),
        path=path.removeprefix(root) if root and path.startswith(f"{root}/") else path,
        query=dict(urllib.parse.parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        remote=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    )


async def _decide(respond: Respond, request: Request) -> Response | Upgrade:
    try:
        answer = await respond(request)
        if isinstance(answer, Response):
            return answer
        if not request.upgrade:
            return Response.text(426, "this path speaks WebSocket only", upgrade="websocket")
        if answer.subprotocol is not None and answer.subprotocol not in request.subprotocols:
            raise ValueError(f"the subprotocol {answer.subprotocol!r} was chosen, but the client did not offer it")
        return answer
    except Exception:
        logger.exception("no answer to %s %s; the client gets status 500", request.method, request.path)
        return Response.text(500, "internal server error")


async def _answer(response: Response, send: AsgiSend, *, head_only: bool) -> None:
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers["content-length"] = str(len(response.body))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})


async def _serve_websocket(
    respond: Respond, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend, options: WebSocketOptions
) -> None:
    request = _request(scope, is_websocket=True)
    await receive()  # websocket.connect
    answer = await _decide(respond, request)
    if isinstance(answer, Response):
        logger.info("the WebSocket of %s is refused: %d", request.remote, answer.status)
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": answer.subprotocol})
    websocket = _AsgiWebSocket(answer.subprotocol, request.remote, receive, send, options)
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(websocket.read)
        try:
            await run_handler(answer.handler, websocket)
        except BaseException as error:  # noqa: BLE001 - raised below: the nursery would wrap it
            raised = error
        with trio.CancelScope(shield=True):  # bounded: aclose takes close_timeout at most
            await websocket.aclose(1000 if raised is None else 1001)
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


class _AsgiWebSocket(WebSocket):
    def __init__(
        self, subprotocol: str | None, remote: str, receive: AsgiReceive, send: AsgiSend, options: WebSocketOptions
    ) -> None:
        self.subprotocol = subprotocol
        self.remote = remote
        self._receive = receive
        self._send = send
        self._options = options
        self._inbox = Inbox(options.max_unread)
        self._pace = Pace(
            options.max_frames_per_second, options.max_bytes_per_second, options.rate_burst, options.rate_patience
        )
        self._turn = trio.StrictFIFOLock()
        self._finished = trio.Event()
        self._is_closing = False
        self._messages_sent = 0
        self._bytes_sent = 0

    @property
    def closed(self) -> ConnectionClosed | None:
        return self._inbox.error() if self._inbox.closed else None

    async def send(self, message: str | bytes) -> None:
        async with self._turn:
            if self._inbox.closed:
                raise self._inbox.error()
            kind = "text" if isinstance(message, str) else "bytes"
            try:
                await self._write({"type": "websocket.send", kind: message})
            except trio.Cancelled:
                self._inbox.close(1006, "a send was cancelled after a part of it was sent", local=True)
                raise
            self._messages_sent += 1
            self._bytes_sent += payload_size(message)

    async def receive(self) -> str | bytes:
        return await self._inbox.get()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code <= 4999:
            raise ValueError(f"{code} is not a WebSocket close code; use 1000 to 4999")
        if self._is_closing:
            await self._finished.wait()
            return
        self._is_closing = True
        is_open = not self._inbox.closed
        self._inbox.close(code, reason, local=True)
        try:
            with trio.move_on_after(self._options.close_timeout):
                async with self._turn:
                    if is_open:
                        cut = reason.encode()[:123].decode(errors="ignore")
                        await self._write({"type": "websocket.close", "code": code, "reason": cut})
        finally:
            self._finished.set()
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _write(self, event: dict[str, Any]) -> None:
        """Have the server send, in a task that it is possible to leave.

        hypercorn shields what it writes, and a client that does not read would hold up whoever waits for it, and so
        the shutdown, for ever. The task ends when the server closes the connection, as it does when we have left.
        """
        written = trio.Event()
        trio.lowlevel.spawn_system_task(self._perform, event, written)
        await written.wait()

    async def _perform(self, event: dict[str, Any], written: trio.Event) -> None:
        try:
            await self._send(event)
        except Exception as error:  # noqa: BLE001 - servers raise what they like when a client is gone
            logger.debug("nothing more is sent to %s: %r", self.remote, error)
            self._inbox.close(1006, "the server could not send", local=False)
        finally:
            written.set()

    async def read(self) -> None:
        """Read until the connection has ended."""
        while not self._inbox.closed:
            event = await self._receive()
            if event["type"] != "websocket.receive":
                self._inbox.close(event.get("code") or 1005, event.get("reason") or "", local=False)
                return
            await self._take(event)
            await self._inbox.wait_for_room()

    async def _take(self, event: Mapping[str, Any]) -> None:
        text: str | None = event.get("text")
        message: str | bytes = event["bytes"] if text is None else text
        size = payload_size(message)
        if size > self._options.max_message_size:
            await self.aclose(1009, f"a message is limited to {self._options.max_message_size} bytes")
            return
        self._inbox.put(message, size)
        self._pace.count_read(size)
        self._pace.count_frame()
        pause = self._pace.pause(trio.current_time())
        if pause:
            complaint = self._pace.complaint(trio.current_time())
            if complaint is not None:
                await self.aclose(1008, complaint)
                return
            await trio.sleep(pause)

    def statistics(self) -> WebSocketStatistics:
        return WebSocketStatistics(
            messages_sent=self._messages_sent,
            bytes_sent=self._bytes_sent,
            messages_received=self._inbox.messages_received,
            bytes_received=self._inbox.bytes_received,
            unread_messages=len(self._inbox),
            unread_bytes=self._inbox.unread_bytes,
            stalls=self._inbox.stalls,
        )
