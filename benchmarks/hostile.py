"""What hostile clients cost the others: turns of ten frontends, without an attack and beside each of several.

Three processes: a gateway, the attackers, and the frontends, whose turns (a text, and the end of the reply to it) are
timed. Run it with `python -m benchmarks.hostile [seconds [attack ...]]`; it prints the latency's median and p99 in ms,
the ratio of the p99s, and the gateway's memory (RSS). Times without and beside an attack are measured in turn, three
times each, so that what else the machine does meanwhile falls on both.
"""

from __future__ import annotations

import gc
import os
import re
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import attrs
import trio

from realtime_actors.actors import Actor, open_runtime, receives
from realtime_actors.events import (
    AgentReady,
    AgentResponseCreated,
    AgentResponseDone,
    ClientSessionCreate,
    ClientTextAppend,
    decode_server,
    encode_json,
)
from realtime_actors.gateway import AgentRequest, Gateway, GatewaySettings, GetStatus
from realtime_actors.transports import TrioWebSocketTransport

FRONTENDS = 10
PAUSE = 0.02  # seconds between a frontend's turns
ROUNDS = 3


@attrs.define(eq=False)
class Echo(Actor):
    """Answers a text with an empty reply."""

    async def started(self) -> None:
        """Say so."""
        self._publish(AgentReady(self.context.name, "echo"))

    @receives
    def text(self, _: ClientTextAppend) -> None:
        """Reply."""
        self._publish(AgentResponseCreated("r", self.context.name, "echo"))
        self._publish(AgentResponseDone("r", 0, 0, {}, self.context.name, "echo"))

    def _publish(self, event: AgentReady | AgentResponseCreated | AgentResponseDone) -> None:
        self.context.bus.publish(f"agents.{self.context.name}.{event.type}", event)


def _agent(_: AgentRequest) -> Actor:
    return Echo()


async def serve() -> None:
    """The gateway's process: as its settings are."""
    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(_agent, GatewaySettings(port=0)), name="gateway")
        gc.freeze()  # as a host should: else a full collection, of all that was imported too, stops everybody for 30 ms
        print((await gateway.ask(GetStatus(), timeout=5)).address.port, flush=True)  # noqa: T201
        await trio.sleep_forever()


# -- attackers


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame, masked with zeros."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    head += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + bytes(4) + payload


_CREATE = frame(1, b'{"type": "client_session_create"}')
_MAPS = b"\xdc\x03\xb6" + b"\x80" * 950  # as many as a list may hold
_BOMB = b"\x82\xa4type\xb5client_session_create\xa6config\x81\xa1x\xdc\x03\xb6" + _MAPS * 950


