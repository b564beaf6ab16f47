"""Asking a gateway for its actors, and what its refusals mean in words."""

import re
import socket
import ssl
from urllib.parse import urlsplit

import attrs
import h11
import msgspec
import trio

from realtime_actors.actors import ActorTree
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.options import TOKEN_VARIABLE
from realtime_actors.cli.urls import websocket_url
from realtime_actors.cli.workers.channel import WORKER_HEADER
from realtime_actors.transports import InvalidRequest
from realtime_actors.transports.client import next_event
from realtime_actors.transports.handshake import Target, header_map, parse_url

__all__ = ["GatewayActors", "decode_tree"]

_PATH = "/debug/actors"
_WORKER = re.compile("([0-9]{1,3})/([0-9]{1,3})")
_TIMEOUT = 5.0
_LARGEST = 32 * 1024 * 1024  # some 100,000 actors
_ADVICE = "start `realtime-actors demo` in another terminal, or give the URL of one that runs"


class GatewayActors:
    """Where a gateway shows its actors."""

    def __init__(self, url: str, token: str | None) -> None:
        """`url` is the gateway's, as a page's or as a WebSocket's. Raises `CommandFailed`."""
        self._target = _target(url)
        self._token = token
        scheme = "https" if self._target.secure else "http"
        self.display = f"{scheme}://{self._target.authority}"
        """The gateway's URL as it may be shown."""

    async def fetch(self) -> ActorTree:
        """The actors now; with several workers those of all, as `<worker>/<path>`.

        Raises `CommandFailed`, with a sentence for people.
        """
        tree, worker = await self._fetch("worker=0")
        if worker is None:
            return tree
        trees = {worker[1]: tree}
        for other in range(1, int(worker[2])):
            tree, worker = await self._fetch(f"worker={other}")
            if worker is not None:
                trees[worker[1]] = tree
        return ActorTree(
            tuple(
                attrs.evolve(actor, path=f"{number}/{actor.path}")
                for number in sorted(trees, key=int)
                for actor in trees[number].actors
            )
        )

    async def _fetch(self, query: str) -> tuple[ActorTree, re.Match[str] | None]:
        """The actors of the worker that answers, and which one that is, if there are several."""
        status, body, worker = await self._get(query)
        if status == 200:
            try:
                return decode_tree(body), _WORKER.fullmatch(worker)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
        raise CommandFailed(self._in_words(status, body))

    async def _get(self, query: str) -> tuple[int, bytes, str]:
        where = self._target.authority
        try:
            with trio.fail_after(_TIMEOUT):
                async with await self._open() as stream:
                    return await self._exchange(stream, query)
        except trio.TooSlowError:
            raise CommandFailed(f"{where} gave no answer within {_TIMEOUT:g} s") from None
        except ssl.SSLError as error:
            raise CommandFailed(f"TLS with {where} failed: {error.reason or error}") from error
        except (trio.BrokenResourceError, h11.RemoteProtocolError) as error:
            cause = error.__cause__
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise CommandFailed(f"the certificate of {where} is not trusted: {cause.verify_message}") from error
            raise CommandFailed(f"{where} does not answer as a gateway does: is this its URL?") from error
        except socket.gaierror as error:
            raise CommandFailed(f"the name {self._target.host!r} cannot be resolved") from error
        except OSError as error:
            raise CommandFailed(f"no server answers at {where}: {_ADVICE}") from error

    async def _open(self) -> trio.abc.Stream:
        stream = await trio.open_tcp_stream(self._target.host, self._target.port)
        if not self._target.secure:
            return stream
        context = ssl.create_default_context()
        return trio.SSLStream(stream, context, server_hostname=self._target.host, https_compatible=True)

    async def _exchange(self, stream: trio.abc.Stream, query: str) -> tuple[int, bytes, str]:
        target = attrs.evolve(self._target, query="&".join(filter(None, (self._target.query, query))))
        http = h11.Connection(h11.CLIENT)
        headers = [("Host", self._target.host_header), ("Accept", "application/json"), ("Connection", "close")]
        if self._token:
            headers.append(("Authorization", f"Bearer {self._token}"))
        try:
            request = http.send(h11.Request(method="GET", target=target.request_target, headers=headers))
        except (h11.LocalProtocolError, UnicodeEncodeError):  # both quote it
            raise CommandFailed("the token holds characters that HTTP does not allow") from None
        await stream.send_all(request + http.send(h11.EndOfMessage()))
        answer = await next_event(http, stream)
        while isinstance(answer, h11.InformationalResponse):
            answer = await next_event(http, stream)
        if not isinstance(answer, h11.Response):
            raise trio.BrokenResourceError("no answer")
        body = bytearray()
        while isinstance(event := await next_event(http, stream), h11.Data):
            body += event.data
            if len(body) > _LARGEST:
                raise CommandFailed(f"{self._target.authority} answers with more than {_LARGEST} bytes")
        return answer.status_code, bytes(body), header_map(answer.headers).get(WORKER_HEADER, "")

    def _in_words(self, status: int, body: bytes) -> str:
        where = self.display
        match status:
            case 401 if self._token:
                return f"{where} does not accept this token: put the right one into {TOKEN_VARIABLE}"
            case 401:
                return f"{where} shows its actors to who has its token: put it into {TOKEN_VARIABLE}"
            case 403:
                words = printable(body[:400].decode("utf-8", "replace").strip())
                return f"{where} does not show its actors from here: {words}"
            case 200 | 404 | 405:
                return f"{where} is no gateway of realtime-actors, or one that shows no actors: {_ADVICE}"
            case _:
                return f"{where} answered with HTTP status {status} instead of its actors"


def decode_tree(body: bytes) -> ActorTree:
    """The actors in a gateway's answer, with nothing in it that a terminal would obey. Raises `msgspec.DecodeError`."""
    tree = msgspec.json.decode(body, type=ActorTree)
    return ActorTree(
        tuple(
            attrs.evolve(
                actor,
                path=printable(actor.path),
                kind=printable(actor.kind),
                in_hand=None if actor.in_hand is None else printable(actor.in_hand),
            )
            for actor in tree.actors
        )
    )


def printable(text: str) -> str:
    """A text in which nothing is a command to a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _target(url: str) -> Target:
    url = websocket_url(url)
    try:
        target = parse_url(url)
        # A path of its own is that of a proxy, or of somebody's who knows better.
        return attrs.evolve(target, path=_PATH) if urlsplit(url).path in ("", "/") else target
    except InvalidRequest:  # its words are about WebSockets
        raise CommandFailed(
            "this URL is none of a gateway: write it as http://HOST:PORT, for example http://127.0.0.1:8000"
        ) from None
