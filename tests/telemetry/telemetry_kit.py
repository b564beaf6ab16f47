"""Actors that tell, ask, forward and fail."""

import attrs

from realtime_actors.actors import Actor, Forward, Ref, receives


@attrs.frozen
class Add:
    amount: int


@attrs.frozen
class GetTotal:
    pass


@attrs.frozen
class Relay:
    """Have the other told to add."""

    amount: int


@attrs.frozen
class Inquire:
    """Ask the other for its total."""


@attrs.frozen
class Fail:
    words: str


@attrs.define(eq=False)
class Counter(Actor):
    total: int = attrs.field(init=False, default=0)

    @receives
    def add(self, message: Add) -> None:
        self.total += message.amount

    @receives
    def report(self, _: GetTotal) -> int:
        return self.total

    @receives
    def fail(self, message: Fail) -> None:
        raise ValueError(message.words)


@attrs.define(eq=False)
class Clerk(Actor):
    other: Ref

    @receives
    def relay(self, message: Relay) -> None:
        self.other.tell(Add(message.amount))

    @receives
    async def inquire(self, _: Inquire) -> int:
        return await self.other.ask(GetTotal(), timeout=1)

    @receives
    def pass_on(self, _: GetTotal) -> Forward:
        return Forward(self.other)
