"""An actor that records every event of a session to a msgpack file, and one that replays it.

Tell the recorder what you would tell the agent: it writes that down and passes it on. What the agent publishes it
writes down too. A replay publishes the agent's side again, at its pace: to a frontend, or to a test.

    python examples/record_and_replay.py session.msgpack      # prints a recording

A recording is a sequence of msgpack arrays `[seconds, "client" or "server", frame]`; a frame is the event as it is on
the msgpack wire.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import msgpack  # pyright: ignore[reportMissingTypeStubs]
import trio

from realtime_actors import (
    Actor,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ClientToolResult,
    Forward,
    Ref,
    ServerEvent,
    receives,
)
from realtime_actors.events import decode_client, decode_server, encode_msgpack

_msgpack: Any = msgpack  # it has no types


@attrs.define(eq=False)
class Recorder(Actor):
    """Stands before an agent, and adds to the file at `path` what goes in and what comes out."""

    mailbox_capacity = 4096  # the disk may be slow for a moment

    agent: Ref
    path: Path
    _file: IO[bytes] = attrs.field(init=False)
    _began: float = attrs.field(init=False)

    async def started(self) -> None:
        self._file = await trio.to_thread.run_sync(self.path.open, "ab")
        self._began = trio.current_time()
        self.context.subscribe(f"agents.{self.agent.name}.>")

    async def stopping(self) -> None:
        await trio.to_thread.run_sync(self._file.close)

    @receives(lane="control")  # as the agent does: a cancel does not wait behind audio
    def heard_first(
        self, event: ClientResponseCancel | ClientPlayoutUpdate | ClientResponseCreate | ClientTextAppend
    ) -> Forward:
        return self._pass_on(event)

    @receives
    def heard(
        self,
        event: ClientSessionCreate
        | ClientSessionEnd
        | ClientAudioAppend
        | ClientAudioCommit
        | ClientImageAppend
        | ClientToolResult,
    ) -> Forward:
        return self._pass_on(event)

    @receives
    def said(self, event: ServerEvent) -> None:
        self._write("server", event)

    def _pass_on(self, event: ClientEvent) -> Forward:
        self._write("client", event)
        return Forward(self.agent)

    def _write(self, side: str, event: ClientEvent | ServerEvent) -> None:
        # Into a buffer: the disk is waited for once in many events.
        self._file.write(_msgpack.packb([trio.current_time() - self._began, side, encode_msgpack(event)]))


@attrs.define(eq=False)
class Replay(Actor):
    """Publishes what an agent said in a recording, on `agents.<as_agent>.<type>`, and ends.

    `speed` 2 is twice as fast as it was; 0 is all at once.
    """

    path: Path
    as_agent: str
    speed: float = 1.0

    async def started(self) -> None:
        self.context.start_soon(self._play)

    async def _play(self) -> None:
        began = trio.current_time()
        for seconds, event in await trio.to_thread.run_sync(list, read_recording(self.path)):
            if isinstance(event, ServerEvent):
                await trio.sleep_until(began + (seconds / self.speed if self.speed else 0))
                self.context.bus.publish(f"agents.{self.as_agent}.{event.type}", event)
        self.context.stop()


def read_recording(path: Path) -> Iterator[tuple[float, ClientEvent | ServerEvent]]:
    """The events of a recording, each with its second. What was cut off in mid-write at the end is left out."""
    with path.open("rb") as file:
        for seconds, side, frame in _msgpack.Unpacker(file):
            yield seconds, decode_client(frame) if side == "client" else decode_server(frame)


if __name__ == "__main__":
    for second, recorded in read_recording(Path(sys.argv[1])):
        print(f"{second:8.3f}  {recorded.type}")
