"""The transport of everything that is given no other."""

import os
from collections.abc import Callable

from realtime_actors.transports.client import StreamTransport
from realtime_actors.transports.direct import DirectTransport
from realtime_actors.transports.errors import UnknownTransport
from realtime_actors.transports.trio_websocket import TrioWebSocketTransport

__all__ = ["TRANSPORT_VARIABLE", "default_transport"]

TRANSPORT_VARIABLE = "REALTIME_ACTORS_TRANSPORT"
"""The environment variable that chooses a backend for the whole process: `direct` or `trio-websocket`."""

_BACKENDS: dict[str, Callable[[], StreamTransport]] = {
    "direct": DirectTransport,
    "trio-websocket": TrioWebSocketTransport,
}
_FASTEST = "direct"  # docs/transports.md has the measurements


def default_transport() -> StreamTransport:
    """A new transport of the kind that `REALTIME_ACTORS_TRANSPORT` names; without it, of the fastest.

    Raises `UnknownTransport`.
    """
    name = os.environ.get(TRANSPORT_VARIABLE) or _FASTEST
    if name not in _BACKENDS:
        raise UnknownTransport(f"{TRANSPORT_VARIABLE} is {name!r}: set it to {' or '.join(_BACKENDS)}, or not at all")
    return _BACKENDS[name]()
