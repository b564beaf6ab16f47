"""A simulator of Google's Gemini Live protocol (BidiGenerateContent, over WebSocket)."""

from realtime_actors.simulators.gemini.server import GeminiSimulator, accept_live_models

__all__ = ["GeminiSimulator", "accept_live_models"]
