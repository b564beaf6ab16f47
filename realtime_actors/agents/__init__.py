"""The agent: its turns, its tools, and the actor around them."""

from .agent import RealtimeAgent
from .errors import AgentsError, InvalidArguments, InvalidTool, ReplyFailed
from .progress import Progress
from .reply import GenerateReply, Reply, generate_reply
from .tools import Duplicates, OnInterruption, Tool, ToolOptions, frontend_tool, tool

__all__ = [
    "AgentsError",
    "Duplicates",
    "GenerateReply",
    "InvalidArguments",
    "InvalidTool",
    "OnInterruption",
    "Progress",
    "RealtimeAgent",
    "Reply",
    "ReplyFailed",
    "Tool",
    "ToolOptions",
    "frontend_tool",
    "generate_reply",
    "tool",
]
