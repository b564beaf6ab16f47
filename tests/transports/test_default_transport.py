"""One setting chooses the backend of all that is given none."""

import pytest

from realtime_actors import OpenAIRealtimeModel, RealtimeAgent
from realtime_actors.transports import (
    TRANSPORT_VARIABLE,
    DirectTransport,
    Request,
    Response,
    TransportError,
    TrioWebSocketTransport,
    UnknownTransport,
    default_transport,
    serve,
)

NAMES = {
    None: DirectTransport,
    "": DirectTransport,
    "direct": DirectTransport,
    "trio-websocket": TrioWebSocketTransport,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_variable_names_the_backend(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if name is None:
        monkeypatch.delenv(TRANSPORT_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(TRANSPORT_VARIABLE, name)
    assert type(default_transport()) is NAMES[name]
    agent = RealtimeAgent("Friday", "Be brief.", OpenAIRealtimeModel(api_key="sk-test"))
    assert type(agent.transport) is NAMES[name]


async def test_a_name_that_nothing_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRANSPORT_VARIABLE, "carrier-pigeon")

    async def respond(_: Request) -> Response:
        return Response()

    assert issubclass(UnknownTransport, TransportError)
    with pytest.raises(UnknownTransport, match="'carrier-pigeon': set it to direct or trio-websocket"):
        default_transport()
    with pytest.raises(UnknownTransport):
        await serve(respond)
