"""Why a gateway ends a conversation is said by its close, and then by `talk`, in one sentence."""

import pytest
import trio
from trio.testing import MockClock

from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.talking.conversation import Plan, hold
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentReady,
    ServerEvent,
    ServerSessionCreated,
    ServerSessionEnded,
    encode_json,
)
from realtime_actors.transports import Request, Upgrade, WebSocket, serve

READY: list[ServerEvent] = [ServerSessionCreated("s"), AgentReady("a", "Friday")]
OVER: list[ServerEvent] = [AgentEnded("a", "Friday"), ServerSessionEnded("s", {"reason": "session_timeout"})]


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 10 ms: even the loopback takes its time."""
    return MockClock(autojump_threshold=0.01)


async def failure(events: list[ServerEvent], code: int | None, reason: str = "") -> str:
    """What `talk` fails with when the gateway sends these events, and closes unless `code` is None."""

    async def handler(websocket: WebSocket) -> None:
        await websocket.receive()
        for event in events:
            await websocket.send(encode_json(event))
        if code is not None:
            await websocket.aclose(code, reason)
        await trio.sleep_forever()

    async def respond(_: Request) -> Upgrade:
        return Upgrade(handler)

    async with trio.open_nursery() as nursery:
        address = await nursery.start(serve, respond)
        with pytest.raises(ExceptionGroup) as raised:
            await hold(Plan(url=f"ws://127.0.0.1:{address.port}/ws/me/first", text="hello"))
        nursery.cancel_scope.cancel()
    assert all(isinstance(error, CommandFailed) for error in raised.value.exceptions)
    said = {str(error) for error in raised.value.exceptions}  # who speaks and who listens may both find out
    assert len(said) == 1
    return said.pop()


@pytest.mark.parametrize("told", [[], OVER[:1], OVER], ids=["nothing", "the agent's end", "both ends"])
@pytest.mark.parametrize(
    "reason", ["nothing was said for 600 s", "a session may take 3600 s", "sent too fast: 200 frames a second"]
)
async def test_a_limit_of_the_gateway_is_named(autojump_clock: MockClock, told: list[ServerEvent], reason: str) -> None:
    assert (await failure(READY + told, 1008, reason)).endswith(f"/ws/me/first closed the conversation: {reason}")


async def test_an_agent_that_ends_alone(autojump_clock: MockClock) -> None:
    """The gateway stays: what the agent said last is all that is known."""
    said = "the agent ended before its answer was complete"
    assert await failure(READY + OVER, None) == said
    error = AgentError("server_error", "x", "the model is gone", "a", "Friday")
    assert await failure([*READY, error, *OVER], None) == f"{said}: the model is gone"
    assert trio.current_time() < 5
