"""The agent: its turns, its tools, and the actor around them."""

from .agent import RealtimeAgent
from .errors import AgentsError, InvalidArguments, InvalidMemory, InvalidTool, ReplyFailed
from .measures import GetTurnStatistics, Percentiles, TurnStatistics
from .memory import GetHistory, Memory, Summarise
from .progress import Progress
from .reply import GenerateReply, Reply, generate_reply
from .tool_servers import ToolServerLost, ToolServerUnavailable, mcp_tools
from .tools import Duplicates, OnInterruption, Tool, ToolOptions, frontend_tool, tool

__all__ = [
    "AgentsError",
    "Duplicates",
    "GenerateReply",
    "GetHistory",
    "GetTurnStatistics",
    "InvalidArguments",
    "InvalidMemory",
    "InvalidTool",
    "Memory",
    "OnInterruption",
    "Percentiles",
    "Progress",
    "RealtimeAgent",
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
    "mcp_tools",
    "tool",
]
