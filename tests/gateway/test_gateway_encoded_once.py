"""What several frontends hear is encoded once for each wire, however many there are."""

from contextlib import AsyncExitStack

from gateway_client import Frontend, open_gateway

from realtime_actors.events import MSGPACK_SUBPROTOCOL, PCM_24K, AgentResponseAudioDelta, Blob

SPEECH = bytes(range(256)) * 4


class CountedBlob(Blob):
    """Counts how often an encoder reads it."""

    __slots__ = ("read_as_base64", "read_as_bytes")

    def __init__(self, data: bytes) -> None:
        super().__init__(data=data)
        self.read_as_base64 = self.read_as_bytes = 0

    @property
    def base64(self) -> str:
        self.read_as_base64 += 1
        return super().base64

    @property
    def data(self) -> bytes:
        self.read_as_bytes += 1
        return super().data


async def test_an_event_for_several_frontends_is_encoded_once_for_each_wire() -> None:
    speech = CountedBlob(SPEECH)
    async with open_gateway() as served, AsyncExitStack() as stack:
        frontends: list[Frontend] = []
        for number in range(6):
            subprotocols = [MSGPACK_SUBPROTOCOL] if number % 2 else []
            frontend = await stack.enter_async_context(served.connect(f"s{number}", subprotocols=subprotocols))
            await frontend.create()
            frontends.append(frontend)
        event = AgentResponseAudioDelta("r1", "i1", speech, PCM_24K, "friday", "Friday")
        for number in range(6):
            served.runtime.bus.publish(f"agents.gateway-s{number}.{event.type}", event)
        heard = [await frontend.until(AgentResponseAudioDelta) for frontend in frontends]
    assert (speech.read_as_base64, speech.read_as_bytes) == (1, 1)
    assert [each.delta for each in heard] == [SPEECH] * 6
