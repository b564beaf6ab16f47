"""HTTP and WebSockets on one port.

A small server: every request is answered, or upgraded, by one function of the user's, and every connection
carries one request. It is made for a page, a health check and WebSockets, not for files or for uploads.
"""

import errno
import logging
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import cast

import attrs
import h11
import trio

from realtime_actors.transports._door import Door, network_of
from realtime_actors.transports._turns import Turns
from realtime_actors.transports.client import Opened, StreamTransport, next_event
from realtime_actors.transports.default import default_transport
from realtime_actors.transports.errors import ConnectionClosed, ListenFailed, PortInUse
from realtime_actors.transports.handshake import accept_token, header_map, is_key, offered_subprotocols, wants_upgrade
from realtime_actors.transports.websocket import WebSocket, WebSocketOptions

__all__ = [
    "Address",
    "Request",
    "Respond",
    "Response",
    "ServerOptions",
    "Upgrade",
    "check_upgrade",
    "listen",
    "parse_target",
    "run_handler",
    "serve",
]

logger = logging.getLogger(__name__)

_RECEIVE_SIZE = 4096  # what a request may exceed its limits by
_REFUSALS = 64  # connections over the limit that are told so at a time; more are dropped without a word
_PASSES = 8  # of the event loop from one request, or new WebSocket, to the next
_MAX_HEADERS = 100  # browsers send some twenty
_LINGER = 2.0  # seconds that a client may take to hang up after its answer


def _no_headers() -> dict[str, str]:
    return {}


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request."""

    method: str = "GET"
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str] = attrs.field(factory=_no_headers, repr=False)
    """Decoded; of repeated names the last one."""
    headers: Mapping[str, str] = attrs.field(factory=_no_headers, repr=False)
    """Names in lower case; repeated headers joined with a comma."""
    remote: str = ""
    """The client as `host:port`, for logs."""
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def upgrade(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return self.method == "GET" and wants_upgrade(self.headers)

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """The WebSocket subprotocols offered, in the client's order of preference."""
        return offered_subprotocols(self.headers)


@attrs.frozen(kw_only=True)
class Response:
    """The answer to a request, or the refusal of an upgrade."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=_no_headers)
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def text(cls, status: int, text: str, **headers: str) -> "Response":
        """An answer of one line of plain text."""
        headers = {"content-type": "text/plain; charset=utf-8", **headers}
        return cls(status=status, headers=headers, body=f"{text}\n".encode())


@attrs.frozen
class Upgrade:
    """Accept the WebSocket, and run `handler` for it.

    When the handler returns, the socket is closed with 1000, or with 1011 when it raises (which is logged),
    or with 1001 when the server is cancelled. A handler need not catch `ConnectionClosed`.
    """

    handler: Callable[[WebSocket], Awaitable[None]]
    subprotocol: str | None = None
    """One of `Request.subprotocols`, or None."""


Respond = Callable[[Request], Awaitable[Response | Upgrade]]
"""Answers a request; decides by path, headers and query before there is a WebSocket."""


@attrs.frozen(kw_only=True)
class ServerOptions:
    """Limits of the server. Times are seconds, sizes bytes."""

    websocket: WebSocketOptions = attrs.field(factory=WebSocketOptions)
    max_connections: int = 1000
    """Open at a time; more are answered with 503."""
    max_connections_per_address: int | None = None
    """From one IPv4 address, or one IPv6 network of 64 bits; more are answered with 429. None is any number."""
    max_new_connections_per_second: float | None = None
    """From one address, likewise; five seconds' worth may come at once. Those over it wait, up to `request_timeout`;
    who would wait longer is answered with 429. None is any number."""
    max_requests: int = 100
    """Connections at a time that are no WebSocket, or not yet; for one more the oldest of them is cut."""
    max_head_size: int = 16384
    """Of a request line and its headers; more is answered with 431."""
    max_body_size: int = 1024 * 1024
    """Of a request's body; more is answered with 413."""
    request_timeout: float = 10.0
    """For a TLS handshake, for a whole request to come in (else 408), and for a response to go out."""


