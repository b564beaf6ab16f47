"""The agent: its turns, its tools, and the actor around them."""

from .agent import RealtimeAgent
from .errors import AgentsError, InvalidArguments, InvalidTool
from .tools import Tool, frontend_tool, tool

__all__ = ["AgentsError", "InvalidArguments", "InvalidTool", "RealtimeAgent", "Tool", "frontend_tool", "tool"]
