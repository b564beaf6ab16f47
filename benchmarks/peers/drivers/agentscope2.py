"""AgentScope 2.0.11: an agent that is given a transport of the application's, which is where its audio is heard."""

# What it imports is in the peer's environment only, so nothing of its types is known here.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any

import attrs
from agentscope.agent import RealtimeAgent
from agentscope.credential import OpenAICredential
from agentscope.event import ReplyEndEvent
from agentscope.realtime import AudioFrame, OpenAIRealtimeModel, PlayoutPosition, TransportBase

from benchmarks.peers.application import Application, Host, StartSoon


class _Transport(TransportBase):
    input_sample_rate = output_sample_rate = 24000

    def __init__(self, application: Application) -> None:
        self.application = application
        self.spoken: asyncio.Queue[bytes] = asyncio.Queue()
        self.item = ""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def incoming(self) -> Any:
        while True:
            yield AudioFrame(pcm=await self.spoken.get())

    async def send_audio(self, pcm: bytes, item_id: str) -> None:
        self.item = item_id
        await self.application.audio(pcm)

    async def clear_audio(self) -> PlayoutPosition:
        return self.playout()

    def playout(self) -> PlayoutPosition:
        return PlayoutPosition(item_id=self.item, played_ms=0)


@attrs.frozen
class _Session:
    agent: RealtimeAgent
    transport: _Transport

    async def ask(self) -> None:
        await self.agent.model.request_response()

    async def append(self, pcm: bytes) -> None:
        self.transport.spoken.put_nowait(pcm)

    async def interrupt(self) -> None:
        await self.agent.interrupt()


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    credential = OpenAICredential(api_key="none", base_url=f"http://127.0.0.1:{port}")
    model = OpenAIRealtimeModel(OpenAIRealtimeModel.list_models()[0].name, credential)
    agent, transport = RealtimeAgent("Friday", "You are friendly.", model), _Transport(application)
    await agent.connect()

    async def hear() -> None:
        async for event in agent.reply_stream(transport):
            if isinstance(event, ReplyEndEvent):
                application.ended()

    start_soon(hear)
    return _Session(agent, transport)


_host = Host(open_session)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
