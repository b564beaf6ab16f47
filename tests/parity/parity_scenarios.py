"""Scenarios: what a simulator's brain says and what a user does, in TOML files that know nothing of any provider.

::

    title = "A text turn"
    place = 1                      # in the table
    speed = 0                      # of the simulator: seconds of speech made in one; 0, the default, is at once
    turn_detection = "manual"      # or a table of fields of `ServerVAD`, the default
    settings = { }                 # other fields of the model
    user = [{ types = "Hi" }, { awaits = "agent_response_done" }]

    [script]                       # as a file for `realtime-actors simulate --script` is
    default = [{ say = "Hello." }]

What the user does, one step after another: `types` (text), `speaks` and `rests` (ms of speech or silence, at its pace),
`shows` (a picture of this media type), `commits`, `asks` and `cancels` (true), `instructs` (new instructions), `loses`
("the connection"), `waits` (seconds), `awaits` (an event's type, that many `times`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from realtime_actors.providers import Manual, ServerVAD

__all__ = ["SCENARIOS", "Scenario"]


@attrs.frozen(kw_only=True)
class Scenario:
    """A conversation. `name` is that of its file."""

    name: str
    title: str
    place: int
    user: Sequence[Mapping[str, Any]]
    script: Mapping[str, Any]
    speed: float = 0
    turn_detection: Mapping[str, Any] | Literal["manual"] = attrs.field(factory=dict[str, Any])
    settings: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    @classmethod
    def load(cls, path: Path) -> Scenario:
        return cls(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))

    @property
    def detection(self) -> ServerVAD | Manual:
        """The model's turn detection."""
        if isinstance(self.turn_detection, str):
            return Manual()
        return attrs.evolve(ServerVAD(silence_duration_ms=300), **self.turn_detection)


def _load(folder: Path) -> dict[str, Scenario]:
    scenarios = [Scenario.load(path) for path in folder.glob("*.toml")]
    return {each.name: each for each in sorted(scenarios, key=lambda each: each.place)}


SCENARIOS: Mapping[str, Scenario] = _load(Path(__file__).parent / "scenarios")
"""By name, in the order of their places."""
