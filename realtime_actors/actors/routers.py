"""Actors that share out what they are told among several of a kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import attrs

from .actor import Actor, Child
from .messages import Forward, receives
from .ref import Ref
from .supervision import Backoff

__all__ = ["ByKey", "RoundRobin"]


def _at_least_one(_: object, attribute: Any, value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} is {value}: a router needs 1 or more")


@attrs.define(eq=False)
class _Router(Actor):
    """Starts `size` actors of the kind of `routee`, named 1 to `size`, and gives each message to one of them.

    They are supervised one for one, with a budget in common; when that is spent, the router crashes. What a routee's
    full mailbox refuses becomes a dead letter. An `ask` is answered by the routee.
    """

    routee: Actor
    size: int = attrs.field(validator=_at_least_one)
    max_restarts: int = attrs.field(default=3, kw_only=True)
    within: float = attrs.field(default=5.0, kw_only=True)
    backoff: Backoff | None = attrs.field(default=None, kw_only=True)
    _routees: list[Ref] = attrs.field(init=False, factory=list[Ref])

    async def started(self) -> None:
        """Start the routees, all or none."""
        self._routees = await self.context.spawn_group(
            [Child(self.routee, name=str(number)) for number in range(1, self.size + 1)],
            max_restarts=self.max_restarts,
            within=self.within,
            backoff=self.backoff,
        )

    @receives
    def route(self, message: object) -> Forward:
        return Forward(self._choose(message))

    def _choose(self, message: object) -> Ref:
        raise NotImplementedError


@attrs.define(eq=False)
class RoundRobin(_Router):
    """A router that gives each message to the next of `size` actors like `routee`.

    One that is being started again is passed over while another is running. Raises `ValueError` for a size below 1.
    """

    _turns: Iterator[int] = attrs.field(init=False, factory=itertools.count)

    def _choose(self, message: object) -> Ref:
        for _ in self._routees:
            ref = self._routees[next(self._turns) % self.size]
            if ref.state == "running":
                break
        return ref  # pyright: ignore[reportPossiblyUnboundVariable] - there is one at least


@attrs.define(eq=False)
class ByKey(_Router):
    """A router that gives all messages with the same `key(message)` to the same one of `size` actors like `routee`.

    They keep their order that way. An error in `key` is the router's crash. Raises `ValueError` for a size below 1.
    """

    key: Callable[[Any], Hashable]

    def _choose(self, message: object) -> Ref:
        return self._routees[hash(self.key(message)) % self.size]
