"""Fixtures of the tests of the AgentScope module."""

from agentscope_kit import provider

__all__ = ["provider"]
