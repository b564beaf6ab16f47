"""What a runtime looks like at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from .ref import ActorStatistics

__all__ = ["ActorTree"]

_COLUMNS = ("actor", "class", "state", "restarts", "mailbox", "peak", "handled", "dropped", "in hand")


@attrs.frozen
class ActorTree:
    """All actors of a runtime: a frozen snapshot, parents before their children, siblings in order of their start.

    `str(tree)` is a table for people; `attrs.asdict(tree)` is plain data.
    """

    actors: tuple[ActorStatistics, ...]

    @classmethod
    def of(cls, actors: Iterable[ActorStatistics]) -> ActorTree:
        """Put actors, given in order of their start, below their parents."""
        children: dict[str, list[ActorStatistics]] = {}
        for actor in actors:
            children.setdefault(actor.path.rpartition(".")[0], []).append(actor)

        def below(path: str) -> Iterator[ActorStatistics]:
            for actor in children.get(path, ()):
                yield actor
                yield from below(actor.path)

        return cls(tuple(below("")))

    def __str__(self) -> str:
        """A line for each actor, indented as the tree is."""
        if not self.actors:
            return "no actors"
        rows = [_COLUMNS, *(_row(actor) for actor in self.actors)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def _row(actor: ActorStatistics) -> tuple[str, ...]:
    depth = actor.path.count(".")
    queued = f"{actor.queued}/{actor.capacity}" + (f" +{actor.queued_control}" if actor.queued_control else "")
    return (
        "  " * depth + actor.path.rpartition(".")[2],
        actor.kind,
        actor.state,
        str(actor.restarts),
        queued,
        str(actor.peak),
        str(actor.handled),
        str(actor.dropped),
        "" if actor.in_hand is None else f"{actor.in_hand} for {actor.in_hand_s:.3g} s",
    )
