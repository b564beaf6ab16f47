"""How long a turn takes, and what it costs. Plain code: it is given the time."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from realtime_actors.events import (
    AgentInputDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentTurnMeasured,
    ServerEvent,
)

__all__ = ["GetTurnStatistics", "Measures", "Percentiles", "SentToFrontend", "TurnStatistics"]

MOST_TURNS = 1000
"""Turns of which an agent's statistics are."""
PATIENCE = 1.0
"""Seconds after the end of a reply in which a frontend's socket may take what is left of it."""

Source = Literal["speech", "text", "request", "model"]
"""What a turn began with: speech, a text, a request for a reply, or the model's own idea."""


@attrs.frozen
class SentToFrontend:
    """Published on `frontends.<agent id>`: a frontend's socket took the first audio of a reply, or its end."""

    response_id: str
    what: Literal["first_audio", "end"]


@attrs.frozen
class GetTurnStatistics:
    """Ask an agent this for its `TurnStatistics`."""


@attrs.frozen
class Percentiles:
    """Of one time, in ms, over `count` turns that had it."""

    count: int
    p50: float
    p95: float
    p99: float


@attrs.frozen
class TurnStatistics:
    """An agent's last turns, `MOST_TURNS` at most. `times` has the keys of `AgentTurnMeasured.times`."""

    turns: int
    times: Mapping[str, Percentiles]
    input_tokens: int
    output_tokens: int


@attrs.define
class _Turn:
    source: Source
    began: float
    """When the user's part was over, on the clock of whoever gives the times."""
    times: dict[str, float] = attrs.field(factory=dict[str, float])
    tools: dict[str, float] = attrs.field(factory=dict[str, float])
    response_ids: list[str] = attrs.field(factory=list[str])
    interrupted: float | None = None
    done: AgentResponseDone | None = None
    input_tokens: int = 0
    output_tokens: int = 0

    def mark(self, name: str, now: float, since: float | None = None) -> None:
        """A time, the first time."""
        self.times.setdefault(name, (now - (self.began if since is None else since)) * 1000)


