"""Prometheus metrics of a runtime. Needs the extra `prometheus`."""

from .instrument import PrometheusInstrument

__all__ = ["PrometheusInstrument"]
