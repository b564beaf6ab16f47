"""A model's events as an agent's: the same, with the agent's id and name."""

from __future__ import annotations

from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDelta,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioDone,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    ModelError,
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ServerEvent,
)
from realtime_actors.events.maker import maker

__all__ = ["DELTAS", "Delta", "InputEvent", "Part", "agent_event"]

Delta = ModelResponseAudioDelta | ModelResponseAudioTranscriptDelta | ModelResponseToolUseDelta
"""Pieces of a reply, which are taken back from whoever has not read them when the reply is cancelled."""

DELTAS = (AgentResponseAudioDelta, AgentResponseAudioTranscriptDelta, AgentResponseToolUseDelta)
"""What pieces of a reply are published as."""

Part = ModelResponseAudioDone | ModelResponseAudioTranscriptDone | ModelResponseToolUseDone
"""The ends of a reply's parts."""

InputEvent = ModelInputStarted | ModelInputDone | ModelInputTranscriptionDelta | ModelInputTranscriptionDone
"""What the model hears of the user."""

_audio_delta = maker(AgentResponseAudioDelta)


def agent_event(event: Delta | Part | InputEvent | ModelError, agent_id: str, name: str) -> ServerEvent:  # noqa: PLR0911 - one for each type
    """The event as the agent publishes it. The order is that of how often they come: audio first."""
    match event:
        case ModelResponseAudioDelta():  # reading its fields in a pattern would take twice as long
            return _audio_delta(event.response_id, event.item_id, event.payload, event.format, agent_id, name)
        case ModelResponseAudioTranscriptDelta(response_id, item_id, delta):
            return AgentResponseAudioTranscriptDelta(response_id, item_id, delta, agent_id, name)
        case ModelResponseToolUseDelta(response_id, item_id, use):
            return AgentResponseToolUseDelta(response_id, item_id, use, agent_id, name)
        case ModelResponseAudioDone(response_id, item_id):
            return AgentResponseAudioDone(response_id, item_id, agent_id, name)
        case ModelResponseAudioTranscriptDone(response_id, item_id, transcript):
            return AgentResponseAudioTranscriptDone(response_id, item_id, agent_id, name, transcript)
        case ModelResponseToolUseDone(response_id, item_id, use):
            return AgentResponseToolUseDone(response_id, item_id, use, agent_id, name)
        case ModelInputStarted(item_id, at_ms):
            return AgentInputStarted(item_id, at_ms, agent_id, name)
        case ModelInputDone(item_id, at_ms):
            return AgentInputDone(item_id, at_ms, agent_id, name)
        case ModelInputTranscriptionDelta(item_id, delta):
            return AgentInputTranscriptionDelta(item_id, delta, agent_id, name)
        case ModelInputTranscriptionDone(transcript, item_id, inputs, outputs):
            return AgentInputTranscriptionDone(transcript, item_id, agent_id, name, inputs, outputs)
        case ModelError(error_type, code, message):
            return AgentError(error_type, code, message, agent_id, name)
