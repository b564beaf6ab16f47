"""A backend as those of AgentScope are written: an endpoint, an agent for each session, a queue between them.

It is meant to be careless, as they are: nothing is stopped when a frontend is gone.
"""

import asyncio
import os
from typing import Any

from fastapi import FastAPI, WebSocket

from realtime_actors.agentscope import logger
from realtime_actors.agentscope.agent import RealtimeAgent
from realtime_actors.agentscope.message import TextBlock
from realtime_actors.agentscope.realtime import (
    ClientEvents,
    ClientEventType,
    DashScopeRealtimeModel,
    GeminiRealtimeModel,
    OpenAIRealtimeModel,
    ServerEvents,
)
from realtime_actors.agentscope.tool import Toolkit, ToolResponse

app = FastAPI()


async def get_time(city: str) -> ToolResponse:
    """The time in a city.

    Args:
        city (str): Its name.
    """
    return ToolResponse(content=[TextBlock(type="text", text=f"Noon in {city}.")])


def make_model(provider: str) -> Any:
    if provider == "gemini":
        return GeminiRealtimeModel(model_name="gemini-live", api_key="any")
    if provider == "dashscope":
        return DashScopeRealtimeModel(model_name="qwen-omni", api_key="any")
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="any", voice="alloy")
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
    agent = None
    try:
        while True:
            event = ClientEvents.from_json(await websocket.receive_json())
            if isinstance(event, ClientEvents.ClientSessionCreateEvent):
                toolkit = Toolkit()
                toolkit.register_tool_function(get_time)
                agent = RealtimeAgent(
                    name=event.config.get("agent_name", "Friday"),
                    sys_prompt=event.config.get("instructions", "Be kind."),
                    model=make_model(event.config.get("model_provider", "openai")),
                    toolkit=toolkit,
                )
                await agent.start(queue)
                created = ServerEvents.ServerSessionCreatedEvent(session_id=session_id)
                await websocket.send_json(created.model_dump())
                logger.info("%s talks to %s", user_id, agent.name)
            elif event.type == ClientEventType.CLIENT_SESSION_END and agent is not None:
                await agent.stop()
                agent = None
            elif agent is not None:
                await agent.handle_input(event)
    finally:
        forwarding.cancel()
