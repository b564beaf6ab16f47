"""Which connections a server takes."""

import ipaddress
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from realtime_actors.transports._pace import TokenBucket

__all__ = ["Door", "network_of"]


_BURST = 5.0  # seconds' worth of new connections that may come at once
_ADDRESSES = 1024  # of which it is known how fast they came; others begin anew


def network_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which one customer has."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


@attrs.define
class Door:
    """Counts connections, and keeps those that are not yet WebSockets few."""

    max_connections: int
    max_per_address: int | None
    max_requests: int
    max_new_per_second: float | None = None
    longest_pause: float = 0
    """Seconds for which a new connection may be held back when its address was too fast."""
    open: int = attrs.field(init=False, default=0)
    refusing: int = attrs.field(init=False, default=0)
    _by_address: Counter[str] = attrs.field(init=False, factory=Counter[str])
    _arrivals: dict[str, TokenBucket] = attrs.field(init=False, factory=dict[str, TokenBucket])
    """The address that came last at the end."""
    _requests: dict[trio.CancelScope, None] = attrs.field(init=False, factory=dict[trio.CancelScope, None])

    def refusal(self, address: str, now: float) -> tuple[int, str] | None:
        """The HTTP status and the words for one more connection of an address, if there is no room for it."""
        if self.max_per_address is not None and self._by_address[address] >= self.max_per_address:
            return 429, f"there are {self.max_per_address} connections from your address already; close some"
        if self.open >= self.max_connections:
            return 503, "too many connections; try again later"
        if self._pause(address, 0, now) > self.longest_pause:
            return 429, f"more than {self.max_new_per_second:g} new connections a second from your address; wait a bit"
        return None

    def _pause(self, address: str, count: int, now: float) -> float:
        """How many seconds so many new connections of an address have to wait."""
        rate = self.max_new_per_second
        if rate is None:
            return 0
        arrivals = self._arrivals.pop(address, None) or TokenBucket(rate, rate * _BURST, rate * _BURST)
        if len(self._arrivals) >= _ADDRESSES:
            del self._arrivals[next(iter(self._arrivals))]
        self._arrivals[address] = arrivals
        return arrivals.take(count, now)

    @contextmanager
    def enter(self, address: str, now: float) -> Generator[float]:
        """Count a connection; gives the seconds for which it has to wait at first."""
        self.open += 1
        self._by_address[address] += 1
        try:
            yield self._pause(address, 1, now)
        finally:
            self.open -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    @contextmanager
    def refuse(self) -> Generator[None]:
        """Count a connection that is told that there is no room."""
        self.refusing += 1
        try:
            yield
        finally:
            self.refusing -= 1

    @contextmanager
    def request(self) -> Generator[trio.CancelScope]:
        """What a connection does that is no WebSocket; when these are too many, the one that began first is cut.

        Whoever means well needs some milliseconds here, so those are not the oldest.
        """
        if len(self._requests) >= self.max_requests:
            oldest = next(iter(self._requests))
            del self._requests[oldest]
            oldest.cancel()
        with trio.CancelScope() as scope:
            self._requests[scope] = None
            try:
                yield scope
            finally:
                self._requests.pop(scope, None)
