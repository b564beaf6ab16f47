"""This package's gateway, in whose process a further agent's replies are interrupted, and timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import attrs
import trio

from benchmarks.provider_path.passes import Interruption, interrupt
from realtime_actors import AgentResponseAudioDelta, AgentResponseDone, RealtimeAgent, open_runtime
from realtime_actors.actors import receives
from realtime_actors.events import ClientResponseCancel, ClientResponseCreate
from realtime_actors.events.event import Event
from realtime_actors.gateway import Gateway, GetStatus
from realtime_actors.testing import WrappedTransport, WrappedWebSocket
from realtime_actors.transports import WebSocket, default_transport

from .agents import friday, settings

__all__ = ["relay"]


class _Stopwatch(WrappedTransport):
    """Sees when cancels go out. Only who is interrupted has one: the others are as they always are."""

    def __init__(self) -> None:
        super().__init__(default_transport())
        self.interruption = Interruption()

    def wrap(self, websocket: WebSocket) -> WebSocket:
        return _TimedSocket(websocket, self)


class _TimedSocket(WrappedWebSocket):
    def __init__(self, inner: WebSocket, stopwatch: _Stopwatch) -> None:
        super().__init__(inner)
        self._stopwatch = stopwatch

    async def send(self, message: str | bytes) -> None:
        await self.inner.send(message)
        if "response.cancel" in str(message):
            self._stopwatch.interruption.arrived()


@attrs.define(eq=False)
class _TimedAgent(RealtimeAgent):
    @receives(lane="control")
    def cancel_response(self, _: ClientResponseCancel) -> None:
        assert isinstance(self.transport, _Stopwatch)
        self.transport.interruption.handled = time.monotonic_ns()
        super().cancel_response(_)


async def _relay(port: int, listening: Callable[[int], None]) -> None:
    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(lambda _: friday(port), settings()), name="gateway")
        listening((await gateway.ask(GetStatus(), timeout=5)).address.port)
        stopwatch = _Stopwatch()
        timed = _TimedAgent("Friday", "You are friendly.", friday(port).model, transport=stopwatch)
        agent = await runtime.spawn(timed, name="timed")
        gc.freeze()  # as `serve` does
        async with runtime.bus.subscribe("agents.timed.>") as events:

            async def come(kind: type[Event]) -> None:
                async for event in events:
                    if isinstance(event, kind):
                        return

            async def begin() -> None:
                agent.tell(ClientResponseCreate(""))
                await come(AgentResponseAudioDelta)

            async def cut() -> Interruption:
                interruption = stopwatch.interruption = Interruption()
                agent.tell(ClientResponseCancel(""))
                await come(AgentResponseDone)
                await interruption.is_on_wire.wait()
                return interruption

            await interrupt(begin, cut)
            await trio.sleep_forever()


def relay(port: int, listening: Callable[[int], None]) -> None:
    """See the package."""
    trio.run(_relay, port, listening)
