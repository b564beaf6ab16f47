"""The actor kernel."""

from .messages import droppable

__all__ = ["droppable"]
