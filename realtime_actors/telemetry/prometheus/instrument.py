"""Metrics of messages and of what happens to actors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

import attrs
import trio

from realtime_actors.actors import (
    Actor,
    ActorRestarting,
    ActorStarted,
    ActorTerminated,
    DeadLetter,
    Instrument,
    Lost,
    MessagesDropped,
    Ref,
    Subscription,
)
from realtime_actors.events import AgentTurnMeasured
from realtime_actors.telemetry.errors import MissingExtra

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
except ImportError as error:
    raise MissingExtra("prometheus") from error

from .observer import MetricsObserver

__all__ = ["PrometheusInstrument"]

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UNKNOWN = "unknown"


@attrs.frozen
class _Series:
    """The metrics of one class of actors with one type of messages."""

    handled: Counter
    failed: Counter
    duration: Histogram
    wait: Histogram


class PrometheusInstrument(Instrument):
    """Counts and times messages, and what happens to actors::

        metrics = PrometheusInstrument()
        async with open_runtime(instruments=[metrics]) as runtime:
            await runtime.spawn(metrics.observer(), name="metrics")
            start_http_server(9100)

    It is the same for a runtime of `realtime_actors.asyncio`. A scrape may come in any thread.

    Labels are the actor's class and the message's type, never a path, so that there are no more series than there is
    code. Times are seconds, in histograms with these `buckets`. One for each runtime, each with a `registry` of its
    own: one registry takes each metric's name once.
    """

    def __init__(self, *, registry: CollectorRegistry = REGISTRY, buckets: Sequence[float] = _BUCKETS) -> None:
        self._registry = registry
        self._series: dict[tuple[str, type], _Series] = {}
        labels = ("actor", "message")

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"realtime_actors_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, *names: str) -> Histogram:
            return Histogram(f"realtime_actors_{name}", what, names or labels, registry=registry, buckets=buckets)

        self._handled = counter("messages_handled", "Messages whose handler returned.", *labels)
        self._failed = counter("messages_failed", "Messages whose handler raised: the actor crashed.", *labels)
        self._duration = histogram("handler_seconds", "How long handlers took.")
        self._wait = histogram("mailbox_wait_seconds", "How long messages waited until they were handled.")
        self._started = counter("started", "Lives that began, restarts included.", "actor")
        self._restarts = counter("restarts", "Lives that ended and were followed by another.", "actor")
        self._terminated = counter("terminated", "Actors that ended for good, by reason.", "reason")
        self._dead_letters = counter(
            "dead_letters", "Messages that nobody handled, and answers that came too late.", "reason", "message"
        )
        self._dropped = counter("messages_dropped", "Messages that a full queue dropped.", "queue")
        self._lost = counter("events_lost", "Happenings that came too fast to be counted in the metrics.")

        self._turns = counter("turns", "Turns of agents whose reply is over.", "source", "status")
        self._turn_times = histogram("turn_seconds", "Times of turns, since the user's part was over.", "time")
        self._tools = histogram("tool_seconds", "How long tools took, of one turn together.", "tool")
        self._tokens = counter("tokens", "Tokens that the providers count.", "direction")

    def observer(self) -> Actor:
        """An actor that counts what happens to others, and has them looked at in each scrape, for as long as it lives.

        Spawn it in the runtime that is to be observed; messages are counted without it. Its start raises `ValueError`
        when another runtime is observed with the same registry.
        """
        return MetricsObserver(self._registry, self._count, self._count_turns)

    def handling(
        self, ref: Ref, message: object, trace: object | None, waited: float
    ) -> AbstractContextManager[object]:
        """Count and time a message."""
        key = (ref.kind, type(message))
        series = self._series.get(key)
        if series is None:
            labels = (key[0], key[1].__name__)
            series = self._series[key] = _Series(
                self._handled.labels(*labels),
                self._failed.labels(*labels),
                self._duration.labels(*labels),
                self._wait.labels(*labels),
            )
        series.wait.observe(waited)
        return _Timed(series)

    async def _count(self, happenings: Subscription, find: Callable[[str], Ref | None]) -> None:
        def kind_of(path: str) -> str:
            """The class of the actor that has a path now."""
            ref = find(path)
            return _UNKNOWN if ref is None else ref.kind

        async for happening in happenings:
            match happening:
                case ActorStarted(path=path):
                    self._started.labels(kind_of(path)).inc()
                case ActorRestarting(path=path):
                    self._restarts.labels(kind_of(path)).inc()
                case ActorTerminated(reason=reason):
                    self._terminated.labels(reason).inc()
                case DeadLetter(message=message, reason=reason):
                    self._dead_letters.labels(reason, type(message).__name__).inc()
                case MessagesDropped(queue=queue, count=count):
                    kind = kind_of(queue)
                    self._dropped.labels("subscription" if kind == _UNKNOWN else kind).inc(count)
                case Lost(count=count):
                    self._lost.inc(count)
                case _:
                    pass

    async def _count_turns(self, turns: Subscription) -> None:
        async for turn in turns:
            match turn:
                case AgentTurnMeasured():
                    self._turns.labels(turn.source, turn.status).inc()
                    for name, ms in turn.times.items():
                        self._turn_times.labels(name).observe(ms / 1000)
                    for name, ms in turn.tools.items():
                        self._tools.labels(name).observe(ms / 1000)
                    self._tokens.labels("input").inc(turn.input_tokens)
                    self._tokens.labels("output").inc(turn.output_tokens)
                case Lost(count=count):
                    self._lost.inc(count)
                case _:
                    pass


@attrs.define(eq=False)
class _Timed(AbstractContextManager[None]):
    series: _Series
    began: float = attrs.field(factory=trio.current_time)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.series.duration.observe(trio.current_time() - self.began)
        if error is None:
            self.series.handled.inc()
        elif isinstance(error, Exception):  # one that is cancelled by a stop has neither succeeded nor failed
            self.series.failed.inc()
