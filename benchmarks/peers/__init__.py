"""What others take for the same work, each in an environment of its own: `python -m benchmarks --peers`."""

from __future__ import annotations
