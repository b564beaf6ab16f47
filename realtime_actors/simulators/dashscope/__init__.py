"""A simulator of DashScope's Qwen-Omni realtime protocol."""

from realtime_actors.simulators.dashscope.response import CancelEnd
from realtime_actors.simulators.dashscope.server import DashScopeSimulator, accept_omni_models

__all__ = ["CancelEnd", "DashScopeSimulator", "accept_omni_models"]
