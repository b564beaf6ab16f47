"""What a scrape reads of the actors as they are then."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import trio
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from realtime_actors.actors import ActorStatistics, ActorTree

__all__ = ["TreeCollector"]

_PATIENCE = 2.0
"""Seconds that a scrape waits for the event loop; one that blocks for longer shows in its lag."""


class TreeCollector(Collector):
    """Looks at a runtime's actors in its own thread, from whatever thread a scrape has."""

    def __init__(self, tree: Callable[[], ActorTree], token: trio.lowlevel.TrioToken) -> None:
        """`tree` is called in the thread of `token` only."""
        self._tree = tree
        self._token = token

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The metrics' names: registering must not look at the actors."""
        return [_lag(), *_families(())]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics now. Without the actors, if the event loop does not answer."""
        lag = _lag()
        began = time.monotonic()
        try:
            actors = self._look()
        except queue.Empty:
            actors = None
        except trio.RunFinishedError:
            return
        lag.add_metric((), time.monotonic() - began)
        yield lag
        if actors is not None:
            yield from _families(actors)

    def _look(self) -> tuple[ActorStatistics, ...]:
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token:
            return self._tree().actors
        seen: queue.SimpleQueue[tuple[ActorStatistics, ...]] = queue.SimpleQueue()
        self._token.run_sync_soon(lambda: seen.put(self._tree().actors))
        return seen.get(timeout=_PATIENCE)


def _lag() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "realtime_actors_event_loop_lag_seconds",
        f"How long the event loop took to answer this scrape; {_PATIENCE:g} or more: it did not.",
    )


def _families(actors: Iterable[ActorStatistics]) -> Iterator[GaugeMetricFamily]:
    number: Counter[tuple[str, ...]] = Counter()
    queued: Counter[tuple[str, ...]] = Counter()
    fullest: dict[tuple[str, ...], float] = {}
    longest: dict[tuple[str, ...], float] = {}
    for actor in actors:
        kind = (actor.kind,)
        number[actor.kind, actor.state] += 1
        queued[actor.kind, "data"] += actor.queued
        queued[actor.kind, "control"] += actor.queued_control
        fullest[kind] = max(fullest.get(kind, 0.0), actor.queued / max(1, actor.capacity))
        longest[kind] = max(longest.get(kind, 0.0), actor.in_hand_s or 0.0)
    yield _family("actors", "Actors, by class and state.", ("actor", "state"), number)
    yield _family("mailbox_messages", "Messages that wait, by class of actor.", ("actor", "lane"), queued)
    yield _family(
        "mailbox_fullest_ratio", "How full the fullest mailbox of a class is: 1 is full.", ("actor",), fullest
    )
    yield _family(
        "in_hand_seconds", "For how long the message in hand for longest, of a class, has been.", ("actor",), longest
    )


def _family(
    name: str, what: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float] | Counter[tuple[str, ...]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"realtime_actors_{name}", what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
