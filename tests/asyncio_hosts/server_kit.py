"""Servers as processes, a simulator beside them, and a frontend that talks to them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

from realtime_actors.events import (
    AgentReady,
    ClientEvent,
    ClientSessionCreate,
    ServerEvent,
    Wire,
)
from realtime_actors.simulators import Brain, OpenAISimulator
from realtime_actors.transports import ConnectionClosed, TrioWebSocketTransport, WebSocket, WebSocketOptions

E = TypeVar("E", bound=ServerEvent)

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0


@attrs.define
class Frontend:
    """One end of a WebSocket to a server, that talks in events of the JSON wire."""

    socket: WebSocket
    wire: Wire = Wire.JSON

    async def say(self, *events: ClientEvent) -> None:
        for event in events:
            await self.socket.send(self.wire.encode(event))

    async def say_json(self, **fields: Any) -> None:
        await self.socket.send(json.dumps(fields))

    async def hear(self) -> ServerEvent:
        with trio.fail_after(PATIENCE):
            return self.wire.decode_server(await self.socket.receive())

    async def until(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over."""
        while not isinstance(event := await self.hear(), kind):
            pass
        return event

    async def create(self, **config: Any) -> AgentReady:
        await self.say(ClientSessionCreate(config))
        return await self.until(AgentReady)

    async def closed(self) -> ConnectionClosed:
        """How the server closed; what it still said is passed over."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed as error:
            return error


@asynccontextmanager
async def connect(url: str, *, subprotocols: Sequence[str] = (), max_unread: int = 4 << 20) -> AsyncGenerator[Frontend]:
    options = WebSocketOptions(ping_interval=None, close_timeout=1.0, max_unread=max_unread)
    async with TrioWebSocketTransport().connect(url, subprotocols=subprotocols, options=options) as socket:
        yield Frontend(socket, Wire.MSGPACK if socket.subprotocol == Wire.MSGPACK.value else Wire.JSON)


@attrs.define(eq=False)
class Server:
    """A process. Its output is read all the time, so that it never waits for us."""

    process: trio.Process
    output: str = ""
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for data in self.process.stdout:
            self.output += data.decode()
            self.changed.set()
            self.changed = trio.Event()

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until its output matches."""
        with trio.move_on_after(PATIENCE):
            while (found := re.search(pattern, self.output)) is None:
                await self.changed.wait()
            return found
        raise AssertionError(f"no {pattern!r} in: {self.output}")

    def send(self, number: int) -> None:
        """Send a signal: Ctrl-C to it and its children, as a terminal does, another one to it alone."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    async def end(self, number: int = signal.SIGINT) -> int:
        """Send it a signal, and give its exit code."""
        self.send(number)
        with trio.move_on_after(PATIENCE):
            return await self.process.wait()
        raise AssertionError(f"it does not end: {self.output}")


@asynccontextmanager
async def run_server(*arguments: str, **variables: str) -> AsyncGenerator[Server]:
    """Run `python arguments…` in the project's folder, for as long as the block lasts at most."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
            env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).parent), **variables},
        )
        server = Server(process)
        nursery.start_soon(server.read)
        try:
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await process.wait()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def run_simulator(brain: Brain, speed: float = 40.0) -> AsyncGenerator[OpenAISimulator]:
    """OpenAI's wire, simulated in the test's own process."""
    simulator = OpenAISimulator(brain=brain, speed=speed)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        yield simulator
        nursery.cancel_scope.cancel()
