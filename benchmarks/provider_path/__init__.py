"""What it costs to hear a provider, and to speak to it, against bare sockets that do nothing else."""

from .catalogue import benchmarks

__all__ = ["benchmarks"]