@attrs.frozen
class Address:
    """Where a server listens."""

    host: str
    port: int


async def serve(
    respond: Respond,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    transport: StreamTransport | None = None,
    options: ServerOptions | None = None,
    ssl_context: ssl.SSLContext | None = None,
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]] = (),
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve HTTP and WebSockets until cancelled; `port=0` takes a free one.

    With `ssl_context`, from `load_certificate` for instance, it is HTTPS and `wss://`. With `listeners` the connections
    come from these, whoever accepted them, and `host` and `port` only say where that was.

    With `nursery.start`, gives the `Address` as soon as connections are accepted. Each connection has tasks
    of its own, and what goes wrong in one is logged and touches no other. When cancelled, open WebSockets are
    closed with 1001 within their `close_timeout`.

    Raises `PortInUse` or `ListenFailed`.
    """
    options = options or ServerOptions()
    door = Door(
        options.max_connections,
        options.max_connections_per_address,
        options.max_requests,
        options.max_new_connections_per_second,
        options.request_timeout,
    )
    server = _Server(respond, transport or default_transport(), options, ssl_context, door)
    sources = list(listeners)
    if not sources:
        own = await listen(host, port)
        port = own[0].socket.getsockname()[1]
        sources = [*own]
    address = Address(host, port)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_listeners, server.connection, sources))
        task_status.started(address)


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on a port, the same one of each address that the host has; 0 takes a free one.

    Raises `PortInUse` or `ListenFailed`.
    """
    where = f"{host}:{port}"
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
        if port == 0 and len(listeners) > 1:
            # A name with an IPv4 and an IPv6 address got two ports: take one of them for both.
            port = listeners[0].socket.getsockname()[1]
            for listener in listeners:
                await listener.aclose()
            listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"cannot listen on {where}: the port is in use; stop what listens there, or choose another"
            ) from error
        raise ListenFailed(f"cannot listen on {where}: {error.strerror or error}") from error
    return listeners


async def run_handler(handler: Callable[[WebSocket], Awaitable[None]], websocket: WebSocket) -> None:
    """Run an upgrade's handler.

    That its own WebSocket was closed is a normal end; every other error is logged and closes it with 1011.
    """
    try:
        await handler(websocket)
    except Exception as error:
        if websocket.closed is not None and _is_closed(error):
            logger.debug("a WebSocket of %s ended: %s", websocket.remote, websocket.closed)
            return
        logger.exception("the handler of a WebSocket of %s failed", websocket.remote)
        await websocket.aclose(1011)


def check_upgrade(request: Request, upgrade: Upgrade) -> Response | None:
    """The refusal, if the client did not ask for a WebSocket as RFC 6455, section 4.2.1 wants it.

    The key is 16 bytes in base64, and there is no body: a proxy in front may have another idea of where that ends.
    Raises `ValueError` for a subprotocol that was not offered: browsers would drop the connection.
    """
    if not request.upgrade:
        return Response.text(426, "this path speaks WebSocket only", upgrade="websocket")
    if request.headers.get("sec-websocket-version") != "13":
        return Response.text(426, "version 13 of WebSocket is spoken here", **{"sec-websocket-version": "13"})
    if not is_key(request.headers.get("sec-websocket-key", "")):
        return Response.text(400, "Sec-WebSocket-Key has to be there once, with 16 bytes in base64")
    if request.body or "transfer-encoding" in request.headers:
        return Response.text(400, "a request for a WebSocket has no body")
    if upgrade.subprotocol is not None and upgrade.subprotocol not in request.subprotocols:
        raise ValueError(f"the subprotocol {upgrade.subprotocol!r} was chosen, but the client did not offer it")
    return None


def parse_target(target: str) -> tuple[str, dict[str, str]]:
    """The decoded path and query of a request line's target."""
    if "://" in target.partition("?")[0]:  # absolute form, as proxies send it
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    return urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))