async def _open(port: int, name: str, protocol: str = "") -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=f"127.0.0.{2 + hash(name) % 50}")
    await stream.send_all(
        f"GET /ws/eve/{name} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{protocol}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return stream


def flood(first: bytes, rest: bytes, protocol: str = "") -> Callable[[int, str], Awaitable[None]]:
    """Send `first`, and then `rest` again and again, reading what comes; when closed, come again."""

    async def attack(port: int, name: str) -> None:
        async with await _open(port, name, protocol) as stream, trio.open_nursery() as nursery:

            async def drain() -> None:
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some(65536):
                        pass
                nursery.cancel_scope.cancel()

            nursery.start_soon(drain)
            await stream.send_all(first)
            while True:
                await stream.send_all(rest)

    return attack


async def silence(port: int, name: str) -> None:
    """Fifty connections that say nothing."""
    async with trio.open_nursery() as nursery:
        for number in range(50):
            source = f"127.0.0.{2 + hash((name, number)) % 50}"
            stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
            nursery.start_soon(_hold, stream)
            await trio.sleep(0.01)


async def _hold(stream: trio.SocketStream) -> None:
    async with stream:
        while await stream.receive_some(65536):
            pass


async def slowloris(port: int, name: str) -> None:
    """Five heads that come a byte at a time."""
    async with await trio.open_tcp_stream("127.0.0.1", port, local_address="127.0.0.60") as stream:
        for _ in range(10_000):
            await stream.send_all(b"G")
            await trio.sleep(0.05)


ATTACKS: dict[str, tuple[int, Callable[[int, str], Awaitable[None]]]] = {
    "pings": (20, flood(b"", frame(9, b"x") * 1000)),
    "empty pieces": (20, flood(frame(1, b"x", fin=False), frame(0, fin=False) * 1000)),
    "tiny messages": (20, flood(_CREATE, frame(1, b"{}") * 1000)),
    "large messages": (20, flood(_CREATE, frame(1, b'"' + b"x" * 1_000_000 + b'"'))),
    "too large messages": (20, flood(_CREATE, frame(1, b"x" * 2_000_000))),
    "nested JSON": (20, flood(_CREATE, frame(1, b"[" * 1_000_000))),
    "msgpack bombs": (20, flood(b"", frame(2, _BOMB), "Sec-WebSocket-Protocol: realtime-actors.msgpack\r\n")),
    "1,000 silent connections": (20, silence),
    "slowloris": (80, slowloris),
}


async def attack(port: int, kind: str) -> None:
    """The attackers' process."""
    count, how = ATTACKS[kind]

    async def again(number: int) -> None:
        attempt = 0
        while True:
            with suppress(trio.BrokenResourceError, OSError, ExceptionGroup):
                await how(port, f"{number}-{attempt}")
            attempt += 1
            await trio.sleep(0.2)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(again, number)


# -- the frontends that mean well


async def measure(port: int, seconds: float) -> list[float]:
    """The seconds that turns took."""
    times: list[float] = []

    async def frontend(number: int) -> None:
        url = f"ws://127.0.0.1:{port}/ws/ann/good{number}"
        async with TrioWebSocketTransport().connect(url) as socket:
            await socket.send(encode_json(ClientSessionCreate({})))
            end = trio.current_time() + seconds
            while trio.current_time() < end:
                start = trio.current_time()
                await socket.send(encode_json(ClientTextAppend("", "hello")))
                while not isinstance(decode_server(await socket.receive()), AgentResponseDone):
                    pass
                times.append(trio.current_time() - start)
                await trio.sleep(PAUSE)

    async with trio.open_nursery() as nursery:
        for number in range(FRONTENDS):
            nursery.start_soon(frontend, number)
            await trio.sleep(PAUSE / FRONTENDS)
    return times


def _rss(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - itself
        [sys.executable, "-m", "benchmarks.hostile", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def _measure_beside(port: int, kind: str, seconds: float) -> list[float]:
    attackers = _start("--attack", str(port), kind)
    try:
        trio.run(trio.sleep, 1.5)
        return trio.run(measure, port, seconds)
    finally:
        attackers.kill()
        attackers.wait()
        trio.run(trio.sleep, 1.5)  # until they are gone from the gateway, too


def compare(seconds: float, kinds: list[str]) -> None:
    """Print a line without and a line beside each attack."""
    print(f"{'attack':26} {'turns':>6} {'median':>7} {'p99':>7} {'ratio':>6} {'RSS':>8}")  # noqa: T201
    for kind in kinds:
        server = _start("--serve")
        assert server.stdout is not None
        port = int(server.stdout.readline())
        calm: list[float] = []
        beside: list[float] = []
        try:
            for _ in range(ROUNDS):
                calm += trio.run(measure, port, seconds / ROUNDS)
                beside += _measure_beside(port, kind, seconds / ROUNDS)
            rss = _rss(server.pid)
        finally:
            server.kill()
            server.wait()
        base = _quantile(calm, 0.99)
        for label, times in (("none", calm), (kind, beside)):
            median, p99 = _quantile(times, 0.5), _quantile(times, 0.99)
            print(  # noqa: T201
                f"{label:26} {len(times):6} {median:7.2f} {p99:7.2f} {p99 / base:6.2f} {rss:5.0f} MB", flush=True
            )


def _quantile(times: list[float], share: float) -> float:
    """In ms."""
    return sorted(times)[int(len(times) * share)] * 1000


def main(arguments: list[str]) -> None:
    """Run one of the three processes."""
    match arguments:
        case ["--serve"]:
            trio.run(serve)
        case ["--attack", port, kind]:
            trio.run(attack, int(port), kind)
        case [seconds, *kinds]:
            compare(float(seconds), kinds or list(ATTACKS))
        case _:
            compare(5.0, list(ATTACKS))


if __name__ == "__main__":
    main(sys.argv[1:])
