"""For those who come from AgentScope: its realtime API (1.0.21), for asyncio, on this package's actors.

Modules and names are those of `agentscope`: change `from agentscope.agent import RealtimeAgent` to
`from realtime_actors.agentscope.agent import RealtimeAgent`, and so on. All agents of an event loop share one runtime,
in a thread that is there while any of them is. `docs/agentscope.md` says what is different, and why.
"""

import logging

from .agent import RealtimeAgent
from .calls import AnyToolkit
from .client_events import ClientEvents, ClientEventType
from .errors import AgentScopeError, InvalidEvent, NotAnEvent, NotStarted, NotSupported, QueueOverflow
from .event import AudioFormat, Event
from .feed import QueueStatistics
from .message import (
    AudioBlock,
    Base64Source,
    ContentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    URLSource,
    VideoBlock,
)
from .missing import missing
from .model_events import ModelEvents, ModelEventType
from .models import DashScopeRealtimeModel, GeminiRealtimeModel, OpenAIRealtimeModel, RealtimeModelBase
from .pipeline import ChatRoom
from .server_events import ServerEvents, ServerEventType
from .tool import RegisteredToolFunction, Toolkit, ToolResponse

__all__ = [
    "AgentScopeError",
    "AnyToolkit",
    "AudioBlock",
    "AudioFormat",
    "Base64Source",
    "ChatRoom",
    "ClientEventType",
    "ClientEvents",
    "ContentBlock",
    "DashScopeRealtimeModel",
    "Event",
    "GeminiRealtimeModel",
    "ImageBlock",
    "InvalidEvent",
    "ModelEventType",
    "ModelEvents",
    "NotAnEvent",
    "NotStarted",
    "NotSupported",
    "OpenAIRealtimeModel",
    "QueueOverflow",
    "QueueStatistics",
    "RealtimeAgent",
    "RealtimeModelBase",
    "RegisteredToolFunction",
    "ServerEventType",
    "ServerEvents",
    "TextBlock",
    "ThinkingBlock",
    "ToolResponse",
    "ToolResultBlock",
    "ToolUseBlock",
    "Toolkit",
    "URLSource",
    "VideoBlock",
    "logger",
]

logger = logging.getLogger("realtime_actors.agentscope")

__getattr__ = missing(
    __name__,
    {
        **dict.fromkeys(
            ("init", "setup_logger"),
            "there is nothing to set up; logging.getLogger('realtime_actors') is what to configure",
        ),
        **dict.fromkeys(
            (
                "a2a",
                "embedding",
                "evaluate",
                "exception",
                "formatter",
                "memory",
                "model",
                "module",
                "plan",
                "rag",
                "token",
                "tracing",
                "tts",
            ),
            "only agent, message, pipeline, realtime and tool are; import this module from agentscope",
        ),
    },
)
