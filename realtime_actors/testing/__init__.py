"""What tests of one's own actors and agents need: `realtime_actors.testing.fixtures` has it as fixtures of pytest."""

from realtime_actors.transports import MemoryTransport

from .errors import ExpectationFailed, InvalidExpectation
from .faults import Cut, Delay, Direction, Fault, FaultyTransport, Garbage, Refuse
from .invariants import InvariantBroken, Invariants
from .probe import Probe
from .recording import Recording, RecordingTransport
from .runtime import Failures, open_test_runtime, run_virtual
from .script import Disconnect, Emit, Expect, Pause, Step, reply_events
from .scripted_model import ScriptedModel
from .simulated import SimulatedOpenAI, simulate_openai
from .wrapped import WrappedTransport, WrappedWebSocket

__all__ = [
    "Cut",
    "Delay",
    "Direction",
    "Disconnect",
    "Emit",
    "Expect",
    "ExpectationFailed",
    "Failures",
    "Fault",
    "FaultyTransport",
    "Garbage",
    "InvalidExpectation",
    "InvariantBroken",
    "Invariants",
    "MemoryTransport",
    "Pause",
    "Probe",
    "Recording",
    "RecordingTransport",
    "Refuse",
    "ScriptedModel",
    "SimulatedOpenAI",
    "Step",
    "WrappedTransport",
    "WrappedWebSocket",
    "open_test_runtime",
    "reply_events",
    "run_virtual",
    "simulate_openai",
]
