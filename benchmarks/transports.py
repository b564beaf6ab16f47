"""What a message costs from a socket to whoever receives it, by each way to read WebSockets: `docs/transports.md`.

`python -m benchmarks.transports` prints the table. Each contestant is a process of its own that reads JSON, parses it
with orjson, decodes the audio in it, and does nothing else; another process sends. The rounds are interleaved.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import attrs
import click
import orjson
import pybase64
import trio
import trio_websocket
import websockets.asyncio.client
import websockets.trio.client
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import CLIENT, Protocol

from benchmarks.provider_path.priority import CONTESTANT, GENERATOR, go_first
from benchmarks.provider_path.wire import accept, message, plain_frame, websocket_frame
from realtime_actors.transports import DirectTransport, Transport, TrioWebSocketTransport

__all__ = ["main"]

_PERIOD = 0.02
_WARM = 25  # messages of each socket that are not counted
_ANSWER = b"\r\n\r\n"


@attrs.frozen
class _Case:
    size: int
    """Bytes of a message."""
    sockets: int
    flood: bool

    @property
    def count(self) -> int:
        """Messages of each socket that are counted."""
        return 8_000 // self.sockets * 1400 // max(self.size, 1400) if self.flood else 75

    def __str__(self) -> str:
        size = f"{self.size / 1000:.3g} KB"
        return f"{size}, {self.sockets} socket{'s' * (self.sockets > 1)}, {'flood' if self.flood else 'every 20 ms'}"


_CASES = [
    *(_Case(1400, sockets, False) for sockets in (1, 100, 200)),
    _Case(5000, 100, False),
    _Case(50_000, 10, False),
    _Case(1400, 1, True),
    _Case(1400, 100, True),
    _Case(50_000, 1, True),
]


class _Meter:
    """Counts messages; after the last one it prints the CPU time (µs) of each, and the process is over."""

    def __init__(self, warm: int, count: int) -> None:
        self._left, self._count = warm + count, count

    def heard(self, text: str | bytes | bytearray) -> None:
        pybase64.b64decode(orjson.loads(text)["delta"], validate=True)
        self._left -= 1
        if self._left == self._count:
            self._began = time.process_time()
        elif not self._left:
            click.echo((time.process_time() - self._began) / self._count * 1e6)
            sys.stdout.flush()
            os._exit(0)  # how a contestant shuts down is not what is measured here


Heard = Callable[[str | bytes | bytearray], None]


async def _bare_socket(port: int, heard: Heard) -> None:
    connection = trio.socket.socket()
    await connection.connect(("127.0.0.1", port))
    await connection.send(b"plain")
    data = bytearray()
    while True:
        data += await connection.recv(65536)
        start = 0
        while len(data) - start >= 4:
            end = start + 4 + int.from_bytes(data[start : start + 4])
            if len(data) < end:
                break
            heard(bytes(data[start + 4 : end]))
            start = end
        del data[:start]


async def _bare_trio_websocket(port: int, heard: Heard) -> None:
    async with trio_websocket.open_websocket_url(
        f"ws://127.0.0.1:{port}/", receive_buffer_size=65536, message_queue_size=16
    ) as link:
        while True:
            heard(await link.get_message())


async def _websockets_trio(port: int, heard: Heard) -> None:
    async with websockets.trio.client.connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as link:
        while True:
            heard(await link.recv())


async def _sans_io(port: int, heard: Heard) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    data = await stream.receive_some()
    protocol = Protocol(CLIENT, max_size=1 << 24)
    data = data[data.index(_ANSWER) + len(_ANSWER) :]
    while True:
        if data:
            protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                heard(bytes(event.data).decode())
        for written in protocol.data_to_send():
            await stream.send_all(written)
        data = await stream.receive_some()


async def _through_the_seam(transport: Transport, port: int, heard: Heard) -> None:
    async with transport.connect(f"ws://127.0.0.1:{port}/") as link:
        while True:
            heard(await link.receive())


async def _direct(port: int, heard: Heard) -> None:
    await _through_the_seam(DirectTransport(), port, heard)


async def _fenced_trio_websocket(port: int, heard: Heard) -> None:
    await _through_the_seam(TrioWebSocketTransport(), port, heard)


async def _websockets_asyncio(port: int, heard: Heard) -> None:
    async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as link:
        while True:
            heard(await link.recv())


_CONTESTANTS = {
    "bare Trio socket": _bare_socket,
    "DirectTransport": _direct,
    "TrioWebSocketTransport": _fenced_trio_websocket,
    "bare trio-websocket": _bare_trio_websocket,
    "bare websockets.trio": _websockets_trio,
    "bare websockets Protocol": _sans_io,
    "bare websockets on asyncio": _websockets_asyncio,
}


async def _on_trio(name: str, port: int, sockets: int, heard: Heard) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(sockets):
            nursery.start_soon(_CONTESTANTS[name], port, heard)


async def _on_asyncio(name: str, port: int, sockets: int, heard: Heard) -> None:
    await asyncio.gather(*(_CONTESTANTS[name](port, heard) for _ in range(sockets)))


def _contestant(name: str, port: int, case: _Case) -> None:
    meter = _Meter(case.sockets * _WARM, case.sockets * case.count)
    if name.endswith("asyncio"):
        asyncio.run(_on_asyncio(name, port, case.sockets, meter.heard))
    else:
        trio.run(_on_trio, name, port, case.sockets, meter.heard)


def _send(listener: socket.socket, case: _Case) -> None:
    """Take the sockets, and send each its messages, the sockets evenly spread over the 20 ms."""
    audio = pybase64.b64encode_as_string(bytes(range(256)) * (case.size // 256))[: (case.size - 250) // 4 * 4]
    payload = message(
        "response.output_audio.delta",
        response_id="resp_1",
        item_id="item_1",
        output_index=0,
        content_index=0,
        delta=audio,
    )
    links: list[tuple[socket.socket, bytes]] = []
    for _ in range(case.sockets):
        link, _ = listener.accept()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = link.recv(65536)
        if head.startswith(b"GET "):
            link.sendall(accept(head))
        links.append((link, websocket_frame(payload) if head.startswith(b"GET ") else plain_frame(payload)))
    time.sleep(0.3)
    start, late = time.monotonic(), list[float]()
    try:
        for turn in range(_WARM + case.count):
            for number, (link, frame) in enumerate(links):
                due = start + (turn + number / case.sockets) * _PERIOD
                if not case.flood and (pause := due - time.monotonic()) > 0:
                    time.sleep(pause)
                late.append(time.monotonic() - due)
                link.sendall(frame)
        select.select([links[0][0]], [], [], 5)  # it hangs up when it has all
    except (BrokenPipeError, ConnectionResetError):
        pass
    click.echo(0.0 if case.flood else sorted(late)[len(late) * 99 // 100])


def _round(name: str, number: int) -> float | None:
    """The CPU time of a message in µs; None when the sender was more than 5 ms late."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "benchmarks.transports", "--case", str(number)]
        sender = subprocess.Popen(  # noqa: S603 - this module
            [*command, "--listener", str(listener.fileno())], stdout=subprocess.PIPE, pass_fds=[listener.fileno()]
        )
        reader = subprocess.Popen(  # noqa: S603 - this module
            [*command, "--contestant", name, "--port", str(listener.getsockname()[1])], stdout=subprocess.PIPE
        )
        cost, _ = reader.communicate(timeout=60)
        late, _ = sender.communicate(timeout=60)
    return float(cost) if float(late) < 0.005 else None


