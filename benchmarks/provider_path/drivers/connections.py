"""The part of this package next to the provider: a connection for each session, which tells an actor of the host's."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from realtime_actors import OpenAIRealtimeModel, open_runtime
from realtime_actors.actors import Actor, receives
from realtime_actors.events import (
    Configure,
    CreateResponse,
    ModelResponseAudioDelta,
    ModelResponseCreated,
    ModelSessionCreated,
)
from realtime_actors.providers import ConnectionReady, ProviderConnection

__all__ = ["listen"]


@attrs.define(eq=False)
class _Listener(Actor):
    model: OpenAIRealtimeModel
    heard: Callable[[bytes], None]

    async def started(self) -> None:
        connection = await self.context.spawn(ProviderConnection(self.model, self.context.ref))
        connection.tell(Configure("configure", "You are friendly.", ()))
        connection.tell(CreateResponse("create"))

    @receives
    def delta(self, event: ModelResponseAudioDelta) -> None:
        self.heard(event.delta)

    @receives
    def other(self, event: ConnectionReady | ModelSessionCreated | ModelResponseCreated) -> None:
        pass


async def _listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="none", url=f"ws://127.0.0.1:{port}/")
    async with open_runtime() as runtime:
        for _ in range(sessions):
            await runtime.spawn(_Listener(model, heard))
        await trio.sleep_forever()


def listen(port: int, sessions: int, heard: Callable[[bytes], None]) -> None:
    """See the package."""
    trio.run(_listen, port, sessions, heard)
