"""OpenTelemetry traces: a span for each message that is handled. Needs the extra `opentelemetry`."""

from .instrument import OpenTelemetryInstrument

__all__ = ["OpenTelemetryInstrument"]
