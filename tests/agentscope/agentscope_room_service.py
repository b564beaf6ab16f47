"""A backend with two agents in a room, as that of AgentScope's multi-agent example is written.

It is meant to be careless, as that one is: nothing is stopped when a frontend is gone, and the first agent is asked to
begin by way of its model.
"""

import asyncio
import os
from typing import Any

from fastapi import FastAPI, WebSocket

from realtime_actors.agentscope import logger
from realtime_actors.agentscope.agent import RealtimeAgent
from realtime_actors.agentscope.message import TextBlock
from realtime_actors.agentscope.pipeline import ChatRoom
from realtime_actors.agentscope.realtime import (
    ClientEvents,
    ClientEventType,
    DashScopeRealtimeModel,
    OpenAIRealtimeModel,
    ServerEvents,
)

app = FastAPI()


def make_model(provider: str, voice: str) -> Any:
    if provider == "dashscope":
        model = DashScopeRealtimeModel(
            model_name="qwen3-omni-flash-realtime",
            api_key="any",
            voice={"low": "Dylan", "high": "Peter"}[voice],
            enable_input_audio_transcription=False,
        )
    else:
        model = OpenAIRealtimeModel(
            model_name="gpt-realtime", api_key="any", voice={"low": "ash", "high": "coral"}[voice]
        )
    model.websocket_url = os.environ["REALTIME_URL"]
    return model


async def forward(queue: "asyncio.Queue[ServerEvents.EventBase]", websocket: WebSocket) -> None:
    while True:
        event = await queue.get()
        await websocket.send_json(event.model_dump())


@app.websocket("/ws/{user_id}/{session_id}")
async def endpoint(websocket: WebSocket, user_id: str, session_id: str) -> None:
    await websocket.accept()
    queue: asyncio.Queue[ServerEvents.EventBase] = asyncio.Queue()
    forwarding = asyncio.create_task(forward(queue, websocket))
    room = None
    try:
        while True:
            event = ClientEvents.from_json(await websocket.receive_json())
            if isinstance(event, ClientEvents.ClientSessionCreateEvent):
                provider = event.config.get("model_provider", "openai")
                agents = [
                    RealtimeAgent(
                        name=event.config.get(f"agent{number}_name", f"Agent{number}"),
                        sys_prompt=event.config.get(f"agent{number}_instructions", "Debate."),
                        model=make_model(provider, voice),
                    )
                    for number, voice in ((1, "low"), (2, "high"))
                ]
                room = ChatRoom(agents=agents)
                await room.start(queue)
                created = ServerEvents.ServerSessionCreatedEvent(session_id=session_id)
                await websocket.send_json(created.model_dump())
                await agents[0].model.send(TextBlock(type="text", text="<system>You may begin.</system>"))  # type: ignore
                logger.info("%s listens to %s", user_id, [agent.name for agent in agents])
            elif event.type == ClientEventType.CLIENT_SESSION_END and room is not None:
                await room.stop()
                room = None
            elif room is not None:
                await room.handle_input(event)
    finally:
        forwarding.cancel()
