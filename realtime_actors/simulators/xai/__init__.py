"""A simulator of xAI's Grok Voice, a dialect of OpenAI's Realtime protocol, over WebSocket."""

from realtime_actors.simulators.xai.server import XAISimulator, accept_grok_models

__all__ = ["XAISimulator", "accept_grok_models"]
