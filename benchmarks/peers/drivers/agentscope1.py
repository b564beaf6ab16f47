"""AgentScope 1.0.21: an agent, and an application that reads its outgoing queue."""

# What it imports is in the peer's environment only, so nothing of its types is known here.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pybase64
import uvicorn
from agentscope.agent import RealtimeAgent
from agentscope.pipeline import ChatRoom
from agentscope.realtime import ClientEvents, OpenAIRealtimeModel, ServerEvents
from fastapi import FastAPI, WebSocket

from benchmarks.peers.application import Application, Host, StartSoon

_FORMAT: Any = {"type": "audio/pcm", "rate": 24000}


def friday(port: int) -> RealtimeAgent:
    """An agent whose provider is the load generator."""
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="none")
    model.websocket_url = f"ws://127.0.0.1:{port}/"
    return RealtimeAgent(name="Friday", sys_prompt="You are friendly.", model=model)


async def _ask(agent: RealtimeAgent) -> None:
    # It has no way to ask for a reply: its agent takes no notice of the client event for that.
    await agent.model._websocket.send('{"type":"response.create"}')


@attrs.frozen
class _Session:
    agent: RealtimeAgent

    async def ask(self) -> None:
        await _ask(self.agent)

    async def append(self, pcm: bytes) -> None:
        audio = pybase64.b64encode_as_string(pcm)
        await self.agent.handle_input(ClientEvents.ClientAudioAppendEvent(session_id="s", audio=audio, format=_FORMAT))

    async def interrupt(self) -> None:
        await self.agent.handle_input(ClientEvents.ClientResponseCancelEvent(session_id="s"))


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    agent, queue = friday(port), asyncio.Queue()
    await agent.start(queue)

    async def hear() -> None:
        while True:
            event = await queue.get()
            if isinstance(event, ServerEvents.AgentResponseAudioDeltaEvent):
                await application.audio(pybase64.b64decode(event.delta))
            elif isinstance(event, ServerEvents.AgentResponseDoneEvent):
                application.ended()

    start_soon(hear)
    return _Session(agent)


def converse(port: int, rooms: int, agents: int) -> None:
    """Its chat rooms: in each one agent speaks."""

    async def main() -> None:
        forwarding: list[asyncio.Task[None]] = []

        async def hear(queue: asyncio.Queue[Any]) -> None:
            while True:
                await queue.get()

        for _ in range(rooms):
            members, queue = [friday(port) for _ in range(agents)], asyncio.Queue()
            await ChatRoom(members).start(queue)
            forwarding.append(asyncio.create_task(hear(queue)))
            await _ask(members[0])
        await asyncio.gather(*forwarding)

    asyncio.run(main())


_host = Host(open_session)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay


def relay(port: int, listening: Callable[[int], None]) -> None:
    """Its agents under FastAPI and uvicorn: an endpoint that reads client events, a task that sends the queue's."""
    app = FastAPI()

    @app.websocket("/ws/{user_id}/{session_id}")
    async def endpoint(websocket: WebSocket, user_id: str, session_id: str) -> None:
        await websocket.accept()
        agent, queue = friday(port), asyncio.Queue()
        sending = asyncio.create_task(_send_on(websocket, queue))
        async for said in websocket.iter_json():
            event = ClientEvents.from_json(said)
            if isinstance(event, ClientEvents.ClientSessionCreateEvent):
                await agent.start(queue)
            elif isinstance(event, ClientEvents.ClientResponseCreateEvent):
                await _ask(agent)
            else:
                await agent.handle_input(event)
        sending.cancel()
        await agent.stop()

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))

    async def main() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.01)
        listening(server.servers[0].sockets[0].getsockname()[1])
        await serving

    asyncio.run(main())


async def _send_on(websocket: WebSocket, queue: asyncio.Queue[Any]) -> None:
    while True:
        event = await queue.get()
        await websocket.send_json(event.model_dump())
