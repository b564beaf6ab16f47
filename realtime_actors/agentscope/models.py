"""The models, configured and used as those of `agentscope.realtime` are."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from realtime_actors.agents import RealtimeAgent, Tool
from realtime_actors.events import AudioFormat as NativeAudioFormat
from realtime_actors.events import Blob, ClientAudioAppend, ClientEvent, ClientImageAppend, ClientTextAppend
from realtime_actors.providers import DashScopeRealtimeModel as NativeDashScope
from realtime_actors.providers import GeminiRealtimeModel as NativeGemini
from realtime_actors.providers import OpenAIRealtimeModel as NativeOpenAI
from realtime_actors.providers import RealtimeModel

from .calls import tools_of
from .client_events import ClientEvents
from .errors import NotStarted, NotSupported
from .feed import BACKLOG_BYTES, QUEUE_AHEAD, Feed
from .message import AudioBlock, ImageBlock, TextBlock, ToolResultBlock
from .session import AgentSession, Session, new_id
from .translation import model_event, native_client_event

__all__ = ["DashScopeRealtimeModel", "GeminiRealtimeModel", "OpenAIRealtimeModel", "RealtimeModelBase", "tools_for"]

log = logging.getLogger("realtime_actors.agentscope")

TOOL_TIMEOUT = 300.0
"""Seconds until the model is told that a tool did not finish."""


def tools_for(model: RealtimeModel, schemas: list[dict[str, Any]] | None, timeout: float) -> list[Tool]:
    """The tools that the model is told of. One that calls none is told of none, as there, but that is logged."""
    if schemas and not model.capabilities.tools:
        log.warning("%s calls no tools: the %d of the toolkit are left out", model.model_name, len(schemas))
        return []
    return tools_of(schemas, timeout)


class RealtimeModelBase(ABC):
    """A model: give it to an agent, or `connect` it by itself, `send` to it and `disconnect` it.

    What is sent to the model of an agent is told that agent alone; to `disconnect` it ends the agent.
    """

    model_name: str
    websocket_url: str
    """Where it is, which may be changed until it is connected: a simulator, a proxy."""
    input_sample_rate: int
    """The rate in Hz of the audio that `send` takes: PCM16 little-endian mono."""
    output_sample_rate: int
    """The rate in Hz of the audio in its events: PCM16 little-endian mono."""

    _session: Session | None = None
    _agent_id: str = ""
    _is_agent_s: bool = False
    """Whether it is connected for an agent, and not by itself."""

    @abstractmethod
    def native(self) -> RealtimeModel:
        """The configuration as `realtime_actors.providers` has it. Raises `InvalidModel`."""

    async def connect(
        self, outgoing_queue: asyncio.Queue[Any], instructions: str, tools: list[dict[str, Any]] | None = None
    ) -> None:
        """Connect, and put `ModelEvents` into the queue from now on; `tools` are JSON schemas as of a `Toolkit`.

        Returns when the provider has accepted the configuration. Raises `ProviderRefused`, `ProviderUnavailable`,
        `InvalidTool`, or `NotStarted` when it is connected already.
        """
        if self._session is not None and not self._session.is_over:
            raise NotStarted("the model is connected already: disconnect it first, or make another")
        feed = Feed(outgoing_queue, QUEUE_AHEAD, BACKLOG_BYTES)
        model = self.native()
        agent = RealtimeAgent(self.model_name, instructions, model, tools_for(model, tools, TOOL_TIMEOUT))
        agent_id = new_id()
        self.used_in(session := AgentSession(agent_id, agent, feed, model_event), agent_id, is_agent_s=False)
        await session.start()

    def used_in(self, session: Session, agent_id: str, *, is_agent_s: bool = True) -> None:
        """It is this agent's from now on; for agents, which call it."""
        if self._session is not None and not self._is_agent_s:
            self._session.abandon()
        self._session, self._agent_id, self._is_agent_s = session, agent_id, is_agent_s

    async def send(self, data: AudioBlock | TextBlock | ImageBlock | ToolResultBlock) -> None:
        """Give the model something: a text asks for a reply, and the last result of a reply's calls does.

        Audio is PCM16 little-endian mono at `input_sample_rate`, in base64. Raises `NotStarted` when it is not
        connected, `NotSupported` for a block that it does not take.
        """
        if self._session is None:
            raise NotStarted("the model is not connected: call connect() first")
        await self._session.say(self._event(data), self._agent_id)

    async def disconnect(self) -> None:
        """Disconnect. `ModelSessionEndedEvent` is the last event in the queue."""
        session, self._session = self._session, None
        if session is not None:
            await session.stop_agent(self._agent_id)

    def __del__(self) -> None:
        if self._session is not None and not self._is_agent_s:
            self._session.abandon()

    def _event(self, data: Any) -> ClientEvent:
        match data:
            case {"type": "text", "text": text}:
                return ClientTextAppend("", text)
            case {"type": "audio", "source": {"type": "base64", "data": audio}}:
                return ClientAudioAppend("", audio, NativeAudioFormat(rate=self.input_sample_rate))
            case {"type": "image", "source": {"type": "base64", "data": image, "media_type": media_type}}:
                return ClientImageAppend("", Blob.of(image), {"type": media_type})
            case {"type": "tool_result", "id": call_id, "name": name, "output": output}:
                result = ClientEvents.ClientToolResultEvent(session_id="", id=call_id, name=name, output=output)
                event = native_client_event(result)
                assert event is not None
                return event
            case _:
                raise NotSupported("a model takes text, tool_result, and audio and image blocks with a base64 source")


