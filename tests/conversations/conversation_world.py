"""The providers of a conversation: a simulator and a network for each, of which the first may fail for good."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
from conversation_brain import ChanceBrain, Record

from realtime_actors.providers import Manual, RealtimeModel, ServerVAD, TurnDetection
from realtime_actors.simulators.server import Simulator
from realtime_actors.transports import MemoryTransport, Transport, WebSocket, WebSocketOptions
from tests.simulated_providers import SIMULATED, with_turn_detection

__all__ = ["DETECTIONS", "PROVIDERS", "Server", "World", "brain_of"]


@attrs.frozen
class Provider:
    """What is to be known of a provider's wire, and of its simulator."""

    options: Callable[[random.Random], Mapping[str, Any]] = lambda _: {}
    """Of the simulator, by chance."""
    one_message: bool = False
    """Whether a reply has no more than one message."""
    tells_limit: bool = True
    """Whether it is said of a reply that it was cut off at its limit."""
    failure_closes: bool = False
    """Whether a reply that fails ends the connection."""


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(),
    "azure": Provider(),
    "gemini": Provider(
        lambda chance: {"notice": chance.choice([0, 5, 30])},
        one_message=True,
        tells_limit=False,
        failure_closes=True,
    ),
    "dashscope": Provider(lambda chance: {"cancel_end": chance.choice(["items", "told", "nothing"])}),
    "xai": Provider(lambda chance: {"tells_interruptions": chance.choice([True, False])}),
}
DETECTIONS: Sequence[TurnDetection] = (
    *[ServerVAD(silence_duration_ms=500)] * 4,
    ServerVAD(silence_duration_ms=600),
    Manual(),
)
"""Who finds the user's turns, if the agent does not."""


def brain_of(provider: str, chance: random.Random, record: Record) -> ChanceBrain:
    """A brain that says what this provider's wire can tell."""
    wire = PROVIDERS[provider]
    return ChanceBrain(
        chance=random.Random(chance.random()),  # noqa: S311
        record=record,
        one_message=wire.one_message,
        tells_limit=wire.tells_limit,
        failure_closes=wire.failure_closes,
    )


@attrs.define(eq=False)
class Server:
    """A provider's simulator on a network of its own, which is called `name`."""

    name: str
    model: RealtimeModel
    simulator: Simulator
    network: MemoryTransport
    serves: bool = True
    """Whether it takes anybody."""
    is_gone: bool = False
    """Whether it will never be reached again."""

    @classmethod
    def by_chance(cls, name: str, provider: str, seed: int, chance: random.Random, record: Record) -> Server:
        """A simulator of this provider, and its model; sometimes its sessions are short."""
        options: dict[str, Any] = {"speed": chance.choice([0, 1, 4, 20]), **PROVIDERS[provider].options(chance)}
        model = with_turn_detection(provider, chance.choice(DETECTIONS))
        model = attrs.evolve(model, url=(model.url or "").replace("memory", name))
        if chance.random() < 0.5:  # with warning, or the agent knows it, or neither
            options["lifetime"] = chance.uniform(60, 150)
            if chance.random() < 0.7:
                model = attrs.evolve(model, session_limit=options["lifetime"])
        brain = brain_of(provider, chance, record)
        simulator = SIMULATED[provider].simulator(brain=brain, seed=seed, **options)
        server = cls(name, model, simulator, MemoryTransport(simulator.respond))
        simulator.accept_key = lambda _: server.serves
        return server

    def fail(self, *, refuses: bool) -> None:
        """From now on it refuses everybody, or cannot be reached."""
        self.serves, self.is_gone = not refuses, not refuses
        self.network.reachable = refuses
        self.network.drop_connections()


@attrs.define(eq=False)
class World(Transport):
    """All servers, by the names of their hosts."""

    servers: Sequence[Server]

    def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        options: WebSocketOptions | None = None,
    ) -> AbstractAsyncContextManager[WebSocket]:
        host = url.split("/")[2]
        [network] = [server.network for server in self.servers if server.name == host]
        return network.connect(url, headers=headers, subprotocols=subprotocols, options=options)

    def drop_connections(self) -> None:
        """Break every connection."""
        for server in self.servers:
            server.network.drop_connections()

    def set_reachable(self, reachable: bool) -> None:
        """Whether anything can be reached."""
        for server in self.servers:
            server.network.reachable = reachable and not server.is_gone