@attrs.define
class Measures:
    """The times of one agent's turns. What is measured of a turn is returned when all of it is known."""

    awaits_audio: str = attrs.field(init=False, default="")
    """The response whose first audio has not come."""
    _turn: _Turn | None = attrs.field(init=False, default=None)
    """The one whose reply has not ended."""
    _ended: _Turn | None = attrs.field(init=False, default=None)
    """The one whose end has not been sent."""
    _asked: _Turn | None = attrs.field(init=False, default=None)
    """The one whose reply has not begun."""
    _tools: dict[str, tuple[str, float]] = attrs.field(init=False, factory=dict[str, tuple[str, float]])
    _has_frontend: bool = attrs.field(init=False, default=False)
    _history: deque[AgentTurnMeasured] = attrs.field(
        init=False, factory=lambda: deque[AgentTurnMeasured](maxlen=MOST_TURNS)
    )

    def asked(self, source: Source, now: float) -> None:
        """The user's part of a turn is over."""
        self._asked = _Turn(source, now)

    def _created(self, response_id: str, now: float) -> list[AgentTurnMeasured]:
        """A response begins: the reply to what was asked, or what follows the calls of the one before."""
        measured: list[AgentTurnMeasured] = []
        if self._asked is not None or self._turn is None:
            measured = self.settled() + self._over()
            self._turn, self._asked = self._asked or _Turn("model", now), None
            self._turn.mark("response", now)
        assert self._turn is not None
        self._turn.response_ids.append(response_id)
        if "first_audio" not in self._turn.times:
            self.awaits_audio = response_id
        return measured

    def first_audio(self, now: float) -> None:
        """The first audio of the response for which it was awaited has come."""
        self.awaits_audio = ""
        if self._turn is not None:
            self._turn.mark("first_audio", now)

    def sent(self, sent: SentToFrontend, now: float) -> list[AgentTurnMeasured]:
        """A frontend's socket has taken something."""
        self._has_frontend = True
        for turn in (self._turn, self._ended):
            if turn is None or sent.response_id not in turn.response_ids:
                continue
            if sent.what == "first_audio":
                turn.mark("first_audio_sent", now)
            elif turn.interrupted is not None:
                turn.mark("silence", now, turn.interrupted)
            if turn is self._ended and sent.what == "end" and turn.response_ids[-1] == sent.response_id:
                return self.settled()
        return []

    def saw(self, event: ServerEvent, now: float) -> list[AgentTurnMeasured]:
        """The agent publishes something that is no delta."""
        match event:
            case AgentInputDone():
                self.asked("speech", now)
            case AgentResponseCreated(response_id):
                return self._created(response_id, now)
            case AgentResponseToolUseDone(tool_use=use):
                self._tools[use.id] = use.name, now
            case AgentResponseToolResult(tool_result=result):
                self._tool_ended(result.id, now)
            case AgentResponseDone():
                return self._done(event, now)
            case _:
                pass
        return []

    def _tool_ended(self, call_id: str, now: float) -> None:
        name, began = self._tools.pop(call_id, ("", now))
        if name and self._turn is not None:
            self._turn.tools[name] = self._turn.tools.get(name, 0.0) + (now - began) * 1000

    def _done(self, done: AgentResponseDone, now: float) -> list[AgentTurnMeasured]:
        """A response has ended. While it has calls, the turn goes on."""
        turn = self._turn
        if turn is None or done.response_id not in turn.response_ids:
            return []
        turn.input_tokens += done.input_tokens
        turn.output_tokens += done.output_tokens
        turn.done = done
        turn.times["done"] = (now - turn.began) * 1000
        status = done.metadata.get("status", "completed")
        if status == "cancelled":
            turn.interrupted = now
        if self._tools and status == "completed":
            return []
        self._tools.clear()
        return self._over()

    def settled(self) -> list[AgentTurnMeasured]:
        """Nothing more is waited for of the turn that is over."""
        turn, self._ended = self._ended, None
        return [] if turn is None else [self._measured(turn)]

    @property
    def unsettled(self) -> bool:
        """Whether the end of a turn has to be sent before all of it is known."""
        return self._ended is not None

    def close(self) -> list[AgentTurnMeasured]:
        """The agent ends: what frontends take from now on is not waited for."""
        self._has_frontend = False
        return self.settled()

    def statistics(self) -> TurnStatistics:
        """Of the last turns."""
        times: dict[str, list[float]] = {}
        for turn in self._history:
            for name, value in turn.times.items():
                times.setdefault(name, []).append(value)
        return TurnStatistics(
            len(self._history),
            {name: _percentiles(values) for name, values in times.items()},
            sum(turn.input_tokens for turn in self._history),
            sum(turn.output_tokens for turn in self._history),
        )

    def _over(self) -> list[AgentTurnMeasured]:
        turn, self._turn, self.awaits_audio = self._turn, None, ""
        if turn is None or turn.done is None:
            return []
        self._ended = turn
        return [] if self._has_frontend else self.settled()

    def _measured(self, turn: _Turn) -> AgentTurnMeasured:
        assert turn.done is not None
        measured = AgentTurnMeasured(
            turn.done.response_id,
            turn.done.agent_id,
            turn.done.agent_name,
            turn.source,
            turn.done.metadata.get("status", "completed"),
            {name: round(value, 3) for name, value in turn.times.items()},
            {name: round(value, 3) for name, value in turn.tools.items()},
            turn.input_tokens,
            turn.output_tokens,
        )
        self._history.append(measured)
        return measured


def _percentiles(values: Iterable[float]) -> Percentiles:
    ordered = sorted(values)
    if len(ordered) == 1:
        return Percentiles(1, ordered[0], ordered[0], ordered[0])
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    return Percentiles(len(ordered), cuts[49], cuts[94], cuts[98])
