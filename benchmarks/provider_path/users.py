"""Users who come, say something, hear a reply, stay for a while, and go, each in a way of their own.

A plain loop over non-blocking sockets, as the audience is; the gateway's port comes as a line on stdin. Some come
first, so that the gateway has done everything once; when they have gone it prints a line, and waits for one. After the
others have gone it prints what they met, and what the process that is measured took meanwhile.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections import deque

import attrs
import click
import orjson

from benchmarks.statistics import percentile

from .priority import AUDIENCE, go_first
from .watched import Watched
from .wire import AUDIO_SIZE, Incoming, websocket_frame

__all__ = ["RATE", "Users"]

RATE = 50
"""Users who come in a second."""
_FIRST, _FIRST_STAY = 50, 1.5  # users who come first, and for how long
_PATIENCE = 20.0  # seconds for the last of them to go
_PIECES, _PIECE_EVERY = 10, 0.02
_LOOK_EVERY = 0.25  # seconds between looks at the memory
_CLOSE = 8
_READ = 65536
_AUDIO = websocket_frame(
    orjson.dumps(
        {
            "type": "client_audio_append",
            "session_id": "s",
            "audio": "A" * (AUDIO_SIZE // 3 * 4),
            "format": {"type": "audio/pcm", "rate": 24000},
        }
    ),
    masked=True,
)

_WAYS = 4
_ENDS, _CLOSES, _BREAKS, _CANCELS = range(_WAYS)
"""How a user goes: by ending the session, by closing the WebSocket, by a broken connection in the middle of the reply,
and by ending the session after having cancelled the reply."""
_BEFORE_THAT = 5  # deltas that are heard before a reply is broken or cancelled


def _said(kind: str, **fields: object) -> bytes:
    return websocket_frame(orjson.dumps({"type": kind, "session_id": "s", **fields}), masked=True)


@attrs.define(eq=False)
class _User:
    socket: socket.socket
    way: int
    incoming: Incoming = attrs.field(factory=lambda: Incoming(plain=False, is_client=True))
    deltas: int = 0
    gone: bool = False


class Users:
    """All users of one gateway."""

    def __init__(self, port: int, process: int) -> None:
        self._port = port
        self._watched = Watched(process)
        self._poll = select.epoll()
        self._users: dict[int, _User] = {}
        self._pieces: deque[tuple[float, _User, int]] = deque()  # in order, as all that waits here
        self._leaving: deque[tuple[float, _User]] = deque()
        self._came = 0
        self.replies = 0
        self.late: list[float] = []
        self.most = 0
        self.memory: list[tuple[int, float]] = []
        """How many had come, and the KB, at each look."""

    def visit(self, count: int, stay: float) -> None:
        """So many come, each for so many seconds; when all have gone it is over. Raises `TimeoutError`."""
        start = look = time.monotonic()
        deadline = start + count / RATE + stay + _PATIENCE
        came = 0
        while came < count or self._users:
            now = time.monotonic()
            if now > deadline:
                raise TimeoutError(f"{len(self._users)} of {count} users are not through, {_PATIENCE:g} s too late")
            while came < count and (due := start + came / RATE) <= now:
                self.late.append(now - due)
                self._come(stay)
                came += 1
            while self._pieces and self._pieces[0][0] <= now:
                self._speak(*self._pieces.popleft())
            while self._leaving and self._leaving[0][0] <= now:
                self._leave(self._leaving.popleft()[1])
            if now >= look:
                look = now + _LOOK_EVERY
                self.memory.append((came, self._watched.unique_kb()))
                self.most = max(self.most, len(self._users))
            for descriptor, _ in self._poll.poll(0.002):
                self._hear(self._users[descriptor])

    def _come(self, stay: float) -> None:
        client = socket.create_connection(("127.0.0.1", self._port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        user = _User(client, self._came % _WAYS)
        client.sendall(
            f"GET /ws/ann/u{self._came} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        client.sendall(_said("client_session_create", config={}))
        self._came += 1
        self._users[client.fileno()] = user
        self._poll.register(client, select.EPOLLIN)
        self._leaving.append((time.monotonic() + stay, user))

    def _speak(self, due: float, user: _User, left: int) -> None:
        if user.gone:
            return
        if left:
            user.socket.sendall(_AUDIO)
            self._pieces.append((due + _PIECE_EVERY, user, left - 1))
        else:
            user.socket.sendall(_said("client_audio_commit") + _said("client_response_create"))

    def _hear(self, user: _User) -> None:
        try:
            data = user.socket.recv(_READ)
        except ConnectionError:
            data = b""
        if not data:
            self._forget(user)
            return
        for payload in user.incoming.feed(data):
            self._take(user, payload)
            if user.gone:
                return
        for answer in user.incoming.answers:
            user.socket.sendall(answer)
        user.incoming.answers.clear()

    def _take(self, user: _User, payload: bytes) -> None:
        if b'"agent_response_audio_delta"' in payload:
            user.deltas += 1
            if user.deltas == _BEFORE_THAT and user.way == _BREAKS:
                user.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # by a reset
                self._forget(user)
                self.replies += 1
            elif user.deltas == _BEFORE_THAT and user.way == _CANCELS:
                user.socket.sendall(_said("client_response_cancel"))
        elif b'"agent_response_done"' in payload:
            self.replies += 1
        elif b'"agent_ready"' in payload:
            self._pieces.append((time.monotonic() + _PIECE_EVERY, user, _PIECES))
        elif b'"server_session_ended"' in payload:
            user.socket.sendall(websocket_frame(b"\x03\xe8", _CLOSE, masked=True))
        elif b'"agent_error"' in payload:
            raise RuntimeError(f"a user was told of an error: {payload.decode()}")

    def _leave(self, user: _User) -> None:
        if user.gone:
            return
        if user.way == _CLOSES:
            user.socket.sendall(websocket_frame(b"\x03\xe8", _CLOSE, masked=True))
        else:
            user.socket.sendall(_said("client_session_end"))

    def _forget(self, user: _User) -> None:
        user.gone = True
        del self._users[user.socket.fileno()]
        user.socket.close()


def _print(values: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()


@click.command()
@click.argument("process", type=int)
@click.argument("seconds", type=float)
@click.argument("stay", type=float)
def main(process: int, seconds: float, stay: float) -> None:
    """Be the users of a gateway, for so many seconds, each for STAY seconds."""
    go_first(AUDIENCE)
    users, watched = Users(int(sys.stdin.buffer.readline()), process), Watched(process)
    users.visit(_FIRST, _FIRST_STAY)
    _print({"came": _FIRST})
    sys.stdin.buffer.readline()
    users.replies, users.memory, users.late = 0, [], []
    (spent, waited), own, start = watched.spent(), time.process_time(), time.monotonic()
    count = round(RATE * seconds)
    users.visit(count, stay)
    (spent_after, waited_after), over = watched.spent(), time.monotonic() - start
    _print(
        {
            "users": count,
            "replies": users.replies,
            "most": users.most,
            "cpu": (spent_after - spent) / count / 1e6,
            "share": (spent_after - spent) / 1e9 / over,
            "waited": (waited_after - waited) / 1e9 / over,
            "audience cpu": (time.process_time() - own) / over,
            "late_p99": percentile(users.late, 99) * 1000,
            "memory": [(came, kb) for came, kb in users.memory if came < count],  # while they come
        }
    )


if __name__ == "__main__":
    main()
