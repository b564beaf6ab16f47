"""LiveKit Agents: an agent session without a room, whose audio output and input are the application's."""

# What it imports is in the peer's environment only, so nothing of its types is known here.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any

import attrs
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice import io
from livekit.plugins import openai

from benchmarks.peers.application import Application, Host, StartSoon


class _Output(io.AudioOutput):
    def __init__(self, application: Application) -> None:
        super().__init__(label="application", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=24000)
        self.application = application
        self.seconds = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.seconds += frame.duration
        await self.application.audio(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        self.application.ended()
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        if self.seconds:
            self.on_playback_finished(playback_position=self.seconds, interrupted=interrupted)
            self.seconds = 0.0


class _Input(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="application")
        self.spoken: asyncio.Queue[bytes] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        pcm = await self.spoken.get()
        return rtc.AudioFrame(data=pcm, sample_rate=24000, num_channels=1, samples_per_channel=len(pcm) // 2)


@attrs.frozen
class _Session:
    session: Any
    spoken: asyncio.Queue[bytes]

    async def ask(self) -> None:
        self.session.generate_reply()

    async def append(self, pcm: bytes) -> None:
        self.spoken.put_nowait(pcm)

    async def interrupt(self) -> None:
        self.session.interrupt()


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    model = openai.realtime.RealtimeModel(api_key="none", base_url=f"http://127.0.0.1:{port}/v1")
    session, spoken = AgentSession(llm=model), _Input()
    session.output.audio, session.input.audio = _Output(application), spoken
    await session.start(Agent(instructions="You are friendly."))
    return _Session(session, spoken.spoken)


_host = Host(open_session)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
