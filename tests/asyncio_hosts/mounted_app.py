"""An ASGI application for the tests: agents of the simulator that `REALTIME_URL` names."""

from __future__ import annotations

import os

from realtime_actors.agents import RealtimeAgent
from realtime_actors.gateway import AgentRequest, GatewaySettings, asgi_app
from realtime_actors.providers import OpenAIRealtimeModel


def agent(request: AgentRequest) -> RealtimeAgent:
    model = OpenAIRealtimeModel(
        model_name="gpt-realtime", api_key="sk-test", voice="marin", url=os.environ["REALTIME_URL"]
    )
    return RealtimeAgent(name="Friday", instructions="Be brief.", model=model, session_id=request.session_id)


app = asgi_app(agent, GatewaySettings(token=os.environ.get("TOKEN"), max_message_bytes=64 * 1024, close_timeout=0.5))
