"""An actor-model event bus on Trio for realtime voice agents.

The names used most. The rest stands in the layers: `realtime_actors.actors`, `.events`, `.audio`, `.transports`,
`.providers`, `.agents`, `.gateway`, `.simulators`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime_actors.actors import (
        Actor,
        ActorCrashed,
        ActorStopped,
        AskTimeout,
        Backoff,
        ByKey,
        Child,
        Context,
        DeadLetter,
        Forward,
        Instrument,
        Lost,
        MailboxFull,
        RealtimeError,
        Ref,
        RestartBudgetExceeded,
        RoundRobin,
        Runtime,
        Subscription,
        Supervisor,
        Terminated,
        Timer,
        UnhandledMessage,
        droppable,
        open_runtime,
        receives,
    )
    from realtime_actors.agents import (
        LocalVAD,
        Progress,
        RealtimeAgent,
        Reply,
        ReplyFailed,
        Tool,
        frontend_tool,
        generate_reply,
        mcp_tools,
        tool,
    )
    from realtime_actors.events import (
        AgentEnded,
        AgentError,
        AgentInputDone,
        AgentInputStarted,
        AgentInputTranscriptionDelta,
        AgentInputTranscriptionDone,
        AgentPlayoutFlush,
        AgentReady,
        AgentResponseAudioDelta,
        AgentResponseAudioDone,
        AgentResponseAudioTranscriptDelta,
        AgentResponseAudioTranscriptDone,
        AgentResponseCreated,
        AgentResponseDone,
        AgentResponseToolProgress,
        AgentResponseToolResult,
        AgentResponseToolUseDelta,
        AgentResponseToolUseDone,
        AgentToolApprovalRequested,
        AudioFormat,
        ClientAudioAppend,
        ClientAudioCommit,
        ClientEvent,
        ClientImageAppend,
        ClientPlayoutUpdate,
        ClientResponseCancel,
        ClientResponseCreate,
        ClientSessionCreate,
        ClientSessionEnd,
        ClientTextAppend,
        ClientToolApproval,
        ClientToolResult,
        DecodeError,
        ServerEvent,
        ServerSessionCreated,
        ServerSessionEnded,
        ServerSessionUpdated,
        ToolResult,
        ToolUse,
    )
    from realtime_actors.providers import (
        AzureOpenAIRealtimeModel,
        DashScopeRealtimeModel,
        GeminiRealtimeModel,
        Manual,
        OpenAIRealtimeModel,
        ProviderRefused,
        ProviderUnavailable,
        SemanticVAD,
        ServerVAD,
        XAIRealtimeModel,
    )

__version__ = "0.1.0"

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "AgentEnded",
    "AgentError",
    "AgentInputDone",
    "AgentInputStarted",
    "AgentInputTranscriptionDelta",
    "AgentInputTranscriptionDone",
    "AgentPlayoutFlush",
    "AgentReady",
    "AgentResponseAudioDelta",
    "AgentResponseAudioDone",
    "AgentResponseAudioTranscriptDelta",
    "AgentResponseAudioTranscriptDone",
    "AgentResponseCreated",
    "AgentResponseDone",
    "AgentResponseToolProgress",
    "AgentResponseToolResult",
    "AgentResponseToolUseDelta",
    "AgentResponseToolUseDone",
    "AgentToolApprovalRequested",
    "AskTimeout",
    "AudioFormat",
    "AzureOpenAIRealtimeModel",
    "Backoff",
    "ByKey",
    "Child",
    "ClientAudioAppend",
    "ClientAudioCommit",
    "ClientEvent",
    "ClientImageAppend",
    "ClientPlayoutUpdate",
    "ClientResponseCancel",
    "ClientResponseCreate",
    "ClientSessionCreate",
    "ClientSessionEnd",
    "ClientTextAppend",
    "ClientToolApproval",
    "ClientToolResult",
    "Context",
    "DashScopeRealtimeModel",
    "DeadLetter",
    "DecodeError",
    "Forward",
    "GeminiRealtimeModel",
    "Instrument",
    "LocalVAD",
    "Lost",
    "MailboxFull",
    "Manual",
    "OpenAIRealtimeModel",
    "Progress",
    "ProviderRefused",
    "ProviderUnavailable",
    "RealtimeAgent",
    "RealtimeError",
    "Ref",
    "Reply",
    "ReplyFailed",
    "RestartBudgetExceeded",
    "RoundRobin",
    "Runtime",
    "SemanticVAD",
    "ServerEvent",
    "ServerSessionCreated",
    "ServerSessionEnded",
    "ServerSessionUpdated",
    "ServerVAD",
    "Subscription",
    "Supervisor",
    "Terminated",
    "Timer",
    "Tool",
    "ToolResult",
    "ToolUse",
    "UnhandledMessage",
    "XAIRealtimeModel",
    "__version__",
    "droppable",
    "frontend_tool",
    "generate_reply",
    "mcp_tools",
    "open_runtime",
    "receives",
    "tool",
]

# A layer is imported when a name of it is first used: whoever needs the kernel, or `--help`, does not wait for the
# audio libraries, and Ctrl-C finds the command line ready for it.
_LAYERS = ("actors", "events", "agents", "providers")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for layer in _LAYERS:
            module = importlib.import_module(f"{__name__}.{layer}")
            if name in module.__all__:
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
