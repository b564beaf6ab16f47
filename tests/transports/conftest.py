"""Every test of the seam runs on each backend listed in `networks`."""

import pytest
from networks import NETWORKS, STREAM_TRANSPORTS, Network
from trio.testing import MockClock

from realtime_actors.transports import StreamTransport


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jumps once nothing has happened for 10 ms, not at once: even the loopback takes its time on a busy machine."""
    return MockClock(autojump_threshold=0.01)


@pytest.fixture
def patient_clock() -> MockClock:
    """For megabytes: while TCP's windows open and close, nothing may happen for longer."""
    return MockClock(autojump_threshold=0.1)


@pytest.fixture(params=list(NETWORKS.values()), ids=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> Network:
    """Opens a server for a `Respond` function; gives the transport to connect with, and the URL."""
    return request.param


@pytest.fixture(params=STREAM_TRANSPORTS, ids=[cls.__name__ for cls in STREAM_TRANSPORTS])
def transport(request: pytest.FixtureRequest) -> StreamTransport:
    """A backend on real sockets, for tests against a raw peer."""
    return request.param()
