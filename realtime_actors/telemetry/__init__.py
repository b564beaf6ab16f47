"""What a runtime tells those who operate it: its actors on a signal, OpenTelemetry traces, Prometheus metrics.

`opentelemetry` and `prometheus`, each with an extra of its name, are packages below this one.
"""

from .dump import dump_on_signal
from .errors import MissingExtra

__all__ = ["MissingExtra", "dump_on_signal"]
