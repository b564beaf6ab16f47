"""Actors as lines that fit a terminal: plain code, without I/O."""

from collections.abc import Callable, Mapping

import attrs

from realtime_actors.actors import ActorStatistics, ActorTree

__all__ = ["ORDERS", "Frame", "Sample", "render"]


@attrs.frozen
class Sample:
    """The actors at a moment, in seconds of any clock."""

    at: float
    tree: ActorTree


@attrs.frozen
class Frame:
    """What is to be seen."""

    summary: str
    heading: str
    rows: list[str]


def _busy(actor: ActorStatistics) -> float:
    return actor.in_hand_s or 0.0


ORDERS: Mapping[str, Callable[[ActorStatistics, float], float] | None] = {
    "tree": None,
    "rate": lambda _, rate: rate,
    "handled": lambda actor, _: actor.handled,
    "mailbox": lambda actor, _: actor.queued + actor.queued_control,
    "peak": lambda actor, _: actor.peak,
    "dropped": lambda actor, _: actor.dropped,
    "restarts": lambda actor, _: actor.restarts,
    "busy": lambda actor, _: _busy(actor),
}
"""By what actors can be sorted, the most first; the tree's own order has no measure."""

_NUMBERS = ("msg/s", "handled", "mailbox", "peak", "dropped", "restarts")
_HEADINGS = ("actor", "class", "state", *_NUMBERS, "in hand")
_DISPENSABLE = ("peak", "class", "handled", "state", "restarts", "dropped", "in hand", "mailbox")
"""Columns that go where there is no room for them, the first one first."""
_LEAST = 24  # characters for the actor's name, before another column goes
_LEAST_IN_HAND = 16


def render(
    now: Sample, before: Sample | None, order: str = "tree", *, width: int | None = None, height: int | None = None
) -> Frame:
    """The frame for a sample, with rates from the one before.

    Its lines are no longer than `width`; heading and rows are no more than `height`.
    """
    rates = _rates(now, before)
    actors = list(now.tree.actors)
    measure = ORDERS[order]
    if measure is not None:
        actors.sort(key=lambda actor: (-measure(actor, rates.get(actor.path, 0.0)), actor.path))
    left_out = 0
    if height is not None and len(actors) > height - 1:
        kept = max(0, height - 2)
        left_out = len(actors) - kept
        del actors[kept:]
    cells = [_cells(actor, rates.get(actor.path), in_tree=measure is None) for actor in actors]
    heading, rows = _columns([dict(zip(_HEADINGS, _HEADINGS, strict=True)), *cells], width, in_tree=measure is None)
    if left_out:
        rows.append(_cut(f"and {left_out} more", width))
    return Frame(_cut(_summary(now.tree, rates if before is not None else None), width), heading, rows)


def _rates(now: Sample, before: Sample | None) -> dict[str, float]:
    """Messages a second, by path."""
    if before is None or now.at <= before.at:
        return {}
    handled = {actor.path: actor.handled for actor in before.tree.actors}
    rates: dict[str, float] = {}
    for actor in now.tree.actors:
        since = handled.get(actor.path, 0)
        # Fewer than before: another actor has the name now.
        rates[actor.path] = (actor.handled - since if actor.handled >= since else actor.handled) / (now.at - before.at)
    return rates


def _summary(tree: ActorTree, rates: Mapping[str, float] | None) -> str:
    actors = tree.actors
    running = sum(actor.state == "running" for actor in actors)
    parts = [f"{len(actors)} actor{'s' if len(actors) != 1 else ''}", f"{running} running"]
    if rates is not None:
        parts.append(f"{_number(sum(rates.values()))} messages/s")
    parts += [
        f"{sum(actor.queued + actor.queued_control for actor in actors)} queued",
        f"{sum(actor.dropped for actor in actors)} dropped",
        f"{sum(actor.restarts for actor in actors)} restarts",
    ]
    return ", ".join(parts)


def _cells(actor: ActorStatistics, rate: float | None, *, in_tree: bool) -> dict[str, str]:
    control = f"+{actor.queued_control} " if actor.queued_control else ""
    return {
        "actor": "  " * actor.path.count(".") + actor.path.rpartition(".")[2] if in_tree else actor.path,
        "class": actor.kind,
        "state": actor.state,
        "msg/s": "" if rate is None else _number(rate),
        "handled": str(actor.handled),
        "mailbox": f"{control}{actor.queued}/{actor.capacity}",
        "peak": str(actor.peak),
        "dropped": str(actor.dropped),
        "restarts": str(actor.restarts),
        "in hand": "" if actor.in_hand is None else f"{actor.in_hand} {_busy(actor):.1f} s",
    }


def _columns(table: list[dict[str, str]], width: int | None, *, in_tree: bool) -> tuple[str, list[str]]:
    has_rates = width is not None or any(row["msg/s"] for row in table[1:])
    widths = {name: max(len(row[name]) for row in table) for name in _HEADINGS if name != "msg/s" or has_rates}
    if width is not None:
        _fit(widths, width)

    def line(row: dict[str, str]) -> str:
        cells: list[str] = []
        for name, room in widths.items():
            if name == "actor":
                # A path is told from others by its end, a name in the tree by its beginning.
                cells.append((_cut(row[name], room) if in_tree else _cut_front(row[name], room)).ljust(room))
            else:
                cells.append(row[name].rjust(room) if name in _NUMBERS else row[name].ljust(room))
        return _cut("  ".join(cells).rstrip(), width)

    heading, *rows = map(line, table)
    return heading, rows


def _fit(widths: dict[str, int], width: int) -> None:
    """Leave columns out, and cut the actors' names, until all of it fits."""

    def spare() -> int:
        return width - sum(widths.values()) - 2 * (len(widths) - 1)

    widths["in hand"] = min(widths["in hand"], _LEAST_IN_HAND)
    for name in _DISPENSABLE:
        if spare() >= min(0, _LEAST - widths["actor"]):
            break
        del widths[name]
    widths["actor"] = max(1, widths["actor"] + min(0, spare()))
    if "in hand" in widths:  # the last one takes what is left
        widths["in hand"] += max(0, spare())


def _number(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: max(0, width - 1)] + "…"[:width]


def _cut_front(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
