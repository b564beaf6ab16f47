"""Every provider's model, and its simulator with a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from realtime_actors.providers import RealtimeModel, ServerVAD
from realtime_actors.simulators import Part, Reply, ScriptedBrain
from realtime_actors.simulators.server import Simulator
from tests.simulated_providers import FIVE_PROVIDERS, SIMULATED, with_turn_detection

__all__ = ["FIVE", "MODELS", "simulator_of"]

MODELS: Mapping[str, RealtimeModel] = {
    name: with_turn_detection(name, ServerVAD(silence_duration_ms=300)) for name in FIVE_PROVIDERS
}

FIVE = pytest.mark.parametrize("provider", list(MODELS))
"""For tests that hold with each of them."""


def simulator_of(
    provider: str,
    *replies: Sequence[Part] | Reply,
    transcripts: Sequence[str] = (),
    lifetime: float | None = None,
    **options: Any,
) -> tuple[Simulator, RealtimeModel]:
    """The provider's simulator, which gives these replies, and the model that talks to it.

    A session lasts `lifetime` s, of which Gemini tells by itself, and the other models know.
    """
    brain = ScriptedBrain(
        replies=[each if isinstance(each, Reply) else Reply(each) for each in replies], transcripts=transcripts
    )
    options = {"speed": 4, "seed": 1, "transcripts": "before", **options}
    model = MODELS[provider]
    if lifetime is not None:
        options["lifetime"] = lifetime
        if provider == "gemini":
            options["notice"] = lifetime / 2
        else:
            model = attrs.evolve(model, session_limit=lifetime)
    return SIMULATED[provider].simulator(brain=brain, **options), model
