"""The provider, and the load: a process that speaks OpenAI's wire, and streams speech to all sessions or hears them.

It is a plain loop over non-blocking sockets, so that it costs little: what it costs, and how late it was, is in its
report. It prints its port, and at the end the report, as lines of JSON.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

import attrs
import click
import orjson

from benchmarks.statistics import percentile

from .priority import GENERATOR, go_first
from .wire import DELTA_MS, TURN, Delta, Incoming, message, plain_frame, reply_begins, stamps_of_append, websocket_frame

__all__ = ["Mock"]

_SETTLE = 0.2  # seconds between the last session's begin and the first delta
_LOOK_EVERY = 0.005  # seconds between looks at what clients say, while it streams
_LOOK_AT_ONCE = 0.0002  # where it matters when they say it
_PATIENCE = 60.0  # seconds for the sessions to begin, and again for what is measured to end
_READ = 65536
_CHUNK = 32  # deltas that are sent at once in a flood


@attrs.define(eq=False)
class _Session:
    socket: socket.socket
    number: int
    incoming: Incoming = attrs.field(factory=Incoming)
    waiting: bytearray = attrs.field(factory=bytearray)
    """What the socket has not taken yet."""
    delta: Delta | None = None
    """Set when a reply was asked for."""
    response_id: str = ""
    """Of that reply."""
    configured: bool = False
    gone: bool = False

    def send(self, data: bytes) -> bool:
        """Whether the socket took all of it at once."""
        if self.gone:
            return True
        if self.waiting:
            self.waiting += data
            return False
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.gone = True
            return True
        if sent < len(data):
            self.waiting += data[sent:]
            return False
        return True

    def flush(self) -> None:
        """Send what waits."""
        if self.waiting:
            data, self.waiting = bytes(self.waiting), bytearray()
            self.send(data)

    def say(self, payload: bytes) -> None:
        """Send an event."""
        self.send(plain_frame(payload) if self.incoming.plain else websocket_frame(payload))


class Mock:
    """One run: sessions begin, then either side speaks."""

    def __init__(self, sessions: int) -> None:
        self._count = sessions
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._sessions: dict[int, _Session] = {}
        self._order: list[_Session] = []
        self._heard: list[tuple[int, int]] = []
        """When an append came, and when it was sent, in ns."""
        self.cancels: list[int] = []
        """When each `response.cancel` came, in ns."""
        self._replies = 0
        self._begun: list[_Session] = []
        """Those whose replies have just begun."""
        self.port: int = self._listener.getsockname()[1]

    # -- what is measured

    def stream(self, warm: int, deltas: int, look_every: float = _LOOK_EVERY) -> dict[str, float]:
        """Send each session a delta every 20 ms, the sessions evenly spread. The first `warm` do not count."""
        self._begin(replies=True)
        report = self._stream(self._order, warm, deltas, look_every)
        self._wait_for_the_end()
        return report

    def converse(self, speakers: int, warm: int, deltas: int) -> None:
        """Stream to the sessions that ask for a reply, and count the pieces of audio that come from the others.

        Prints a line when the first delta is sent that counts, and its report, with how many came, after the last.
        """
        self._begin(replies=False, speakers=speakers)
        before = 0

        def begin() -> None:
            nonlocal before
            before = len(self._heard)
            _print({})

        speaking = [session for session in self._order if session.delta is not None]
        report = self._stream(speaking, warm, deltas, _LOOK_EVERY, begin)
        _print({**report, "heard": float(len(self._heard) - before)})
        self._wait_for_the_end()

    def _stream(
        self,
        sessions: Sequence[_Session],
        warm: int,
        deltas: int,
        look_every: float,
        begin: Callable[[], object] = bool,
    ) -> dict[str, float]:
        late: list[float] = []
        blocked = 0
        ticks, step = len(sessions) * (warm + deltas), DELTA_MS / 1000 / len(sessions)
        first = len(sessions) * warm
        start = look = time.monotonic()
        cpu = time.process_time()
        for tick in range(ticks):
            due = start + tick * step
            while (now := time.monotonic()) < due:
                if now >= look:
                    self._look(0)
                    look = now + look_every
                time.sleep(max(0.0, min(due, look) - time.monotonic()))
            if tick == first:
                begin()
                cpu = time.process_time()
            if tick >= first:
                late.append(now - due)
            session = sessions[tick % len(sessions)]
            if session.delta is not None:
                blocked += not session.send(session.delta.at(time.monotonic_ns()))
            if now >= look:
                self._look(0)
                look = now + look_every
        seconds = time.monotonic() - start - first * step
        return {
            "cpu": (time.process_time() - cpu) / seconds,
            "late_p99": percentile(late, 99) * 1000,
            "late_most": max(late) * 1000,
            "blocked": blocked / len(late),
        }

    def flood(self, deltas: int) -> dict[str, float]:
        """Send each session so many deltas, as fast as the sockets take them."""
        self._begin(replies=True)
        chunks: list[bytes] = []
        for session in self._order:
            assert session.delta is not None
            # Made before, with the time of now: what is under way for how long says nothing in a flood.
            chunks.append(session.delta.at(time.monotonic_ns()) * _CHUNK)
        left = [deltas] * len(self._order)
        start, cpu = time.monotonic(), time.process_time()
        while any(session.waiting or left[n] for n, session in enumerate(self._order) if not session.gone):
            moved = False
            for number, session in enumerate(self._order):
                if session.delta is None:
                    left[number] = 0  # it was cancelled
                while left[number] and not session.waiting:
                    count = min(_CHUNK, left[number])
                    session.send(chunks[number][: count * len(chunks[number]) // _CHUNK])
                    left[number] -= count
                    moved = True
            self._look(0 if moved else 0.001)
        report = {
            "cpu": (time.process_time() - cpu) / (time.monotonic() - start),
            "late_p99": 0.0,
            "cancels": float(len(self.cancels)),
        }
        self._wait_for_the_end()
        return report

    def hear(self, warm: int, appends: int) -> dict[str, float]:
        """Take so many pieces of audio from each session; say how long they were under way."""
        self._begin(replies=False)
        expected, deadline = len(self._order) * (warm + appends), time.monotonic() + _PATIENCE
        start, cpu = time.monotonic(), time.process_time()
        while len(self._heard) < expected and time.monotonic() < deadline:
            self._look(0.05)
            if all(session.gone for session in self._order):
                break
        cpu_share = (time.process_time() - cpu) / (time.monotonic() - start)
        ways = [(came - sent) / 1e6 for came, sent in self._heard[len(self._order) * warm :]]
        report = {
            "cpu": cpu_share,
            "late_p99": 0.0,
            "heard": float(len(self._heard)),
            "expected": float(expected),
            "p50": percentile(ways, 50) if ways else 0.0,
            "p99": percentile(ways, 99) if ways else 0.0,
        }
        self._wait_for_the_end()
        return report

    def answer(self) -> dict[str, float]:
        """Give each session that asks a reply of 20 deltas, and take what they say, until a signal comes."""
        over: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: over.append(number))
        late: list[float] = []
        due: deque[tuple[float, _Session, str, int]] = deque()  # in order, since each waits for as long
        period = DELTA_MS / 1000
        start, cpu = time.monotonic(), time.process_time()
        while not over:
            self._look(min(0.05, max(0.0, due[0][0] - time.monotonic())) if due else 0.05)
            now = time.monotonic()
            due.extend((now + period, session, session.response_id, TURN) for session in self._begun)
            self._begun.clear()
            while due and due[0][0] <= now:
                at, session, response_id, left = due.popleft()
                if session.gone or session.delta is None or session.response_id != response_id:
                    continue
                if left:
                    late.append(now - at)
                    session.send(session.delta.at(time.monotonic_ns()))
                    due.append((at + period, session, response_id, left - 1))
                else:
                    self._end_reply(session, "completed")
            self._forget_gone()
        return {
            "cpu": (time.process_time() - cpu) / (time.monotonic() - start),
            "late_p99": percentile(late, 99) * 1000,
        }

    def _forget_gone(self) -> None:
        for descriptor in [descriptor for descriptor, session in self._sessions.items() if session.gone]:
            self._sessions.pop(descriptor).socket.close()

    def stay(self) -> dict[str, float]:
        """Take sessions, and say nothing in them."""
        deadline = time.monotonic() + _PATIENCE
        while len(self._sessions) < self._count and time.monotonic() < deadline:
            self._look(0.05)
        self._order = list(self._sessions.values())
        self._wait_for_the_end()
        return {"cpu": 0.0, "late_p99": 0.0}

    # -- the sessions

    def _begin(self, *, replies: bool, speakers: int = 0) -> None:
        """Wait until all sessions are there, and have asked for a reply or at least are configured.

        Then so many of them have asked for one, too.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            ready = sum(s.delta is not None if replies else s.configured for s in self._sessions.values())
            asked = sum(session.delta is not None for session in self._sessions.values())
            if ready == self._count and asked >= speakers:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{ready} of {self._count} sessions began within {_PATIENCE:g} s")
            self._look(0.05)
        self._order = list(self._sessions.values())
        if replies or speakers:
            settled = time.monotonic() + _SETTLE
            while time.monotonic() < settled:
                self._look(0.05)

    def _wait_for_the_end(self) -> None:
        """The process that is measured hangs up when it has what it waits for."""
        deadline = time.monotonic() + _PATIENCE
        while not all(session.gone for session in self._order) and time.monotonic() < deadline:
            self._look(0.05)

    def _look(self, timeout: float) -> None:
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor == self._listener.fileno():
                self._accept()
            else:
                self._read(self._sessions[descriptor])
        for session in self._order or list(self._sessions.values()):
            session.flush()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._poll.register(client, select.EPOLLIN)
                self._sessions[client.fileno()] = _Session(client, len(self._sessions))
        except BlockingIOError:
            pass

    def _read(self, session: _Session) -> None:
        try:
            data = session.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            session.gone = True
            self._poll.unregister(session.socket)
            return
        now = time.monotonic_ns()
        for payload in session.incoming.feed(data):
            sent = stamps_of_append(payload)
            if sent:
                self._heard.extend((now, each) for each in sent)
            else:
                self._answer(session, payload)
        for answer in session.incoming.answers:
            session.send(answer)
            if answer.startswith(b"HTTP/"):
                session.say(message("session.created", session={"type": "realtime", "id": "sess_1"}))
        session.incoming.answers.clear()

    def _answer(self, session: _Session, payload: bytes) -> None:
        said = orjson.loads(payload)
        match said["type"]:
            case "session.update":
                session.say(message("session.updated", session=said["session"]))
                session.configured = True
            case "conversation.item.create":
                session.say(message("conversation.item.added", item=said["item"]))
            case "response.create":
                self._replies += 1
                response_id = f"resp_{self._replies}"
                response: dict[str, object] = {
                    "object": "realtime.response",
                    "id": response_id,
                    "status": "in_progress",
                    "output": [],
                    "metadata": said.get("response", {}).get("metadata"),
                }
                session.say(message("response.created", response=response))
                for event in reply_begins(response_id):
                    session.say(event)
                session.delta = Delta(response_id, plain=bool(session.incoming.plain))
                session.response_id = response_id
                self._begun.append(session)
            case "response.cancel":
                self.cancels.append(time.monotonic_ns())
                self._end_reply(session, "cancelled")
            case "input_audio_buffer.commit":
                session.say(message("input_audio_buffer.committed", item_id=f"item_{len(self._heard)}"))
            case _:
                pass

    def _end_reply(self, session: _Session, status: str) -> None:
        session.delta = None
        response: dict[str, object] = {
            "object": "realtime.response",
            "id": session.response_id,
            "status": status,
            "output": [],
        }
        session.say(message("response.done", response=response))


def _print(values: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()


@click.command()
@click.argument("kind", type=click.Choice(["stream", "flood", "hear", "stay", "interrupt", "answer", "converse"]))
@click.argument("sessions", type=int)
@click.argument("warm", type=int)
@click.argument("count", type=int)
@click.argument("speakers", type=int, default=0)
def main(kind: str, sessions: int, warm: int, count: int, speakers: int) -> None:
    """Be the provider of so many sessions, with so many deltas or appends each."""
    if kind != "flood":  # which takes all the CPU that there is
        go_first(GENERATOR)
    mock = Mock(sessions)
    _print({"port": mock.port})
    match kind:
        case "stream":
            _print(mock.stream(warm, count))
        case "flood":
            _print(mock.flood(warm + count))
        case "interrupt":
            _print(mock.stream(warm, count, _LOOK_AT_ONCE))
            _print(mock.cancels)
        case "hear":
            _print(mock.hear(warm, count))
        case "converse":
            mock.converse(speakers, warm, count)
        case "answer":
            _print(mock.answer())
        case _:
            _print(mock.stay())


if __name__ == "__main__":
    main()