def _measure(rounds: int, cases: list[int]) -> None:
    click.echo(
        "| CPU µs of a message | " + " | ".join(_CONTESTANTS) + " |\n|---" * 1 + "|---" * len(_CONTESTANTS) + "|"
    )
    for number in cases:
        costs: dict[str, list[float]] = {name: [] for name in _CONTESTANTS}
        for _ in range(rounds):
            for name, values in costs.items():
                for _ in range(3):
                    cost = _round(name, number)
                    if cost is not None:
                        values.append(cost)
                        break
        cells = [
            f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})" if values else ""
            for values in costs.values()
        ]
        click.echo(f"| {_CASES[number]} | " + " | ".join(cells) + " |")


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--case", "cases", multiple=True, type=click.IntRange(0, len(_CASES) - 1), help="Of the table's rows.")
@click.option("--contestant", hidden=True)
@click.option("--port", type=int, hidden=True)
@click.option("--listener", type=int, hidden=True)
def main(rounds: int, cases: tuple[int, ...], contestant: str | None, port: int | None, listener: int | None) -> None:
    """Print the table of docs/transports.md."""
    if contestant is not None and port is not None:
        go_first(CONTESTANT)
        _contestant(contestant, port, _CASES[cases[0]])
    elif listener is not None:
        if not _CASES[cases[0]].flood:
            go_first(GENERATOR)
        _send(socket.socket(fileno=listener), _CASES[cases[0]])
    else:
        _measure(rounds, list(cases) or list(range(len(_CASES))))


if __name__ == "__main__":
    main()
