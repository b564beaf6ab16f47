"""Opening a connection: name lookup, TCP, TLS, handshake, each failure with its typed error."""

import abc
import functools
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import attrs
import h11
import trio

from realtime_actors.transports._turns import Turns
from realtime_actors.transports.errors import ConnectFailed, ConnectStage, HandshakeRejected
from realtime_actors.transports.handshake import (
    Target,
    header_map,
    parse_url,
    upgrade_problem,
    upgrade_request,
)
from realtime_actors.transports.websocket import Transport, WebSocket, WebSocketOptions

__all__ = ["Opened", "StreamTransport", "next_event", "open_stream"]

_RECEIVE_SIZE = 65536
_BODY_LIMIT = 4096


@attrs.frozen
class Opened:
    """A byte stream on which the handshake is done."""

    stream: trio.abc.Stream
    trailing: bytes
    """WebSocket bytes that came in one read with the end of the handshake."""
    subprotocol: str | None
    remote: str
    turns: Turns = attrs.field(factory=Turns, repr=False)
    """Taken before much that was read is parsed; a server's connections share theirs."""


class StreamTransport(Transport):
    """A `Transport` on byte streams. A backend adds `wrap`: the WebSocket frames on an open stream."""

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        """`ssl_context` is for `wss://`; without it the system's certificates decide."""
        self._ssl_context = ssl_context

    @abc.abstractmethod
    def wrap(
        self, opened: Opened, *, client: bool, options: WebSocketOptions
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Speak WebSocket on a stream for as long as the block lasts, as `Transport.connect` has it.

        Takes the stream over: it is closed when the block is left, whatever happens.
        """

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
        opened = await open_stream(
            parse_url(url),
            headers=headers,
            subprotocols=subprotocols,
            timeout=options.connect_timeout,
            ssl_context=self._ssl_context,
        )
        async with self.wrap(opened, client=True, options=options) as websocket:
            yield websocket


async def open_stream(
    target: Target,
    *,
    headers: Sequence[tuple[str, str]],
    subprotocols: Sequence[str],
    timeout: float,  # noqa: ASYNC109 (one deadline over several steps, reported as an error of its own)
    ssl_context: ssl.SSLContext | None = None,
) -> Opened:
    """Connect and shake hands within `timeout` seconds; on an error nothing stays open.

    Raises `InvalidRequest`, `ConnectFailed`, `HandshakeRejected`.
    """
    request, key = upgrade_request(target, headers, subprotocols)
    stream: trio.abc.Stream | None = None
    doing = "connecting"
    try:
        with trio.fail_after(timeout):
            stream = await _open_tcp(target)
            if target.secure:
                doing = "the TLS handshake"
                stream = await _start_tls(target, stream, ssl_context or _default_ssl_context())
            doing = "the WebSocket handshake"
            return await _shake_hands(target, stream, request, key, subprotocols)
    except BaseException as error:
        if stream is not None:
            await trio.aclose_forcefully(stream)
        if isinstance(error, trio.TooSlowError):
            raise _failed(target, "deadline", f"{doing} took longer than {timeout:g} s") from None
        raise


async def _open_tcp(target: Target) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(target.host, target.port)
    except socket.gaierror as error:
        raise _failed(target, "lookup", f"the name {target.host!r} cannot be resolved") from error
    except (OSError, UnicodeError) as error:
        raise _failed(target, "tcp", _innermost(error)) from error


async def _start_tls(
    target: Target, stream: trio.abc.Stream, context: ssl.SSLContext
) -> trio.SSLStream[trio.abc.Stream]:
    secured = trio.SSLStream(stream, context, server_hostname=target.host, https_compatible=True)
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        cause = error.__cause__
        what = "the connection was cut"
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = f"the certificate is not trusted: {cause.verify_message}"
        elif isinstance(cause, ssl.SSLError):
            what = cause.reason or "the server does not speak TLS"
        raise _failed(target, "tls", f"TLS failed, {what}") from error
    return secured


async def _shake_hands(
    target: Target, stream: trio.abc.Stream, request: h11.Request, key: str, subprotocols: Sequence[str]
) -> Opened:
    http = h11.Connection(h11.CLIENT)
    try:
        await stream.send_all(http.send(request) + http.send(h11.EndOfMessage()))
        while True:
            event = await next_event(http, stream)
            if isinstance(event, h11.Response):
                body = await _read_body(http, stream)
                raise HandshakeRejected(target.display, event.status_code, header_map(event.headers), body)
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                break
            if not isinstance(event, h11.InformationalResponse):
                raise _failed(target, "handshake", "the server closed the connection without an answer")
    except h11.RemoteProtocolError as error:
        raise _failed(target, "handshake", "the answer is not a complete HTTP response") from error
    except trio.BrokenResourceError as error:
        raise _failed(target, "handshake", "the connection broke before the server answered") from error
    answer = header_map(event.headers)
    problem = upgrade_problem(answer, key, subprotocols)
    if problem is not None:
        raise _failed(target, "handshake", problem)
    return Opened(
        stream=stream,
        trailing=http.trailing_data[0],
        subprotocol=answer.get("sec-websocket-protocol"),
        remote=target.authority,
    )


async def next_event(
    http: h11.Connection, stream: trio.abc.Stream, receive_size: int = _RECEIVE_SIZE
) -> h11.Event | type[h11.PAUSED]:
    """h11's next event, reading from the stream what it needs; its errors and the stream's come out."""
    while True:
        event = http.next_event()
        if not isinstance(event, type) or issubclass(event, h11.PAUSED):
            return event
        http.receive_data(bytes(await stream.receive_some(receive_size)))


async def _read_body(http: h11.Connection, stream: trio.abc.Stream) -> bytes:
    body = b""
    # A body that never ends, or breaks off, must not hide the status: what came by then is enough. Nor must the
    # deadline of the whole attempt, which is why this one comes before it.
    with trio.move_on_at(min(trio.current_time() + 1, trio.current_effective_deadline() - 0.1)):
        try:
            while len(body) < _BODY_LIMIT and isinstance(event := await next_event(http, stream), h11.Data):
                body += event.data
        except (h11.RemoteProtocolError, trio.BrokenResourceError):
            pass
    return body[:_BODY_LIMIT]


def _failed(target: Target, stage: ConnectStage, what: str) -> ConnectFailed:
    return ConnectFailed(f"cannot open a WebSocket to {target.display}: {what}", stage=stage)


def _innermost(error: BaseException) -> str:
    # Trio tries several addresses and reports them as one error that only says that all failed.
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return "; ".join(dict.fromkeys(map(_innermost, group.exceptions)))
    if error.__cause__ is not None:
        return _innermost(error.__cause__)
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


@functools.cache
def _default_ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context()  # about 20 ms: loads the system's certificates
