"""An actor-model event bus on Trio for realtime voice agents."""

__version__ = "0.1.0"

__all__ = ["__version__"]