class OpenAIRealtimeModel(RealtimeModelBase):
    """A realtime model of OpenAI. Wrong values raise `InvalidModel`.

    For more settings give the agent a `realtime_actors.OpenAIRealtimeModel` instead.
    """

    support_input_modalities: ClassVar[list[str]] = ["audio", "text", "image", "tool_result"]
    support_tools: ClassVar[bool] = True
    websocket_url: str = "wss://api.openai.com/v1/realtime?model={model_name}"
    input_sample_rate = NativeOpenAI.input_rate
    output_sample_rate = NativeOpenAI.output_rate

    def __init__(
        self, model_name: str, api_key: str, voice: str = "alloy", enable_input_audio_transcription: bool = True
    ) -> None:
        self.model_name = model_name
        self.voice = voice
        self.enable_input_audio_transcription = enable_input_audio_transcription
        self.websocket_url = self.websocket_url.replace("{model_name}", str(model_name))
        self._api_key = api_key
        self.native()

    def native(self) -> NativeOpenAI:
        """The configuration as `realtime_actors.providers` has it. Raises `InvalidModel`."""
        return NativeOpenAI(
            model_name=self.model_name,
            api_key=self._api_key,
            voice=self.voice,
            enable_input_audio_transcription=self.enable_input_audio_transcription,
            url=self.websocket_url,
        )


class DashScopeRealtimeModel(RealtimeModelBase):
    """A Qwen-Omni realtime model on DashScope. Wrong values raise `InvalidModel`.

    The models before qwen3.5, such as qwen3-omni-flash-realtime, take neither text nor tools: a text is answered by an
    error event, tools are left out with a warning. For more settings, and for Singapore, give the agent a
    `realtime_actors.providers.DashScopeRealtimeModel` instead.
    """

    support_input_modalities: ClassVar[list[str]] = ["text", "audio", "image"]
    support_tools: bool
    """Whether this model calls tools: those from qwen3.5 on do."""
    websocket_url: str = "wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model={model_name}"
    input_sample_rate = NativeDashScope.input_rate
    output_sample_rate = NativeDashScope.output_rate

    def __init__(
        self, model_name: str, api_key: str, voice: str = "Cherry", enable_input_audio_transcription: bool = True
    ) -> None:
        self.model_name = model_name
        self.voice = voice
        self.enable_input_audio_transcription = enable_input_audio_transcription
        self.websocket_url = self.websocket_url.replace("{model_name}", str(model_name))
        self._api_key = api_key
        self.support_tools = self.native().capabilities.tools

    def native(self) -> NativeDashScope:
        """The configuration as `realtime_actors.providers` has it. Raises `InvalidModel`."""
        return NativeDashScope(
            model_name=self.model_name,
            api_key=self._api_key,
            voice=self.voice,
            enable_input_audio_transcription=self.enable_input_audio_transcription,
            url=self.websocket_url,
        )


class GeminiRealtimeModel(RealtimeModelBase):
    """A model of Gemini Live. Wrong values raise `InvalidModel`.

    For more settings, and for ephemeral tokens, give the agent a `realtime_actors.GeminiRealtimeModel` instead.
    """

    support_input_modalities: ClassVar[list[str]] = ["audio", "text", "image", "tool_result"]
    support_tools: ClassVar[bool] = True
    websocket_url: str = NativeGemini(api_key="any", api_version="v1alpha").endpoint()
    input_sample_rate = NativeGemini.input_rate
    output_sample_rate = NativeGemini.output_rate

    def __init__(
        self, model_name: str, api_key: str, voice: str = "Puck", enable_input_audio_transcription: bool = True
    ) -> None:
        self.model_name = model_name
        self.voice = voice
        self.enable_input_audio_transcription = enable_input_audio_transcription
        self._api_key = api_key
        self.native()

    def native(self) -> NativeGemini:
        """The configuration as `realtime_actors.providers` has it. Raises `InvalidModel`."""
        return NativeGemini(
            model_name=self.model_name,
            api_key=self._api_key,
            voice=self.voice,
            enable_input_audio_transcription=self.enable_input_audio_transcription,
            url=self.websocket_url,
        )