@attrs.define
class _Server:
    respond: Respond
    transport: StreamTransport
    options: ServerOptions
    ssl_context: ssl.SSLContext | None
    door: Door
    turns: Turns = attrs.field(init=False, factory=Turns)
    reading: Turns = attrs.field(init=False, factory=Turns)
    """For requests that come in: those that are there do not make them wait, and they do not wait for long."""

    async def connection(self, stream: trio.SocketStream) -> None:
        """Serve one connection; only a cancellation comes out of it."""
        try:
            remote, address = _peer(stream)
            now = trio.current_time()
            refusal = self.door.refusal(address, now)
            if refusal is None:
                with self.door.enter(address, now) as pause:
                    await self._exchange(stream, remote, None, pause)
            elif self.door.refusing < _REFUSALS:
                with self.door.refuse():
                    await self._exchange(stream, remote, Response.text(*refusal), 0)
        except trio.BrokenResourceError as error:
            logger.debug("a client hung up: %r", error)
        except Exception:
            logger.exception("a connection failed; no other is affected")
        finally:
            await trio.aclose_forcefully(stream)

    async def _exchange(self, socket: trio.SocketStream, remote: str, refusal: Response | None, pause: float) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=self.options.max_head_size)
        with self.door.request() as asking:
            if pause:
                await trio.sleep(pause)
            stream = await self._secure(socket)
            request = await self._read(http, _TakingTurns(stream, self.reading, 1), remote)
        if asking.cancelled_caught:
            _log_cut(remote)
            return
        # Nobody is cut in this line, which goes on by itself: hundreds may come back at once and mean well.
        await self.turns.wait(_PASSES)
        with self.door.request() as answering:
            answer = request if isinstance(request, Response) else refusal or await self._decide(request)
            if isinstance(answer, Upgrade) and http.their_http_version == b"1.0":
                answer = Response.text(426, "WebSockets need HTTP/1.1", upgrade="websocket")
            if isinstance(request, Request) and isinstance(answer, Upgrade):
                opened = await self._switch(http, stream, request, answer)
            else:
                head_only = isinstance(request, Request) and request.method == "HEAD"
                await self._answer(http, stream, cast("Response", answer), head_only)
                return
        if answering.cancelled_caught:
            _log_cut(remote)
            return
        async with self.transport.wrap(opened, client=False, options=self.options.websocket) as websocket:
            await run_handler(answer.handler, websocket)

    async def _secure(self, socket: trio.SocketStream) -> trio.abc.Stream:
        if self.ssl_context is None:
            return socket
        taking_turns = _TakingTurns(socket, self.turns, _PASSES)
        stream = trio.SSLStream(taking_turns, self.ssl_context, server_side=True, https_compatible=True)
        with trio.move_on_after(self.options.request_timeout) as handshake:
            await stream.do_handshake()
        if handshake.cancelled_caught:
            raise trio.BrokenResourceError("the TLS handshake took too long")
        taking_turns.is_done = True
        return stream

    async def _read(self, http: h11.Connection, stream: trio.abc.Stream, remote: str) -> Request | Response:
        body = bytearray()
        try:
            with trio.fail_after(self.options.request_timeout):
                head = await _read_head(http, stream)
                if isinstance(head, Response):
                    return head
                if self._says_too_large(head):
                    return self._too_large()
                if http.they_are_waiting_for_100_continue:
                    await stream.send_all(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                while isinstance(event := await next_event(http, stream, _RECEIVE_SIZE), h11.Data):
                    body += event.data
                    if len(body) > self.options.max_body_size:
                        return self._too_large()
        except trio.TooSlowError:
            return Response.text(408, "the request took too long")
        except h11.RemoteProtocolError as error:
            return Response.text(error.error_status_hint, "this is not a request that HTTP/1.1 allows here")
        path, query = parse_target(head.target.decode("ascii"))
        return Request(
            method=head.method.decode("ascii"),
            path=path,
            query=query,
            headers=header_map(head.headers),
            remote=remote,
            body=bytes(body),
        )

    def _says_too_large(self, head: h11.Request) -> bool:
        size = header_map(head.headers).get("content-length", "0")  # h11 has seen to it that it is a number
        return int(size) > self.options.max_body_size

    def _too_large(self) -> Response:
        return Response.text(413, f"a body is limited to {self.options.max_body_size} bytes")

    async def _decide(self, request: Request) -> Response | Upgrade:
        try:
            answer = await self.respond(request)
            return answer if isinstance(answer, Response) else check_upgrade(request, answer) or answer
        except Exception:
            logger.exception("no answer to %s %s; the client gets status 500", request.method, request.path)
            return Response.text(500, "internal server error")

    async def _answer(self, http: h11.Connection, stream: trio.abc.Stream, response: Response, head_only: bool) -> None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers |= {"content-length": str(len(response.body)), "connection": "close"}
        data = http.send(h11.Response(status_code=response.status, headers=list(headers.items()))) or b""
        if not head_only:
            data += http.send(h11.Data(data=response.body)) or b""
        data += http.send(h11.EndOfMessage()) or b""
        with trio.move_on_after(self.options.request_timeout):
            await stream.send_all(data)
        # Closing with unread bytes in the socket would reset it, and the client might never see the answer.
        with trio.move_on_after(_LINGER):
            if isinstance(stream, trio.SSLStream):
                await stream.unwrap()  # TLS's own end of the stream, and the client's
            elif isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
                while await stream.receive_some(_RECEIVE_SIZE):
                    pass

    async def _switch(
        self, http: h11.Connection, stream: trio.abc.Stream, request: Request, upgrade: Upgrade
    ) -> Opened:
        headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_token(request.headers["sec-websocket-key"])),
            *([("Sec-WebSocket-Protocol", upgrade.subprotocol)] if upgrade.subprotocol else []),
        ]
        switch = h11.InformationalResponse(status_code=101, headers=headers, reason=b"Switching Protocols")
        await stream.send_all(http.send(switch) or b"")  # some hundred bytes: the socket's buffer takes them
        return Opened(
            stream=stream,
            trailing=http.trailing_data[0],
            subprotocol=upgrade.subprotocol,
            remote=request.remote,
            turns=self.turns,
        )


