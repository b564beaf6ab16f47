"""Spans around messages, as OpenTelemetry's conventions for messaging have them.

Names are those of https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ (1.44, in development).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

import attrs

from realtime_actors import __version__
from realtime_actors.actors import Instrument, Ref
from realtime_actors.telemetry.errors import MissingExtra

try:
    from opentelemetry import trace
    from opentelemetry.context import Context, attach, get_current
except ImportError as error:
    raise MissingExtra("opentelemetry") from error

__all__ = ["OpenTelemetryInstrument"]


class OpenTelemetryInstrument(Instrument):
    """Makes a span of each message that an actor handles: `open_runtime(instruments=[OpenTelemetryInstrument()])`.

    Its parent is the span in which the message was sent, another actor's or the host's own, and it is the current
    span in the handler. It is named `process <message type>`, is of kind CONSUMER, and has the attributes
    `messaging.system` (`realtime_actors`), `messaging.operation.name` and `.type` (`process`),
    `messaging.destination.name` (the actor's path), `realtime_actors.message.type`, and
    `realtime_actors.message.waited` (seconds in the mailbox). An exception of the handler is recorded, with
    `error.type`; a handler that is cancelled by a stop has not failed.

    Without `tracer_provider` the global one is used. Messages of the types in `skip` have no span: what their handlers
    send has the parent that they had themselves.
    """

    def __init__(
        self, *, tracer_provider: trace.TracerProvider | None = None, skip: tuple[type, ...] | type = ()
    ) -> None:
        self._tracer = trace.get_tracer("realtime_actors", __version__, tracer_provider)
        self._skip = skip

    def sending(self, ref: Ref, message: object, trace: object | None) -> object | None:
        """The sender's context of OpenTelemetry; where there is none, what the sender's message came with."""
        return get_current() or trace

    def handling(
        self, ref: Ref, message: object, trace: object | None, waited: float
    ) -> AbstractContextManager[object]:
        """The span."""
        parent = trace if isinstance(trace, Context) else Context()
        return _Handling(None if isinstance(message, self._skip) else self._tracer, parent, ref.path, message, waited)


@attrs.define(eq=False)
class _Handling(AbstractContextManager[None]):
    tracer: trace.Tracer | None
    parent: Context
    path: str
    message: object
    waited: float
    span: trace.Span = trace.INVALID_SPAN

    def __enter__(self) -> None:
        context = self.parent
        if self.tracer is not None:
            kind = type(self.message).__name__
            self.span = self.tracer.start_span(
                f"process {kind}",
                context=self.parent,
                kind=trace.SpanKind.CONSUMER,
                attributes={
                    "messaging.system": "realtime_actors",
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": self.path,
                    "realtime_actors.message.type": kind,
                    "realtime_actors.message.waited": self.waited,
                },
            )
            context = trace.set_span_in_context(self.span, self.parent)
        # Not detached: the task is the lane's own, the next message takes its place, and what the kernel sends in
        # between (a message that the handler forwards) belongs to this one.
        attach(context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.span.record_exception(error)
            self.span.set_attribute("error.type", _name(type(error)))
            self.span.set_status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}")
        self.span.end()


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
