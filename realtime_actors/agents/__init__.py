"""The agent: its turns, its tools, and the actor around them."""

from .agent import RealtimeAgent
from .changes import Change, Handoff, Reconfigure, hand_off, reconfigure
from .errors import (
    AgentsError,
    ChangeRefused,
    InvalidArguments,
    InvalidMemory,
    InvalidTool,
    InvalidTurnDetection,
    NoModelLeft,
    ReplyFailed,
)
from .hearing import Backchannels, HearingStatistics, LocalVAD
from .listening import GetHearingStatistics
from .measures import GetTurnStatistics, Percentiles, TurnStatistics
from .memory import AddText, GetHistory, Memory, Summarise
from .progress import Progress
from .reply import GenerateReply, Reply, generate_reply
from .tool_servers import ToolServerLost, ToolServerUnavailable, mcp_tools
from .tools import Duplicates, OnInterruption, Tool, ToolOptions, frontend_tool, tool
from .watchdog import Patience

__all__ = [
    "AddText",
    "AgentsError",
    "Backchannels",
    "Change",
    "ChangeRefused",
    "Duplicates",
    "GenerateReply",
    "GetHearingStatistics",
    "GetHistory",
    "GetTurnStatistics",
    "Handoff",
    "HearingStatistics",
    "InvalidArguments",
    "InvalidMemory",
    "InvalidTool",
    "InvalidTurnDetection",
    "LocalVAD",
    "Memory",
    "NoModelLeft",
    "OnInterruption",
    "Patience",
    "Percentiles",
    "Progress",
    "RealtimeAgent",
    "Reconfigure",
    "Reply",
    "ReplyFailed",
    "Summarise",
    "Tool",
    "ToolOptions",
    "ToolServerLost",
    "ToolServerUnavailable",
    "TurnStatistics",
    "frontend_tool",
    "generate_reply",
    "hand_off",
    "mcp_tools",
    "reconfigure",
    "tool",
]
