"""The agent: its turns, its tools, and the actor around them."""

from .agent import RealtimeAgent
from .errors import AgentsError, InvalidArguments, InvalidTool, ReplyFailed
from .reply import GenerateReply, Reply, generate_reply
from .tools import Tool, frontend_tool, tool

__all__ = [
    "AgentsError",
    "GenerateReply",
    "InvalidArguments",
    "InvalidTool",
    "RealtimeAgent",
    "Reply",
    "ReplyFailed",
    "Tool",
    "frontend_tool",
    "generate_reply",
    "tool",
]
