"""What telemetry raises.

::

    RealtimeError
    └── MissingExtra   an integration's package is not installed; also an ImportError
"""

from realtime_actors.actors import RealtimeError

__all__ = ["MissingExtra"]


class MissingExtra(RealtimeError, ImportError):
    """The package behind an integration is not installed; the message says how to install it."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"this needs the extra: pip install 'realtime_actors[{extra}]'")
