"""What the actor kernel costs, against bare Trio memory channels that do the same."""

from .catalogue import benchmarks

__all__ = ["benchmarks"]