@attrs.define(eq=False)
class _TakingTurns(trio.abc.Stream):
    """A stream of which each piece that is read may take long: a step of a TLS handshake takes milliseconds."""

    stream: trio.abc.Stream
    turns: Turns
    passes: int
    is_done: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.stream.receive_some(max_bytes)
        if not self.is_done:
            await self.turns.wait(self.passes)
        return data

    async def aclose(self) -> None:
        await self.stream.aclose()


async def _read_head(http: h11.Connection, stream: trio.abc.Stream) -> h11.Request | Response:
    seen = bytearray()
    while True:
        event = http.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise trio.BrokenResourceError("nothing was asked")
        data = await stream.receive_some(_RECEIVE_SIZE)
        seen += data
        # Looked at before h11 takes them apart, which takes it 20 ms for the thousands that 16 KiB have room for.
        if seen.partition(b"\r\n\r\n")[0].count(b"\n") > _MAX_HEADERS:
            return Response.text(431, f"a request is limited to {_MAX_HEADERS} headers")
        http.receive_data(bytes(data))


def _log_cut(remote: str) -> None:
    logger.debug("the connection of %s was cut: it took long, and others waited", remote)


def _is_closed(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return all(map(_is_closed, cast("ExceptionGroup[Exception]", error).exceptions))
    return isinstance(error, ConnectionClosed)


def _peer(stream: trio.SocketStream) -> tuple[str, str]:
    """The client as logs show it, and as it is counted."""
    try:
        host, port, *_ = stream.socket.getpeername()
    except OSError:  # gone already
        return "unknown", "unknown"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", network_of(host)
