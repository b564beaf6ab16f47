"""An actor that a test holds in its hands."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import trio

from realtime_actors.actors import Actor, Context, Ref, RefSubscription, Runtime, Terminated, receives

from .errors import ExpectationFailed, InvalidExpectation
from .matching import Pattern, listed, short

__all__ = ["Probe"]

T = TypeVar("T")


@attrs.define(eq=False)
class _Inbox:
    """What the probe's actor received and the test has not taken."""

    capacity: int
    messages: deque[Any] = attrs.field(factory=deque[Any])
    lost: int = 0
    answers: dict[type, Any] = attrs.field(factory=dict[type, Any])
    context: Context | None = None
    _arrived: trio.Event = attrs.field(factory=trio.Event)

    def put(self, message: object) -> None:
        if len(self.messages) >= self.capacity:
            self.lost += 1
        else:
            self.messages.append(message)
        self._arrived.set()

    async def filled(self) -> None:
        """Wait until there is something."""
        await trio.lowlevel.checkpoint()
        while not self.messages and not self.lost:
            self._arrived = trio.Event()
            await self._arrived.wait()


@attrs.define(eq=False)
class _ProbeActor(Actor):
    inbox: _Inbox

    async def started(self) -> None:
        self.inbox.context = self.context

    @receives
    def terminated(self, message: Terminated) -> None:
        self.inbox.put(message)

    @receives
    async def any(self, message: object) -> Any:
        self.inbox.put(message)
        answer = self.inbox.answers.get(type(message))
        if callable(answer):
            answer = answer(message)
            if inspect.isawaitable(answer):
                answer = await answer
        return answer


class Probe:
    """An actor that keeps what it is told, for a test to take: `await probe.expect(Total, value=5)`.

    Give `probe.ref` to the actors under test, or have it `watch` and `subscribe`. It is an actor of the runtime
    (or of the actor) that it is spawned by, and ends with it.
    """

    def __init__(self, ref: Ref, inbox: _Inbox, within: float) -> None:
        """Use `Probe.spawn`."""
        self.ref = ref
        """What to give to the actors under test."""
        self._inbox = inbox
        self._within = within

    @classmethod
    async def spawn(
        cls, parent: Runtime | Context, *, name: str | None = None, within: float = 1.0, capacity: int = 1024
    ) -> Probe:
        """A probe in this runtime, or below the actor whose context this is.

        It waits `within` s where not told otherwise, and holds `capacity` messages.
        """
        inbox = _Inbox(capacity)
        ref = await parent.spawn(_ProbeActor(inbox), name=name, capacity=capacity)
        return cls(ref, inbox, within)

    async def expect(
        self,
        kind: type[T],
        /,
        *,
        within: float | None = None,
        where: Callable[[T], object] | None = None,
        **fields: Any,
    ) -> T:
        """Take the next message, which must be of this type, have these fields, and fulfil `where`.

        Waits at most `within` s for it. Raises `ExpectationFailed`, or `InvalidExpectation` for what no message can be.
        """
        pattern = Pattern.of(kind, where, fields)
        within = self._within if within is None else within
        began = trio.current_time()
        with trio.move_on_after(within):
            await self._inbox.filled()
        self._check_room()
        if not self._inbox.messages:
            raise ExpectationFailed(f"{self._name} expected {pattern} within {within:g} s, and nothing came")
        message = self._inbox.messages.popleft()
        problem = pattern.mismatch(message)
        if problem is None:
            return message
        waited = f"{round(trio.current_time() - began, 3):g} s"
        after = f"\nAfter it came{listed(map(short, self._inbox.messages))}" if self._inbox.messages else ""
        raise ExpectationFailed(
            f"{self._name} expected {pattern}; after {waited} came instead\n  {short(message)}\n({problem}){after}"
        )

    async def until(
        self,
        kind: type[Any],
        /,
        *,
        within: float | None = None,
        where: Callable[[Any], object] | None = None,
        **fields: Any,
    ) -> list[Any]:
        """Take messages up to and with the first that `expect` would take; returns all of them, that one last.

        Waits at most `within` s. Raises as `expect` does.
        """
        pattern = Pattern.of(kind, where, fields)
        within = self._within if within is None else within
        taken: list[Any] = []
        with trio.move_on_after(within):
            while True:
                await self._inbox.filled()
                self._check_room()
                taken.append(self._inbox.messages.popleft())
                if pattern.mismatch(taken[-1]) is None:
                    return taken
        came = f"there came{listed(map(short, taken))}" if taken else "nothing came"
        raise ExpectationFailed(f"{self._name} expected {pattern} within {within:g} s, and {came}")

    async def expect_nothing(self, *, within: float = 0.5) -> None:
        """See that nothing is there and nothing comes for `within` s. Raises `ExpectationFailed`."""
        if not within > 0:
            raise InvalidExpectation(f"within is {within}: nothing comes in no time; give it some")
        began = trio.current_time()
        with trio.move_on_after(within):
            await self._inbox.filled()
        self._check_room()
        if self._inbox.messages:
            waited = f"{round(trio.current_time() - began, 3):g} s"
            came = listed(map(short, self._inbox.messages))
            raise ExpectationFailed(f"{self._name} expected nothing within {within:g} s; after {waited} came{came}")

    def take_all(self) -> list[Any]:
        """What has come and was not taken, without waiting."""
        self._check_room()
        taken = list(self._inbox.messages)
        self._inbox.messages.clear()
        return taken

    def answer(self, kind: type[T], answer: Any) -> None:
        """Answer each `ask` of this type with this value, or with what this function (async too) makes of it.

        Without it an `ask` is answered by None. A function that raises crashes the probe, as it would any actor. The
        question is among what can be expected all the same.
        """
        Pattern.of(kind, None, {})
        self._inbox.answers[kind] = answer

    def watch(self, ref: Ref) -> None:
        """Have a `Terminated` come when `ref` ends for good (at once if it already has)."""
        self._context.watch(ref)

    def subscribe(self, pattern: str) -> RefSubscription:
        """Have what is published on matching topics come, until the result is closed."""
        return self._context.subscribe(pattern)

    @property
    def _name(self) -> str:
        return f"probe {self.ref.path}"

    @property
    def _context(self) -> Context:
        assert self._inbox.context is not None  # `started()` has returned
        return self._inbox.context

    def _check_room(self) -> None:
        if self._inbox.lost:
            raise ExpectationFailed(
                f"{self._name} holds {self._inbox.capacity} messages that nobody took, and lost the "
                f"{self._inbox.lost} after them: take them as they come, subscribe to fewer topics, or give it more "
                f"capacity. The first are{listed(map(short, self._inbox.messages))}"
            )

    def __repr__(self) -> str:
        return f"<Probe {self.ref.path} {len(self._inbox.messages)} waiting>"
