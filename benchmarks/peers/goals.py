"""What is to be reached against the peers, and what was: a table from a report."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from benchmarks.report import Report
from benchmarks.runner import Result
from benchmarks.statistics import percentile, ratios

from .catalogue import AGENTSCOPE_1, FLOOR, GROUP, OPENAI_AGENTS, OURS, PEERS

__all__ = ["BEST_PEER", "GOALS", "GROUP", "Goal", "Outcome", "comparison", "of", "outcomes", "table"]

BEST_PEER = "the best peer"
"""Of each round."""


@attrs.frozen
class Goal:
    """One line: what of ours, in the terms of what else, and how much of it at most, or `at_least`.

    Without `to` the bound is in the measure's unit.
    """

    what: str
    label: str
    measure: str
    bound: float
    to: str | None = None
    at_least: bool = False
    stretch: bool = False
    """Whether it would be good to reach, and is not asked for."""
    ours: str = OURS


@attrs.frozen
class Outcome:
    """What became of a goal; None is what was not measured."""

    goal: Goal
    unit: str = ""
    value: float | None = None
    theirs: float | None = None
    ratio: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it was reached."""
        reached = self.value if self.goal.to is None else self.ratio
        if reached is None:
            return None
        return reached >= self.goal.bound if self.goal.at_least else reached <= self.goal.bound


def _against(what: str, label: str, measure: str, *bounds: tuple[float, str]) -> list[Goal]:
    return [Goal(what, label, measure, bound, to) for bound, to in bounds]


GOALS: tuple[Goal, ...] = (
    *(
        goal
        for sessions in (100, 200)
        for goal in _against(
            f"CPU per delta, provider → application, {sessions} sessions",
            f"provider to application · {sessions} sessions",
            "cpu",
            (0.65, AGENTSCOPE_1),
            (1.4, FLOOR),
        )
    ),
    *_against(
        "p99 delivery, 200 sessions",
        "provider to application · 200 sessions",
        "p99",
        (0.25, OPENAI_AGENTS),
        (3.0, FLOOR),
    ),
    Goal("sessions that one core carries, p99 < 20 ms", "sessions per core", "sessions", 1.5, BEST_PEER, at_least=True),
    Goal("the same", "sessions per core", "sessions", 3.0, BEST_PEER, at_least=True, stretch=True),
    *_against(
        "CPU per audio append, 20 sessions paced", "application to provider · 20 sessions", "cpu", (0.6, AGENTSCOPE_1)
    ),
    *_against("flood, CPU per delta, 1 session", "flood · 1 session", "cpu", (0.5, AGENTSCOPE_1)),
    *_against("flood, CPU per delta, 20 sessions", "flood · 20 sessions", "cpu", (0.5, AGENTSCOPE_1)),
    *_against(
        "provider → frontend, JSON, CPU per delta, paced",
        "provider to frontend · 100 sessions",
        "cpu",
        (0.85, AGENTSCOPE_1),
    ),
    *_against(
        "provider → frontend, JSON, CPU per delta, flood",
        "flood to frontends · 20 sessions",
        "cpu",
        (0.6, AGENTSCOPE_1),
    ),
    Goal(
        "each further frontend on an agent, of the CPU with 1",
        "frontends on one agent",
        "further of 1",
        30.0,
        ours="gateway, JSON",
    ),
    *_against("room of 8: CPU per append to a listener", "room · 8 agents", "cpu", (0.7, AGENTSCOPE_1)),
    Goal("interrupted under a flood: deltas seen after the end", "interruption under a flood", "after the end", 0.0),
    Goal(
        "barge-in: handled → cancel on the wire, 100 others, p99",
        "interruption in passes · 100 others stream",
        "passes",
        3.0,
        ours="gateway",
    ),
    Goal("the same", "interruption in passes · 100 others stream", "p99", 2.0, stretch=True, ours="gateway"),
    Goal("consumer of 20 events/s, flood of 8 s: growth", "slow consumer", "growth", 10.0),
    Goal("memory of a session, idle", "memory of a session", "idle", 72.0),
    Goal("memory of a session, after a turn", "memory of a session", "after a turn", 72.0),
    *_against("the same", "memory of a session", "after a turn", (0.7, AGENTSCOPE_1)),
)


def outcomes(report: Report, goals: Sequence[Goal] = GOALS) -> list[Outcome]:
    """What became of the goals."""
    by_label = {result.label: result for result in report.results}
    return [_outcome(goal, by_label.get(goal.label)) for goal in goals]


def _outcome(goal: Goal, result: Result | None) -> Outcome:
    if result is None or goal.measure not in result.measures:
        return Outcome(goal)
    rounds = result.rounds
    if goal.to == BEST_PEER:
        rounds = [_with_best(each, goal.measure, result) for each in rounds]
    found = [each[goal.ours][goal.measure] for each in rounds if goal.measure in each.get(goal.ours, {})]
    theirs = [each[goal.to][goal.measure] for each in rounds if goal.to and goal.measure in each.get(goal.to, {})]
    compared = ratios(rounds, goal.measure, goal.ours, goal.to) if goal.to else []
    return Outcome(
        goal,
        unit=result.measures[goal.measure],
        value=percentile(found, 50) if found else None,
        theirs=percentile(theirs, 50) if theirs else None,
        ratio=percentile(compared, 50) if compared else None,
    )


def _with_best(played: dict[str, dict[str, float]], measure: str, result: Result) -> dict[str, dict[str, float]]:
    theirs = [played[peer.name][measure] for peer in PEERS if measure in played.get(peer.name, {})]
    best = max if result.more_is_better else min
    return {**played, BEST_PEER: {measure: best(theirs)}} if theirs else played


def of(report: Report) -> str:
    """All that is said of the peers."""
    return (
        f"Ours against the peers: medians (what ours is of theirs)\n\n{comparison(report)}\n\nGoals\n\n{table(report)}"
    )


def table(report: Report) -> str:
    """The goals, what was reached, and whether that is enough: Markdown, aligned for a terminal."""
    lines = [("", "ours", "compared to", "theirs", "ratio", "goal", "")]
    for each in outcomes(report):
        sign = "≥" if each.goal.at_least else "≤"
        bound = f"{sign} {each.goal.bound:g}" + ("x" if each.goal.to else f" {each.unit}")
        verdict = {None: "not measured", True: "met", False: "MISSED"}[each.met]
        if each.goal.stretch:
            bound, verdict = f"stretch: {bound}", verdict.lower().replace("missed", "not reached")
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        numbers = (_number(each.value, each.unit), each.goal.to or "", _number(each.theirs, each.unit), ratio)
        lines.append((each.goal.what, *numbers, bound.rstrip(), verdict))
    return _markdown(lines)


def comparison(report: Report) -> str:
    """Each measure of each contestant, and what ours is of it."""
    contestants = [OURS, *(peer.name for peer in PEERS)]
    lines: list[tuple[str, ...]] = [("", *contestants)]
    for result in report.results:
        if result.group != GROUP:
            continue
        for measure, unit in result.measures.items():
            cells: list[str] = []
            for contestant in contestants:
                found, ratio = result.values(contestant, measure), result.ratio(OURS, measure, contestant)
                number = _number(found.median if found else None, unit)
                cells.append(f"{number} ({ratio.median:.2f})" if ratio and contestant != OURS else number)
            lines.append((f"{result.label}: {measure}", *cells))
    return _markdown(lines)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}".rstrip() if value >= 100 or value == int(value) else f"{value:.3g} {unit}".rstrip()


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rows.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rows)
