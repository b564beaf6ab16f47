"""Servers that speak the providers' wires on this machine, with a brain of one's own.

They import nothing of `realtime_actors.providers` or `realtime_actors.events`: each side is a check of the other.
"""

from realtime_actors.simulators.brain import (
    BareCall,
    Brain,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midpoint,
    Midway,
    NoUsage,
    Overlap,
    Part,
    Raw,
    Repeatable,
    Say,
    Stall,
    Turn,
    Twice,
)
from realtime_actors.simulators.dashscope import DashScopeSimulator, accept_omni_models
from realtime_actors.simulators.errors import ScriptError, SimulatorError, TranscriptionFailed
from realtime_actors.simulators.gemini import GeminiSimulator, accept_live_models
from realtime_actors.simulators.openai import (
    AzureOpenAISimulator,
    OpenAISimulator,
    OpenAISimulatorStatistics,
    TranscriptOrder,
    accept_any_deployment,
    accept_any_key,
    accept_realtime_models,
)
from realtime_actors.simulators.script import load_script, read_script
from realtime_actors.simulators.scripted import Reply, ScriptedBrain, buzz
from realtime_actors.simulators.xai import XAISimulator, accept_grok_models

__all__ = [
    "AzureOpenAISimulator",
    "BareCall",
    "Brain",
    "Call",
    "DashScopeSimulator",
    "Drop",
    "Endless",
    "ErrorEvent",
    "Fail",
    "GeminiSimulator",
    "Incomplete",
    "Midpoint",
    "Midway",
    "NoUsage",
    "OpenAISimulator",
    "OpenAISimulatorStatistics",
    "Overlap",
    "Part",
    "Raw",
    "Repeatable",
    "Reply",
    "Say",
    "ScriptError",
    "ScriptedBrain",
    "SimulatorError",
    "Stall",
    "TranscriptOrder",
    "TranscriptionFailed",
    "Turn",
    "Twice",
    "XAISimulator",
    "accept_any_deployment",
    "accept_any_key",
    "accept_grok_models",
    "accept_live_models",
    "accept_omni_models",
    "accept_realtime_models",
    "buzz",
    "load_script",
    "read_script",
]
