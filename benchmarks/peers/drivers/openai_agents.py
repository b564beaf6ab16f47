"""OpenAI Agents SDK: a session of its runner, whose events the application iterates over."""

# What it imports is in the peer's environment only, so nothing of its types is known here.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

import attrs
from agents.realtime import RealtimeAgent, RealtimeRunner

from benchmarks.peers.application import Application, Host, StartSoon

# Without `interrupt_response` the SDK leaves the cancel to the provider; with False it sends it.
_SETTINGS: Any = {"turn_detection": {"type": "server_vad", "interrupt_response": False}}


@attrs.frozen
class _Session:
    session: Any

    async def ask(self) -> None:
        await self.session.send_message("Hello!")

    async def append(self, pcm: bytes) -> None:
        await self.session.send_audio(pcm)

    async def interrupt(self) -> None:
        await self.session.interrupt()


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    runner = RealtimeRunner(RealtimeAgent(name="Friday", instructions="You are friendly."))
    session = await runner.run(
        model_config={"api_key": "none", "url": f"ws://127.0.0.1:{port}/", "initial_model_settings": _SETTINGS}
    )
    await session.enter()

    async def hear() -> None:
        async for event in session:
            if event.type == "audio":
                await application.audio(event.audio.data)
            elif event.type == "audio_interrupted":
                application.ended()

    start_soon(hear)
    return _Session(session)


_host = Host(open_session)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
