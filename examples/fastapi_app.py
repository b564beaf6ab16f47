"""A FastAPI service with a voice agent for each WebSocket: something to copy and begin with.

With OPENAI_API_KEY set it talks to OpenAI; with REALTIME_URL to whatever speaks that wire there, for instance
`realtime-actors simulate openai` in another terminal:

    REALTIME_URL=ws://127.0.0.1:9000/v1/realtime python examples/fastapi_app.py
    realtime-actors talk --text "what time is it" --url ws://127.0.0.1:8000
"""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

import realtime_actors as ra
from realtime_actors.actors import SubscriptionOverflow
from realtime_actors.asyncio import AsyncioRef, AsyncioRuntime, AsyncioSubscription, open_runtime
from realtime_actors.events import decode_client, encode_json
from realtime_actors.gateway import AgentRequest

PATIENCE = 10.0  # seconds that a frontend may take to read an event


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    url = os.environ.get("REALTIME_URL")
    key = os.environ.get("OPENAI_API_KEY") or (url and "any")
    if not key:
        raise RuntimeError("set OPENAI_API_KEY, or REALTIME_URL to a simulator's URL")
    app.state.model = ra.OpenAIRealtimeModel(model_name="gpt-realtime", api_key=key, voice="marin", url=url)
    async with open_runtime() as app.state.runtime:  # in a thread of its own; with it all agents end
        yield


app = FastAPI(lifespan=lifespan)


@ra.tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    return f"Sunny in {city}."


def make_agent(request: AgentRequest, model: ra.OpenAIRealtimeModel) -> ra.RealtimeAgent:
    name, instructions = request.agent_name or "Friday", request.instructions or "You are a helpful assistant."
    return ra.RealtimeAgent(name, instructions, model, tools=[get_weather], session_id=request.session_id)


@app.websocket("/ws/{user_id}/{session_id}")
async def talk(websocket: WebSocket, user_id: str, session_id: str) -> None:
    """A frontend, from its connection to its end. Find out here who it really is."""
    runtime: AsyncioRuntime = websocket.app.state.runtime
    agent_id = uuid.uuid4().hex
    await websocket.accept()
    try:
        async with runtime.subscribe(f"agents.{agent_id}.>", overflow="close") as events, asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(write(websocket, events))
            await read(websocket, runtime, user_id, session_id, agent_id)
            writing.cancel()
    except* WebSocketDisconnect:
        pass
    except* (SubscriptionOverflow, TimeoutError):
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(PATIENCE):  # it may not read that either
                await websocket.close(1013, "this frontend reads too slowly; connect again")


async def write(websocket: WebSocket, events: AsyncioSubscription) -> None:
    """What the agent says, to the frontend. What a cancel takes back of it is not in `events` any more."""
    async for event in events:
        await say(websocket, event)


async def say(websocket: WebSocket, event: ra.ServerEvent) -> None:
    async with asyncio.timeout(PATIENCE):
        await websocket.send_text(encode_json(event))


async def read(websocket: WebSocket, runtime: AsyncioRuntime, user_id: str, session_id: str, agent_id: str) -> None:
    """What the frontend says, to its agent, which ends with it."""
    agent: AsyncioRef | None = None
    try:
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            try:
                match decode_client(message.get("text") or message.get("bytes") or ""):
                    case ra.ClientSessionCreate(config) if agent is None or agent.state == "stopped":
                        request = AgentRequest.of(config, user_id=user_id, session_id=session_id, agent_id=agent_id)
                        await say(websocket, ra.ServerSessionCreated(session_id))
                        agent = await runtime.spawn(make_agent(request, websocket.app.state.model), name=agent_id)
                    case _ if agent is None or agent.state == "stopped":
                        raise ra.RealtimeError("there is no agent: send client_session_create first")
                    case ra.ClientSessionEnd():
                        await agent.stop()
                        await say(websocket, ra.ServerSessionEnded(session_id))
                    case ra.ClientAudioAppend() | ra.ClientResponseCancel() as event:
                        agent.tell(event)
                    case event:
                        await agent.send(event)  # which waits while it has no room: text is never dropped
            except ra.RealtimeError as error:
                code = "invalid_event" if isinstance(error, ra.DecodeError) else "agent_error"
                await say(websocket, ra.AgentError("invalid_request_error", code, str(error), agent_id, ""))
    finally:
        if agent is not None:
            await agent.stop()


if __name__ == "__main__":
    # Compression costs more than all the rest, and audio gets no smaller by it. A frontend that does not read would
    # hold up the end for ever.
    port = int(os.environ.get("PORT", "8000"))
    uvicorn.run(app, port=port, ws_per_message_deflate=False, timeout_graceful_shutdown=5)
