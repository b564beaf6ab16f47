"""Pipecat: a pipeline of its service for OpenAI's realtime API, with a processor of the application's at the end."""

# What it imports is in the peer's environment only, so nothing of its types is known here.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any

import attrs
from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    InterruptionWorkerFrame,
    LLMContextFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

from benchmarks.peers.application import Application, Host, StartSoon

logger.remove()  # it logs each frame's way at debug level unless it is told not to


class _Sink(FrameProcessor):
    def __init__(self, application: Application) -> None:
        super().__init__()
        self.application = application
        self.started = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            await self.application.audio(frame.audio)
        elif isinstance(frame, InterruptionFrame):
            self.application.ended()
        elif isinstance(frame, StartFrame):
            self.started.set()
        await self.push_frame(frame, direction)


@attrs.define
class _Session:
    worker: Any
    llm: Any
    asked: bool = False

    async def ask(self) -> None:
        if self.asked:
            await self.llm.send_client_event(events.ResponseCreateEvent())
        else:
            await self.worker.queue_frame(LLMContextFrame(LLMContext([{"role": "user", "content": "Hello!"}])))
        self.asked = True

    async def append(self, pcm: bytes) -> None:
        await self.worker.queue_frame(InputAudioRawFrame(audio=pcm, sample_rate=24000, num_channels=1))

    async def interrupt(self) -> None:
        await self.worker.queue_frame(InterruptionWorkerFrame())


async def open_session(port: int, application: Application, start_soon: StartSoon) -> _Session:
    # Only without the provider's turn detection does it cancel a reply by itself.
    audio = events.AudioConfiguration(input=events.AudioInput(turn_detection=False))
    settings = OpenAIRealtimeLLMService.Settings(session_properties=events.SessionProperties(audio=audio))
    llm = OpenAIRealtimeLLMService(api_key="none", base_url=f"ws://127.0.0.1:{port}/", settings=settings)
    sink = _Sink(application)
    worker = PipelineWorker(
        Pipeline([llm, sink]),
        params=PipelineParams(audio_in_sample_rate=24000, audio_out_sample_rate=24000),
        idle_timeout_secs=None,
    )
    start_soon(_run, worker)
    await sink.started.wait()
    return _Session(worker, llm)


async def _run(worker: PipelineWorker) -> None:
    await WorkerRunner(handle_sigint=False).run(worker)


_host = Host(open_session)
listen, speak, interrupt, consume, stay = _host.listen, _host.speak, _host.interrupt, _host.consume, _host.stay
