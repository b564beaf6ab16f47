"""Which connections a server takes."""

import ipaddress
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

__all__ = ["Door", "network_of"]


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
    open: int = attrs.field(init=False, default=0)
    refusing: int = attrs.field(init=False, default=0)
    _by_address: Counter[str] = attrs.field(init=False, factory=Counter[str])
    _requests: dict[trio.CancelScope, None] = attrs.field(init=False, factory=dict[trio.CancelScope, None])

    def refusal(self, address: str) -> tuple[int, str] | None:
        """The HTTP status and the words for one more connection of an address, if there is no room for it."""
        if self.max_per_address is not None and self._by_address[address] >= self.max_per_address:
            return 429, f"there are {self.max_per_address} connections from your address already; close some"
        if self.open >= self.max_connections:
            return 503, "too many connections; try again later"
        return None

    @contextmanager
    def enter(self, address: str) -> Generator[None]:
        """Count a connection."""
        self.open += 1
        self._by_address[address] += 1
        try:
            yield
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
