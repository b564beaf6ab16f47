"""The frontends: a process that opens sessions of a gateway (or a relay), and hears what comes or only stays.

As the load generator it is a plain loop over non-blocking sockets. It prints a line of JSON: how long deltas were under
way, and what they cost the process that is measured, whose id it is given.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from typing import cast

import attrs
import click
import msgpack  # pyright: ignore[reportMissingTypeStubs] - it ships none
import orjson

from benchmarks.statistics import percentile

from .priority import AUDIENCE, go_first
from .trial import WARM_SESSIONS
from .watched import Watched
from .wire import DELTA_MS, Incoming, stamp_of_delta, websocket_frame

__all__ = ["Audience"]

_TEXT, _BINARY = 1, 2
_PATIENCE = 60.0
_READ = 65536
_SUBPROTOCOL = "realtime-actors.msgpack"
_SPEAK = 0.2  # seconds of a reply before it is cancelled
_STAY = 1.0  # seconds after which idle sessions are weighed


@attrs.define(eq=False)
class _Frontend:
    socket: socket.socket
    incoming: Incoming
    ready: bool = False


class Audience:
    """Frontends of one gateway. `framing` is `plain` (minimal, for relays), `json` or `msgpack`.

    With `rooms` they are people in so many rooms, in turn; else each has a session of its own.
    """

    def __init__(self, port: int, framing: str, process: int, rooms: int = 0) -> None:
        self._port = port
        self._rooms = rooms
        self._framing = framing
        self._watched = Watched(process)
        self._poll = select.epoll()
        self._frontends: dict[int, _Frontend] = {}

    def hear(self, sessions: int, warm: int, count: int) -> dict[str, float]:
        """Open the sessions, ask for a reply in each, and hear the deltas; the first `warm` of each are not counted."""
        self._open(sessions)
        for frontend in self._frontends.values():
            self._say(frontend, {"type": "client_response_create", "session_id": "s"})
        ways: list[int] = []
        before = own = began = 0.0
        waited = weight = 0.0
        patience = _PATIENCE + (warm + count) * DELTA_MS / 1000
        deadline, first, last = time.monotonic() + patience, sessions * warm, sessions * (warm + count)
        while len(ways) < last:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(ways)} of {last} deltas came within {patience:g} s")
            for descriptor, _ in self._poll.poll(0.1):
                for payload in self._read(self._frontends[descriptor]):
                    sent = stamp_of_delta(payload)
                    if sent is None:
                        continue
                    ways.append(time.monotonic_ns() - sent)
                    if len(ways) == first:
                        (before, waited), own, began = self._watched.spent(), time.process_time(), time.monotonic()
                        weight = self._watched.resident_kb()
        (after, waited_after), seconds = self._watched.spent(), time.monotonic() - began
        counted = [each / 1e6 for each in ways[first:]]
        return {
            "cpu": (after - before) / len(counted) / 1e3,
            "share": (after - before) / 1e9 / seconds,
            "waited": (waited_after - waited) / 1e9 / seconds,
            "p50": percentile(counted, 50),
            "p99": percentile(counted, 99),
            "audience cpu": (time.process_time() - own) / seconds,
            "growth": (self._watched.resident_kb() / weight - 1) * 100,
        }

    def interrupt(self, sessions: int, times: int) -> dict[str, list[float]]:
        """While all sessions stream, cancel the first one's reply, again and again.

        Gives when each cancel was sent (ns), and the ms after which that frontend had the last delta and the end.
        """
        self._open(sessions)
        for frontend in self._frontends.values():
            self._say(frontend, {"type": "client_response_create", "session_id": "s"})
        first = next(iter(self._frontends.values()))
        found: dict[str, list[float]] = {"sent": [], "silent": [], "ended": []}
        for _ in range(times):
            self._listen(first, _SPEAK)
            sent = time.monotonic_ns()
            self._say(first, {"type": "client_response_cancel", "session_id": "s"})
            last, ended = self._listen(first, _PATIENCE)
            if ended is None:
                raise TimeoutError("a reply that was cancelled has not ended")
            found["sent"].append(sent)
            found["silent"].append((max(last, sent) - sent) / 1e6)
            found["ended"].append((ended - sent) / 1e6)
            self._say(first, {"type": "client_response_create", "session_id": "s"})
        return found

    def _listen(self, first: _Frontend, seconds: float) -> tuple[int, int | None]:
        """Hear all, until the first one's reply ends or the time is over: when its last delta came, and its end."""
        last, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            for descriptor, _ in self._poll.poll(0.02):
                payloads = self._read(self._frontends[descriptor])
                if descriptor != first.socket.fileno():
                    continue
                for payload in payloads:
                    if b"agent_response_audio_delta" in payload:
                        last = time.monotonic_ns()
                    elif b"agent_response_done" in payload:
                        return last, time.monotonic_ns()
        return last, None

    def stay(self, sessions: int) -> dict[str, float]:
        """Open the sessions, and weigh the process with them, after some that are not counted."""
        self._open(WARM_SESSIONS)
        before = self._watched.resident_kb()
        self._open(sessions)
        end = time.monotonic() + _STAY
        while time.monotonic() < end:
            for descriptor, _ in self._poll.poll(0.1):
                self._read(self._frontends[descriptor])
        return {"memory": (self._watched.resident_kb() - before) / sessions}

    # -- the sessions

    def _open(self, sessions: int) -> None:
        for _ in range(sessions):
            number = len(self._frontends)
            path = f"person-{number}/room-{number % self._rooms}" if self._rooms else f"ann/s{number}"
            frontend = self._connect(path)
            deadline = time.monotonic() + _PATIENCE
            while not frontend.ready:
                if time.monotonic() > deadline:
                    raise TimeoutError("a session did not begin: see what the gateway said on stderr")
                for descriptor, _ in self._poll.poll(0.05):
                    for payload in self._read(self._frontends[descriptor]):
                        self._frontends[descriptor].ready |= _is_ready(payload)

    def _connect(self, path: str) -> _Frontend:
        client = socket.create_connection(("127.0.0.1", self._port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frontend = _Frontend(client, Incoming(plain=self._framing == "plain", is_client=True))
        self._frontends[client.fileno()] = frontend
        self._poll.register(client, select.EPOLLIN)
        if self._framing != "plain":
            protocol = f"Sec-WebSocket-Protocol: {_SUBPROTOCOL}\r\n" if self._framing == "msgpack" else ""
            client.sendall(
                f"GET /ws/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"{protocol}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            self._take_answer(frontend)
            self._say(frontend, {"type": "client_session_create", "config": {}})
        return frontend

    def _take_answer(self, frontend: _Frontend) -> None:
        """That to the handshake: as of any client, nothing is said before it has come. Some servers lose it."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = frontend.socket.recv(_READ)
            if not data:
                raise ConnectionError("the gateway hung up: see what it said on stderr")
            head += data
        for payload in frontend.incoming.feed(head):
            frontend.ready |= _is_ready(payload)

    def _say(self, frontend: _Frontend, event: dict[str, object]) -> None:
        match self._framing:
            case "json":
                frontend.socket.sendall(websocket_frame(orjson.dumps(event), _TEXT, masked=True))
            case "msgpack":
                payload = cast("bytes", msgpack.packb(event))  # pyright: ignore[reportUnknownMemberType]
                frontend.socket.sendall(websocket_frame(payload, _BINARY, masked=True))
            case _:
                pass  # a relay asks for the reply by itself

    def _read(self, frontend: _Frontend) -> list[bytes]:
        data = frontend.socket.recv(_READ)
        if not data:
            raise ConnectionError("the gateway hung up: see what it said on stderr")
        payloads = list(frontend.incoming.feed(data))
        for answer in frontend.incoming.answers:
            frontend.socket.sendall(answer)
        frontend.incoming.answers.clear()
        return payloads


def _is_ready(payload: bytes) -> bool:
    return b"agent_ready" in payload or b"room_state" in payload


@click.command()
@click.argument("kind", type=click.Choice(["hear", "stay", "interrupt"]))
@click.argument("framing", type=click.Choice(["plain", "json", "msgpack"]))
@click.argument("process", type=int)
@click.argument("sessions", type=int)
@click.argument("warm", type=int)
@click.argument("count", type=int)
@click.argument("rooms", type=int, default=0)
def main(  # noqa: PLR0917 - click gives them by name
    kind: str, framing: str, process: int, sessions: int, warm: int, count: int, rooms: int
) -> None:
    """Be the frontends of so many sessions."""
    go_first(AUDIENCE)
    audience = Audience(int(sys.stdin.readline()), framing, process, rooms)
    match kind:
        case "hear":
            values: object = audience.hear(sessions, warm, count)
        case "interrupt":
            values = audience.interrupt(sessions, warm)
        case _:
            values = audience.stay(sessions)
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")


if __name__ == "__main__":
    main()
