"""What goes out in which order: recorded on the wire, with a socket that takes a frame when the test says so."""

from __future__ import annotations

import attrs
import orjson
import pytest
import trio
from played_provider import Provider, Session, connected
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import Actor, open_runtime, receives
from realtime_actors.events import (
    AppendAudio,
    AppendText,
    CancelResponse,
    Configure,
    ModelResponseAudioDelta,
)
from realtime_actors.providers import OpenAIRealtimeModel, ProviderConnection
from realtime_actors.testing import WrappedTransport, WrappedWebSocket
from realtime_actors.transports import MemoryTransport, Transport, WebSocket


class GatedWebSocket(WrappedWebSocket):
    """Writes down each frame as it begins, then waits for the gate."""

    def __init__(self, inner: WebSocket, transport: GatedTransport) -> None:
        super().__init__(inner)
        self._transport = transport
        self._turn = trio.StrictFIFOLock()

    async def send(self, message: str | bytes) -> None:
        self._transport.handed_over.append(orjson.loads(message)["type"])
        async with self._turn:
            self._transport.begun.append(orjson.loads(message)["type"])
            await self._transport.gate.wait()
            await super().send(message)


class GatedTransport(WrappedTransport):
    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.handed_over: list[str] = []
        """Frames as they are given to the socket, which sends them in that order."""
        self.begun: list[str] = []
        self.gate = trio.Event()
        self.gate.set()

    def shut(self) -> None:
        self.gate = trio.Event()

    def wrap(self, websocket: WebSocket) -> WebSocket:
        return GatedWebSocket(websocket, self)


async def test_a_cancel_goes_out_before_every_frame_that_has_not_begun(autojump_clock: MockClock) -> None:
    provider = Provider()
    transport = GatedTransport(MemoryTransport(provider.respond))
    async with connected(transport=transport) as line:
        transport.shut()
        for _ in range(400):
            line.connection.tell(AppendAudio(b"\1\0"))
        line.connection.tell(AppendText("i1", "too"))
        await wait_all_tasks_blocked()
        begun = len(transport.begun)
        line.connection.tell(CancelResponse("c1", "resp_1"))
        line.connection.tell(CancelResponse("c2", "resp_2"))
        await wait_all_tasks_blocked()
        assert len(transport.begun) == begun  # a frame is on its way, and waits for the network
        transport.gate.set()
        await wait_all_tasks_blocked()
        assert transport.begun[begun : begun + 3] == ["response.cancel", "response.cancel", "input_audio_buffer.append"]
        assert transport.begun[-1] == "conversation.item.create"
        assert transport.begun.count("input_audio_buffer.append") == 400


async def test_a_cancel_goes_first_while_frames_go_out_as_fast_as_they_can(autojump_clock: MockClock) -> None:
    """The socket never makes anybody wait, so that only the order in which tasks run could let a frame overtake."""
    provider = Provider()
    transport = GatedTransport(MemoryTransport(provider.respond))
    async with connected(transport=transport) as line:
        for passes in range(200):
            for _ in range(20):
                line.connection.tell(AppendAudio(b"\1\0"))
            for _ in range(passes % 20):
                await trio.lowlevel.checkpoint()
            before = len(transport.handed_over)
            line.connection.tell(CancelResponse("c", "resp_1"))
            await wait_all_tasks_blocked()
            assert transport.handed_over[before] == "response.cancel"
            assert transport.handed_over[before:].count("response.cancel") == 1


async def test_a_configuration_overtakes_audio_as_well(autojump_clock: MockClock) -> None:
    provider = Provider()
    transport = GatedTransport(MemoryTransport(provider.respond))
    async with connected(transport=transport) as line:
        transport.shut()
        for _ in range(100):
            line.connection.tell(AppendAudio(b"\1\0"))
        await wait_all_tasks_blocked()
        line.connection.tell(Configure("c2", "Be long."))
        transport.gate.set()
        await wait_all_tasks_blocked()
        assert transport.begun[:3] == ["session.update", "input_audio_buffer.append", "session.update"]


@attrs.define(eq=False)
class BusyOwner(Actor):
    """Has time for the first event only after `release`."""

    seen: list[str]
    release: trio.Event

    @receives
    async def delta(self, event: ModelResponseAudioDelta) -> None:
        await self.release.wait()
        self.seen.append(event.item_id)


@pytest.mark.parametrize("count", [5000])
async def test_a_busy_owner_slows_the_provider_and_loses_nothing(count: int, autojump_clock: MockClock) -> None:
    sent = 0

    async def flood(session: Session) -> None:
        nonlocal sent
        await session.accept()
        for number in range(count):
            where = {"response_id": "resp_1", "item_id": str(number), "output_index": 0, "content_index": 0}
            await session.send("response.output_audio.delta", **where, delta="AAAA")
            sent += 1
        await session.listen()

    provider = Provider((flood,))
    model = OpenAIRealtimeModel(api_key="sk-test", url="ws://memory/v1/realtime")
    seen: list[str] = []
    release = trio.Event()
    async with open_runtime() as runtime:
        owner = await runtime.spawn(BusyOwner(seen, release), name="owner", capacity=64)
        prototype = ProviderConnection(model, owner, MemoryTransport(provider.respond))
        connection = await runtime.spawn(prototype, name="connection")
        connection.tell(Configure("c1", "Be brief."))
        await wait_all_tasks_blocked()
        assert owner.statistics().queued == 64
        assert sent < 2000  # what the socket and the mailbox hold
        assert connection.statistics().state == "running"
        release.set()
        await wait_all_tasks_blocked()
        assert seen == [str(number) for number in range(count)]
